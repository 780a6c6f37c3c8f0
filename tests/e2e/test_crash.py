#!/usr/bin/env python3
"""kill -9 at random moments: what was acknowledged is there, what was not sent is not, and all of it is right."""
import os
import random
import threading
import time

from harness import SEED, EndToEndTest, main, wait_until
from payload import Payload, sha256_of
from wire import OFFSET_TYPE, TUS, Closed, chunk, patch_fields

MIB = 1 << 20
SIZE = 24 * MIB + 5
KILLS = 50
CONNECTIONS = 4
BROKEN = (Closed, OSError)


class Upload:
    """What the client of one upload knows."""

    def __init__(self, payload):
        self.payload = payload
        self.path = None
        self.acknowledged = 0
        self.sent = 0  # at most this much can have reached the server


class Client(threading.Thread):
    """Uploads on one connection, each in a different way, until the server is gone."""

    def __init__(self, server, upload, payload, generator):
        super().__init__(daemon=True)
        self.server, self.upload, self.payload = server, upload, payload
        self.random = generator
        self.finished = []
        self.failure = None
        self.requests = 0

    def run(self):
        try:
            with self.server.wire() as wire:
                while True:
                    self.one_request(wire)
        except BROKEN:
            pass  # the kill
        except Exception as error:  # pylint: disable=broad-except
            self.failure = error

    def one_request(self, wire):
        upload = self.upload
        if upload.path is None:
            return self.create(wire)
        kind = self.random.choice(("one", "piece", "piece", "chunked"))
        end = SIZE if kind == "one" else min(SIZE, upload.acknowledged + self.random.randrange(1, 4 * MIB))
        if kind == "chunked":
            wire.send_head("PATCH", upload.path, patch_fields(upload.acknowledged))
            self.send(wire, end, chunk)
            wire.send(b"0\r\n\r\n")
        else:
            wire.send_head("PATCH", upload.path, patch_fields(upload.acknowledged, end - upload.acknowledged))
            self.send(wire, end, bytes)
        answer = wire.receive()
        if answer.status != 204 or answer.offset != end:
            raise AssertionError(f"{kind} PATCH to {end}: {answer}")
        self.acknowledge(end)
        return None

    def create(self, wire):
        first = self.random.choice((0, 1, 100_000))
        fields = {**TUS, "Upload-Length": SIZE, "Content-Length": first}
        if first:
            fields["Content-Type"] = OFFSET_TYPE
        self.upload.sent = first
        wire.send_head("POST", self.server.base_path, fields)
        wire.send(self.payload.read(0, first))
        answer = wire.receive()
        if answer.status != 201:
            raise AssertionError(f"POST: {answer}")
        self.upload.path = answer.path
        self.acknowledge(first)

    def send(self, wire, end, frame):
        position = self.upload.acknowledged
        while position < end:
            part = self.payload.read(position, min(end, position + 128 * 1024))
            position += len(part)
            # Counted before it goes out: at the moment of the kill it may be anywhere.
            self.upload.sent = max(self.upload.sent, position)
            wire.send(frame(part))

    def acknowledge(self, offset):
        self.requests += 1
        self.upload.acknowledged = offset
        if offset == SIZE:
            self.finished.append(self.upload)
            self.upload = Upload(self.payload)


class Crash(EndToEndTest):
    def inspect(self, server, upload):
        """The offset after the restart, which must be between what was acknowledged and what was sent."""
        with server.wire() as wire:
            def settled():
                # The finish of an upload that has all its bytes may still be running.
                answer = wire.head(upload.path)
                return answer if answer.status != 503 else None
            answer = wait_until(settled, 20, "the finish")
        self.assertEqual(answer.status, 200, answer)
        self.assertGreaterEqual(answer.offset, upload.acknowledged, "an acknowledged offset was taken back")
        self.assertLessEqual(answer.offset, upload.sent, "an offset that was never sent")
        stored = server.directory / upload.path[len(server.base_path):]
        self.assertGreaterEqual(os.path.getsize(stored), answer.offset)
        self.assertTrue(upload.payload.is_prefix(stored, answer.offset), "other bytes than were sent")
        gained = answer.offset - upload.acknowledged
        upload.acknowledged = upload.sent = answer.offset
        return gained

    def kill_many_times(self, *flags):
        generator = random.Random(SEED)
        self.report(f"random seed {SEED}")
        server = self.serve(*flags)
        payload = Payload(self.scratch, SIZE)
        uploads = [Upload(payload) for _ in range(CONNECTIONS)]
        finished, gained, requests, in_flight = [], 0, 0, 0
        for _ in range(KILLS):
            clients = [Client(server, upload, payload, random.Random(generator.random())) for upload in uploads]
            for client in clients:
                client.start()
            time.sleep(generator.uniform(0.005, 0.2))
            server.kill()
            for client in clients:
                client.join(30)
                if client.failure:
                    raise client.failure
                finished += client.finished
                requests += client.requests
            uploads = [client.upload for client in clients]
            server.start()
            for number, upload in enumerate(uploads):
                if upload.path is None:  # an answer that never came: the client starts over
                    uploads[number] = Upload(payload)
                    continue
                in_flight += upload.sent > upload.acknowledged
                gained += self.inspect(server, upload)
                if upload.acknowledged == SIZE:
                    finished.append(upload)
                    uploads[number] = Upload(payload)
        self.complete(server, uploads)
        finished += [upload for upload in uploads if upload.path]
        for upload in finished:
            self.assertEqual(sha256_of(server.directory / upload.path[len(server.base_path):]), payload.sha256)
        self.report(f"{KILLS} kills, {requests} answered requests, {in_flight} uploads hit in the middle of a body, "
                    f"{gained / MIB:.1f} MiB more kept than acknowledged, {len(finished)} uploads right at the end")

    def complete(self, server, uploads):
        with server.wire() as wire:
            for upload in uploads:
                if upload.path and upload.acknowledged < SIZE:
                    answer = wire.patch_file(upload.path, upload.payload, upload.acknowledged, SIZE)
                    self.assertEqual((answer.status, answer.offset), (204, SIZE), answer)

    def test_fsync_off(self):
        """[RUN-9] 50 kills with -fsync=off: the promise holds for the death of the process."""
        self.kill_many_times("-fsync=off")

    def test_fsync_finish(self):
        """[RUN-9] [HTTP-47] 50 kills with -fsync=finish, the default."""
        self.kill_many_times("-fsync=finish")

    def test_fsync_always(self):
        """[RUN-9] With -fsync=always a client hears nothing of bytes that are not safe."""
        self.kill_many_times("-fsync=always")


if __name__ == "__main__":
    main()
