#!/usr/bin/env python3
"""The examples of examples/hooks, run against the real server as their README says."""
import base64
import os
import pathlib
import shutil
import subprocess
import tempfile
import threading

from harness import ROOT, EndToEndTest, Server, die_with_parent, main, wait_until
from hook_kit import whole
from wire import TUS

EXAMPLES = ROOT / "examples" / "hooks"


def named(name):
    return {"Upload-Metadata": "filename " + base64.b64encode(name).decode()}


class AuthServer(EndToEndTest):
    def setUp(self):
        super().setUp()
        (self.scratch / "tokens").write_text("ann token-of-ann\nbob token-of-bob\n")
        self.hook = subprocess.Popen(["python3", EXAMPLES / "auth_server.py", "--port=0",
                                      f"--tokens={self.scratch}/tokens"], stdout=subprocess.PIPE, text=True,
                                     preexec_fn=die_with_parent)
        self.addCleanup(self.end)
        url = self.hook.stdout.readline().split()[-1]
        self.server = self.serve(f"-hooks-http={url}", "-hooks-http-retry=1", "-hooks-enabled-events=pre-create,pre-access")
        self.wire = self.server.wire()
        self.addCleanup(self.wire.close)

    def end(self):
        self.hook.kill()
        self.hook.wait()
        self.hook.stdout.close()

    def statuses(self, path, token):
        """Of everything that can be done to an upload; DELETE last."""
        fields = {"Authorization": f"Bearer {token}"} if token else {}
        return (self.wire.ask("HEAD", path, {**TUS, **fields}).status,
                self.wire.patch(path, 0, b"123", fields).status,
                self.wire.ask("GET", path, fields).status,
                self.wire.ask("POST", path, {**TUS, **fields, "X-HTTP-Method-Override": "DELETE"}).status)

    def test_owners(self):
        """[HOOK-170] Nobody without a token creates, and nobody but the owner gets at an upload."""
        files = self.server.base_path
        for token in (None, "Bearer", "Bearer wrong", "Basic token-of-ann", "Bearer token-of-ann x"):
            with self.subTest(token=token):
                answer = self.wire.ask("POST", files, {**TUS, "Upload-Length": 3, **({"Authorization": token} if token else {})})
                self.assertEqual((answer.status, answer.get("WWW-Authenticate")), (401, "Bearer"), answer)
        pretend = {"Upload-Metadata": "owner " + base64.b64encode(b"bob").decode()}
        path = self.wire.create(files, 3, {"Authorization": "Bearer token-of-ann", **pretend})
        self.assertEqual(self.statuses(path, None), (401,) * 4)
        self.assertEqual(self.statuses(path, "token-of-bob"), (403,) * 4)
        self.assertEqual(self.statuses(path, "token-of-ann"), (200, 204, 200, 204))

    def test_parts(self):
        """[HOOK-170] Nobody takes the parts of somebody else's upload for his own."""
        files, ann, bob = self.server.base_path, {"Authorization": "Bearer token-of-ann"}, {"Authorization": "Bearer token-of-bob"}
        part = whole(self.wire, files, b"secret", {**ann, "Upload-Concat": "partial"}).path
        final = {**TUS, "Upload-Concat": f"final;{part}"}
        self.assertEqual(self.wire.ask("POST", files, {**final, **bob}).status, 403)
        self.assertEqual(self.wire.ask("POST", files, {**final, **ann}).status, 201)

    def test_without_its_server(self):
        """[HOOK-170] An endpoint that is gone lets nobody in."""
        path = self.wire.create(self.server.base_path, 3, {"Authorization": "Bearer token-of-ann"})
        self.hook.kill()
        self.hook.wait()
        for status in self.statuses(path, "token-of-bob"):
            self.assertGreaterEqual(status, 500)


class Programs(EndToEndTest):
    def start(self, events, **environment):
        """A server with its programs in self.hooks."""
        directory = pathlib.Path(tempfile.mkdtemp(prefix="data-", dir=self.scratch))
        flags = ("-host=127.0.0.1", "-port=0", f"-dir={directory}", f"-hooks-dir={self.hooks}",
                 f"-hooks-enabled-events={events}", "-hooks-retry-delay=50ms")
        self.server = Server(directory, self.scratch, flags, environment)
        self.addCleanup(self.server.finish)
        self.wire = self.server.wire()
        self.addCleanup(self.wire.close)

    def setUp(self):
        super().setUp()
        self.hooks = self.scratch / "hooks"
        self.hooks.mkdir()


class RenameOnFinish(Programs):
    def upload(self, body, name):
        answer = whole(self.wire, self.server.base_path, body, {} if name is None else named(name))
        self.assertEqual(answer.status, 201, answer)
        return answer.path[len(self.server.base_path):]

    def test_names(self):
        """[HOOK-171] Whatever a client calls its file, it is a new one in the directory for them."""
        shutil.copy(EXAMPLES / "rename-on-finish", self.hooks / "post-finish")
        target = self.scratch / "named"
        outside = self.scratch / "outside"
        outside.write_text("outside")
        target.mkdir()
        (target / "link").symlink_to(outside)
        (target / "folder").mkdir()
        self.start("post-finish", NAMED_DIR=str(target))
        cases = {b"a.txt": "a.txt", b"../../outside": "outside", b"/etc/passwd": "passwd", b"..\\..\\x.exe": "x.exe",
                 b"..": None, b"": None, b".bashrc": "bashrc", b"two\nlines\x1b[2J": "two_lines_[2J", b"-rf": "-rf",
                 b"$(touch evil) `id`; *": "$(touch evil) `id`; *", "grüße.pdf".encode(): "grüße.pdf", b"link": "1-link",
                 b"folder": "1-folder", b"x" * 300: "x" * 200, b"a\x00b": "a_b", None: None, b"\xff\xfe": ...}
        for number, (name, expected) in enumerate(cases.items()):
            body = b"body %d" % number
            upload_id = self.upload(body, name)
            wait_until(lambda: any(path.is_file() and path.read_bytes() == body for path in target.iterdir()), 30,
                       f"the file of {name}: {self.server.errors()[-2000:]}")
            if expected is not ...:
                self.assertEqual((target / (expected or upload_id)).read_bytes(), body, name)
        self.assertEqual(outside.read_text(), "outside")
        self.assertEqual(len(list(target.iterdir())), len(cases) + 2)
        self.assertEqual(sorted(path.name for path in self.scratch.glob("**/evil")), [])

    def test_same_name(self):
        """[HOOK-171] Files of the same name stand side by side, and an event that comes twice makes one of them."""
        shutil.copy(EXAMPLES / "rename-on-finish", self.hooks / "really")
        (self.hooks / "post-finish").write_text("#!/bin/sh\ncat >message-$$\n./really <message-$$ && ./really <message-$$")
        (self.hooks / "post-finish").chmod(0o755)
        target = self.scratch / "named"
        self.start("post-finish", NAMED_DIR=str(target))
        for number in range(3):
            self.upload(b"%d" % number, b"same")
            wait_until(lambda: target.exists() and len(list(target.iterdir())) == number + 1, 30, "the file")
        self.assertEqual([(target / name).read_bytes() for name in ("same", "1-same", "2-same")], [b"0", b"1", b"2"])


class Quota(Programs):
    def setUp(self):
        super().setUp()
        shutil.copy(EXAMPLES / "quota.py", self.hooks / "pre-create")
        for event in ("post-finish", "post-terminate"):
            os.symlink("pre-create", self.hooks / event)
        self.start("pre-create,post-finish,post-terminate", QUOTA_BYTES="1000", QUOTA_DB=str(self.scratch / "quota.db"))

    def create(self, size, user="ann", wire=None):
        length = {"Upload-Defer-Length": 1} if size is None else {"Upload-Length": size}
        fields = {**TUS, **length, **({"X-Remote-User": user} if user else {})}
        return (wire or self.wire).ask("POST", self.server.base_path, fields)

    def test_quota(self):
        """[HOOK-172] Unfinished and finished uploads count, of one user alone, until they are removed."""
        first = self.create(600)
        self.assertEqual(first.status, 201, first)
        answer = self.create(500)
        self.assertEqual((answer.status, answer.body), (403, b"600 of your 1000 bytes are used\n"))
        self.assertEqual(self.create(500, "bob").status, 201)
        self.assertEqual(self.create(5, None).status, 401)
        self.assertEqual(self.create(None).status, 400)
        self.assertEqual(self.create(400).status, 201)
        self.assertEqual(self.create(1).status, 403)
        self.assertEqual(self.wire.patch(first.path, 0, b"x" * 600).status, 204)
        self.assertEqual(self.create(1).status, 403)
        self.assertEqual(self.wire.ask("DELETE", first.path, TUS).status, 204)
        wait_until(lambda: self.create(600).status == 201, 30, "the bytes are free again")

    def test_all_at_once(self):
        """[HOOK-172] Many creations at the same time do not get more than there is."""
        statuses = []

        def create():
            with self.server.wire(60) as wire:
                statuses.append(self.create(300, wire=wire).status)

        threads = [threading.Thread(target=create) for _ in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(sorted(statuses), [201] * 3 + [403] * 9)


if __name__ == "__main__":
    main()
