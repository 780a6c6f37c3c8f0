#!/usr/bin/env python3
"""A file system whose operations fail, stop half-way, are slow or hang while the real binary works on it.

After each fault: an acknowledged offset is not taken back, the error is the right one, the upload ends with its bytes when
the fault is gone, and nothing is left over.
"""
import os
import random
import signal
import threading
import time

from disks import DiskTest, FaultFs, enter_namespace
from fault_client import Life
from harness import SEED, is_sanitized, main, wait_until
from payload import Payload
from wire import OFFSET_TYPE, TUS, Closed, patch_fields

MIB = 1 << 20
SOAK = os.environ.get("TUS_SOAK") == "1"
POLICIES = ("off", "finish", "always")
EVERY_OPERATION = "write,open,create,fsync,fsyncdir,rename,flush,unlink,truncate,mkdir,read,getattr"
STATUS = {"ENOSPC": 507, "EDQUOT": 507, "EIO": 503, "EROFS": 503, "ESTALE": 503}
# The kernel repeats what fails with ESTALE, and may then find the file that it has just made.
ONCE = [error for error in STATUS if error != "ESTALE"]


class FailEachOperation(threading.Thread):
    """Lives of uploads in which the first operation fails, then the second, ..., until none of so many is left."""

    def __init__(self, test, payload, policy, error):
        super().__init__(daemon=True)
        self.test, self.payload, self.policy, self.error = test, payload, policy, error
        self.faults = FaultFs(test)
        self.server = test.serve(f"-fsync={policy}", directory=self.faults.folder / "uploads")
        self.lives = self.refused = 0
        self.failure = None

    def run(self):
        try:
            self.fail_each()
        except Exception as error:  # pylint: disable=broad-except
            self.failure = error

    def fail_each(self):
        payload = self.payload
        where = self.faults.behind / "uploads"
        Life(self.test, self.server, payload, (), where).run()
        before = self.test.descriptors(self.server)
        kept = []
        for n in range(1000):
            self.faults.rules(f"{EVERY_OPERATION} {self.error} skip={n} times=1 path=/uploads")
            life = Life(self.test, self.server, payload, (STATUS[self.error],), where).run()
            self.lives, self.refused = self.lives + 1, self.refused + len(life.errors)
            if self.faults.counts()["faults"] == 0:
                break
            kept.append(life.path)
        self.test.assertGreater(n, 20)
        self.faults.clear()
        self.test.assert_no_leak(self.server, before)
        self.test.assertEqual(list((where / ".tusd" / "tmp").iterdir()), [])
        with self.server.wire() as wire:
            for path in kept:
                self.test.assertEqual(wire.head(path).offset, payload.size)
                self.test.assertEqual(wire.ask("DELETE", path, TUS).status, 204)


class FaultyFileSystem(DiskTest):
    def setUp(self):
        super().setUp()
        self.faults = FaultFs(self)

    def stored(self, server, path):
        """Without the faults."""
        return self.faults.behind / "uploads" / path[len(server.base_path):]

    def serve_faulty(self, *flags):
        return self.serve(*flags, directory=self.faults.folder / "uploads")

    def live(self, server, payload, allowed):
        return Life(self, server, payload, allowed, self.faults.behind / "uploads").run()

    def test_every_operation_fails_once(self):
        """[RUN-43] The n-th operation fails, for every n: the right answer, true offsets, all bytes in the end."""
        payload, threads = Payload(self.scratch, 300_000), []
        for policy in POLICIES:
            for error in ONCE if SOAK else ("EIO", "EDQUOT"):
                # A system and a server of its own, because a finish that fails is waited for.
                case = FailEachOperation(self, payload, policy, error)
                threads.append(case)
                case.start()
        for case in threads:
            case.join(300)
            self.assertFalse(case.is_alive())
            if case.failure:
                raise case.failure
            self.report(f"-fsync={case.policy}, {case.error}: {case.lives} uploads, {case.refused} requests refused")
            self.assertGreater(case.refused, 10)

    def test_kinds_of_operations_fail_for_long(self):
        """[RUN-44] One kind of operation fails until it is mended, also over a kill -9: then the upload goes on."""
        payload = Payload(self.scratch, 300_000)
        kinds = ("write", "open", "create", "rename", "flush", "read", "getattr", "write,flush", EVERY_OPERATION)
        for policy in POLICIES:
            server = self.serve_faulty(f"-fsync={policy}")
            for kind in kinds:
                for error, status in STATUS.items() if SOAK else (("ENOSPC", 507), ("EIO", 503)):
                    with self.subTest(policy=policy, kind=kind, error=error):
                        self.faults.clear()
                        self.fail_for_long(server, payload, f"{kind} {error} path=/uploads", status)
            self.assertEqual(list((server.directory / ".tusd" / "tmp").iterdir()), [])

    def fail_for_long(self, server, payload, rule, status):
        with server.wire() as wire:
            path = wire.create(server.base_path, payload.size)
            self.assertEqual(wire.patch(path, 0, payload.read(0, 100_000)).offset, 100_000)
            deferred = wire.create(server.base_path)
            self.faults.rules(rule)
            requests = [("PATCH", path, patch_fields(100_000, 5), payload.read(100_000, 100_005)),
                        ("PATCH", deferred, {**patch_fields(0, 0), "Upload-Length": 5}, b""),
                        ("POST", server.base_path, {**TUS, "Upload-Length": 5}, b""),
                        ("POST", server.base_path, {**TUS, "Upload-Length": 5, "Content-Type": OFFSET_TYPE}, b"01234")]
            acknowledged = 100_000
            for method, target, fields, body in requests:
                answer = wire.ask(method, target, {**fields, "Content-Length": len(body)}, body)
                if answer.status >= 300:
                    self.assertEqual(answer.status, status, f"{method} {rule}: {answer}")
                    self.assertRegex(answer.get("Retry-After") or "", r"^\d+$")
                elif target == path:
                    acknowledged = answer.offset
            self.assertGreater(self.faults.counts()["faults"], 0)
        if SOAK:
            server.kill()
        self.faults.clear()
        if SOAK:
            server.start()
        with server.wire() as wire:
            offset = wire.head(path).offset
            self.assertIn(offset, (acknowledged, 100_005), "acknowledged, or all that was sent")
            self.assertGreaterEqual(offset, acknowledged)
            self.assertEqual(wire.patch(path, offset, payload.read(offset, payload.size)).offset, payload.size)
            self.assertEqual(self.stored(server, path).read_bytes(), payload.read(0, payload.size))
            self.assertEqual(wire.ask("DELETE", path, TUS).status, 204)

    def test_fsync_fails_once(self):
        """[RUN-45] A sync that fails is never taken for done: what it may have lost is written and synced again first."""
        payload = Payload(self.scratch, 200_000)
        server = self.serve_faulty("-fsync=finish")
        with server.wire() as wire:
            path = wire.create(server.base_path, payload.size)
            self.faults.rules("fsync EIO times=1")
            self.assertEqual(wire.patch(path, 0, payload.read(0, payload.size)).offset, payload.size)
            counts = self.faults.counts()
            self.assertEqual(counts["faults"], 1)
            self.assertGreater(counts["fsync"], 1)
        wait_until(lambda: "DataSyncFailed" in server.errors(), 5, "the failure is in the log")
        server = self.serve_faulty("-fsync=always")
        with server.wire() as wire:
            path = wire.create(server.base_path, payload.size)
            self.assertEqual(wire.patch(path, 0, payload.read(0, 1000)).offset, 1000)
            self.faults.rules("fsync EIO times=1")
            self.assertEqual(wire.patch(path, 1000, payload.read(1000, 2000)).offset, 2000)
            counts = self.faults.counts()
            self.assertEqual(counts["faults"], 1)
            self.assertGreater(counts["fsync"], 1)
            self.assertGreater(counts["write"], 1)
            wait_until(lambda: "DataSyncFailed" in server.errors(), 5, "the failure is in the log")
            self.assertEqual(wire.patch(path, 2000, payload.read(2000, payload.size)).offset, payload.size)
        self.assertEqual(self.stored(server, path).read_bytes(), payload.read(0, payload.size))

    def test_fsync_fails_until_it_is_mended(self):
        """[RUN-45] As long as the sync fails nobody hears that the upload is complete, not even over a kill -9."""
        payload = Payload(self.scratch, 200_000)
        server = self.serve_faulty("-fsync=finish")
        with server.wire(0.7) as wire:
            path = wire.create(server.base_path, payload.size)
            self.faults.rules(f"fsync EIO path={path.rsplit('/', 1)[1]}")
            with self.assertRaises((TimeoutError, Closed)):
                wire.patch(path, 0, payload.read(0, payload.size))
            self.assertGreater(self.faults.counts()["faults"], 0)
        server.restart()
        with server.wire(0.7) as wire, self.assertRaises((TimeoutError, Closed)):
            wire.head(path)
        self.faults.clear()
        with server.wire() as wire:
            answer = wire.head(path)
            self.assertEqual((answer.status, answer.offset), (200, payload.size), answer)
        self.assertEqual(self.stored(server, path).read_bytes(), payload.read(0, payload.size))

    def test_error_at_close(self):
        """[FILE-17] Room that is missing only at close(2), as with NFS and quotas, is 507, and nothing is acknowledged."""
        payload = Payload(self.scratch, 2 * MIB)
        for mode in ("always", "never"):
            server = self.serve_faulty("-fsync=off", f"-zero-copy={mode}")
            with server.wire() as wire:
                path = wire.create(server.base_path, payload.size)
                self.assertEqual(wire.patch(path, 0, payload.read(0, 1000)).offset, 1000)
                # The data's, and not those of the lock and the record, which may come before it and behind it.
                self.faults.rules(f"flush EDQUOT times=1 path={path.rsplit('/', 1)[1]}$")
                answer = wire.patch(path, 1000, payload.read(1000, 500_000))
                self.assert_error(answer, 507, "ERR_INSUFFICIENT_STORAGE")
                self.assertEqual(self.faults.counts()["faults"], 1)
                self.assertEqual(wire.head(path).offset, 1000)
                self.wait_for_no_locks(server.directory)
                for skip in (0, 1):  # the new record, and the new data
                    self.faults.rules(f"flush ENOSPC skip={skip} times=1")
                    answer = wire.ask("POST", server.base_path, {**TUS, "Upload-Length": 5, "Content-Length": 0})
                    self.assert_error(answer, 507, "ERR_INSUFFICIENT_STORAGE")
                self.assertEqual(wire.patch(path, 1000, payload.read(1000, payload.size)).offset, payload.size)
            name = path[len(server.base_path):]
            self.assert_tidy(server.directory, [name])
            self.assertEqual((server.directory / name).read_bytes(), payload.read(0, payload.size))
            with server.wire() as wire:
                self.assertEqual(wire.ask("DELETE", path, TUS).status, 204)

    def test_short_writes(self):
        """[RUN-46] Writes that move half of what they were given lose nothing, spliced or copied."""
        payload = Payload(self.scratch, 3 * MIB + 1)
        for mode in ("always", "never"):
            server = self.serve_faulty(f"-zero-copy={mode}")
            self.faults.rules("write short")
            self.live(server, payload, ())
            self.assertGreater(self.faults.counts()["faults"], 10)
            self.faults.clear()

    def test_random_faults(self):
        """[RUN-43] Any operations fail at random while several clients work."""
        generator = random.Random(SEED)
        self.report(f"random seed {SEED}")
        payload = Payload(self.scratch, 1 * MIB + 3)
        server = self.serve_faulty("-fsync=finish")
        failures, done = [], []

        def client():
            try:
                while time.monotonic() < end:
                    done.append(self.live(server, payload, (503, 507)))
            except Exception as error:  # pylint: disable=broad-except
                failures.append(error)
        end = time.monotonic() + (60 if SOAK else 3)
        threads = [threading.Thread(target=client, daemon=True) for _ in range(4)]
        for thread in threads:
            thread.start()
        while time.monotonic() < end:
            operation = generator.choice(EVERY_OPERATION.split(","))
            self.faults.rules(f"{operation} {generator.choice(ONCE)} times=1 skip={generator.randrange(5)} "
                              "path=/uploads")
            time.sleep(0.02)
        self.faults.clear()
        for thread in threads:
            thread.join(30)
            self.assertFalse(thread.is_alive())
        if failures:
            raise failures[0]
        self.report(f"{len(done)} uploads, {sum(len(life.errors) for life in done)} requests refused")

    def test_slow_and_hanging(self):
        """[RUN-47] One upload's operation hangs: others are served, and when it goes on so does the upload."""
        payload = Payload(self.scratch, MIB)
        server = self.serve_faulty("-acquire-lock-timeout=1s", "-threads=1")
        with server.wire() as wire:
            stuck = wire.create(server.base_path, payload.size)
        name = stuck.rsplit("/", 1)[1]
        self.faults.rules(f"write hang path={name}")
        waiting = server.wire()
        self.addCleanup(waiting.close)
        waiting.send_head("PATCH", stuck, patch_fields(0, payload.size))
        waiting.send(payload.read(0, payload.size // 2))
        self.faults.wait_for_faults()
        slowest = 0
        for _ in range(20):
            begin = time.monotonic()
            with server.wire() as wire:
                path = wire.create(server.base_path, 1000)
                self.assertEqual(wire.patch(path, 0, payload.read(0, 1000)).offset, 1000)
                self.assertEqual(wire.head(path).offset, 1000)
            slowest = max(slowest, time.monotonic() - begin)
        self.report(f"beside it the slowest upload took {slowest * 1000:.0f} ms")
        self.assertLess(slowest, 5 if is_sanitized() else 1)
        with server.wire() as wire:
            self.assertIn(wire.head(stuck).status, (423, 500))
        self.faults.clear()
        answer = waiting.receive()
        with server.wire() as wire:
            if answer.status == 423:  # taken over by the HEAD
                offset = wire.head(stuck).offset
                answer = wire.patch(stuck, offset, payload.read(offset, payload.size))
            self.assertEqual(answer.offset, payload.size, answer)
        self.assertEqual(self.stored(server, stuck).read_bytes(), payload.read(0, payload.size))

    def test_stop_while_it_hangs(self):
        """[RUN-47] A stop waits for an operation that hangs, and is clean if it ends in time; if not it ends anyway."""
        payload = Payload(self.scratch, MIB)
        server = self.serve_faulty("-shutdown-timeout=1s")
        with server.wire() as wire:
            path = wire.create(server.base_path, payload.size)
            self.assertEqual(wire.patch(path, 0, payload.read(0, 1000)).offset, 1000)
            self.faults.rules(f"write hang path={path.rsplit('/', 1)[1]}")
            wire.send_head("PATCH", path, patch_fields(1000, payload.size - 1000))
            wire.send(payload.read(1000, payload.size))
            self.faults.wait_for_faults()
            server.process.terminate()
            # After 21 s it is killed; but no process ends before the kernel has given back its threads.
            time.sleep(24 if SOAK else 1.5)
            self.assertTrue(server.alive())
            self.faults.clear()
            self.assertEqual(server.wait_for_exit(), -signal.SIGALRM if SOAK else 0)
        server.start()
        with server.wire() as wire:
            offset = wire.head(path).offset
            self.assertGreaterEqual(offset, 1000)
            self.assertTrue(payload.is_prefix(self.stored(server, path), offset))
            self.assertEqual(wire.patch(path, offset, payload.read(offset, payload.size)).offset, payload.size)

    def test_slow_disk(self):
        """[RUN-47] Every write takes 30 ms: everything works, and the server stops cleanly in the middle of it."""
        payload = Payload(self.scratch, 2 * MIB)
        server = self.serve_faulty()
        self.faults.rules("write,open,fsync,rename slow=30")
        threads = [threading.Thread(target=self.live, args=(server, Payload(self.scratch, 300_000, seed), ()))
                   for seed in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        with server.wire() as wire:
            path = wire.create(server.base_path, payload.size)
            wire.send_head("PATCH", path, patch_fields(0, payload.size))
            wire.send(payload.read(0, MIB))
            self.assertEqual(server.stop(), 0)
        self.faults.clear()
        server.start()
        with server.wire() as wire:
            offset = wire.head(path).offset
            self.assertTrue(payload.is_prefix(self.stored(server, path), offset))
            self.assertEqual(wire.patch(path, offset, payload.read(offset, payload.size)).offset, payload.size)

    def test_file_system_dies_and_comes_back(self):
        """[FILE-18] A mount that dies is 503; mounted again under the same name, uploads go on without a restart."""
        payload = Payload(self.scratch, 100_000)
        server = self.serve_faulty()
        before = self.descriptors(server)
        with server.wire() as wire:
            path = wire.create(server.base_path, payload.size)
            self.assertEqual(wire.patch(path, 0, payload.read(0, 1000)).offset, 1000)
            self.faults.kill()
            for answer in (wire.head(path), wire.patch(path, 1000, b"x" * 10),
                           wire.ask("POST", server.base_path, {**TUS, "Upload-Length": 5, "Content-Length": 0})):
                self.assertEqual(answer.status, 503, answer)
                self.assertRegex(answer.get("Retry-After") or "", r"^\d+$")
            self.faults.unmount()
            # What lies below the mount is not ours to fill.
            (self.faults.folder / "uploads").mkdir(parents=True)
            answer = wire.ask("POST", server.base_path, {**TUS, "Upload-Length": 5, "Content-Length": 0})
            self.assertEqual(answer.status, 503, answer)
            self.assertEqual(list((self.faults.folder / "uploads").iterdir()), [])
            (self.faults.folder / "uploads").rmdir()
            self.faults.start()
            wait_until(lambda: wire.head(path).status == 200, 10, "it is noticed")
            self.assertEqual(wire.head(path).offset, 1000)
            self.assertEqual(wire.patch(path, 1000, payload.read(1000, payload.size)).offset, payload.size)
        self.assertEqual(self.stored(server, path).read_bytes(), payload.read(0, payload.size))
        self.assert_no_leak(server, before)


if __name__ == "__main__":
    enter_namespace()
    main(3600 if SOAK else 600)
