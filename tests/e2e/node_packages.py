#!/usr/bin/env python3
"""What comes from npm for the tests, installed into build/e2e. Run by itself it installs all of it."""
import contextlib
import fcntl
import os
import pathlib
import shutil
import subprocess
import sys

from harness import BUILD, ROOT

LISTS = ("package.json", "package-lock.json")
CLIENTS = pathlib.Path(__file__).resolve().parent / "node"
BROWSER_EXAMPLE = ROOT / "examples" / "browser"


def npm(folder, *arguments):
    subprocess.run(["npm", *arguments], cwd=folder, check=True, timeout=300, stdin=subprocess.DEVNULL,
                   stdout=sys.stderr)


@contextlib.contextmanager
def installed_in(target, source):
    """The packages that the lists in `source` name are in `target`, which is nobody else's meanwhile."""
    target.mkdir(parents=True, exist_ok=True)
    with open(target / ".lock", "w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)  # tests run side by side
        wanted = b"".join((source / name).read_bytes() for name in LISTS)
        stamp = target / ".installed"
        if not stamp.exists() or stamp.read_bytes() != wanted:
            stamp.unlink(missing_ok=True)
            for name in LISTS:
                shutil.copy(source / name, target / name)
            npm(target, "ci", "--no-audit", "--no-fund", "--ignore-scripts")
            stamp.write_bytes(wanted)
        yield


def copy(source, target):
    """In one step: somebody may be reading it."""
    fresh = target.with_name(f".{target.name}.{os.getpid()}")
    shutil.copy(source, fresh)
    fresh.replace(target)


def clients():
    """The folder with the scripts of tests/e2e/node and their packages: modules are looked up from where a script is."""
    target = BUILD / "node"
    with installed_in(target, CLIENTS):
        for script in CLIENTS.glob("*.mjs"):
            copy(script, target / script.name)
    return target


def browser_example():
    """The folder with examples/browser, built as its README says."""
    target = BUILD / "browser-example"
    with installed_in(target, BROWSER_EXAMPLE):
        sources = [path for path in BROWSER_EXAMPLE.iterdir() if path.suffix in (".html", ".js")]
        built = target / "build" / ".of"
        wanted = b"".join(path.read_bytes() for path in sorted(sources))
        if not built.exists() or built.read_bytes() != wanted:
            for path in sources:
                copy(path, target / path.name)
            npm(target, "run", "build")
            built.write_bytes(wanted)
    return target


if __name__ == "__main__":
    print(clients())
    print(browser_example())
