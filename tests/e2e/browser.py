"""Headless Chromium, and the web server of the pages that it shows."""
import functools
import http.server
import json
import os
import pathlib
import select
import shutil
import signal
import subprocess
import tempfile
import threading

import node_packages
from harness import BUILD, clean_environment, die_with_parent, wait_until

CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
COMMAND_SECONDS = 90
END_SECONDS = 20


class Browser:
    """One Chromium with one tab at a time, run by node/browser.mjs. All that it writes goes into a folder of its own,
    and `close` leaves neither that nor a process."""

    def __init__(self):
        folder = node_packages.clients()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=f"scratch-{os.getpid()}-browser-", dir=BUILD))
        self.log = self.folder / "log"
        home = {"TMPDIR": str(self.folder), "HOME": str(self.folder), "CHROMIUM": CHROMIUM}
        environment = {name: value for name, value in clean_environment(home).items() if not name.startswith("XDG_")}
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(["node", folder / "browser.mjs"], env=environment, cwd=self.folder,
                                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
                                            preexec_fn=die_with_parent)
        try:
            self.version = self._answer("start")
        except BaseException:
            self.kill()
            raise

    def _answer(self, command):
        # Answers come one by one: nothing of a next one is left in the buffer of the pipe.
        if not select.select([self.process.stdout], [], [], COMMAND_SECONDS)[0]:
            raise AssertionError(f"{command}: no answer of the browser within {COMMAND_SECONDS} s\n{self.tail()}")
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError(f"{command}: the browser has ended\n{self.tail()}")
        answer = json.loads(line)
        if "error" in answer:
            raise AssertionError(f"{command}: {answer['error']}\n{self.tail()}")
        return answer["value"]

    def tail(self):
        return self.log.read_text(errors="replace")[-4000:]

    def do(self, command, **given):
        """The commands are those of node/browser.mjs."""
        self.process.stdin.write(json.dumps({"command": command, **given}, default=str).encode() + b"\n")
        self.process.stdin.flush()
        return self._answer(command)

    def processes(self):
        """Those of this browser: all have inherited where temporary files go."""
        mark = f"TMPDIR={self.folder}".encode()
        found = []
        for folder in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                # One that has ended and waits for init has no environment any more.
                if mark in (folder / "environ").read_bytes().split(b"\0"):
                    found.append(int(folder.name))
            except OSError:
                pass
        return found

    def close(self):
        """The way a user closes it."""
        self.process.stdin.close()
        try:
            self.process.wait(END_SECONDS)
            wait_until(lambda: not self.processes(), END_SECONDS, f"the browser has ended: {self.processes()}")
        finally:
            self.kill()

    def kill(self):
        for pid in self.processes():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        shutil.rmtree(self.folder)


class PageHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


class Pages:
    """A web server for a folder, at an origin of its own: another host and another port than the server under test."""

    def __init__(self, folder):
        handler = functools.partial(PageHandler, directory=str(folder))
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.origin = f"http://localhost:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05})
        self.thread.start()

    def url(self, name):
        return f"{self.origin}/{name}"

    def close(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()
