"""Hooks of both transports that do what a test says, so that one table of cases serves both."""
import json
import pathlib
import shlex
import tempfile

from hook_server import Call, HookServer, Reply
from wire import TUS

ASKED = ("pre-create", "pre-finish", "pre-terminate", "pre-access")
EVENTS = (*ASKED, "post-create", "post-receive", "post-finish", "post-terminate")
# Quick enough for tests; each transport's own attempts are left to its unit tests.
FLAGS = ("-hooks-retry-delay=50ms", "-hooks-access-cache=0", "-progress-hooks-interval=50ms", "-hooks-http-retry=1",
         "-hooks-http-timeout=1s", "-hooks-file-timeout=1s")
HUGE = b'{"HTTPResponse":{"Body":"%s"}}' % (b"x" * (1 << 20))


def refuse(event, **response):
    """The reply that says no to what is asked."""
    member = {"pre-create": "RejectUpload", "pre-terminate": "RejectTermination", "pre-access": "RejectAccess"}[event]
    return {member: True, **({"HTTPResponse": response} if response else {})}


class HttpHooks:
    kind = "http"
    failures = {
        "status 404": Reply(b"not here", status=404, content_type="text/plain"),
        "status 500": Reply({"RejectUpload": False}, status=500),
        "redirect": Reply(b"", status=302),
        "hang up": Reply(hang_up=True),
        "timeout": Reply(delay=3),
        "garbage": Reply(b"\xff\x00{{{"),
        "another type": Reply(b"<html>it works</html>", content_type="text/html"),
        "wrong shape": Reply({"HTTPResponse": [], "RejectUpload": "no", "RejectAccess": 0, "RejectTermination": {}}),
        "huge": Reply(HUGE),
    }

    def __init__(self, test):
        self.server = HookServer()
        test.addCleanup(self.server.close)

    def flags(self):
        return (f"-hooks-http={self.server.url}", *FLAGS)

    def says(self, event, reply=None):
        self.server.answer(event, Reply(reply))

    def fails(self, event, how):
        self.server.answer(event, self.failures[how])

    def calls(self, *events):
        return self.server.of(*events)

    def forget(self):
        self.server.forget()


class FileHooks:
    kind = "file"
    failures = {
        "exit code": "echo '{}'; exit 3",
        "signal": "kill -9 $$",
        "timeout": "exec sleep 600",
        "garbage": "printf '\\377\\000{{{'",
        "wrong shape": "echo '{\"HTTPResponse\":[],\"RejectUpload\":\"no\",\"RejectAccess\":0,\"RejectTermination\":{}}'",
        "huge": "exec cat /dev/zero",
        "not executable": None,
    }

    def __init__(self, test):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="hooks-", dir=test.scratch))
        for event in EVENTS:
            self.says(event)

    def flags(self):
        return (f"-hooks-dir={self.directory}", *FLAGS)

    def program(self, event, commands, mode=0o755):
        """Replaced at once: a program that is just being written cannot be run."""
        new = self.directory / f"new-{event}"
        new.write_text(f"#!/bin/sh\nmessage=$(cat)\nprintf '%s\\n' \"$message\" >>calls\n{commands}\n")
        new.chmod(mode)
        new.rename(self.directory / event)

    def says(self, event, reply=None):
        self.program(event, "" if reply is None else f"printf %s {shlex.quote(json.dumps(reply))}")

    def fails(self, event, how):
        commands = self.failures[how]
        self.program(event, commands or "", 0o755 if commands else 0o644)

    def calls(self, *events):
        path = self.directory / "calls"
        text = path.read_bytes() if path.exists() else b""
        calls = [Call(line, {}) for line in text.split(b"\n")[:-1]]
        return [call for call in calls if not events or call.event in events]

    def forget(self):
        (self.directory / "calls").unlink(missing_ok=True)


def whole(wire, target, body, fields=()):
    """A POST that brings all bytes of its upload."""
    return wire.ask("POST", target, {**TUS, "Upload-Length": len(body), "Content-Type": "application/offset+octet-stream",
                                     "Content-Length": len(body), **dict(fields)}, body)
