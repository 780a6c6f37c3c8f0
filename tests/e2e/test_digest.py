#!/usr/bin/env python3
"""Checksums and digests with the real server: over restarts, kills, and files that somebody else has written to."""
import base64
import hashlib
import json

from harness import EndToEndTest, main
from payload import Payload
from wire import TUS, chunk, patch_fields

MIB = 1 << 20


def repr_of(data):
    return f"sha-256=:{base64.b64encode(hashlib.sha256(data).digest()).decode()}:"


def sha1_of(data):
    return "sha1 " + base64.b64encode(hashlib.sha1(data).digest()).decode()


class Digest(EndToEndTest):
    def setUp(self):
        super().setUp()
        self.payload = Payload(self.scratch, 80 * MIB + 3)
        self.server = self.serve("-digest=sha256")

    def record_of(self, path):
        return self.server.directory / (path[len(self.server.base_path):] + ".info")

    def send(self, path, start, end):
        with self.server.wire() as wire:
            answer = wire.patch_file(path, self.payload, start, end)
            self.assertEqual((answer.status, answer.offset), (204, end), answer)

    def verify(self, path):
        with self.server.wire() as wire:
            answer = wire.head(path)
        self.assertEqual(answer.get("Repr-Digest"), repr_of(self.payload.read(0, self.payload.size)), answer)

    def create(self):
        with self.server.wire() as wire:
            return wire.create(self.server.base_path, self.payload.size)

    def test_survives_restarts(self):
        """[DIGEST-1] [DIGEST-3] Pieces of any size, a clean stop, and kill -9 between them."""
        path = self.create()
        created = self.record_of(path).read_text()
        self.send(path, 0, 1000)
        self.assertEqual(self.record_of(path).read_text(), created, "a small append writes no record")
        self.send(path, 1000, 40 * MIB + 7)
        state = json.loads(self.record_of(path).read_text())["Tusd"]["Digest"]["State"]
        self.server.restart()
        self.send(path, 40 * MIB + 7, 41 * MIB)
        self.assertEqual(self.server.stop(), 0)
        self.server.start()
        self.assertEqual(json.loads(self.record_of(path).read_text())["Tusd"]["Digest"]["State"], state)
        self.send(path, 41 * MIB, self.payload.size)
        self.verify(path)
        self.server.restart()
        self.verify(path)

    def test_somebody_else_writes(self):
        """[DIGEST-4] Bytes behind our back, and a record without our state, as Go's tusd leaves it."""
        path = self.create()
        self.send(path, 0, MIB)
        self.assertEqual(self.server.stop(), 0)
        with open(self.record_of(path).with_suffix(""), "ab") as data:
            data.write(self.payload.read(MIB, 3 * MIB))
        self.server.start()
        self.send(path, 3 * MIB, self.payload.size)
        self.verify(path)

        path = self.create()
        self.send(path, 0, MIB)
        self.assertEqual(self.server.stop(), 0)
        record = json.loads(self.record_of(path).read_text())
        del record["Tusd"]
        self.record_of(path).write_text(json.dumps(record))
        self.server.start()
        self.send(path, MIB, self.payload.size)
        self.verify(path)

    def test_checked_appends(self):
        """[CHECK-57] [CHECK-61] [DIGEST-1] Large bodies with a checksum in the head and behind the body."""
        path = self.create()
        half = self.payload.size // 2
        first, second = self.payload.read(0, half), self.payload.read(half, self.payload.size)
        with self.server.wire() as wire:
            wrong = wire.patch(path, 0, first, {"Upload-Checksum": sha1_of(second)})
            self.assert_error(wrong, 460, "ERR_CHECKSUM_MISMATCH")
            self.assertEqual(wire.head(path).offset, 0)
            self.assertEqual(self.record_of(path).with_suffix("").stat().st_size, 0, "the bytes are gone")
            self.assertEqual(wire.patch(path, 0, first, {"Upload-Checksum": sha1_of(first)}).offset, half)
            for checksum, status in ((sha1_of(first), 460), (sha1_of(second), 204)):
                wire.send_head("PATCH", path, {**patch_fields(half), "Trailer": "Upload-Checksum"})
                for start in range(0, len(second), MIB):
                    wire.send(chunk(second[start:start + MIB]))
                wire.send(f"0\r\nUpload-Checksum: {checksum}\r\n\r\n".encode())
                self.assertEqual(wire.receive().status, status)
            self.assertEqual(wire.ask("HEAD", path, TUS).offset, self.payload.size)
        self.verify(path)


if __name__ == "__main__":
    main()
