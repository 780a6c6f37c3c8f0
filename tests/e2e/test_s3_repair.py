#!/usr/bin/env python3
"""kill -9 at random moments, then `tusd -s3-repair`: Go's tusd can go on, at the offset that ours tells."""
import os
import random
import subprocess
import threading
import time
import urllib.parse

from go_s3 import GoTusd
from harness import BINARY, SEED, main, wait_until
from payload import Payload
from s3_client import S3Error
from s3_kit import BROKEN, MIB, PART, S3Test, key_of
from s3_services import ceph
from wire import Wire

KILLS = 60 if os.environ.get("TUS_SOAK") == "1" else 8
CONNECTIONS = 4


class Client(threading.Thread):
    """One upload in PATCHes of random size, until its server is gone."""

    def __init__(self, server, payload, generator, first):
        super().__init__(daemon=True)
        self.server, self.payload, self.random, self.first = server, payload, generator, first
        self.path = None
        self.acknowledged = self.sent = 0
        self.failure = None

    def run(self):
        try:
            with Wire(self.server.address, timeout=60) as wire:
                self.path = wire.create(self.server.base_path, self.payload.size)
                step = self.first
                while self.acknowledged < self.payload.size:
                    end = min(self.payload.size, self.acknowledged + step)
                    self.sent = end
                    answer = wire.patch(self.path, self.acknowledged, self.payload.read(self.acknowledged, end))
                    if answer.status != 204:
                        raise AssertionError(answer)
                    self.acknowledged = end
                    step = self.random.choice((self.random.randrange(1, MIB), self.random.randrange(1, 4 * PART)))
        except BROKEN:
            pass  # the kill
        except Exception as error:  # pylint: disable=broad-except
            self.failure = error

    @property
    def id(self):
        return urllib.parse.unquote(self.path.rpartition("/")[2])


class Repair(S3Test):
    def setUp(self):
        super().setUp()
        self.s3 = ceph()
        self.bucket = self.s3.make_bucket()
        self.go = GoTusd(self.bucket)

    def repair(self, *flags, code=0):
        """What it says, by upload, and its last line."""
        command = [BINARY, "-s3-repair", f"-s3-bucket={self.bucket.bucket}", f"-s3-endpoint={self.s3.url}",
                   f"-s3-min-part-size={PART}", *flags]
        done = subprocess.run(command, env=self.s3.environment(), cwd=self.scratch, text=True, capture_output=True,
                              timeout=120, stdin=subprocess.DEVNULL)
        lines = done.stdout.splitlines()
        self.assertTrue(lines and lines[-1].startswith("Looked at "), done)
        self.assertEqual(done.returncode, code if code is not None else done.returncode, done)
        return dict(line.split(": ", 1) for line in lines[:-1]), lines[-1]

    def killed_uploads(self, server, payload, generator):
        first = generator.choice((MIB, 3 * MIB, PART, 2 * PART + MIB))
        clients = [Client(server, payload, random.Random(generator.random()), first) for _ in range(CONNECTIONS)]
        for client in clients:
            client.start()
        time.sleep(0.2 + generator.random() * generator.choice((0.3, 1, 3)))
        server.kill()
        for client in clients:
            client.join(90)
            if client.failure:
                raise client.failure
        return [client for client in clients if client.path is not None]

    def quiet(self, clients):
        """S3 may still be at what the killed server has sent."""
        before = None
        for _ in range(30):
            now = [self.go.look(client.id) for client in clients]
            if now == before:
                return
            before = now
            time.sleep(2)
        self.fail("S3 does not come to rest")

    def expect_go_offset(self, client):
        offset = self.go.offset(client.id)
        self.assertGreaterEqual(offset, client.acknowledged, "an acknowledged offset was taken back")
        self.assertLessEqual(offset, client.sent, "an offset that was never sent")
        return offset

    def settled(self, wire, path):
        """HEAD, after a finish that may still be running."""
        def answer():
            found = wire.head(path)
            return found if found.status != 503 else None
        return wait_until(answer, 60, "the finish")

    def test_go_goes_on_after_kills(self):
        """[S3RUN-30] Either server does, and the object has the bytes that were sent."""
        generator = random.Random(SEED)
        self.report(f"random seed {SEED}")
        payload = Payload(self.scratch, 5 * PART + 12345)
        server = self.serve_s3(self.s3, self.bucket, f"-s3-part-size={generator.choice((PART, 3 * PART))}")
        with server.wire(timeout=90) as wire:
            self.upload(wire, server, Payload(self.scratch, 1000))
        by_go = by_us = mended = impossible = 0
        for _ in range(KILLS):
            clients = self.killed_uploads(server, payload, generator)
            self.quiet(clients)
            said, _ = self.repair("-s3-repair-after=0s", code=None)
            mended += sum(text.startswith("mended") for text in said.values())
            again, _ = self.repair("-s3-repair-after=0s", code=None)
            self.assertFalse([text for text in again.values() if not text.startswith("cannot be mended")], again)
            ours = []
            for client in clients:
                offset = self.expect_go_offset(client)
                if client.id in again or generator.random() < 0.3:
                    ours.append((client, offset))
                    impossible += client.id in again
                    continue
                self.go.finish(client.id, payload, generator.choice((MIB, 3 * MIB, 2 * PART)))
                by_go += 1
                self.assert_bytes(self.bucket.get(key_of(client.path)), payload.read(0, payload.size))
            server.start()
            with server.wire(timeout=90) as wire:
                for client, offset in ours:
                    self.assertEqual(self.settled(wire, client.path).offset, offset)
                    if offset < payload.size:
                        answer = wire.patch(client.path, offset, payload.read(offset, payload.size))
                        self.assertEqual((answer.status, answer.offset), (204, payload.size), answer)
                    self.assert_bytes(self.bucket.get(key_of(client.path)), payload.read(0, payload.size))
                    by_us += 1
                for client in clients:
                    self.assertEqual(self.settled(wire, client.path).offset, payload.size)
                    self.assertEqual(wire.ask("DELETE", client.path, {"Tus-Resumable": "1.0.0"}).status, 204)
        self.report(f"{KILLS} kills, {mended} mended, {impossible} impossible; Go's finished {by_go}, ours {by_us}")
        self.assertGreater(by_go, 0)

    def lose_a_part(self, server, payload):
        """An upload with its first and its third part."""
        with server.wire(timeout=90) as wire:
            path = wire.create(server.base_path, payload.size)
            self.assertEqual(wire.patch(path, 0, payload.read(0, PART)).offset, PART)
        upload_id = urllib.parse.unquote(path.rpartition("/")[2])
        key, multipart = upload_id.split("+")
        self.bucket.put_part(key, multipart, 3, payload.read(2 * PART, 3 * PART))
        return path, upload_id

    def test_a_part_that_was_lost(self):
        """[S3RUN-31] Go's tusd would take up the parts behind it. They are emptied; it cannot finish, ours can."""
        server = self.serve_s3(self.s3, self.bucket)
        payload = Payload(self.scratch, 5 * PART)
        _, for_go = self.lose_a_part(server, payload)
        path, for_us = self.lose_a_part(server, payload)
        server.kill()
        self.assertEqual(self.go.offset(for_go), 2 * PART, "which is not true")
        said, summary = self.repair("-s3-repair-after=0s", code=1)
        self.assertIn("2 cannot be mended", summary)
        for upload_id in (for_go, for_us):
            self.assertIn("cannot be mended", said[upload_id])
            self.assertEqual(self.go.offset(upload_id), PART)
        with self.assertRaises(S3Error) as refused:
            self.go.finish(for_go, payload, 2 * PART)
        self.report(f"Go's: {refused.exception.code}")
        server.start()
        with server.wire(timeout=90) as wire:
            self.assertEqual(wire.head(path).offset, PART)
            self.assertEqual(wire.patch(path, PART, payload.read(PART, payload.size)).offset, payload.size)
        self.assert_stored(self.bucket, path, payload)

    def test_beside_a_server(self):
        """[S3RUN-32] What has changed a moment ago is left alone, and said so; healthy uploads are not touched."""
        server = self.serve_s3(self.s3, self.bucket)
        payload = Payload(self.scratch, 3 * PART)
        with server.wire(timeout=90) as wire:
            path = wire.create(server.base_path, payload.size)
            self.assertEqual(wire.patch(path, 0, payload.read(0, PART + MIB)).offset, PART + MIB)
            before = self.bucket.list()
            self.assertEqual(self.repair("-s3-repair-after=0s")[0], {})
            self.assertEqual(self.bucket.list(), before)
            key, multipart = urllib.parse.unquote(path.rpartition("/")[2]).split("+")
            self.bucket.put_part(key, multipart, 3, payload.read(2 * PART, payload.size))  # as one that overtakes the second
            said, summary = self.repair(code=1)
            self.assertIn("left alone", said[f"{key}+{multipart}"])
            self.assertIn("1 left alone", summary)
            answer = wire.patch(path, PART + MIB, payload.read(PART + MIB, payload.size))
            self.assertEqual((answer.status, answer.offset), (204, payload.size), answer)
            self.assert_stored(self.bucket, path, payload)

    def test_without_a_bucket(self):
        """[S3RUN-33] One sentence, and no walk."""
        done = subprocess.run([BINARY, "-s3-repair"], env=self.s3.environment(), text=True, capture_output=True, timeout=60,
                              stdin=subprocess.DEVNULL)
        self.assertEqual(done.returncode, 2, done)
        self.assertIn("-s3-bucket", done.stderr)
        nowhere = subprocess.run([BINARY, "-s3-repair", "-s3-bucket=not-there", f"-s3-endpoint={self.s3.url}"],
                                 env=self.s3.environment(), text=True, capture_output=True, timeout=60,
                                 stdin=subprocess.DEVNULL)
        self.assertEqual(nowhere.returncode, 1, nowhere)


if __name__ == "__main__":
    main(seconds=3600 if KILLS > 8 else 600)
