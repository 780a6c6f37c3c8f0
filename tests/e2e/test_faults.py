#!/usr/bin/env python3
"""Disks that are full or read-only, and records that are damaged: a clear answer, a true offset, and on it goes."""
import itertools
import json
import os
import pathlib
import time

from disks import DiskTest, enter_namespace
from harness import main, wait_until
from payload import Payload
from wire import OFFSET_TYPE, TUS, chunk, patch_fields

MIB = 1 << 20


class Faults(DiskTest):
    def check_full(self, mode, framing):
        disk = self.small_disk(16)
        uploads = disk / "uploads"
        server = self.serve("-fsync=off", f"-zero-copy={mode}", directory=uploads)
        payload = Payload(self.scratch, 10 * MIB)
        with server.wire() as wire:
            path = wire.create(server.base_path, payload.size)
            self.assertEqual(wire.patch_file(path, payload, 0, MIB).offset, MIB)
        filler = self.fill(uploads, 2 * MIB)

        with server.wire() as wire:
            wire.send_head("PATCH", path, patch_fields(MIB, payload.size - MIB if framing == "length" else None))
            try:
                if framing == "length":
                    wire.send_file(payload, MIB, payload.size)
                else:
                    for start in range(MIB, payload.size, 100_000):
                        wire.send(chunk(payload.read(start, min(payload.size, start + 100_000))))
                    wire.send(b"0\r\n\r\n")
            except OSError:
                pass  # the answer came before the end of the body
            self.assert_error(wire.receive(), 507, "ERR_")
        with server.wire() as wire:
            offset = wire.head(path).offset
            self.report(f"zero-copy {mode}, {framing}: 507 at {offset / MIB:.2f} of 10 MiB, with room for 3")
            self.assertGreaterEqual(offset, MIB)
            self.assertLess(offset, 4 * MIB)
            self.assertTrue(payload.is_prefix(self.stored(server, path), offset))
            # The disk is still full: the same answer again, and the offset does not go back.
            answer = wire.patch(path, offset, payload.read(offset, offset + 200_000))
            self.assertEqual(answer.status, 507, answer)
        with server.wire() as wire:
            offset_then = wire.head(path).offset
            self.assertGreaterEqual(offset_then, offset)

        filler.unlink()
        with server.wire() as wire:
            answer = wire.patch_file(path, payload, offset_then, payload.size)
            self.assertEqual((answer.status, answer.offset), (204, payload.size), answer)
        self.assertTrue(payload.is_prefix(self.stored(server, path), payload.size))

    def test_disk_full(self):
        """[RUN-16] The disk fills up in the middle of a body: 507, a true offset; with space again it goes on."""
        for mode in ("always", "never"):
            for framing in ("length", "chunks"):
                with self.subTest(mode=mode, framing=framing):
                    self.check_full(mode, framing)

    def test_no_room_for_a_record(self):
        """[RUN-16] Not even a creation finds room: 507, and no half upload is left."""
        disk = self.small_disk(4)
        uploads = disk / "uploads"
        server = self.serve(directory=uploads)
        with server.wire() as wire:
            kept = wire.create(server.base_path, 10)
        filler = self.fill(uploads, 0)
        with server.wire() as wire:
            answer = wire.ask("POST", server.base_path, {**TUS, "Upload-Length": 10, "Content-Length": 0})
            self.assert_error(answer, 507, "ERR_")
            self.assertEqual(wire.head(kept).offset, 0)
        filler.unlink()
        self.wait_for_no_locks(uploads)
        names = sorted(p.name for p in uploads.iterdir() if p.name != ".tusd")
        kept_name = kept[len(server.base_path):]
        self.assertEqual(names, [kept_name, kept_name + ".info"])
        with server.wire() as wire:
            self.assertEqual(wire.patch(kept, 0, b"0123456789").offset, 10)

    def leave_inodes(self, disk, count):
        """Makes empty files, or removes them again, until so many inodes are left."""
        names = (disk / f"spare-{number}" for number in itertools.count())
        until = time.monotonic() + 20  # the server may be removing a lock meanwhile
        while (free := os.statvfs(disk).f_ffree) != count:
            self.assertLess(time.monotonic(), until, f"{free} inodes are left, not {count}")
            if free < count:
                next(disk.glob("spare-*")).unlink()
            elif not (name := next(names)).exists():
                name.touch()

    def test_no_inodes(self):
        """[RUN-42, LOCK-26] No inode is left: what needs one is 507 and leaves nothing, and uploads that need none go on."""
        disk = self.small_disk(16, "nr_inodes=60")
        server = self.serve("-fsync=off", directory=disk / "uploads")
        before = self.descriptors(server)
        with server.wire() as wire:
            known = wire.create(server.base_path, 10)
            deferred = wire.create(server.base_path)
            gone = wire.create(server.base_path, 10)
            self.leave_inodes(disk, 0)
            content = {"Content-Type": OFFSET_TYPE}
            for method, target, fields, body in (("POST", server.base_path, {"Upload-Length": 5}, b""),
                                                 ("POST", server.base_path, {"Upload-Length": 5, **content}, b"01"),
                                                 ("POST", server.base_path, {"Upload-Length": 2, **content}, b"01"),
                                                 ("PATCH", deferred, {**patch_fields(0, 2), "Upload-Length": 5}, b"01")):
                with self.subTest(method=method, body=body):
                    answer = wire.ask(method, target, {**TUS, **fields, "Content-Length": len(body)}, body)
                    self.assert_error(answer, 507, "ERR_INSUFFICIENT_STORAGE")
            self.assertEqual(wire.head(deferred).get("Upload-Defer-Length"), "1")
            self.leave_inodes(disk, 1)  # for a lock
            self.assertEqual(wire.patch(known, 0, b"01234").offset, 5)
            self.assertEqual(wire.ask("POST", server.base_path, {**TUS, "Upload-Length": 5}).status, 507)
            self.assertEqual(wire.ask("DELETE", gone, TUS).status, 204)
            self.leave_inodes(disk, 10)
            self.assertEqual(wire.patch(deferred, 0, b"01234", {"Upload-Length": 5}).offset, 5)
            self.assertEqual(wire.patch(known, 5, b"56789").offset, 10)
        self.assertEqual(self.stored(server, known).read_bytes(), b"0123456789")
        self.assert_tidy(server.directory, [path[len(server.base_path):] for path in (known, deferred)])
        self.assert_no_leak(server, before)

    def test_join_without_room(self):
        """[CONCAT-88] No room for a final upload is 507 and leaves nothing; where there is room it is made."""
        disk = self.small_disk(16)
        server = self.serve(directory=disk / "uploads")
        piece = Payload(self.scratch, 5 * MIB).read(0, 5 * MIB)
        with server.wire() as wire:
            parts = []
            for _ in range(2):
                fields = {**TUS, "Upload-Concat": "partial", "Upload-Length": len(piece)}
                parts.append(wire.ask("POST", server.base_path, fields).path)
                self.assertEqual(wire.patch(parts[-1], 0, piece).offset, len(piece))
            names = [path[len(server.base_path):] for path in parts]
            final = {**TUS, "Upload-Concat": f"final;{parts[0]} {parts[0]}"}
            answer = wire.ask("POST", server.base_path, final)
            self.assert_error(answer, 507, "ERR_INSUFFICIENT_STORAGE")
            self.assertIsNone(answer.get("Location"))
            self.assert_tidy(server.directory, names)
            self.assertEqual(wire.ask("DELETE", parts[1], TUS).status, 204)
            path = wire.ask("POST", server.base_path, final).path
            wait_until(lambda: wire.head(path).offset == 2 * len(piece), 20, "the join")
        self.assertEqual(self.stored(server, path).read_bytes(), piece * 2)
        self.assert_tidy(server.directory, [names[0], path[len(server.base_path):]])

    def test_read_only(self):
        """[RUN-17] The file system becomes read-only: 503 with Retry-After; writable again, it goes on."""
        disk = self.small_disk(16)
        server = self.serve(directory=disk / "uploads")
        payload = Payload(self.scratch, 3 * MIB)
        with server.wire() as wire:
            path = wire.create(server.base_path, payload.size)
            self.assertEqual(wire.patch_file(path, payload, 0, MIB).offset, MIB)
        self.remount(disk, "ro")
        refused = [("PATCH", path, patch_fields(MIB, 5), b"01234"),
                   ("POST", server.base_path, {**TUS, "Upload-Length": 5}, b""),
                   ("POST", server.base_path, {**TUS, "Upload-Length": 5, "Content-Type": OFFSET_TYPE}, b"01234"),
                   ("DELETE", path, TUS, b"")]
        for method, target, fields, body in refused:
            with self.subTest(method), server.wire() as wire:
                answer = wire.ask(method, target, {**fields, "Content-Length": len(body)}, body)
                self.assert_unavailable(answer)
        with server.wire() as wire:
            self.assertEqual(wire.head(path).offset, MIB)
        self.remount(disk, "rw")
        with server.wire() as wire:
            answer = wire.patch_file(path, payload, MIB, payload.size)
            self.assertEqual((answer.status, answer.offset), (204, payload.size), answer)
        self.assertTrue(payload.is_prefix(self.stored(server, path), payload.size))

    def test_damaged_records(self):
        """[RUN-18] A cut or senseless .info is a clear error of that upload alone; an empty one is no upload."""
        server = self.serve()
        with server.wire() as wire:
            path = wire.create(server.base_path, 10)
            wire.patch(path, 0, b"01234")
        info = pathlib.Path(str(self.stored(server, path)) + ".info")
        good = info.read_bytes()
        damages = {"cut": good[:len(good) // 2], "garbage": os.urandom(500),
                   "a list": b"[]", "null": b"null", "negative size": self.changed(good, Size=-1),
                   "size as text": self.changed(good, Size="10"), "huge number": good.replace(b'"Size":10', b'"Size":1e400'),
                   "deep": b"[" * 100_000, "large": b'{"ID":"' + b"x" * (8 << 20) + b'"}'}
        for name, content in damages.items():
            with self.subTest(name), server.wire() as wire:
                info.write_bytes(content)
                self.assertEqual(wire.head(path).status, 500)
                answer = wire.patch(path, 5, b"56789")
                self.assert_error(answer, 500, "ERR_UPLOAD_DAMAGED")
                self.assertNotIn(str(server.directory).encode(), answer.body)
        for name, content in {"empty": b"", "zeros": bytes(len(good))}.items():
            with self.subTest(name), server.wire() as wire:
                info.write_bytes(content)
                self.assertEqual(wire.head(path).status, 404)
                self.assert_error(wire.patch(path, 5, b"56789"), 404, "ERR_UPLOAD_NOT_FOUND")
        with server.wire() as wire:
            other = wire.create(server.base_path, 3)
            self.assertEqual(wire.patch(other, 0, b"abc").offset, 3)
            info.write_bytes(good)
            self.assertEqual(wire.head(path).offset, 5)
            self.assertEqual(wire.patch(path, 5, b"56789").offset, 10)
        self.assertEqual(self.stored(server, path).read_bytes(), b"0123456789")

    def changed(self, info, **fields):
        return json.dumps({**json.loads(info), **fields}).encode()

    def test_missing_data_file(self):
        """[RUN-18] A record without its data, and data without their record."""
        server = self.serve()
        with server.wire() as wire:
            path = wire.create(server.base_path, 10)
            self.stored(server, path).unlink()
            answer = wire.patch(path, 0, b"0123456789")
            self.assertIn(answer.status, (404, 410, 500), answer)
            path = wire.create(server.base_path, 10)
        pathlib.Path(str(self.stored(server, path)) + ".info").unlink()
        with server.wire() as wire:
            self.assertEqual(wire.head(path).status, 404)
            self.assertEqual(wire.head(wire.create(server.base_path, 1)).offset, 0)

    def test_damaged_records_at_start(self):
        """[RUN-18] A directory full of garbage does not keep the server from starting."""
        directory = self.scratch / "old"
        directory.mkdir()
        (directory / "empty.info").write_bytes(b"")
        (directory / "garbage.info").write_bytes(os.urandom(1000))
        (directory / "folder.info").mkdir()
        (directory / "loop.info").symlink_to("loop.info")
        (directory / ".tusd").mkdir()
        (directory / ".tusd" / "garbage").write_bytes(os.urandom(1000))
        server = self.serve(directory=directory)
        for name in ("empty", "garbage", "folder", "loop"):
            with self.subTest(name), server.wire() as wire:
                self.assertIn(wire.head(server.base_path + name).status, (404, 500))
                path = wire.create(server.base_path, 3)
                self.assertEqual(wire.patch(path, 0, b"abc").offset, 3)


if __name__ == "__main__":
    enter_namespace()
    main()
