"""What tools/tidy and tools/check_headers share: compile commands, a pool of workers, and results kept between runs.

A job is a command over one file. It is skipped when it succeeded before and neither the command nor any file of the
project that it read has changed since, so that a second run costs only what changed.
"""

import concurrent.futures
import hashlib
import json
import os
import shlex
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def load(build):
    """file relative to the project -> its compile command, a list; only files of the project."""
    path = os.path.join(build, "compile_commands.json")
    if not os.path.exists(path):
        sys.exit(f"{path} is missing: run tools/build dev first")
    with open(path, encoding="utf-8") as file:
        entries = json.load(file)
    commands = {}
    for entry in entries:
        name = os.path.relpath(os.path.join(entry["directory"], entry["file"]), ROOT)
        if not name.startswith(("build/", "..")):
            commands[name] = without_launcher(shlex.split(entry["command"]))
    return commands


def without_launcher(command):
    """Drops `env A=B ccache` in front of the compiler."""
    for index, word in enumerate(command):
        if "clang" in os.path.basename(word) or "g++" in os.path.basename(word):
            return command[index:]
    return command


def digest_of(paths, command):
    digest = hashlib.sha256("\0".join(command).encode())
    for path in sorted(paths):
        with open(os.path.join(ROOT, path), "rb") as file:
            digest.update(path.encode() + b"\0" + hashlib.sha256(file.read()).digest())
    return digest.hexdigest()


def included_files(scan):
    """Runs a preprocessor that prints a make rule (-MM); the files of the project in it, or None when it fails."""
    result = subprocess.run(scan, cwd=ROOT, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        return None
    words = result.stdout.replace("\\\n", " ").split(":", 1)[1].split()
    names = (os.path.relpath(os.path.join(ROOT, word), ROOT) for word in words)
    return [name for name in names if not name.startswith("..")]


class Jobs:
    def __init__(self, name, build, also_reads=()):
        self.store = os.path.join(build, f"{name}.passed.json")
        self.also_reads = list(also_reads)
        self.passed = {}
        if os.path.exists(self.store):
            with open(self.store, encoding="utf-8") as file:
                self.passed = json.load(file)

    def one(self, item):
        name, command, scan = item
        reads = included_files(scan)
        digest = digest_of(reads + self.also_reads, command) if reads is not None else None
        if digest is not None and self.passed.get(name) == digest:
            return name, digest, None
        result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if result.returncode == 0:
            return name, digest, ""
        return name, None, (result.stdout + result.stderr).strip() or f"{name}: exit code {result.returncode}"

    def run(self, items):
        """items: (name, command, scan). Prints what fails; returns (number run, names that failed)."""
        ran, failed, passed = 0, [], {}
        with concurrent.futures.ThreadPoolExecutor(int(os.environ.get("JOBS") or os.cpu_count() or 1)) as pool:
            for name, digest, output in pool.map(self.one, items):
                ran += output is not None
                if digest is not None:
                    passed[name] = digest
                elif output:
                    failed.append(name)
                    print(output, flush=True)
        with open(self.store, "w", encoding="utf-8") as file:
            json.dump(passed, file)
        return ran, failed
