"""A client that goes on after errors, and checks what it is told."""
import hashlib

from harness import wait_until
from wire import OFFSET_TYPE, TUS, chunk, patch_fields


class Life:
    """One upload from its creation to its end, by a client that goes on after errors. `where` shows its data."""

    def __init__(self, test, server, payload, allowed, where):
        self.test, self.server, self.payload, self.allowed, self.where = test, server, payload, allowed, where
        self.path = None
        self.acknowledged = 0
        self.sent = 0
        self.errors = []

    def run(self):
        payload = self.payload
        self.until_it_works(self.create)
        self.until_it_works(lambda wire: self.patch(wire, payload.size // 3))
        self.until_it_works(lambda wire: self.patch(wire, payload.size // 2, chunked=True))
        self.until_it_works(lambda wire: self.patch(wire, payload.size, {"Upload-Length": payload.size}))
        answer = self.head()
        self.test.assertEqual((answer.offset, answer.get("Upload-Length")), (payload.size, str(payload.size)))
        stored = self.stored().read_bytes()
        self.test.assertEqual(hashlib.sha256(stored).hexdigest(), payload.sha256)
        return self

    def stored(self):
        return self.where / self.path[len(self.server.base_path):]

    def until_it_works(self, step):
        for _ in range(4):
            with self.server.wire() as wire:
                if step(wire):
                    return
            if self.path:
                self.look()
        self.test.fail(f"does not get on: {self.errors}")

    def judge(self, answer):
        """Whether a request went well; if not, the error must be one that this fault is answered with."""
        if answer.status < 300:
            return True
        self.errors.append(answer.status)
        self.test.assertIn(answer.status, self.allowed, answer)
        self.test.assertRegex(answer.get("Retry-After") or "", r"^\d+$")
        self.test.assertNotIn(str(self.server.directory).encode(), answer.body)
        if answer.offset is not None:
            self.test.assertGreaterEqual(answer.offset, self.acknowledged)
            self.test.assertLessEqual(answer.offset, self.sent)
        return False

    def create(self, wire):
        body = self.payload.read(0, 1000)
        fields = {**TUS, "Upload-Defer-Length": 1, "Content-Type": OFFSET_TYPE}
        answer = wire.ask("POST", self.server.base_path, fields, body)
        if not self.judge(answer):
            self.path = answer.path if answer.get("Location") else None
            self.test.assertIsNone(self.path, "a creation that failed names no upload")
            return False
        self.path, self.acknowledged, self.sent = answer.path, 1000, 1000
        return True

    def patch(self, wire, end, fields=(), chunked=False):
        start = self.acknowledged
        if start == end and not fields:
            return True
        body = self.payload.read(start, end)
        self.sent = max(self.sent, end)
        framing = {**patch_fields(start, None if chunked else len(body)), **dict(fields)}
        wire.send_head("PATCH", self.path, framing)
        try:
            wire.send(chunk(body) + b"0\r\n\r\n" if chunked and body else b"0\r\n\r\n" if chunked else body)
        except OSError:
            pass  # the answer came before the end of the body
        answer = wire.receive()
        if not self.judge(answer):
            return False
        self.test.assertEqual(answer.offset, end, answer)
        self.acknowledged = end
        return True

    def head(self):
        def answered():
            with self.server.wire() as wire:
                answer = wire.head(self.path)
            return answer if self.judge(answer) else None
        return wait_until(answered, 20, "HEAD works")

    def look(self):
        """Where the upload is after an error: between what was acknowledged and what was sent."""
        offset = self.head().offset
        self.test.assertGreaterEqual(offset, self.acknowledged, "an acknowledged offset was taken back")
        self.test.assertLessEqual(offset, self.sent)
        self.test.assertTrue(self.payload.is_prefix(self.stored(), offset))
        self.acknowledged = offset
