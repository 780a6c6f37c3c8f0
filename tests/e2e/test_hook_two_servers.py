#!/usr/bin/env python3
"""Two servers with hooks on one directory: every event, in the order of its upload, whoever of them lives."""
import subprocess
import time

from harness import SEED, EndToEndTest, main, wait_until
from hook_kit import POSTS, Ordered, whole
from hook_server import HookServer, Reply
from wire import TUS

FLAGS = ("-hooks-http-retry=1", "-hooks-http-timeout=5s", "-hooks-retry-delay=50ms", f"-hooks-enabled-events={','.join(POSTS)}")
ROUNDS = 60
CLIENTS = 4


class TwoServers(Ordered, EndToEndTest):
    def setUp(self):
        super().setUp()
        self.directory = self.scratch / "data"
        self.directory.mkdir()
        self.hooks = HookServer(failure_rate=0.2, seed=SEED)
        self.addCleanup(self.hooks.close)
        self.servers = [self.serve(f"-hooks-http={self.hooks.url}", *FLAGS, directory=self.directory) for _ in range(2)]

    def test_each_step_elsewhere(self):
        """[HOOK-176] An upload whose requests go now to one server, now to the other: its events come in order."""
        self.report(f"random seed {SEED}")
        told = self.take_turns(self.servers, CLIENTS, ROUNDS, SEED)
        self.assertEqual(len(told), ROUNDS * CLIENTS)
        self.wait_for(told)
        self.assert_in_order()
        calls = self.hooks.of()
        again = sum(call.succeeded() for call in calls) - sum(map(len, told.values()))
        self.report(f"{len(told)} uploads, {len(calls)} calls, {again} events came twice")

    def test_the_other_delivers(self):
        """[HOOK-177] [HOOK-54] What a killed server had not delivered, the other one delivers, without a restart of either."""
        self.hooks.failure_rate = 0
        for event in POSTS:
            self.hooks.answer(event, Reply(status=500))
        victim, survivor = self.servers
        told = {}
        with victim.wire() as wire:
            for _ in range(50):
                answer = whole(wire, victim.base_path, b"12345")
                told[answer.path[len(victim.base_path):]] = list(POSTS[:2])
        elsewhere = next(iter(told))
        with survivor.wire() as wire:
            # Its first two events are the other server's.
            self.assertEqual(wire.ask("DELETE", survivor.base_path + elsewhere, TUS).status, 204)
        told[elsewhere] = list(POSTS)
        victim.kill()
        for event in POSTS:
            self.hooks.answer(event, Reply())
        begin = time.monotonic()
        self.wait_for(told)
        self.report(f"{time.monotonic() - begin:.1f} s after the kill all events were there")
        self.assert_in_order()

    def test_replay_while_both_run(self):
        """[HOOK-178] Dead letters are sent again by one of the servers, once each, while both go on."""
        for server in self.servers:
            server.stop()
        self.hooks.failure_rate = 0
        for event in POSTS:
            self.hooks.answer(event, Reply(status=500))
        giving_up = [self.serve(f"-hooks-http={self.hooks.url}", *FLAGS, "-hooks-give-up-after=1ms", directory=self.directory)
                     for _ in range(2)]
        count = 20
        for server in giving_up:
            with server.wire() as wire:
                for _ in range(count):
                    self.assertEqual(whole(wire, server.base_path, b"123").status, 201)
        tool = [giving_up[0].command[0], f"-upload-dir={self.directory}"]

        def dead():
            listed = subprocess.run([*tool, "-dead-hooks"], check=True, timeout=30, capture_output=True, text=True)
            return listed.stdout.splitlines()

        wait_until(lambda: len(dead()) == 4 * count, self.SECONDS, f"{4 * count} dead letters, not {len(dead())}")
        self.hooks.forget()
        for event in POSTS:
            self.hooks.answer(event, Reply())
        said = subprocess.run([*tool, "-replay-hooks"], check=True, timeout=30, capture_output=True, text=True).stdout
        self.assertIn(str(4 * count), said)
        wait_until(lambda: len(self.hooks.of()) >= 4 * count, self.SECONDS, "the events")
        self.assertEqual(dead(), [])
        time.sleep(1)  # for what should not come
        calls = self.hooks.of()
        self.assertEqual(len(calls), len({call.event_id for call in calls}), "each once")
        self.assert_in_order()


if __name__ == "__main__":
    main()
