#!/usr/bin/env python3
"""kill -9 at random moments over all commands: what was acknowledged is there, what was not sent is not.

By default each policy gets some seconds; TUS_SOAK=1 makes it 1,000 kills.
"""
import base64
import functools
import hashlib
import os
import pathlib
import random
import time

from crash_client import BROKEN, Client, Upload
from harness import SEED, EndToEndTest, main, wait_until
from payload import Payload, sha256_of
from wire import TUS

MIB = 1 << 20
CONNECTIONS = 4
SOAK = os.environ.get("TUS_SOAK") == "1"
KILLS_AT_LEAST, KILLS_OF_SOAK = 15, 334
SECONDS_OF_KILLS = 7
KINDS = {"create", "patch", "chunked", "head", "delete", "declare", "whole", "checked", "wrong"}
KEPT = 8  # finished uploads that stay in the directory, to be looked at again after each kill


class Crash(EndToEndTest):
    def settled(self, server, path):
        """HEAD, after a finish that may still be running."""
        with server.wire() as wire:
            def answer():
                found = wire.head(path)
                return found if found.status != 503 else None
            return wait_until(answer, 20, "the finish")

    def stored(self, server, upload):
        return server.directory / upload.path[len(server.base_path):]

    def inspect(self, server, upload):
        """After a restart: between what was acknowledged and what was sent. Bytes gained, or None when it is gone."""
        answer = self.settled(server, upload.path)
        if upload.deleting and answer.status == 404:
            return None
        self.assertEqual(answer.status, 200, f"{upload} {answer}")
        self.assertGreaterEqual(answer.offset, upload.acknowledged, "an acknowledged offset was taken back")
        self.assertLessEqual(answer.offset, upload.sent, "an offset that was never sent")
        self.inspect_length(upload, answer)
        file = self.stored(server, upload)
        self.assertGreaterEqual(os.path.getsize(file), answer.offset)
        if upload.all_or_nothing:
            self.assertIn(answer.offset, (upload.acknowledged, upload.sent), "a part of a checked body counts")
            upload.all_or_nothing = False
        self.assertTrue(upload.payload.is_prefix(file, answer.offset), "other bytes than were sent")
        gained = answer.offset - upload.acknowledged
        upload.acknowledged = upload.sent = answer.offset
        upload.deleting = False
        return gained

    def inspect_length(self, upload, answer):
        """A length that was acknowledged is known, and none is made up."""
        length = answer.get("Upload-Length")
        if length is None:
            self.assertFalse(upload.length_acknowledged, "an acknowledged length was taken back")
            self.assertEqual(answer.get("Upload-Defer-Length"), "1")
        else:
            self.assertTrue(upload.length_sent, "a length that was never sent")
            self.assertEqual(int(length), upload.size)
            upload.length_acknowledged = True

    @functools.cache
    def sha256(self, payload, size):
        return hashlib.sha256(payload.read(0, size)).hexdigest()

    def verify_finished(self, server, upload):
        """Its bytes are read once; later it is enough that nothing about it has changed."""
        answer = self.settled(server, upload.path)
        self.assertEqual((answer.status, answer.offset, answer.get("Upload-Length")),
                         (200, upload.size, str(upload.size)), f"{upload} {answer}")
        if "-digest=sha256" in server.command:
            digest = base64.b64encode(bytes.fromhex(self.sha256(upload.payload, upload.size))).decode()
            self.assertEqual(answer.get("Repr-Digest"), f"sha-256=:{digest}:", upload)
        file = self.stored(server, upload)
        seen = (file.stat().st_ino, file.stat().st_size, file.stat().st_mtime_ns)
        if upload.seen != seen:
            self.assertEqual(sha256_of(file), self.sha256(upload.payload, upload.size))
            upload.seen = seen

    def verify_ended(self, server, ended):
        """Finished stays finished and deleted stays deleted; most of the finished ones then make room."""
        with server.wire() as wire:
            for upload in ended["deleted"]:
                self.assertEqual(wire.head(upload.path).status, 404, f"deleted, and back: {upload}")
                self.assertFalse(self.stored(server, upload).exists())
            for upload in ended["finished"]:
                self.verify_finished(server, upload)
            for upload in ended["finished"][:-KEPT]:
                self.assertEqual(wire.ask("DELETE", upload.path, TUS).status, 204)
        ended["deleted"] = ended["deleted"][-KEPT:]
        ended["finished"] = ended["finished"][-KEPT:]

    def run_clients(self, server, uploads, generator, ended, counts):
        clients = [Client(server, upload, random.Random(generator.random())) for upload in uploads]
        for client in clients:
            client.start()
        time.sleep(generator.choice((0.005, 0.02, 0.1, 0.2)) * generator.random() * 2)
        server.kill()
        for client in clients:
            client.join(30)
            if client.failure:
                raise client.failure
            ended["finished"] += client.finished
            ended["deleted"] += client.deleted
            for kind, count in client.counts.items():
                counts[kind] = counts.get(kind, 0) + count
        return [client.upload for client in clients]

    def kill_many_times(self, *flags):
        generator = random.Random(SEED)
        self.report(f"random seed {SEED}")
        server = self.serve(*flags)
        payload = Payload(self.scratch, 24 * MIB + 5)
        uploads = [Upload(payload, generator) for _ in range(CONNECTIONS)]
        ended, counts = {"finished": [], "deleted": []}, {}
        kills = gained = in_flight = verified = 0
        begin = time.monotonic()
        while kills < (KILLS_OF_SOAK if SOAK else KILLS_AT_LEAST) or \
                (not SOAK and time.monotonic() - begin < SECONDS_OF_KILLS) or \
                (not KINDS <= set(counts) and kills < 10 * KILLS_AT_LEAST):
            uploads = self.run_clients(server, uploads, generator, ended, counts)
            kills += 1
            server.start()
            for number, upload in enumerate(uploads):
                if upload.path is None:  # an answer that never came: the client starts over
                    uploads[number] = Upload(payload, generator)
                    continue
                in_flight += upload.sent > upload.acknowledged
                more = self.inspect(server, upload)
                gained += more or 0
                if upload.is_complete():
                    ended["finished"].append(upload)
                if more is None or upload.is_complete():
                    uploads[number] = Upload(payload, generator)
            verified += len(ended["finished"])
            self.verify_ended(server, ended)
        self.complete(server, uploads)
        self.verify_left_overs(server)
        self.report(f"{kills} kills, answered: {dict(sorted(counts.items()))}; {in_flight} uploads hit in the middle "
                    f"of a body, {gained / MIB:.1f} MiB more kept than acknowledged, {verified} looks at finished ones")
        self.assertTrue(KINDS <= set(counts), counts)

    def complete(self, server, uploads):
        with server.wire() as wire:
            for upload in uploads:
                if not upload.path:
                    continue
                if not upload.is_complete():
                    body = upload.payload.read(upload.acknowledged, upload.size)
                    length = {} if upload.length_acknowledged else {"Upload-Length": upload.size}
                    answer = wire.patch(upload.path, upload.acknowledged, body, length)
                    self.assertEqual((answer.status, answer.offset), (204, upload.size), answer)
                self.verify_finished(server, upload)

    def verify_left_overs(self, server):
        """[FILE-16] What the kills left of rewritten records goes away: at the first start after a day."""
        temporary = pathlib.Path(server.directory) / ".tusd" / "tmp"
        left = list(temporary.iterdir())
        for path in left:
            os.utime(path, (time.time() - 2 * 86400,) * 2)
        server.restart()
        self.assertEqual(list(temporary.iterdir()), [])
        self.report(f"{len(left)} temporary files were left and are gone")

    def test_fsync_off(self):
        """[RUN-9] [CHECK-57] With -fsync=off: the promise holds for the death of the process."""
        self.kill_many_times("-fsync=off")

    def test_fsync_finish(self):
        """[RUN-9] [HTTP-47] With -fsync=finish, the default."""
        self.kill_many_times("-fsync=finish")

    def test_fsync_always(self):
        """[RUN-9] [DIGEST-3] With -fsync=always a client hears nothing of bytes that are not safe; with digests."""
        self.kill_many_times("-fsync=always", "-digest=sha256")

    def test_killed_in_creations(self):
        """[RUN-41] Killed while it creates: nothing that is left keeps the server or another upload from working."""
        generator = random.Random(SEED)
        server = self.serve()
        for _ in range(200 if SOAK else 10):
            wires = [server.wire() for _ in range(CONNECTIONS)]
            for wire in wires:
                for _ in range(50):  # pipelined, so that many are on their way
                    wire.send_head("POST", server.base_path, {**TUS, "Upload-Length": 5, "Content-Length": 0})
            time.sleep(0.01 * generator.random())
            server.kill()
            told = []
            for wire in wires:
                try:
                    while True:
                        told.append(wire.receive().path)
                except BROKEN:
                    wire.close()
            server.start()
            with server.wire() as wire:
                for path in told:
                    self.assertEqual(wire.patch(path, 0, b"12345").offset, 5)
                for info in server.directory.glob("*.info"):
                    # Half made: the answer is an error of that upload alone.
                    self.assertIn(wire.head(server.base_path + info.stem).status, (200, 404, 500))


if __name__ == "__main__":
    main(3600 if SOAK else 600)
