#!/usr/bin/env python3
"""tus-js-client, installed from npm into build/e2e/node."""
import fcntl
import json
import os
import pathlib
import shutil
import subprocess
import sys

from harness import BUILD, die_with_parent

SOURCE = pathlib.Path(__file__).resolve().parent / "node"
TARGET = BUILD / "node"


def installed():
    """The folder with node_modules; installs when package.json or the lock file has changed."""
    TARGET.mkdir(parents=True, exist_ok=True)
    with open(TARGET / ".lock", "w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)  # tests run side by side
        wanted = (SOURCE / "package.json").read_bytes() + (SOURCE / "package-lock.json").read_bytes()
        stamp = TARGET / ".installed"
        if not stamp.exists() or stamp.read_bytes() != wanted:
            stamp.unlink(missing_ok=True)
            for name in ("package.json", "package-lock.json"):
                shutil.copy(SOURCE / name, TARGET / name)
            subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"], cwd=TARGET,
                           check=True, timeout=300, stdout=sys.stderr)
            stamp.write_bytes(wanted)
        # Modules are looked up from where the script lies.
        fresh = TARGET / f".upload.{os.getpid()}"
        shutil.copy(SOURCE / "upload.mjs", fresh)
        fresh.replace(TARGET / "upload.mjs")
    return TARGET


def upload(endpoint, uploads, timeout=300):
    """Runs uploads at the same time; see node/upload.mjs. Returns one result each."""
    folder = installed()
    job = json.dumps({"endpoint": endpoint, "uploads": uploads})
    done = subprocess.run(["node", "upload.mjs", job], cwd=folder, timeout=timeout, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=die_with_parent)
    if done.returncode != 0:
        raise AssertionError(f"tus-js-client failed:\n{done.stderr[-4000:]}")
    return json.loads(done.stdout)["results"]


if __name__ == "__main__":
    print(installed())
