#!/usr/bin/env python3
"""Two servers on one directory: one writer per upload, whatever happens to either of them."""
import os
import pathlib
import random
import re
import subprocess
import sys
import tempfile
import threading
import time

from harness import SEED, EndToEndTest, die_with_parent, is_sanitized, main, percentile, wait_until
from payload import Payload
from wire import TUS, Closed, patch_fields

SOAK = os.environ.get("TUS_SOAK") == "1"
SIZE = 512 << 10
TAKEOVERS = 200 if SOAK else 60
LIMIT_MS = 500
LIMIT_SANITIZED_MS = 3000

KILL_ROUNDS = 500 if SOAK else None  # of each -fsync; else as many as fit
KILL_SECONDS = 12
CLIENTS = 4
KILL_SIZE = 6 << 20
BROKEN = (Closed, OSError)
# Somebody else is at it, or something is being finished: a client asks again.
AGAIN = (409, 423, 503)


def locks_in(directory):
    """Lock files, requests to release, and what stands for processes."""
    found = [str(path.relative_to(directory)) for path in directory.rglob("*")
             if path.name.endswith((".lock", ".stop")) or path.name.startswith("pid-")]
    # That one is no upload's, and stays.
    return sorted(name for name in found if name != ".tusd/records.lock")


def in_ink(data, ink):
    """The bytes as one client sends them, so that one can see who wrote what."""
    return data.translate(bytes(byte ^ ink for byte in range(256)))


class Shared:
    """One upload that several clients bring, each in an ink of its own."""

    def __init__(self, payload, path, stored):
        self.payload, self.path, self.stored = payload, path, stored
        self.lock = threading.Lock()
        self.frozen = bytearray()  # what was there when it was first acknowledged
        self.claims = []           # start, end, ink: pieces that one client was told to have brought
        self.acknowledged = 0  # the most that anybody was told
        self.sent = 0          # at most this much can have reached a server
        self.problems = []
        self.interrupted = 0

    def told(self, offset, before):
        """An answer with an offset. `before`: the most that was acknowledged when its request began."""
        with self.lock:
            if offset < before:
                self.problems.append(f"offset {offset} after {before} was acknowledged")
            if offset > self.sent:
                self.problems.append(f"offset {offset} though only {self.sent} were sent")
            if offset > self.acknowledged:
                with open(self.stored, "rb") as file:
                    file.seek(self.acknowledged)
                    self.frozen += file.read(offset - self.acknowledged)
                self.acknowledged = offset

    def check_bytes(self):
        """What is wrong with the finished upload, or nothing."""
        stored = self.stored.read_bytes()
        if stored != self.frozen:
            return "bytes changed after they were acknowledged"
        size = len(stored)
        difference = int.from_bytes(stored, "big") ^ int.from_bytes(self.payload.read(0, size), "big")
        inks = difference.to_bytes(size, "big")
        if size != KILL_SIZE or inks.translate(None, bytes(range(1, CLIENTS + 1))):
            return "bytes that nobody sent, or at the wrong place"
        for start, end, ink in self.claims:
            if inks[start:end] != bytes([ink]) * (end - start):
                return f"another client wrote into {start}..{end} of client {ink}"
        return None


class Client(threading.Thread):
    """HEAD, then PATCH a piece, as a client that was cut off does it; until it is stopped."""

    def __init__(self, servers, shared, ink, generator):
        super().__init__(daemon=True)
        self.servers, self.shared, self.ink, self.random = servers, shared, ink, generator
        self.stopped = threading.Event()
        self.failure = None
        self.pieces = 0

    def run(self):
        while not self.stopped.is_set() and not self.failure:
            try:
                with self.random.choice(self.servers).wire(timeout=60) as wire:
                    while not self.stopped.is_set() and self.one_piece(wire):
                        pass
            except BROKEN:
                time.sleep(0.005)  # killed, or starting
            except Exception as error:  # pylint: disable=broad-except
                self.failure = error

    def one_piece(self, wire):
        """Whether the connection can be used again."""
        shared = self.shared
        before = shared.acknowledged
        answer = wire.head(shared.path)
        if answer.status in AGAIN:
            return True
        if answer.status != 200:
            raise AssertionError(f"HEAD: {answer}")
        offset = answer.offset
        shared.told(offset, before)
        if offset == KILL_SIZE:
            self.stopped.set()
            return True
        end = min(KILL_SIZE, offset + self.random.randrange(1, 100_000))
        announced = min(KILL_SIZE, end + self.random.choice((0, 0, 5000)))
        with shared.lock:
            shared.sent = max(shared.sent, end)
        wire.send_head("PATCH", shared.path, patch_fields(offset, announced - offset))
        for start in range(offset, end, 16 << 10):
            wire.send(in_ink(shared.payload.read(start, min(end, start + (16 << 10))), self.ink))
        if announced > end:
            time.sleep(self.random.uniform(0, 0.03))  # it stalls, and is gone
            return False
        answer = wire.receive()
        if answer.status == 204:
            shared.told(answer.offset, end)
            shared.claims.append((offset, end, self.ink))
            self.pieces += 1
            return True
        if answer.status not in AGAIN:
            raise AssertionError(f"PATCH: {answer}")
        shared.interrupted += 1
        return False


class TwoServers(EndToEndTest):
    def setUp(self):
        super().setUp()
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="data-", dir=self.scratch))

    def pair(self, *flags):
        return [self.serve("-threads=2", *flags, directory=self.directory) for _ in range(2)]

    def assert_nothing_left(self):
        wait_until(lambda: not [name for name in locks_in(self.directory) if "pid-" not in name], 20,
                   f"all locks are gone: {locks_in(self.directory)}")

    def one_takeover(self, owner, taker, payload, sent):
        base = owner.base_path
        with owner.wire() as old, taker.wire() as new:
            path = old.create(base, SIZE)
            old.send_head("PATCH", path, patch_fields(0, SIZE))
            old.send(payload.read(0, sent))
            lock = self.directory / f"{path[len(base):]}.lock"
            wait_until(lock.exists, 10, "the lock of the first server")
            time.sleep(0.01)
            begin = time.monotonic()
            offset = new.head(path).offset
            took = (time.monotonic() - begin) * 1e3
            self.assertLessEqual(offset, sent)
            answer = new.patch(path, offset, payload.read(offset, SIZE))
            self.assertEqual((answer.status, answer.offset), (204, SIZE), answer)
            try:
                old.send(payload.read(sent, SIZE))
                ended = old.receive().status
            except BROKEN:
                ended = "closed"
        self.assertIn(ended, (423, "closed"))
        self.assertTrue(payload.is_prefix(self.directory / path[len(base):], SIZE))
        return took

    def test_takeover(self):
        """[LOCK-22] A client comes back at the other server while the first one still waits for its body."""
        servers = self.pair("-fsync=off")
        payload = Payload(self.scratch, SIZE)
        generator = random.Random(22)
        times = []
        for number in range(TAKEOVERS):
            owner, taker = servers[number % 2], servers[1 - number % 2]
            times.append(self.one_takeover(owner, taker, payload, generator.randrange(1, SIZE)))
        self.report(f"p50 {percentile(times, 50):.1f} ms, p99 {percentile(times, 99):.1f} ms, max {max(times):.1f} ms")
        self.assertLessEqual(percentile(times, 99), LIMIT_SANITIZED_MS if is_sanitized() else LIMIT_MS)
        self.assert_nothing_left()
        for server in servers:
            self.assertNotIn("LocksArePolled", server.errors())
            self.assertNotIn("LocksForOneServerOnly", server.errors())
            self.assertEqual(server.stop(), 0)
        self.assertEqual(locks_in(self.directory), [])

    def check(self, shared, clients):
        for client in clients:
            client.join(90)
            self.assertFalse(client.is_alive(), "a client hangs: a lock is stuck")
            if client.failure:
                raise client.failure
        self.assertEqual(shared.problems, [])

    def one_upload(self, servers, payload, generator, kills):
        """Brings one upload through both servers; kills one of them again and again. Returns what happened."""
        with servers[0].wire() as wire:
            path = wire.create(servers[0].base_path, KILL_SIZE)
        shared = Shared(payload, path, self.directory / path[len(servers[0].base_path):])
        clients = [Client(servers, shared, ink, random.Random(generator.random())) for ink in range(1, CLIENTS + 1)]
        for client in clients:
            client.start()
        killed = 0
        while killed < kills and any(client.is_alive() for client in clients):
            time.sleep(generator.uniform(0.005, 0.12))
            generator.choice(servers).restart()
            killed += 1
        wait_until(lambda: shared.acknowledged == KILL_SIZE or any(client.failure for client in clients), 90,
                   f"the upload is complete; it stands at {shared.acknowledged}, {locks_in(self.directory)}")
        for client in clients:
            client.stopped.set()
        self.check(shared, clients)
        self.assertIsNone(shared.check_bytes())
        with servers[0].wire() as wire:
            self.assertEqual(wire.ask("DELETE", path, TUS).status, 204)
        return killed, sum(client.pieces for client in clients), shared.interrupted

    def test_kill(self):
        """[LOCK-23] kill -9 of either server at random moments, while four clients fight for one upload."""
        self.kill_many_times("-fsync=off")

    def test_kill_while_records_are_replaced(self):
        """[LOCK-23] The same with records that uploads and background syncs of both servers replace."""
        self.kill_many_times("-fsync=finish")

    def kill_many_times(self, *flags):
        generator = random.Random(SEED)
        self.report(f"random seed {SEED}")
        servers = self.pair(*flags)
        payload = Payload(self.scratch, KILL_SIZE)
        end = time.monotonic() + KILL_SECONDS
        kills, pieces, interrupted, uploads = 0, 0, 0, 0
        while kills < KILL_ROUNDS if KILL_ROUNDS else time.monotonic() < end:
            result = self.one_upload(servers, payload, generator, 40)
            kills, pieces, interrupted = kills + result[0], pieces + result[1], interrupted + result[2]
            uploads += 1
        self.report(f"{kills} kills, {uploads} uploads right at the end, {pieces} pieces acknowledged, "
                    f"{interrupted} interrupted")
        self.assertGreater(kills, 3 if is_sanitized() else 20)
        # The dead have left files; the next start takes them away, temporary ones when they are old.
        for name in (self.directory / ".tusd" / "tmp").iterdir():
            os.utime(name, (0, 0))
        for server in servers:
            server.restart()
        self.assert_nothing_left()
        for server in servers:
            self.assertEqual(server.stop(), 0)
        left = locks_in(self.directory) + os.listdir(self.directory / ".tusd" / "tmp")
        self.assertEqual(left, [])
        self.assertEqual([name for name in os.listdir(self.directory) if name != ".tusd"], [])

    def test_beside_go(self):
        """[LOCK-24] Files as Go's tusd writes them, of a living and of a dead process."""
        server = self.serve("-acquire-lock-timeout=400ms", "-filelock-holder-poll-interval=50ms",
                            directory=self.directory)
        go = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE,
                              preexec_fn=die_with_parent)
        self.addCleanup(go.stdin.close)
        self.addCleanup(go.wait)
        self.addCleanup(go.kill)
        with server.wire() as wire, server.wire() as other:
            path = wire.create(server.base_path, 10)
            name = path[len(server.base_path):]
            lock, stop = self.directory / f"{name}.lock", self.directory / f"{name}.stop"
            lock.write_bytes(b"%d\n" % go.pid)
            self.assert_error(wire.patch(path, 0, b"12345"), 500, "ERR_LOCK_TIMEOUT")
            self.assertEqual(lock.read_bytes(), b"%d\n" % go.pid, "it is Go's")
            self.assertFalse(stop.exists())
            go.kill()
            go.wait()
            self.assertEqual(wire.patch(path, 0, b"12345").offset, 5)
            wait_until(lambda: not lock.exists(), 10, "our lock goes with the request")

            other.send_head("PATCH", path, patch_fields(5, 5))
            other.send(b"67")
            wait_until(lock.exists, 10, "our lock")
            self.assertRegex(lock.read_text(), re.compile(rf"^{server.pid}\n"))
            stop.touch()
            self.assert_error(other.receive(), 423, "ERR_")
            wait_until(lambda: not lock.exists() and not stop.exists(), 10, "released, as Go does it")
            self.assertEqual(wire.head(path).offset, 7)

    def test_without_lock_files(self):
        """[LOCK-25] The other lockers leave no files in the directory."""
        for kind in ("memory", "none"):
            server = self.serve(f"-locker={kind}", directory=self.directory)
            with server.wire() as wire, server.wire() as other:
                path = wire.create(server.base_path, 10)
                other.send_head("PATCH", path, patch_fields(0, 10))
                other.send(b"1")
                data = self.directory / path[len(server.base_path):]
                wait_until(lambda data=data: data.stat().st_size == 1, 10, "it is being written")
                if kind == "memory":
                    self.assertLessEqual(wire.head(path).offset, 1)
                    self.assert_error(other.receive(), 423, "ERR_")
                self.assertEqual(locks_in(self.directory), [])
            self.assertEqual(server.stop(), 0)


if __name__ == "__main__":
    main(7200 if SOAK else 600)
