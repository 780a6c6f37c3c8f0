#!/usr/bin/env python3
"""Events of uploads in a bucket wait in the bucket: whichever server lives delivers them, in order, from wherever it runs."""
import os
import random
import signal
import subprocess
import threading
import time
import urllib.parse

from harness import SEED, clean_environment, main, wait_until
from hook_kit import POSTS, Ordered, whole
from hook_server import HookServer, Reply
from s3_kit import BROKEN, S3Test
from s3_services import ceph
from wire import TUS

LEASE = 4
FLAGS = ("-hooks-http-retry=1", "-hooks-http-timeout=5s", "-hooks-retry-delay=50ms", f"-hooks-enabled-events={','.join(POSTS)}")
QUICK = (*FLAGS, f"-hooks-lease-time={LEASE}s")
OUTBOX = ".tusd/outbox/"
KILLS = 100 if os.environ.get("TUS_SOAK") == "1" else 4


class Hooks(Ordered, S3Test):
    def setUp(self):
        super().setUp()
        self.s3 = ceph()
        self.bucket = self.s3.make_bucket()
        self.hooks = HookServer(seed=SEED)
        self.addCleanup(self.hooks.close)

    def serve_hooked(self, *flags):
        """In an empty directory of its own."""
        return self.serve_s3(self.s3, self.bucket, f"-hooks-http={self.hooks.url}", *flags)

    def endpoint(self, status):
        for event in POSTS:
            self.hooks.answer(event, Reply(status=status))

    def uploads(self, server, count):
        """id -> the events that are to come of them."""
        told = {}
        with server.wire() as wire:
            for _ in range(count):
                answer = whole(wire, server.base_path, b"12345")
                self.assertEqual(answer.status, 201, answer)
                told[urllib.parse.unquote(answer.path[len(server.base_path):])] = list(POSTS[:2])
        return told

    def waiting(self):
        return self.bucket.keys(OUTBOX + "records/")

    def assert_nothing_waits(self):
        wait_until(lambda: not self.waiting(), 20, "an empty outbox")

    def test_the_other_delivers(self):
        """[HOOK-180] What a killed server had not delivered, another one on the same bucket delivers, in order."""
        self.endpoint(500)
        victim, survivor = (self.serve_hooked(*QUICK) for _ in range(2))
        told = self.uploads(victim, 15)
        elsewhere = next(iter(told))
        with survivor.wire() as wire:
            # Its first two events are the other server's.
            target = survivor.base_path + urllib.parse.quote(elsewhere)
            self.assertEqual(wire.ask("DELETE", target, TUS).status, 204)
        told[elsewhere] = list(POSTS)
        victim.kill()
        self.endpoint(200)
        begin = time.monotonic()
        self.wait_for(told)
        self.report(f"{time.monotonic() - begin:.1f} s after the kill all events were there, with a lease of {LEASE} s")
        self.assert_in_order()
        self.assert_nothing_waits()
        self.assert_logged(survivor, "HookRunTaken")
        for server in (victim, survivor):
            self.assertEqual(list(server.directory.iterdir()), [], "nothing is on a disk")

    def test_one_that_stood_still(self):
        """[HOOK-66] A server that stops for longer than its lease, and goes on, leaves to the other what that has taken."""
        self.endpoint(500)
        sleeper, other = (self.serve_hooked(*QUICK) for _ in range(2))
        told = self.uploads(sleeper, 5)
        os.kill(sleeper.pid, signal.SIGSTOP)
        try:
            self.assert_logged(other, "HookRunTaken")
        finally:
            os.kill(sleeper.pid, signal.SIGCONT)
        self.assert_logged(sleeper, "HookRunLost")
        self.endpoint(200)
        more = self.uploads(sleeper, 5)
        self.wait_for(told | more)
        self.assert_nothing_waits()
        self.assert_in_order()
        taken = self.taken()
        self.report(f"{sum(map(len, taken.values())) - 20} of 20 events came twice")

    def test_the_next_one_delivers(self):
        """[HOOK-181] A server that is killed has its events delivered by the next one, and one that is stopped at once."""
        self.endpoint(500)
        dead = self.serve_hooked(*QUICK)
        told = self.uploads(dead, 5)
        dead.kill()
        stopped = self.serve_hooked(*FLAGS)
        more = self.uploads(stopped, 5)
        stopped.stop()
        self.assertEqual(len(self.bucket.keys(OUTBOX + "runs/")), 1, "of the dead one")
        self.endpoint(200)
        begin = time.monotonic()
        self.serve_hooked(*QUICK)
        self.wait_for(more)
        self.report(f"{time.monotonic() - begin:.1f} s: the events of who was stopped")
        self.wait_for(told)
        self.report(f"{time.monotonic() - begin:.1f} s: the events of who was killed")
        self.assert_in_order()
        self.assert_nothing_waits()

    def test_alone(self):
        """[HOOK-181] With -s3-single-instance what a killed server had is delivered at once."""
        self.endpoint(500)
        dead = self.serve_hooked(*FLAGS, "-s3-single-instance")
        told = self.uploads(dead, 5)
        dead.kill()
        self.endpoint(200)
        begin = time.monotonic()
        server = self.serve_hooked(*FLAGS, "-s3-single-instance")
        told |= self.uploads(server, 5)
        self.wait_for(told)
        self.assertLess(time.monotonic() - begin, 30, "and not after a lease")
        self.assert_in_order()
        self.assert_nothing_waits()
        self.assertEqual(self.bucket.keys(OUTBOX), [])

    def test_each_step_elsewhere(self):
        """[HOOK-182] An upload whose requests go now to one server, now to the other: its events come in order."""
        self.hooks.failure_rate = 0.2
        servers = [self.serve_hooked(*FLAGS) for _ in range(2)]
        told = self.take_turns(servers, 3, 6, SEED)
        self.wait_for(told)
        self.assert_in_order()
        self.assert_nothing_waits()
        for server in servers:
            server.stop()
        self.assertEqual(self.bucket.keys(OUTBOX), [])

    def test_killed_at_random(self):
        """[HOOK-184] Servers that are killed at any moment and come back elsewhere: every event of what was acknowledged."""
        self.report(f"random seed {SEED}")
        self.hooks.failure_rate = 0.2
        generator = random.Random(SEED)
        servers = [self.serve_hooked(*QUICK) for _ in range(2)]
        # Ceph takes seconds for its first objects, in which nothing would be killed in the middle.
        told = self.uploads(servers[0], 2)
        over = threading.Event()

        def client(number):
            while not over.is_set():
                server = servers[number % 2]
                try:
                    with server.wire() as wire:
                        answer = whole(wire, server.base_path, b"12345")
                except BROKEN:
                    over.wait(0.05)
                    continue
                if answer.status == 201:
                    told[urllib.parse.unquote(answer.path[len(server.base_path):])] = list(POSTS[:2])

        clients = [threading.Thread(target=client, args=(number,), daemon=True) for number in range(4)]
        for thread in clients:
            thread.start()
        for victim in range(KILLS):
            time.sleep(generator.uniform(0.2, 1.5))
            servers[victim % 2].kill()
            servers[victim % 2] = self.serve_hooked(*QUICK)
        over.set()
        for thread in clients:
            thread.join()
        self.wait_for(told)
        # Who starts goes on with what is being finished, also by a server that lives: no lock reaches across a bucket. Each of
        # them may tell of it, and says the same.
        self.assert_in_order(told)
        self.assert_nothing_waits()
        calls = [call for call in self.hooks.of() if call.id in told and call.succeeded()]
        self.report(f"{len(told)} uploads, {KILLS} kills, {len(calls) - 2 * len(told)} events came twice")

    def test_replay(self):
        """[HOOK-183] Dead letters are listed and sent again out of the bucket."""
        self.endpoint(500)
        server = self.serve_hooked(*QUICK, "-hooks-give-up-after=1ms")
        told = self.uploads(server, 5)

        def tool(flag):
            command = [*server.command, flag]
            return subprocess.run(command, check=True, timeout=60, capture_output=True, text=True, cwd=self.scratch,
                                  env=clean_environment(self.s3.environment())).stdout

        wait_until(lambda: len(tool("-dead-hooks").splitlines()) == 10, 60, "10 dead letters")
        self.assertTrue(all(any(upload_id in line for upload_id in told) for line in tool("-dead-hooks").splitlines()))
        self.hooks.forget()
        self.endpoint(200)
        self.assertIn("10", tool("-replay-hooks"))
        self.wait_for(told)
        self.assertEqual(tool("-dead-hooks"), "")
        self.assert_nothing_waits()
        self.assertEqual(len({call.event_id for call in self.hooks.of()}), 10)

    def test_nothing_without_events(self):
        """[HOOK-61] Where nobody wants to hear of what has happened, nothing is written."""
        server = self.serve_hooked("-hooks-enabled-events=pre-create,post-receive")
        self.uploads(server, 2)
        self.assertEqual(self.bucket.keys(OUTBOX), [])


if __name__ == "__main__":
    main()
