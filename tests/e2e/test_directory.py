#!/usr/bin/env python3
"""The upload directory is removed, replaced, unmounted, emptied or full while the server runs, or when it starts."""
import os
import pathlib
import shutil
import subprocess
import tempfile

from disks import DiskTest, enter_namespace
from harness import BINARY, clean_environment, main, wait_until
from payload import Payload
from wire import OFFSET_TYPE, TUS, patch_fields

MIB = 1 << 20


class Directory(DiskTest):
    def post(self, wire, server, body=b""):
        fields = {**TUS, "Upload-Length": 5, "Content-Length": len(body)}
        return wire.ask("POST", server.base_path, {**fields, **({"Content-Type": OFFSET_TYPE} if body else {})}, body)

    def whole_upload(self, wire, server, payload):
        path = wire.create(server.base_path, payload.size)
        self.assertEqual(wire.patch(path, 0, payload.read(0, payload.size)).offset, payload.size)
        self.assertEqual(self.stored(server, path).read_bytes(), payload.read(0, payload.size))
        return path

    def test_removed_and_made_again(self):
        """[FILE-18, LOCK-27] Removed: its uploads are gone, creations are 503; made again, it is used without a restart."""
        payload = Payload(self.scratch, 200_000)
        for policy in ("off", "finish", "always"):
            server = self.serve(f"-fsync={policy}", directory=self.scratch / f"uploads-{policy}")
            before = self.descriptors(server)
            with server.wire() as wire, server.wire() as writing:
                path = wire.create(server.base_path, payload.size)
                other = wire.create(server.base_path, 5)
                writing.send_head("PATCH", path, patch_fields(0, payload.size))
                writing.send(payload.read(0, 1000))
                while wire.ask("HEAD", other, TUS).status != 200 or self.stored(server, path).stat().st_size < 1000:
                    pass
                shutil.rmtree(server.directory)
                writing.send(payload.read(1000, payload.size))
                answer = writing.receive()
                self.assertIn(answer.status, (404, 410, 503), answer)
                for status in (wire.head(path).status, wire.patch(other, 0, b"01234").status,
                               wire.ask("DELETE", other, TUS).status):
                    self.assertEqual(status, 404)
                for body in (b"", b"01234"):
                    self.assert_unavailable(self.post(wire, server, body))
                self.assertFalse(server.directory.exists())
                server.directory.mkdir()
                if self.post(wire, server).status != 201:  # one request may notice
                    self.assertEqual(self.post(wire, server).status, 201)
                self.whole_upload(wire, server, payload)
            self.assert_no_leak(server, before)
            server.restart()
            with server.wire() as wire:
                self.whole_upload(wire, server, payload)

    def test_symbolic_links(self):
        """[FILE-07] Links in the directory to files and folders outside: no request reads, writes or removes those."""
        server = self.serve("-fsync=off")
        outside = self.scratch / "outside"
        outside.mkdir()
        dead = subprocess.run(["sh", "-c", "echo $$"], capture_output=True, check=True).stdout
        for name, text in {"a": b"secret", "a.info": b'{"ID":"a","Size":100}', "a.lock": dead, "a.stop": b""}.items():
            (outside / name).write_bytes(text)

        def look():
            return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in outside.iterdir()}

        before = look()
        with server.wire() as wire:
            real = wire.create(server.base_path, 100)
            identifier = real[len(server.base_path):]
            locked = wire.create(server.base_path, 100)
        record = server.directory / f"{identifier}.info"
        (server.directory / "folder").symlink_to(outside)
        for name in ("a", "a.info", "a.lock"):
            (server.directory / name.replace("a", "both", 1)).symlink_to(outside / name)
        (server.directory / "data").symlink_to(outside / "a")
        (server.directory / "data.info").write_bytes(record.read_bytes().replace(identifier.encode(), b"data"))
        (server.directory / "record").write_bytes(b"abc")
        (server.directory / "record.info").symlink_to(outside / "a.info")
        for suffix in (".lock", ".stop"):
            (server.directory / (locked[len(server.base_path):] + suffix)).symlink_to(outside / f"a{suffix}")
        for name in ("folder/a", "folder/new", "both", "data", "record", locked[len(server.base_path):]):
            target = server.base_path + name
            for method, fields, body in (("HEAD", TUS, b""), ("GET", {}, b""), ("PATCH", patch_fields(0, 3), b"xyz"),
                                         ("PATCH", patch_fields(6, 3), b"xyz"),
                                         ("POST", {**TUS, "Upload-Concat": f"final;{target}"}, b""), ("DELETE", TUS, b"")):
                with self.subTest(name=name, method=method), server.wire() as wire:
                    answer = wire.ask(method, server.base_path if method == "POST" else target, fields, body)
                    self.assertIn(answer.status, (400, 404, 500, 503))
                    self.assertNotIn(b"secret", answer.body)
                    self.assertNotIn(str(self.scratch).encode(), answer.body)
                    self.assertEqual(look(), before)
        server.restart()  # recovery looks at everything
        self.assertEqual(look(), before)
        with server.wire() as wire:
            self.assertEqual(wire.patch(real, 0, b"x" * 100).offset, 100)

    def test_replaced(self):
        """[FILE-18] Moved away with another one in its place: the uploads go on where they are."""
        payload = Payload(self.scratch, 200_000)
        server = self.serve(directory=self.scratch / "uploads")
        with server.wire() as wire:
            path = wire.create(server.base_path, payload.size)
            self.assertEqual(wire.patch(path, 0, payload.read(0, 1000)).offset, 1000)
            moved = self.scratch / "moved"
            server.directory.rename(moved)
            server.directory.mkdir()
            self.assertEqual(wire.head(path).offset, 1000)
            self.assertEqual(wire.patch(path, 1000, payload.read(1000, payload.size)).offset, payload.size)
            name = path[len(server.base_path):]
            self.assertEqual((moved / name).read_bytes(), payload.read(0, payload.size))
            self.assertEqual(list(server.directory.iterdir()), [])
        server.directory.rmdir()
        moved.rename(server.directory)
        server.restart()
        with server.wire() as wire:
            self.assertEqual(wire.head(path).offset, payload.size)

    def test_side_files_removed(self):
        """[FILE-19] `.tusd` is removed while the server runs: it is made again when it is needed."""
        payload = Payload(self.scratch, 200_000)
        for policy in ("off", "finish", "always"):
            server = self.serve(f"-fsync={policy}")
            with server.wire() as wire:
                shutil.rmtree(server.directory / ".tusd")
                deferred = wire.create(server.base_path)
                answer = wire.patch(deferred, 0, b"01234", {"Upload-Length": 10})
                self.assertEqual((answer.status, answer.offset), (204, 5), answer)
                shutil.rmtree(server.directory / ".tusd", ignore_errors=True)
                self.assertEqual(wire.patch(deferred, 5, b"56789").offset, 10)
                shutil.rmtree(server.directory / ".tusd" / "tmp", ignore_errors=True)
                path = self.whole_upload(wire, server, payload)
            names = [upload[len(server.base_path):] for upload in (deferred, path)]
            self.assert_tidy(server.directory, names)

    def test_unmounted(self):
        """[FILE-18] In use it cannot be unmounted; torn away, the uploads go on where they are, and when it is back."""
        payload = Payload(self.scratch, 200_000)
        disk = self.small_disk(16)
        mounted = pathlib.Path(tempfile.mkdtemp(prefix="mounted-", dir=self.scratch))

        def mount():
            subprocess.run(["mount", "--bind", disk, mounted], check=True, timeout=10)
        mount()
        self.addCleanup(subprocess.run, ["umount", "--lazy", mounted], check=False, timeout=10,
                        stderr=subprocess.DEVNULL)
        server = self.serve(directory=mounted)
        with server.wire() as wire:
            path = wire.create(server.base_path, payload.size)
            self.assertEqual(wire.patch(path, 0, payload.read(0, 1000)).offset, 1000)
            busy = subprocess.run(["umount", mounted], stderr=subprocess.PIPE, timeout=10)
            self.assertNotEqual(busy.returncode, 0, "the server does not hold its directory")
            subprocess.run(["umount", "--lazy", mounted], check=True, timeout=10)
            self.assertEqual(wire.patch(path, 1000, payload.read(1000, 2000)).offset, 2000)
            self.assertEqual(self.post(wire, server).status, 201)
            self.assertEqual(list(mounted.iterdir()), [], "nothing is put below the missing mount")
            mount()
            self.assertEqual(wire.patch(path, 2000, payload.read(2000, payload.size)).offset, payload.size)
        self.assertEqual(self.stored(server, path).read_bytes(), payload.read(0, payload.size))
        server.restart()
        with server.wire() as wire:
            self.assertEqual(wire.head(path).offset, payload.size)

    def start_fails(self, directory):
        done = subprocess.run([BINARY, "-host=127.0.0.1", "-port=0", f"-dir={directory}"], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=30, env=clean_environment())
        self.assertEqual(done.returncode, 1, done)
        self.assertEqual(len(done.stderr.strip().splitlines()), 1, done.stderr)
        self.assertIn(str(directory), done.stderr)
        self.assertNotIn("You can now upload", done.stdout)
        return done.stderr

    def test_unwritable_at_start(self):
        """[RUN-48] A directory that cannot be written to keeps the server from starting, with one sentence."""
        disk = self.small_disk(4)
        (disk / "uploads").mkdir()
        self.remount(disk, "ro")
        self.assertIn("Read-only file system", self.start_fails(disk / "uploads"))
        self.assertIn("Read-only file system", self.start_fails(disk / "not-there"))
        self.remount(disk, "rw")
        with self.serve(directory=disk / "uploads").wire() as wire:
            self.assertEqual(wire.ask("OPTIONS", "/files/").status, 200)

    def test_full_at_start(self):
        """[RUN-49, LOCK-26] On a full disk the server starts: uploads can be asked for and deleted, and then there is room."""
        disk = self.small_disk(4, "nr_inodes=100")
        server = self.serve("-fsync=off", directory=disk / "uploads")
        payload = Payload(self.scratch, MIB)
        with server.wire() as wire:
            path = self.whole_upload(wire, server, payload)
        # One that is left by the kill would keep the dead server's file, and its block, on the disk.
        self.wait_for_no_locks(server.directory)
        self.fill(server.directory, 0)
        for number in range(os.statvfs(disk).f_ffree):
            (disk / f"inode-{number}").touch()
        for side_files in ("kept", "removed"):
            server.kill()
            if side_files == "removed":
                shutil.rmtree(server.directory / ".tusd")
                for number in range(os.statvfs(disk).f_ffree):
                    (disk / f"more-{number}").touch()
            server.start()
            wait_until(lambda: not list(server.directory.glob(".tusd/*pid-*")), 10, "the dead server's locks are gone")
            for number in range(os.statvfs(disk).f_ffree):  # what they took
                (disk / f"again-{side_files}-{number}").touch()
            with server.wire() as wire:
                self.assertEqual(wire.head(path).offset, MIB)
                self.assertEqual(self.post(wire, server).status, 507)
                self.assertEqual(wire.ask("DELETE", path, TUS).status, 507)
        for number in range(6):  # a lock, the file behind it, their directory, and spare locks
            (disk / f"inode-{number}").unlink()
        with server.wire() as wire:
            self.assertEqual(wire.ask("DELETE", path, TUS).status, 204)
        for spare in disk.glob("*-*"):
            spare.unlink()
        with server.wire() as wire:
            self.assertEqual(self.post(wire, server, b"01234").status, 201)


if __name__ == "__main__":
    enter_namespace()
    main()
