#!/usr/bin/env python3
"""kill -9 at random moments with uploads in a bucket: what was acknowledged is there, what was not sent is not, and
nothing is left that belongs to no upload that somebody knows of.

10 kills by default; TUS_SOAK=1 makes it 200.
"""
import os
import random
import time

from crash_client import Client, Upload
from harness import SEED, main, wait_until
from payload import Payload
from s3_kit import MIB, PART, S3Test, key_of
from s3_services import ceph
from wire import TUS

SOAK = os.environ.get("TUS_SOAK") == "1"
KILLS = 200 if SOAK else 10
CONNECTIONS = 4


class Crash(S3Test):
    def setUp(self):
        super().setUp()
        self.s3 = ceph()
        self.bucket = self.s3.make_bucket()

    def settled(self, wire, path):
        """HEAD, after a finish that may still be running."""
        def answer():
            found = wire.head(path)
            return found if found.status != 503 else None
        return wait_until(answer, 60, "the finish")

    def inspect(self, wire, upload):
        """After a restart: between what was acknowledged and what was sent. Whether it is still there."""
        answer = self.settled(wire, upload.path)
        if upload.deleting and answer.status in (404, 410):
            return False
        self.assertEqual(answer.status, 200, f"{upload} {answer}")
        self.assertGreaterEqual(answer.offset, upload.acknowledged, "an acknowledged offset was taken back")
        self.assertLessEqual(answer.offset, upload.sent, "an offset that was never sent")
        length = answer.get("Upload-Length")
        if length is None:
            self.assertFalse(upload.length_acknowledged, "an acknowledged length was taken back")
        else:
            self.assertTrue(upload.length_sent, "a length that was never sent")
            upload.length_acknowledged = True
        # Of a checked body that was killed in its commit the first parts may count: their bytes are right.
        if upload.all_or_nothing and answer.offset != upload.sent:
            self.assertTrue(answer.offset == upload.acknowledged or answer.offset % PART == 0, "a piece that was not checked")
        upload.all_or_nothing = upload.deleting = False
        upload.acknowledged = upload.sent = answer.offset
        return True

    def complete(self, wire, upload):
        """The rest of it, so that its bytes can be looked at: those of an unfinished one cannot."""
        if not upload.is_complete():
            fields = {} if upload.length_acknowledged else {"Upload-Length": upload.size}
            body = upload.payload.read(upload.acknowledged, upload.size)
            answer = wire.patch(upload.path, upload.acknowledged, body, fields)
            self.assertEqual((answer.status, answer.offset), (204, upload.size), f"{upload} {answer}")
        self.verify(wire, upload)

    def verify(self, wire, upload):
        answer = self.settled(wire, upload.path)
        self.assertEqual((answer.status, answer.offset), (200, upload.size), f"{upload} {answer}")
        self.assert_bytes(self.bucket.get(key_of(upload.path)), upload.payload.read(0, upload.size))
        self.assertEqual(sorted(self.bucket.keys(key_of(upload.path))),
                         [key_of(upload.path), f"{key_of(upload.path)}.info"])

    def run_clients(self, server, uploads, generator):
        """The clients, after the kill."""
        clients = [Client(server, upload, random.Random(generator.random())) for upload in uploads]
        for client in clients:
            client.start()
        time.sleep(generator.choice((0.05, 0.3, 1, 2)) * generator.random())
        server.kill()
        for client in clients:
            client.join(60)
            if client.failure:
                raise client.failure
        return clients

    def look_at_ends(self, wire, clients):
        for client in clients:
            for upload in client.deleted:
                self.assertIn(wire.head(upload.path).status, (404, 410), f"deleted, and back: {upload}")
            for upload in client.finished:
                self.verify(wire, upload)
                self.assertEqual(wire.ask("DELETE", upload.path, TUS).status, 204)

    def kill_many_times(self, *flags):
        generator = random.Random(SEED)
        self.report(f"random seed {SEED}")
        payload = Payload(self.scratch, 3 * PART + 5)
        server = self.serve_s3(self.s3, self.bucket, *flags)
        # The first of all requests of a kind take seconds in a Ceph that has just been started.
        with server.wire(timeout=60) as wire:
            self.upload(wire, server, payload)
        uploads = [Upload(payload, generator) for _ in range(CONNECTIONS)]
        finished = deleted = in_flight = completed = 0
        for _ in range(KILLS):
            clients = self.run_clients(server, uploads, generator)
            server.start()
            uploads = [client.upload for client in clients]
            with server.wire(timeout=60) as wire:
                self.look_at_ends(wire, clients)
                for number, upload in enumerate(uploads):
                    if upload.path is None:
                        uploads[number] = Upload(payload, generator)
                        continue
                    in_flight += upload.sent > upload.acknowledged
                    if not self.inspect(wire, upload):
                        uploads[number] = Upload(payload, generator)
                    elif upload.is_complete() or generator.random() < 0.3:
                        self.complete(wire, upload)
                        completed += 1
                        uploads[number] = Upload(payload, generator)
            finished += sum(len(client.finished) for client in clients)
            deleted += sum(len(client.deleted) for client in clients)
        self.report(f"{KILLS} kills, {in_flight} requests in flight, {finished} finished, {completed} after a kill, "
                    f"{deleted} deleted")
        self.assertGreater(in_flight, 0)
        self.assertGreater(finished + completed, 0)

    def test_kills(self):
        """[S3RUN-17]"""
        self.kill_many_times()

    def test_kills_of_a_single_instance(self):
        """[S3RUN-17]"""
        self.kill_many_times("-s3-single-instance", "-s3-disable-content-hashes")

    def test_kills_with_leftovers(self):
        """[S3RUN-17] Small PATCHes one after the other: each rewrites the leftover, and every second or so it becomes a part."""
        generator = random.Random(SEED + 1)
        self.report(f"random seed {SEED}")
        payload = Payload(self.scratch, 4 * PART)
        server = self.serve_s3(self.s3, self.bucket)
        kills = uploads = 0
        while uploads == 0 or kills < KILLS:
            kills += self.kill_until_complete(server, payload, generator)
            uploads += 1
        self.report(f"{kills} kills, {uploads} uploads")

    def kill_until_complete(self, server, payload, generator):
        """Of one upload; how many kills it took."""
        with server.wire(timeout=60) as wire:
            upload = Upload(payload, generator)
            upload.size, upload.deferred = payload.size, False
            upload.length_sent = upload.length_acknowledged = True
            upload.path = wire.create(server.base_path, payload.size)
        kills = reached = 0
        while not upload.is_complete():
            client = Steady(server, upload, random.Random(generator.random()), reached)
            client.start()
            time.sleep(generator.random() * 0.6)
            server.kill()
            client.join(60)
            if client.failure:
                raise client.failure
            server.start()
            kills += 1
            reached = upload.sent = max(reached, upload.sent)
            with server.wire(timeout=60) as wire:
                self.inspect(wire, upload)
        with server.wire(timeout=60) as wire:
            self.verify(wire, upload)
            self.assertEqual(wire.ask("DELETE", upload.path, TUS).status, 204)
        return kills


class Late(Exception):
    """What the killed server had sent to S3 arrived there after the next one was asked for the offset."""


class Steady(Client):
    """PATCHes of some hundred KiB, one after the other. `reached`: what any server was sent."""

    def __init__(self, server, upload, generator, reached):
        super().__init__(server, upload, generator)
        self.reached = reached

    def next_upload(self):
        raise OSError("all of it is there")

    def expect(self, answer, status, offset):
        if answer.status == 409 and self.upload.acknowledged < answer.offset <= self.reached:
            self.upload.acknowledged = answer.offset
            raise Late()
        super().expect(answer, status, offset)

    def one_request(self, wire):
        end = min(self.upload.size, self.upload.acknowledged + self.random.randrange(1, MIB))
        try:
            return self.patch(wire, end, "patch")
        except Late:
            return "late"


if __name__ == "__main__":
    main(seconds=3600 if SOAK else 600)
