#!/usr/bin/env python3
"""Every event, over programs and over HTTP, with everything a hook may answer, mean or break."""
import base64
import json
import socket
import threading
import time

from harness import EndToEndTest, main, wait_until
from hook_kit import ASKED, EVENTS, FileHooks, HttpHooks, refuse, whole
from hook_server import HookServer, Reply
from wire import TUS, patch_fields

METADATA = {"Upload-Metadata": "filename " + base64.b64encode(b"x.txt").decode()}
SECONDS = 30  # for what goes on behind an answer


class Table:
    """The cases; `hooks_of` makes the transport."""

    good_enough = ()  # failures of what is asked that are good enough for what is only told

    def start(self, *flags, events=EVENTS):
        self.hooks = self.hooks_of(self)
        self.server = self.serve(*self.hooks.flags(), f"-hooks-enabled-events={','.join(events)}", *flags)
        self.wire = self.server.wire()
        self.addCleanup(self.wire.close)
        self.files = self.server.base_path

    def wait_for(self, event, count=1):
        """The calls of an event, once there are so many."""
        wait_until(lambda: len(self.hooks.calls(event)) >= count, SECONDS, f"{count} calls of {event}")
        return self.hooks.calls(event)

    def info(self, path):
        return json.loads((self.server.directory / (path[len(self.files):] + ".info")).read_text())

    def stored(self):
        """The names in the upload directory; locks go a moment after the answer."""
        return sorted(path.name for path in self.server.directory.iterdir()
                      if path.name != ".tusd" and path.suffix != ".lock")

    def test_messages_of_a_life(self):
        """[HOOK-150] [HOOK-151] Each event comes once, with the upload and the request that caused it."""
        self.start()
        wire = self.wire
        path = wire.create(self.files, 10, METADATA)
        upload_id = path[len(self.files):]
        self.assertEqual(wire.patch(path, 0, b"12345").offset, 5)
        self.assertEqual(wire.patch(path, 5, b"67890", {"X-Some-THING": "a"}).offset, 10)
        self.assertEqual(wire.head(path).offset, 10)
        self.assertEqual(wire.ask("GET", path).body, b"1234567890")
        self.assertEqual(wire.ask("DELETE", path, TUS).status, 204)
        self.wait_for("post-terminate")
        calls = self.hooks.calls()
        seen = [call.event for call in calls]
        for event in set(EVENTS) - {"pre-access", "post-receive"}:
            self.assertEqual(seen.count(event), 1, f"{event} in {seen}")
        posts = [event for event in seen if event in ("post-create", "post-finish", "post-terminate")]
        self.assertEqual(posts, ["post-create", "post-finish", "post-terminate"])
        self.assertLess(seen.index("pre-finish"), seen.index("post-finish"))
        self.assertEqual([call.request["Method"] for call in calls if call.event == "pre-access"],
                         ["PATCH", "PATCH", "HEAD", "GET", "DELETE"])
        self.assertEqual(len({call.event_id for call in calls}), len(calls), "ids of different events")
        for call in calls:
            self.look_at(call, upload_id)

    def look_at(self, call, upload_id):
        upload, request = call.upload, call.request
        self.assertEqual(upload["ID"], "" if call.event == "pre-create" else upload_id, call)
        self.assertEqual((upload["Size"], upload["SizeIsDeferred"], upload["IsPartial"], upload["IsFinal"],
                          upload["PartialUploads"], upload["MetaData"]),
                         (10, False, False, False, None, {"filename": "x.txt"}), call)
        offset = {"pre-create": 0, "post-create": 0, "pre-finish": 10, "post-finish": 10}.get(call.event)
        if offset is not None:
            self.assertEqual(upload["Offset"], offset, call)
        if call.event != "pre-create":
            self.assertEqual(upload["Storage"]["Path"], str(self.server.directory / upload_id), call)
        self.assertRegex(request["RemoteAddr"], r"^127\.0\.0\.1:\d+$")
        self.assertTrue(request["URI"].startswith(self.files), request)
        method = {"pre-create": "POST", "post-create": "POST", "post-receive": "PATCH", "pre-finish": "PATCH",
                  "post-finish": "PATCH", "pre-terminate": "DELETE", "post-terminate": "DELETE"}.get(call.event)
        self.assertIn(request["Method"], (method,) if method else ("PATCH", "HEAD", "GET", "DELETE"), call)
        if call.event == "post-finish":
            self.assertEqual(request["Header"]["X-Some-Thing"], ["a"], "names as Go writes them")

    def test_creation_is_refused(self):
        """[HOOK-152] With the hook's answer, or with ours; nothing is created."""
        self.start()
        self.hooks.says("pre-create", refuse("pre-create", StatusCode=418, Body="no tea", Header={"X-A": "b"}))
        answer = self.wire.ask("POST", self.files, {**TUS, "Upload-Length": 3})
        self.assertEqual((answer.status, answer.body, answer.get("X-A")), (418, b"no tea", "b"), answer)
        self.hooks.says("pre-create", refuse("pre-create"))
        self.assert_error(self.wire.ask("POST", self.files, {**TUS, "Upload-Length": 3}), 400, "ERR_UPLOAD_REJECTED")
        self.assertEqual(self.stored(), [])
        self.hooks.says("pre-create", {"HTTPResponse": {"Header": {"X-A": "c"}}, "RejectTermination": True, "New": 1})
        answer = self.wire.ask("POST", self.files, {**TUS, "Upload-Length": 3})
        self.assertEqual((answer.status, answer.get("X-A")), (201, "c"), "adds to our answer; unknown keys are nothing")
        self.assertEqual([call.event for call in self.wait_for("post-create")], ["post-create"])

    def test_creation_is_changed(self):
        """[HOOK-153] Id, metadata and place are the hook's."""
        self.start()
        self.hooks.says("pre-create", {"changefileinfo": {"id": "in/a.folder", "MetaData": {"by": "hook"},
                                                          "Storage": {"Path": "elsewhere/data"}}})
        answer = whole(self.wire, self.files, b"hello", METADATA)
        self.assertEqual((answer.status, answer.path), (201, self.files + "in/a.folder"), answer)
        self.assertEqual((self.server.directory / "elsewhere" / "data").read_bytes(), b"hello")
        self.assertEqual(self.info(answer.path)["MetaData"], {"by": "hook"})
        head = self.wire.head(answer.path)
        self.assertEqual((head.offset, head.get("Upload-Metadata")), (5, "by aG9vaw=="), head)
        self.assertEqual(self.wait_for("post-finish")[0].id, "in/a.folder")

    def test_replies_are_looked_at(self):
        """[HOOK-154] What a hook says is checked like anything else from outside."""
        self.start("-hooks-confine-paths")
        for changes in ({"ID": "../escape"}, {"ID": ".hidden"}, {"ID": "a.info"}, {"ID": "a\nb"}, {"ID": "x" * 2000},
                        {"ID": 5}, {"Storage": {"Path": "../../escape"}}, {"Storage": {"Path": "/tmp/escape"}},
                        {"MetaData": {"a": 1}}):
            with self.subTest(changes=str(changes)[:60]):
                self.hooks.says("pre-create", {"ChangeFileInfo": changes})
                answer = self.wire.ask("POST", self.files, {**TUS, "Upload-Length": 3})
                self.assertEqual(answer.status, 500, answer)
                self.assertEqual(self.stored(), [])
        for response in ({"StatusCode": 42}, {"StatusCode": 1000}, {"StatusCode": 100}, {"StatusCode": "200"}):
            with self.subTest(response=response):
                self.hooks.says("pre-create", refuse("pre-create", **response))
                self.assertEqual(self.wire.ask("POST", self.files, {**TUS, "Upload-Length": 3}).status, 500)
        for name, value in (("X-A", "b\r\nEvil: 1"), ("X-A\r\nEvil", "1"), ("", "b"), ("Content-Length", "9999"),
                            ("Transfer-Encoding", "chunked"), ("Connection", "close"), ("X A", "b")):
            with self.subTest(header=(name, value)):
                self.hooks.says("pre-create", refuse("pre-create", StatusCode=403, Body="no", Header={name: value}))
                answer = self.wire.ask("POST", self.files, {**TUS, "Upload-Length": 3})
                self.assertIn(answer.status, (403, 500), answer)
                self.assertIsNone(answer.get("Evil"), answer)
                self.assertEqual(self.wire.ask("OPTIONS", self.files).status, 200, "the connection is in step")

    def test_upload_is_stopped(self):
        """[HOOK-155] post-receive ends an upload that is being received."""
        self.start()
        path = self.wire.create(self.files, 1 << 20)
        self.hooks.says("post-receive", {"StopUpload": True, "HTTPResponse": {"StatusCode": 422, "Body": "enough"}})
        self.wire.send_head("PATCH", path, patch_fields(0, 1 << 20))
        sender = threading.Thread(target=self.send_slowly, daemon=True)
        sender.start()
        answer = self.wire.receive()
        self.assertEqual((answer.status, answer.body), (422, b"enough"), answer)
        sender.join()
        with self.server.wire() as wire:
            self.assertEqual(wire.head(path).status, 404)
        self.wait_for("post-terminate")
        self.assertEqual(self.hooks.calls("post-finish"), [])

    def send_slowly(self):
        try:
            for _ in range(1000):
                self.wire.send(b"x" * 100)
                time.sleep(0.02)
        except OSError:
            pass  # the answer has come

    def test_finish_has_an_answer(self):
        """[HOOK-156] pre-finish adds to the answer of the last PATCH."""
        self.start()
        path = self.wire.create(self.files, 3)
        self.hooks.says("pre-finish", {"HTTPResponse": {"StatusCode": 202, "Body": "at work", "Header": {"X-A": "b"}}})
        answer = self.wire.patch(path, 0, b"123")
        self.assertEqual((answer.status, answer.body, answer.get("X-A"), answer.offset), (202, b"at work", "b", 3), answer)

    def test_termination_is_refused(self):
        """[HOOK-157] The upload stays."""
        self.start()
        path = self.wire.create(self.files, 3)
        self.hooks.says("pre-terminate", refuse("pre-terminate", StatusCode=409, Body="in use"))
        answer = self.wire.ask("DELETE", path, TUS)
        self.assertEqual((answer.status, answer.body), (409, b"in use"))
        self.hooks.says("pre-terminate", refuse("pre-terminate"))
        self.assert_error(self.wire.ask("DELETE", path, TUS), 400, "ERR_UPLOAD_TERMINATION_REJECTED")
        self.assertEqual(self.wire.patch(path, 0, b"123").offset, 3)

    def test_access_is_refused(self):
        """[HOOK-158] Whatever the request is called, and parts of a final upload too."""
        self.start()
        path = self.wire.create(self.files, 3)
        part = whole(self.wire, self.files, b"abc", {"Upload-Concat": "partial"}).path
        self.hooks.forget()
        self.hooks.says("pre-access", refuse("pre-access", StatusCode=404, Body="what?", Header={"X-A": "b"}))
        override = {"X-HTTP-Method-Override": "PATCH", **patch_fields(0, 3)}
        concat = {**TUS, "Upload-Concat": f"final;{part}"}
        for method, target, fields, body, effective in (
                ("HEAD", path, TUS, b"", "HEAD"), ("GET", path, {}, b"", "GET"), ("DELETE", path, TUS, b"", "DELETE"),
                ("PATCH", path, patch_fields(0, 3), b"123", "PATCH"), ("POST", path, override, b"123", "PATCH"),
                ("POST", path, {**TUS, "X-HTTP-Method-Override": "DELETE"}, b"", "DELETE"),
                ("POST", self.files, concat, b"", "POST")):
            with self.subTest(method=method, effective=effective):
                self.hooks.forget()
                with self.server.wire() as wire:
                    answer = wire.ask(method, target, fields, body)
                self.assertEqual((answer.status, answer.get("X-A")), (404, "b"), answer)
                if method != "HEAD":
                    self.assertEqual(answer.body, b"what?")
                calls = self.hooks.calls("pre-access")
                self.assertEqual([(call.request["Method"], call.id) for call in calls],
                                 [(effective, (part if target == self.files else path)[len(self.files):])])
        self.hooks.says("pre-access", refuse("pre-access"))
        self.assert_error(self.wire.ask("GET", path), 403, "ERR_ACCESS_REJECTED")
        self.hooks.says("pre-access")
        self.assertEqual(self.wire.head(path).offset, 0, "nothing of it was done")
        self.assertEqual(self.wire.ask("POST", self.files, concat).status, 201)
        final = self.hooks.calls("pre-create")[-1].upload
        self.assertEqual((final["ID"], final["IsFinal"], final["PartialUploads"], final["Size"], final["Storage"]),
                         ("", True, [part[len(self.files):]], 3, None))

    def test_asked_hooks_fail(self):
        """[HOOK-159] Whatever goes wrong counts as no permission, and says nothing of its reasons to clients."""
        self.start()
        path = self.wire.create(self.files, 3)
        left = self.stored()
        requests = {"pre-create": ("POST", self.files, {**TUS, "Upload-Length": 3}, b""),
                    "pre-access": ("GET", path, {}, b""), "pre-terminate": ("DELETE", path, TUS, b"")}
        for event, request in requests.items():
            for failure in self.hooks.failures:
                with self.subTest(event=event, failure=failure):
                    self.hooks.fails(event, failure)
                    answer = self.wire.ask(*request)
                    self.assertGreaterEqual(answer.status, 500, answer)
                    self.assertIn(b"ERR_", answer.body)
                    self.assertNotIn(b"hook", answer.body.lower())
                    self.assertEqual(self.stored(), left)
            self.hooks.says(event)
        self.assertEqual(self.wire.patch(path, 0, b"123").status, 204)
        self.assertIn("HookInvocationError", self.server.errors())

    def test_finish_waits_for_its_hook(self):
        """[HOOK-160] pre-finish that fails keeps an upload unfinished, however it fails, and is asked again."""
        self.start()
        paths = {}
        for failure in self.hooks.failures:
            self.hooks.fails("pre-finish", failure)
            path = self.wire.create(self.files, 3)
            with self.server.wire() as wire:
                wire.send_head("PATCH", path, patch_fields(0, 3))
                wire.send(b"123")  # nobody waits for the answer
            paths[path] = failure
            if failure != "not executable":
                wait_until(lambda: any(self.files + call.id == path for call in self.hooks.calls("pre-finish")),
                           SECONDS, f"pre-finish of {failure}")
            wait_until(lambda: self.wire.ask("GET", path).status != 400, SECONDS, "the end of the PATCH")
            self.assert_error(self.wire.ask("GET", path), 503, "ERR_UPLOAD_FINISHING")
        self.assertEqual(self.hooks.calls("post-finish"), [])
        self.hooks.says("pre-finish")
        self.wait_for("post-finish", len(paths))
        self.assertEqual({self.files + call.id for call in self.hooks.calls("post-finish")}, set(paths))
        for path in paths:
            self.assertEqual(self.wire.head(path).offset, 3)

    def test_notifications_fail(self):
        """[HOOK-161] They disturb no client, and come again as the same event until they are taken."""
        self.start()
        for failure in self.hooks.failures:
            with self.subTest(failure=failure):
                self.hooks.forget()
                for event in ("post-create", "post-receive", "post-finish", "post-terminate"):
                    self.hooks.fails(event, failure)
                path = self.wire.create(self.files, 3)
                self.assertEqual(self.wire.patch(path, 0, b"123").status, 204)
                self.assertEqual(self.wire.ask("DELETE", path, TUS).status, 204)
                if failure != "not executable" and failure not in self.good_enough:
                    self.wait_for("post-create", 2)
                for event in ("post-create", "post-receive", "post-finish", "post-terminate"):
                    self.hooks.says(event)
                self.wait_for("post-terminate")
                calls = self.hooks.calls("post-create", "post-finish", "post-terminate")
                for event in ("post-create", "post-finish", "post-terminate"):
                    self.assertEqual(len({call.event_id for call in calls if call.event == event}), 1, event)
                order = list(dict.fromkeys(call.event for call in calls))
                self.assertEqual(order, ["post-create", "post-finish", "post-terminate"], "none before the last was taken")


class Programs(Table, EndToEndTest):
    hooks_of = FileHooks

    def test_missing_programs(self):
        """[HOOK-132] An event without a program is nobody's; without the directory nothing is allowed."""
        self.start()
        for event in EVENTS:
            (self.hooks.directory / event).unlink()
        self.assertEqual(whole(self.wire, self.files, b"123").status, 201)
        self.hooks.directory.rename(self.scratch / "gone")
        self.assertGreaterEqual(self.wire.ask("POST", self.files, {**TUS, "Upload-Length": 3}).status, 500)

    def test_environment_and_log(self):
        """[HOOK-130] [HOOK-136] What programs see of an upload, and where their complaints go."""
        self.start()
        self.hooks.program("post-finish", 'echo "see $TUS_ID $TUS_SIZE $TUS_OFFSET" >&2; env >environment')
        path = whole(self.wire, self.files, b"12345").path
        wait_until(lambda: f"see {path[len(self.files):]} 5 5" in self.server.errors(), SECONDS, "the line in the log")
        event_id = self.wait_for("post-finish")[0].event_id
        self.assertIn(f"TUS_EVENT_ID={event_id}\n", (self.hooks.directory / "environment").read_text())

    def test_legacy(self):
        """[HOOK-135] The flat messages of before, where the exit code says no and stderr why."""
        self.start("-hooks-format=legacy", "-hooks-stop-code=7", events=("pre-create", "post-receive", "post-finish"))
        for code in (1, 2, 255):
            self.hooks.program("pre-create", f"echo 'not you {code}' >&2; exit {code}")
            answer = self.wire.ask("POST", self.files, {**TUS, "Upload-Length": 3})
            self.assertEqual((answer.status, answer.body.strip()), (400, f"not you {code}".encode()), answer)
        self.assertEqual(self.stored(), [])
        self.hooks.program("pre-create", "echo '{\"RejectUpload\": true}'; echo 'well' >&2")
        self.assertEqual(self.wire.ask("POST", self.files, {**TUS, "Upload-Length": 3}).status, 201, "words are no refusal")
        self.hooks.says("pre-create")
        path = whole(self.wire, self.files, b"123", METADATA).path
        wait_until(lambda: path[len(self.files):] in (self.hooks.directory / "calls").read_text(), SECONDS, "its message")
        message = next(line for line in self.wait_for_lines(1) if line["ID"] == path[len(self.files):])
        self.assertNotIn("Type", message)
        self.assertEqual((message["ID"], message["Size"], message["Offset"], message["MetaData"]),
                         (path[len(self.files):], 3, 3, {"filename": "x.txt"}))
        self.hooks.program("post-receive", "exit 8")
        self.assertEqual(whole(self.wire, self.files, b"123").status, 201, "another code stops nothing")
        self.hooks.program("post-receive", "exit 7")
        path = self.wire.create(self.files, 1 << 20)
        self.wire.send_head("PATCH", path, patch_fields(0, 1 << 20))
        sender = threading.Thread(target=self.send_slowly, daemon=True)
        sender.start()
        self.assert_error(self.wire.receive(), 400, "ERR_UPLOAD_STOPPED")
        sender.join()
        with self.server.wire() as wire:
            self.assertEqual(wire.head(path).status, 404)

    def wait_for_lines(self, count):
        def lines():
            found = (self.hooks.directory / "calls").read_text().splitlines()
            return len(found) >= count and [json.loads(line) for line in found]
        return wait_until(lines, SECONDS, f"{count} messages")


class Http(Table, EndToEndTest):
    hooks_of = HttpHooks
    good_enough = ("another type", "huge")

    def test_type_of_the_reply_matters(self):
        """[HOOK-162] As with Go's tusd, only application/json is an answer."""
        self.start()
        self.hooks.says("pre-create", refuse("pre-create", StatusCode=403))
        self.hooks.server.replies["pre-create"][0].content_type = "text/plain"
        self.assertEqual(self.wire.ask("POST", self.files, {**TUS, "Upload-Length": 3}).status, 500)

    def test_forwarded_headers(self):
        """[HOOK-163] Those that are named reach the endpoint, and no others."""
        self.start("-hooks-http-forward-headers=Authorization,X-Other")
        self.wire.create(self.files, 3, {"Authorization": "Bearer x", "Cookie": "y"})
        call = self.hooks.calls("pre-create")[0]
        self.assertEqual((call.headers.get("Authorization"), call.headers.get("Cookie")), ("Bearer x", None))

    def test_endpoint_is_not_there(self):
        """[HOOK-164] No connection, or no TLS where it should be: no permission; notifications wait for it."""
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))  # and does not listen
            port = unused.getsockname()[1]
            server = self.serve(f"-hooks-http=http://127.0.0.1:{port}/", "-hooks-http-retry=1", "-hooks-retry-delay=100ms",
                                "-hooks-enabled-events=pre-terminate,post-create,post-finish")
            with server.wire() as wire:
                path = whole(wire, server.base_path, b"123").path
                self.assertGreaterEqual(wire.ask("DELETE", path, TUS).status, 500)
                self.assertEqual(wire.head(path).offset, 3)
        with HookServer(port=port) as endpoint:
            wait_until(lambda: endpoint.of("post-finish"), SECONDS, "the notification")
            self.assertEqual([call.event for call in endpoint.of()], ["post-create", "post-finish"])
            server = self.serve(f"-hooks-http={endpoint.url.replace('http:', 'https:')}", "-hooks-http-retry=1",
                                "-hooks-enabled-events=pre-create")
            with server.wire() as wire:
                answer = wire.ask("POST", server.base_path, {**TUS, "Upload-Length": 3})
                self.assertGreaterEqual(answer.status, 500)

    def test_legacy(self):
        """[HOOK-165] The flat messages, the event in a header, and a status from 400 says no."""
        self.start("-hooks-format=legacy", events=("pre-create", "post-finish"))
        for status in (400, 401, 403, 404, 418, 500, 503):
            body = f"no, {status}".encode()
            self.hooks.server.answer("pre-create", Reply(body, status=status, content_type="text/plain"))
            answer = self.wire.ask("POST", self.files, {**TUS, "Upload-Length": 3})
            self.assertEqual((answer.status, answer.body), (status, body), answer)
        self.assertEqual(self.stored(), [])
        self.assertEqual(self.hooks.server.of()[0].headers["Hook-Name"], "pre-create")
        self.hooks.says("pre-create")
        path = whole(self.wire, self.files, b"123", METADATA).path
        call = self.wait_for("post-finish")[0]
        self.assertEqual((call.message["ID"], call.message["Offset"], call.headers["Hook-Name"]),
                         (path[len(self.files):], 3, "post-finish"))


if __name__ == "__main__":
    assert set(ASKED) < set(EVENTS)
    main()
