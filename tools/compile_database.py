"""What tools/tidy and tools/check_headers share: compile commands, a pool of workers, and results kept between runs."""

import concurrent.futures
import hashlib
import json
import os
import shlex
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def load(build):
    """file relative to the project -> its entry in the compile database; only files of the project."""
    path = os.path.join(build, "compile_commands.json")
    if not os.path.exists(path):
        sys.exit(f"{path} is missing: run tools/build dev first")
    with open(path, encoding="utf-8") as file:
        entries = json.load(file)
    found = {}
    for entry in entries:
        name = in_project(os.path.join(entry["directory"], entry["file"]))
        if name and not name.startswith("build/"):
            command = without_launcher(shlex.split(entry["command"]))
            found[name] = {"directory": entry["directory"], "file": entry["file"], "arguments": command}
    return found


def without_launcher(command):
    """Drops `env A=B ccache` in front of the compiler."""
    for index, word in enumerate(command):
        if "clang" in os.path.basename(word) or "g++" in os.path.basename(word):
            return command[index:]
    return command


def in_project(path):
    """Relative to the project; None for what lies outside."""
    name = os.path.relpath(os.path.join(ROOT, path), ROOT)
    return None if name.startswith("..") else name


def files_in_rule(rule):
    """The files of the project in a make rule, as a preprocessor prints it with -MM."""
    names = (in_project(word) for word in rule.replace("\\\n", " ").split(":", 1)[1].split())
    return [name for name in names if name]


def included_files(scan):
    """Runs a preprocessor with -MM; None when it fails."""
    result = subprocess.run(scan, cwd=ROOT, capture_output=True, text=True, check=False)
    return files_in_rule(result.stdout) if result.returncode == 0 else None


def parallel(function, items):
    """The results in the order of the items."""
    with concurrent.futures.ThreadPoolExecutor(int(os.environ.get("JOBS") or os.cpu_count() or 1)) as pool:
        yield from pool.map(function, items)


def run(command):
    """What it says when it fails; empty when it succeeds."""
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if result.returncode == 0:
        return ""
    return (result.stdout + result.stderr).strip() or f"{command[-1]}: exit code {result.returncode}"


class Passed:
    """Which files passed a check, and what they and the files that they include held then."""

    def __init__(self, check, build, also_reads=()):
        self.path = os.path.join(build, f"{check}.passed.json")
        self.also_reads = list(also_reads)
        self.digests = {}
        self.before = {}
        if os.path.exists(self.path):
            with open(self.path, encoding="utf-8") as file:
                self.before = json.load(file)
        self.now = {}

    def holds(self, name, command, reads):
        """Whether it passed, and neither the command nor any of the files has changed since. `reads` None: unknown."""
        if reads is None:
            return False
        digest = hashlib.sha256("\0".join(command).encode())
        for path in sorted({*reads, *self.also_reads}):
            with open(os.path.join(ROOT, path), "rb") as file:
                digest.update(path.encode() + b"\0" + hashlib.sha256(file.read()).digest())
        self.digests[name] = digest.hexdigest()
        if self.before.get(name) != self.digests[name]:
            return False
        self.add([name])
        return True

    def add(self, names):
        for name in names:
            if name in self.digests:
                self.now[name] = self.digests[name]

    def save(self):
        with open(self.path, "w", encoding="utf-8") as file:
            json.dump(self.now, file)
