#!/usr/bin/env python3
"""Events arrive: in order, at least once, through failures and kills; and keep nobody waiting who has not asked."""
import os
import random
import threading
import time

from harness import SEED, EndToEndTest, is_sanitized, main, percentile, wait_until
from hook_kit import in_threads, whole
from hook_server import HookServer, Reply
from wire import TUS, Closed

SOAK = os.environ.get("TUS_SOAK") == "1"
UPLOADS = 1000
CLIENTS = 8
KILLS = 100 if SOAK else 10
POSTS = ("post-create", "post-finish", "post-terminate")
FLAGS = ("-hooks-http-retry=1", "-hooks-http-timeout=5s", "-hooks-retry-delay=50ms")
BROKEN = (Closed, OSError)


def histories(calls):
    """id -> its calls, in order of arrival."""
    found = {}
    for call in calls:
        found.setdefault(call.id, []).append(call)
    return found


class Told:
    """What a client was told about its upload."""

    def __init__(self):
        self.created = self.finished = self.terminated = False

    def expected(self):
        return [event for event, is_due in zip(POSTS, (self.created, self.finished, self.terminated)) if is_due]


class Delivery(EndToEndTest):
    def look_at(self, history, events):
        """Each of these events was taken, none before the one that precedes it, and every repetition is the same."""
        taken = [call.event for call in history if call.succeeded()]
        self.assertTrue(set(events) <= set(taken), f"{events}: {history}")
        self.assertEqual(list(dict.fromkeys(taken)), [event for event in POSTS if event in taken], history)
        for event in POSTS:
            ids = {call.event_id for call in history if call.event == event}
            self.assertLessEqual(len(ids), 1, history)
        done = 0  # the stage that was taken, or asked for, so far
        for call in history:
            stage = POSTS.index(call.event)
            self.assertGreaterEqual(stage, done, f"an event of before, after the next one was sent: {history}")
            if stage > done:
                earlier = POSTS[stage - 1]
                self.assertTrue(any(one.event == earlier and one.succeeded() and one.time <= call.time for one in history),
                                f"{call.event} before {earlier} was taken: {history}")
            done = stage

    def test_endpoint_that_fails(self):
        """[HOOK-166] Three of ten deliveries fail: every event arrives all the same, in order for each upload."""
        self.report(f"random seed {SEED}")
        hooks = HookServer(failure_rate=0.3, seed=SEED)
        self.addCleanup(hooks.close)
        server = self.serve(f"-hooks-http={hooks.url}", *FLAGS, f"-hooks-enabled-events={','.join(POSTS)}")
        told, lock = {}, threading.Lock()

        def client(number):
            generator = random.Random(SEED + number)
            with server.wire() as wire:
                for _ in range(UPLOADS // CLIENTS):
                    upload = Told()
                    if generator.random() < 0.5:
                        answer = whole(wire, server.base_path, b"12345")
                        self.assertEqual(answer.status, 201, answer)
                        path = answer.path
                    else:
                        path = wire.create(server.base_path, 5)
                        self.assertEqual(wire.patch(path, 0, b"12345").status, 204)
                    upload.created = upload.finished = True
                    if generator.random() < 0.3:
                        self.assertEqual(wire.ask("DELETE", path, TUS).status, 204)
                        upload.terminated = True
                    with lock:
                        told[path[len(server.base_path):]] = upload

        begin = time.monotonic()
        in_threads(client, CLIENTS)
        self.report(f"{UPLOADS} uploads in {time.monotonic() - begin:.1f} s")
        due = sum(len(upload.expected()) for upload in told.values())
        wait_until(lambda: sum(call.succeeded() for call in hooks.of()) >= due, 240, f"{due} events")
        by_upload = histories(hooks.of())
        self.assertEqual(set(by_upload), set(told))
        for upload_id, upload in told.items():
            self.look_at(by_upload[upload_id], upload.expected())
        calls = hooks.of()
        self.report(f"{due} events in {len(calls)} calls, {sum(not call.succeeded() for call in calls)} failed, "
                    f"{sum(call.succeeded() for call in calls) - due} came twice; all were there after "
                    f"{time.monotonic() - begin:.1f} s")

    def one_upload(self, server, wire, generator, told):
        """Until the server dies; `told` has what was acknowledged."""
        path = wire.create(server.base_path, 5)
        upload = told.setdefault(path[len(server.base_path):], Told())
        upload.created = True
        if generator.random() < 0.2:
            return
        self.assertEqual(wire.patch(path, 0, b"12345").offset, 5)
        upload.finished = True
        if generator.random() < 0.3:
            self.assertEqual(wire.ask("DELETE", path, TUS).status, 204)
            upload.terminated = True

    def upload_until_killed(self, server, number, told, failures):
        generator = random.Random(f"{SEED} {number} {len(told)}")
        try:
            with server.wire() as wire:
                while True:
                    self.one_upload(server, wire, generator, told)
        except BROKEN:
            pass  # the kill
        except AssertionError as failure:
            failures.append(failure)

    def test_kills(self):
        """[HOOK-167] kill -9 at any moment: no event of what was acknowledged is lost, and no pre-finish left out."""
        self.report(f"random seed {SEED}")
        generator = random.Random(SEED)
        hooks = HookServer(failure_rate=0.1, seed=SEED)
        self.addCleanup(hooks.close)
        server = self.serve(f"-hooks-http={hooks.url}", *FLAGS, f"-hooks-enabled-events=pre-finish,{','.join(POSTS)}")
        told, failures = [{} for _ in range(4)], []
        for _ in range(KILLS):
            clients = threading.Thread(daemon=True, target=in_threads, args=(
                lambda number: self.upload_until_killed(server, number, told[number], failures), len(told)))
            clients.start()
            time.sleep(0.3 + generator.random())
            server.kill()
            clients.join(60)
            self.assertEqual(failures, [])
            server.start()
        everything = {upload_id: upload for part in told for upload_id, upload in part.items()}
        missing = dict(everything)

        def nothing_is_missing():
            by_upload = histories(call for call in hooks.of(*POSTS) if call.succeeded())
            for upload_id in list(missing):
                if set(missing[upload_id].expected()) <= {call.event for call in by_upload.get(upload_id, ())}:
                    del missing[upload_id]
            return not missing

        try:
            wait_until(nothing_is_missing, 120, "all events")
        except AssertionError:
            first = next(iter(missing))
            self.fail(f"{len(missing)} uploads wait for events, one is {first} {missing[first].expected()}: "
                      f"{histories(hooks.of()).get(first)}")
        for upload_id, history in histories(hooks.of()).items():
            asked = [call.time for call in history if call.event == "pre-finish" and call.succeeded()]
            told_of = [call.time for call in history if call.event == "post-finish"]
            if told_of:
                self.assertTrue(asked and min(asked) <= min(told_of), f"no pre-finish: {history}")
            if upload_id in everything:
                events = everything[upload_id].expected()
                self.look_at([call for call in history if call.event != "pre-finish"], events)
        calls = hooks.of()
        again = len(calls) - len({call.event_id for call in calls})
        self.report(f"{KILLS} kills, {len(everything)} uploads acknowledged, {len(calls)} calls, {again} of them again")

    def latencies(self, server, path, count):
        """Seconds that each of so many small PATCHes took."""
        found = []
        with server.wire() as wire:
            for offset in range(count):
                begin = time.monotonic()
                self.assertEqual(wire.patch(path, offset, b"x").status, 204)
                found.append(time.monotonic() - begin)
        return found

    def test_slow_hook(self):
        """[HOOK-168] Uploads that wait for a hook slow nobody down who does not."""
        hooks = HookServer()
        self.addCleanup(hooks.close)
        hooks.answer("pre-create", lambda call: Reply(delay=1 if call.upload["MetaData"] else 0))
        server = self.serve(f"-hooks-http={hooks.url}", "-hooks-enabled-events=pre-create", "-hooks-http-timeout=30s")
        count = 300
        with server.wire() as wire:
            paths = [wire.create(server.base_path, count) for _ in range(2)]
        alone = self.latencies(server, paths[0], count)
        stop = threading.Event()
        created = []

        def creator(_):
            with server.wire(60) as wire:
                while not stop.is_set():
                    created.append(wire.create(server.base_path, 5, {"Upload-Metadata": "slow"}))

        crowd = threading.Thread(target=in_threads, args=(creator, 100), daemon=True)
        crowd.start()
        wait_until(lambda: sum(call.status is None for call in hooks.of()) >= 50, 30, "a crowd that waits for hooks")
        try:
            crowded = self.latencies(server, paths[1], count)
        finally:
            stop.set()
            crowd.join()
        figures = [percentile(times, 99) * 1000 for times in (alone, crowded)]
        self.report(f"p99 of a PATCH: {figures[0]:.2f} ms alone, {figures[1]:.2f} ms beside {len(created)} slow creations")
        # Far below the hook's second; the clients of this test compete for the same processors.
        if not is_sanitized():
            self.assertLess(percentile(crowded, 50), 0.1)
            self.assertLess(percentile(crowded, 99), 0.5)

    def test_endpoint_that_hangs(self):
        """[HOOK-169] An endpoint that never answers keeps no client waiting and no memory growing without bound."""
        hooks = HookServer()
        self.addCleanup(hooks.close)
        for event in POSTS:
            hooks.answer(event, Reply(delay=600))
        server = self.serve(f"-hooks-http={hooks.url}", f"-hooks-enabled-events={','.join(POSTS)}", *FLAGS)
        begin = time.monotonic()
        in_threads(lambda _: self.whole_uploads(server, 100), CLIENTS)
        seconds, first = time.monotonic() - begin, server.rss_kib()
        in_threads(lambda _: self.whole_uploads(server, 100), CLIENTS)
        second = server.rss_kib()
        self.report(f"800 uploads in {seconds:.1f} s; {first} KiB, and {second} KiB after 800 more")
        if not is_sanitized():
            self.assertLess(second - first, 40 << 10)

    def whole_uploads(self, server, count):
        with server.wire() as wire:
            for _ in range(count):
                self.assertEqual(whole(wire, server.base_path, b"12345").status, 201)


if __name__ == "__main__":
    main(3600 if SOAK else 600)
