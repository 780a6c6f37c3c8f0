"""Hooks of both transports that do what a test says, so that one table of cases serves both."""
import json
import pathlib
import random
import shlex
import tempfile
import threading
import urllib.parse

from harness import wait_until
from hook_server import Call, HookServer, Reply
from wire import TUS

ASKED = ("pre-create", "pre-finish", "pre-terminate", "pre-access")
POSTS = ("post-create", "post-finish", "post-terminate")  # that are kept until they are taken
EVENTS = (*ASKED, "post-create", "post-receive", "post-finish", "post-terminate")
# Quick enough for tests; each transport's own attempts are left to its unit tests.
FLAGS = ("-hooks-retry-delay=50ms", "-hooks-access-cache=0", "-progress-hooks-interval=50ms", "-hooks-http-retry=1",
         "-hooks-http-timeout=1s", "-hooks-file-timeout=1s")
HUGE = b'{"HTTPResponse":{"Body":"%s"}}' % (b"x" * (1 << 20))


def refuse(event, **response):
    """The reply that says no to what is asked."""
    member = {"pre-create": "RejectUpload", "pre-terminate": "RejectTermination", "pre-access": "RejectAccess"}[event]
    return {member: True, **({"HTTPResponse": response} if response else {})}


def in_threads(work, count):
    """Runs work(number) in so many threads, and raises what one of them raised."""
    failures = []

    def guarded(number):
        try:
            work(number)
        except BaseException as failure:  # pylint: disable=broad-except
            failures.append(failure)

    threads = [threading.Thread(target=guarded, args=(number,), daemon=True) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


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


class Ordered:
    """For tests whose `hooks` is a HookServer: what was delivered, and in which order."""
    SECONDS = 60

    def taken(self):
        """id -> the events that were taken, in order of arrival, with their repetitions."""
        found = {}
        for call in self.hooks.of():
            if call.succeeded():
                found.setdefault(call.id, []).append(call.event)
        return found

    def wait_for(self, expected):
        """`expected`: id -> events."""
        def all_are_there():
            taken = self.taken()
            return all(set(events) <= set(taken.get(upload_id, ())) for upload_id, events in expected.items())
        try:
            wait_until(all_are_there, self.SECONDS, "all events")
        except AssertionError:
            taken = self.taken()
            missing = {upload_id: taken.get(upload_id) for upload_id, events in expected.items()
                       if not set(events) <= set(taken.get(upload_id, ()))}
            self.fail(f"events of {len(missing)} uploads of {len(expected)} are missing, these came: {missing}")

    def assert_in_order(self, ids=None):
        """No event is even sent before the one that precedes it was taken, and repetitions have one id. Of these uploads, or
        of all."""
        histories = {}
        for call in self.hooks.of():
            if ids is None or call.id in ids:
                histories.setdefault(call.id, []).append(call)
        for history in histories.values():
            stage = 0
            for call in history:
                at = POSTS.index(call.event)
                self.assertGreaterEqual(at, stage, history)
                if at > stage:
                    self.assertTrue(any(one.event == POSTS[at - 1] and one.succeeded() and one.time <= call.time
                                        for one in history), f"{call.event} too early: {history}")
                stage = at
            for event in POSTS:
                found = {call.event_id for call in history if call.event == event}
                self.assertLessEqual(len(found), 1, history)

    def take_turns(self, servers, clients, rounds, seed):
        """Clients whose requests go now to one server, now to another: id -> the events of each upload."""
        told, lock = {}, threading.Lock()

        def client(number):
            generator = random.Random(seed + number)
            wires = [server.wire() for server in servers]
            for _ in range(rounds):
                def one():
                    return generator.choice(wires)
                base = servers[0].base_path
                path = one().create(base, 3)
                expected = list(POSTS[:2])
                self.assertEqual(one().patch(path, 0, b"123").offset, 3)
                if generator.random() < 0.5:
                    self.assertEqual(one().ask("DELETE", path, TUS).status, 204)
                    expected.append(POSTS[2])
                with lock:
                    told[urllib.parse.unquote(path[len(base):])] = expected
            for wire in wires:
                wire.close()

        in_threads(client, clients)
        return told
