#!/usr/bin/env python3
"""What all uploads together may take: refused with 507 beyond it, or others go; what has to stay free on a disk."""
import os
import random
import threading
import time

from disks import DiskTest, enter_namespace
from harness import SEED, main, wait_until
from payload import Payload
from wire import TUS, chunk, patch_fields

MIB = 1 << 20
LIMIT = 10 * MIB
CODE = "ERR_INSUFFICIENT_STORAGE"


class Limits(DiskTest):
    def try_create(self, wire, server, length=None, fields=()):
        lengths = {} if length is None else {"Upload-Length": length}
        return wire.ask("POST", server.base_path, {**TUS, **lengths, "Content-Length": 0, **dict(fields)})

    def assert_refused(self, answer):
        self.assert_error(answer, 507, CODE)
        self.assertIsNone(answer.get("Location"))
        self.assertRegex(answer.get("Retry-After") or "", r"^\d+$")

    def is_there(self, server, path):
        """In answers and on the disk, where it is both files or none."""
        with server.wire() as wire:
            status = wire.head(path).status
        self.assertIn(status, (200, 404))
        data = self.stored(server, path)
        for file in (data, data.with_name(data.name + ".info")):
            self.assertEqual(file.exists(), status == 200, file)
        return status == 200

    def whole(self, wire, server, size):
        path = wire.create(server.base_path, size)
        self.assertEqual(wire.patch(path, 0, os.urandom(size)).offset, size)
        return path

    def age(self, server, path, seconds):
        then = time.time() - seconds
        os.utime(self.stored(server, path), (then, then))

    def stored_together(self, server):
        """Bytes that were stored at one moment; 0 when uploads came or went while they were looked at."""
        def sizes():
            found = {}
            for entry in os.scandir(server.directory):
                try:
                    if entry.is_file() and "." not in entry.name:
                        found[entry.name] = entry.stat().st_size
                except FileNotFoundError:
                    pass
            return found
        first = sizes()
        return sum(first.values()) if sizes().keys() == first.keys() else 0

    def metric(self, server, name):
        with server.wire() as wire:
            text = wire.ask("GET", "/metrics").body.decode()
        return [float(line.split()[1]) for line in text.splitlines() if line.startswith(name + " ")][0]

    def test_the_sum_of_all(self):
        """[LIMIT-1] [LIMIT-2] [LIMIT-10] Lengths count from the creation on, over a kill and under a smaller limit too."""
        server = self.serve(f"-store-size={LIMIT}")
        payload = Payload(self.scratch, 4 * MIB)
        with server.wire() as wire:
            begun = wire.create(server.base_path, payload.size)
            self.assertEqual(wire.patch_file(begun, payload, 0, MIB).offset, MIB)
            finished = self.whole(wire, server, 3 * MIB)
            open_end = wire.create(server.base_path)
            self.assertEqual(wire.patch(open_end, 0, b"x" * MIB).offset, MIB)
            self.assert_refused(self.try_create(wire, server, 2 * MIB + 1))
        server.restart()
        with server.wire() as wire:
            self.assert_refused(self.try_create(wire, server, 2 * MIB + 1))
            last = wire.create(server.base_path, 2 * MIB)
            self.assertTrue(self.is_there(server, finished))
            # Without a length there is no room any more, and what was told stays true.
            answer = wire.patch(open_end, MIB, b"more")
            self.assert_error(answer, 507, CODE)
        with server.wire() as wire:
            self.assertEqual(wire.head(open_end).offset, MIB)
            # A join takes its length, too.
            part = {"Upload-Concat": "partial"}
            self.assert_refused(self.try_create(wire, server, 1, part))
            self.assertEqual(wire.ask("DELETE", last, TUS).status, 204)
            one = self.try_create(wire, server, MIB, part).path
            self.assertEqual(wire.patch(one, 0, b"p" * MIB).offset, MIB)
            join = {"Upload-Concat": f"final;{one}"}
            self.assert_refused(self.try_create(wire, server, None, {"Upload-Concat": f"final;{one} {one}"}))
            joined = self.try_create(wire, server, None, join)
            self.assertEqual(joined.status, 201, joined)
            self.assert_refused(self.try_create(wire, server, 1))
        server.stop()
        smaller = self.serve(f"-store-size={MIB}", directory=server.directory)
        with smaller.wire() as wire:
            self.assert_refused(self.try_create(wire, smaller, 1))
            # What was begun can be ended.
            self.assertEqual(wire.patch_file(begun, payload, MIB, payload.size).offset, payload.size)
        self.assertTrue(payload.is_prefix(self.stored(smaller, begun), payload.size))

    def test_files_that_are_taken_away(self):
        """[LIMIT-6] Another program fetches what is finished: its room is found within seconds."""
        server = self.serve(f"-store-size={LIMIT}")
        with server.wire() as wire:
            path = self.whole(wire, server, 9 * MIB)
            self.assert_refused(self.try_create(wire, server, 2 * MIB))
            self.stored(server, path).unlink()
            wait_until(lambda: self.try_create(wire, server, 2 * MIB).status == 201, 20, "the room is found")

    def test_evicts_the_biggest(self):
        """[LIMIT-11] [LIMIT-12] [LIMIT-13] [LIMIT-14] [LIMIT-15] As few as are needed, and nobody who is sending."""
        server = self.serve(f"-store-size={LIMIT}", "-store-evict=biggest")
        payload = Payload(self.scratch, 4 * MIB)
        with server.wire() as wire, server.wire() as sender:
            finished = self.whole(wire, server, 3 * MIB)
            sent = wire.create(server.base_path, payload.size)
            sender.send_head("PATCH", sent, patch_fields(0, payload.size))
            sender.send_file(payload, 0, MIB)
            wait_until(lambda: self.stored(server, sent).stat().st_size == MIB, 10, "the first bytes")
            middle, small = (wire.create(server.base_path, size * MIB) for size in (2, 1))
            self.assert_refused(self.try_create(wire, server, 4 * MIB))
            self.assert_refused(self.try_create(wire, server, LIMIT + 1))
            self.assertTrue(all(self.is_there(server, path) for path in (finished, middle, small)))
            new = wire.create(server.base_path, 2 * MIB)
            self.assertEqual([self.is_there(server, path) for path in (finished, middle, small, new)],
                             [True, False, True, True])
            sender.send_file(payload, MIB, payload.size)
            answer = sender.receive()
            self.assertEqual((answer.status, answer.offset), (204, payload.size), answer)
        self.assertTrue(payload.is_prefix(self.stored(server, sent), payload.size))
        self.assertEqual(self.metric(server, "tusd_uploads_evicted_total"), 1)
        self.assertEqual(self.metric(server, "tusd_uploads_terminated"), 1)
        evicted = wait_until(lambda: [line for line in server.errors().splitlines() if "UploadEvicted" in line], 10,
                             "a line in the log")
        self.assertEqual(len(evicted), 1)
        self.assertIn(middle.rsplit("/", 1)[1], evicted[0])

    def test_evicts_the_oldest(self):
        """[LIMIT-11] [LIMIT-12] By when bytes last came, finished ones too where that is wanted; after a restart as well."""
        server = self.serve(f"-store-size={LIMIT}", "-store-evict=oldest", "-store-evict-finished")
        with server.wire() as wire:
            paths = [self.whole(wire, server, 2 * MIB), wire.create(server.base_path, 4 * MIB),
                     self.whole(wire, server, MIB), wire.create(server.base_path, 3 * MIB)]
        for path, hours in zip(paths, (3, 1, 4, 2), strict=True):
            self.age(server, path, hours * 3600)
        server.restart()
        with server.wire() as wire:
            new = wire.create(server.base_path, 2 * MIB)
            self.assertEqual([self.is_there(server, path) for path in paths], [False, True, False, True])
            wire.create(server.base_path, 2 * MIB)
            self.assertEqual([self.is_there(server, path) for path in paths], [False, True, False, False])
            self.assertTrue(self.is_there(server, new))

    def test_many_at_once(self):
        """[LIMIT-1] [LIMIT-16] Clients that create, send and delete: never more than the limit, and all of it is free again."""
        for evict in ("none", "oldest"):
            server = self.serve(f"-store-size={LIMIT}", f"-store-evict={evict}", "-fsync=off")
            generator = random.Random(SEED)
            sizes = [[generator.randrange(1, 3 * MIB) for _ in range(25)] for _ in range(6)]
            refused, errors = [], []

            def client(mine, server=server, refused=refused, errors=errors):
                try:
                    for size in mine:
                        with server.wire() as wire:
                            answer = self.try_create(wire, server, size)
                            if answer.status != 201:
                                self.assert_refused(answer)
                                refused.append(size)
                                continue
                            sent = wire.patch(answer.path, 0, b"x" * size)
                        # After an answer that came before the end of a body there is no other one.
                        with server.wire() as wire:
                            gone = wire.ask("DELETE", answer.path, TUS)
                        allowed = {(204, 204)} if evict == "none" else {(204, 204), (404, 404)}
                        self.assertIn((sent.status, gone.status), allowed)
                except BaseException as error:  # the main thread tells it
                    errors.append(error)

            threads = [threading.Thread(target=client, args=[mine]) for mine in sizes]
            for thread in threads:
                thread.start()
            most = 0
            while any(thread.is_alive() for thread in threads):
                most = max(most, self.stored_together(server))
                time.sleep(0.01)
            for thread in threads:
                thread.join()
            self.assertEqual(errors, [])
            self.assertLessEqual(most, LIMIT)
            self.assertGreater(most, MIB)
            self.assert_tidy(server.directory, [])
            with server.wire() as wire:
                wire.create(server.base_path, LIMIT)
            self.report(f"{evict}: {len(refused)} of 150 refused, at most {most / MIB:.1f} of 10 MiB stored")

    def test_what_has_to_stay_free(self):
        """[LIMIT-20] [LIMIT-21] [LIMIT-22] A small disk: nothing takes the last 4 MiB, and what ends needs none."""
        disk = self.small_disk(16)
        server = self.serve(f"-min-free-space={4 * MIB}", directory=disk / "uploads")
        free = lambda: os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
        with server.wire() as wire:
            self.assert_refused(self.try_create(wire, server, 13 * MIB))
            self.assert_tidy(server.directory, [])
            first = self.whole(wire, server, 5 * MIB)
            second = wire.create(server.base_path, 6 * MIB)
            third = wire.create(server.base_path)
        with server.wire() as wire:
            wire.send_head("PATCH", third, patch_fields(0))
            try:
                for _ in range(80):
                    wire.send(chunk(b"t" * 100_000))
                wire.send(b"0\r\n\r\n")
            except OSError:
                pass  # the answer came before the end of the body
            self.assert_error(wire.receive(), 507, CODE)
        self.assertGreaterEqual(free(), 4 * MIB - 65536)
        with server.wire() as wire:
            kept = wire.head(third).offset
            self.report(f"507 at {kept / MIB:.2f} MiB, with {free() / MIB:.2f} of 16 MiB free")
            self.assertGreater(kept, 6 * MIB)
            self.assertEqual(self.stored(server, third).stat().st_size, kept)
            # Its end needs no byte, and a finish is no upload's growth.
            answer = wire.patch(third, kept, b"", {"Upload-Length": kept})
            self.assertEqual((answer.status, answer.offset), (204, kept), answer)
            self.assert_error(wire.patch(second, 0, b"s" * MIB), 507, CODE)
        with server.wire() as wire:
            self.assertEqual(wire.head(second).offset, 0)
            self.assert_refused(self.try_create(wire, server, 1))
            self.assertEqual(wire.ask("DELETE", first, TUS).status, 204)
            self.assertEqual(wire.patch(second, 0, b"s" * 4 * MIB).offset, 4 * MIB)


if __name__ == "__main__":
    enter_namespace()
    main()
