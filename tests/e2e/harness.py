"""Runs the real server for the tests: own folders, bounded time everywhere, and nothing left behind."""
import ctypes
import faulthandler
import os
import pathlib
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

from wire import TUS, Wire

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = ROOT / "build" / "e2e"
BINARY = pathlib.Path(os.environ.get("TUSD_BINARY") or os.environ.get("TUSD")
                      or ROOT / "build" / "release" / "tusd").resolve()
LIBC = ctypes.CDLL(None)  # loaded here: after a fork of a program with threads it could deadlock
# Tests with random moments print it; set E2E_SEED to run one again.
SEED = int(os.environ.get("E2E_SEED") or random.randrange(1 << 32))
START_SECONDS = 30
STOP_SECONDS = 30
SANITIZER_REPORT = re.compile(r"(ERROR|WARNING): \w+Sanitizer|runtime error:|Assertion .* failed")


def is_sanitized():
    """Whether the server is a sanitizer build, for which figures of speed and memory mean nothing."""
    data = BINARY.read_bytes()
    return b"__asan_init" in data or b"__tsan_init" in data


def die_with_parent():
    """In the child: a test that is killed must not leave its server running."""
    LIBC.prctl(1, signal.SIGKILL)


def clean_environment(extra=None):
    """Without TUSD_...: those are flags of the server."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("TUSD")}
    environment.update(extra or {})
    return environment


def wait_until(condition, seconds, what):
    """The first true value of condition()."""
    deadline = time.monotonic() + seconds
    while True:
        if value := condition():
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.01)


class Server:
    """tusd with these flags, which put its uploads into `directory`. Its working directory is `scratch`."""

    def __init__(self, directory, scratch, flags, environment=None):
        self.directory = pathlib.Path(directory)
        self.scratch = pathlib.Path(scratch)
        self.command = [str(BINARY), *flags]
        self.environment = clean_environment(environment)
        self.process = None
        self.log_number = 0
        self.start()

    def start(self):
        self.ended_by_test = False
        self.log_number += 1
        name = f"{self.directory.name}-{id(self):x}-{self.log_number}"
        self.stdout_path = self.scratch / f"{name}.stdout"
        self.stderr_path = self.scratch / f"{name}.stderr"
        with open(self.stdout_path, "wb") as out, open(self.stderr_path, "wb") as err:
            self.process = self.launch(stdin=subprocess.DEVNULL, stdout=out, stderr=err, cwd=self.scratch)
        try:
            self.url = wait_until(self._printed_url, START_SECONDS, "the start-up lines").replace(
                "0.0.0.0", "127.0.0.1")
        except BaseException:
            self.ended_by_test = True
            self.kill()
            raise
        if host_port := re.fullmatch(r"http://([^/]+):(\d+)(/.*)", self.url):
            self.address = (host_port[1], int(host_port[2]))
            self.base_path = host_port[3]
        else:  # a Unix socket has no URL
            self.address = str(self.scratch / self.url)
            self.base_path = re.search(r"Using (\S+) as the base path", self.output())[1]

    def launch(self, **streams):
        return subprocess.Popen(self.command, env=self.environment, preexec_fn=die_with_parent, **streams)

    def _printed_url(self):
        if match := re.search(r"You can now upload files to: (http://\S+)\n", self.output()):
            return match[1]
        if match := re.search(r"Using (\S+) as socket to listen\.\n(.*\n)*.*as the base path\.\n", self.output()):
            return match[1]
        if self.process.poll() is not None:
            raise AssertionError(f"tusd ended at once, code {self.process.returncode}:\n{self.tail()}")
        return None

    @property
    def pid(self):
        return self.process.pid

    def output(self):
        return self.stdout_path.read_text(errors="replace")

    def errors(self):
        return self.stderr_path.read_text(errors="replace")

    def tail(self):
        """The end of the log, or the beginning of what a sanitizer reports in it."""
        errors = self.errors()
        report = SANITIZER_REPORT.search(errors)
        shown = errors[report.start():][:8000] if report else errors[-6000:]
        return f"--- stdout\n{self.output()[-3000:]}\n--- stderr\n{shown}"

    def wire(self, timeout=30):
        return Wire(self.address, timeout)

    def alive(self):
        return self.process.poll() is None

    def rss_kib(self):
        status = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(r"^VmRSS:\s+(\d+) kB", status, re.M)[1])

    def stop(self):
        """A clean stop, the way an operator does it. Returns the exit code."""
        if self.alive():
            self.process.send_signal(signal.SIGTERM)
        return self.wait_for_exit()

    def wait_for_exit(self):
        """The exit code of a server that somebody asked to stop."""
        self.ended_by_test = True
        try:
            return self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            tail = self.tail()
            self.kill()
            raise AssertionError(f"tusd did not stop within {STOP_SECONDS} s\n{tail}") from None

    def kill(self):
        crashed = not self.alive() and not self.ended_by_test
        self.ended_by_test = True
        self.process.kill()
        self.process.wait()
        if crashed:
            raise AssertionError(f"tusd had ended by itself, code {self.process.returncode}\n{self.tail()}")

    def restart(self):
        self.kill()
        self.start()

    def finish(self):
        """The end of every test: the server must still be well, and stop cleanly."""
        crashed = not self.alive() and not self.ended_by_test
        code = self.stop()
        reports = SANITIZER_REPORT.search(self.errors())
        if crashed or reports or code not in (0, -signal.SIGKILL):
            raise AssertionError(f"tusd is not well: ended by itself: {crashed}, code {code}\n{self.tail()}")


class EndToEndTest(unittest.TestCase):
    """A folder of its own in build/e2e, and servers that are stopped and checked at the end."""

    def setUp(self):
        BUILD.mkdir(parents=True, exist_ok=True)
        prefix = f"scratch-{os.getpid()}-{type(self).__name__}-"
        self.scratch = pathlib.Path(tempfile.mkdtemp(prefix=prefix, dir=BUILD))
        self.addCleanup(shutil.rmtree, self.scratch, ignore_errors=True)
        self.begin = time.monotonic()
        self.addCleanup(lambda: self.report(f"took {time.monotonic() - self.begin:.1f} s"))

    def serve(self, *flags, directory=None):
        """A server on a free port, with a directory of its own unless one is given."""
        if directory is None:
            directory = pathlib.Path(tempfile.mkdtemp(prefix="data-", dir=self.scratch))
        return self.serve_plain(directory, "-host=127.0.0.1", "-port=0", f"-dir={directory}", *flags)

    def serve_plain(self, directory, *flags):
        """A server with these flags and no others."""
        server = Server(directory, self.scratch, flags)
        self.addCleanup(server.finish)
        return server

    def report(self, text):
        """A figure, for whoever reads the log of the tests."""
        print(f"  {self._testMethodName}: {text}", flush=True)

    def rate(self, server, payload):
        """MiB/s of one PATCH."""
        with server.wire() as wire:
            path = wire.create(server.base_path, payload.size)
            begin = time.monotonic()
            answer = wire.patch_file(path, payload, 0, payload.size)
            seconds = time.monotonic() - begin
            self.assertEqual((answer.status, answer.offset), (204, payload.size), answer)
            wire.ask("DELETE", path, TUS)
        return payload.size / (1 << 20) / seconds

    def wait_for_no_locks(self, directory):
        """Locks go when answers are on their way, and those of a server that was killed after the next start."""
        wait_until(lambda: not [path for path in directory.rglob("*.lock") if ".tusd" not in path.parts], 10,
                   "no lock is left")

    def assert_error(self, answer, status, code):
        """An error answer has its status, and its code both readable and stable (docs: ERR_ codes)."""
        self.assertEqual(answer.status, status, answer)
        self.assertIn(code.encode(), answer.body, answer)


def percentile(values, percent):
    """Nearest rank."""
    ordered = sorted(values)
    return ordered[max(1, -(-len(ordered) * percent // 100)) - 1]


def remove_left_overs():
    """Folders of tests that were killed before they could clean up."""
    for folder in BUILD.glob("scratch-*"):
        if not os.path.exists(f"/proc/{folder.name.split('-')[1]}"):
            shutil.rmtree(folder, ignore_errors=True)


def main(seconds=600):
    """Instead of unittest.main(): a test that hangs shows where, and ends."""
    if not BINARY.is_file():
        sys.exit(f"there is no server at {BINARY}: build it, or set TUSD_BINARY")
    remove_left_overs()
    faulthandler.dump_traceback_later(seconds, exit=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    unittest.main(module="__main__", verbosity=2)
