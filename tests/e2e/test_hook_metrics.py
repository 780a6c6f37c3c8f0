#!/usr/bin/env python3
"""What the server tells of its hooks while they work, while they do not, and when their events were given up."""
import subprocess
import time

from harness import EndToEndTest, main, wait_until
from hook_kit import FileHooks, HttpHooks, whole
from prometheus import scrape
from wire import TUS

SECONDS = 30
POSTS = ("post-create", "post-finish", "post-terminate")


class HookMetrics(EndToEndTest):
    def wait_for(self, server, what, wanted):
        """A hook knows of an event a moment before the server has written down that it does."""
        wait_until(lambda: scrape(server).get(what) == wanted, SECONDS, f"{what} {wanted}, not {scrape(server).get(what)}")

    def series(self, name, event, kind):
        return f'{name}{{hooktype="{event}",transport="{kind}"}}'

    def test_calls(self):
        """[METRIC-13] By event and transport, under tusd's names and ours; what waits, and for how long."""
        for make in (HttpHooks, FileHooks):
            hooks = make(self)
            calls, failures = "tusd_hook_call_duration_seconds_count", "tusd_hook_call_failures_total"
            server = self.serve(*hooks.flags(), f"-hooks-enabled-events=pre-terminate,{','.join(POSTS)}")
            with self.subTest(hooks.kind), server.wire() as wire:
                before = scrape(server)
                self.assertEqual((before["tusd_hook_events_waiting"], before["tusd_hook_dead_letters"]), (0, 0))
                self.assertEqual(before[self.series(failures, "post-finish", hooks.kind)], 0)
                path = whole(wire, server.base_path, b"123").path
                self.wait_for(server, self.series(calls, "post-finish", hooks.kind), 1)
                self.wait_for(server, "tusd_hook_events_waiting", 0)
                hooks.fails("pre-terminate", "garbage")
                self.assertEqual(wire.ask("DELETE", path, TUS).status, 500)
                seen = scrape(server)
                for event, count, failed in (("post-create", 1, 0), ("pre-terminate", 1, 1), ("post-terminate", 0, 0)):
                    self.assertEqual(seen[self.series(calls, event, hooks.kind)], count, event)
                    self.assertEqual(seen[self.series(failures, event, hooks.kind)], failed, event)
                    self.assertEqual(seen[f'tusd_hook_invocations_total{{hooktype="{event}"}}'], count, event)
                    self.assertEqual(seen[f'tusd_hook_errors_total{{hooktype="{event}"}}'], failed, event)
                self.assertEqual(seen["tusd_hook_oldest_event_age_seconds"], 0)

                how = next(iter(hooks.failures))
                for event in POSTS:
                    hooks.fails(event, how)
                whole(wire, server.base_path, b"123")
                self.wait_for(server, "tusd_hook_events_waiting", 2)
                wait_until(lambda s=server: scrape(s)["tusd_hook_oldest_event_age_seconds"] > 0.2, SECONDS, "they grow old")
                for event in POSTS:
                    hooks.says(event)
                self.wait_for(server, "tusd_hook_events_waiting", 0)
                self.wait_for(server, "tusd_hook_oldest_event_age_seconds", 0)

    def test_dead_letters(self):
        """[METRIC-13] They are counted where they arise and where they are, until they are sent again."""
        hooks = HttpHooks(self)
        for event in POSTS:
            hooks.fails(event, "status 500")
        server = self.serve(*hooks.flags(), "-hooks-give-up-after=1ms", f"-hooks-enabled-events={','.join(POSTS)}")
        with server.wire() as wire:
            whole(wire, server.base_path, b"123")
        self.wait_for(server, "tusd_hook_dead_letters", 2)
        self.wait_for(server, "tusd_hook_events_waiting", 0)
        seen = scrape(server)
        for event, count in (("post-create", 1), ("post-finish", 1), ("post-terminate", 0)):
            self.assertEqual(seen[f'tusd_hook_events_given_up_total{{hooktype="{event}"}}'], count)
        for event in POSTS:
            hooks.says(event)
        subprocess.run([server.command[0], f"-upload-dir={server.directory}", "-replay-hooks"], check=True, timeout=20,
                       capture_output=True)
        self.wait_for(server, "tusd_hook_dead_letters", 0)
        wait_until(lambda: any(call.succeeded() for call in hooks.calls("post-finish")), SECONDS, "the event")

    def test_many_dead_letters(self):
        """[METRIC-13] [HOOK-46] Thousands of them cost a scrape nothing, and all come back in their order."""
        hooks = HttpHooks(self)
        for event in POSTS:
            hooks.fails(event, "status 500")
        server = self.serve(*hooks.flags(), "-hooks-give-up-after=1ms", "-fsync=off",
                            f"-hooks-enabled-events={','.join(POSTS)}")
        uploads = 1000
        with server.wire() as wire:
            for _ in range(uploads):
                self.assertEqual(whole(wire, server.base_path, b"123").status, 201)
        wait_until(lambda: scrape(server)["tusd_hook_dead_letters"] == 2 * uploads, 120, "all are given up")
        begin = time.monotonic()
        for _ in range(10):
            scrape(server)
        self.report(f"a scrape beside {2 * uploads} dead letters: {(time.monotonic() - begin) * 100:.1f} ms")
        hooks.forget()
        for event in POSTS:
            hooks.says(event)
        tool = [server.command[0], f"-upload-dir={server.directory}"]
        listed = subprocess.run([*tool, "-dead-hooks"], check=True, timeout=60, capture_output=True, text=True).stdout
        self.assertEqual(len(listed.splitlines()), 2 * uploads)
        subprocess.run([*tool, "-replay-hooks"], check=True, timeout=60, capture_output=True)
        wait_until(lambda: sum(call.succeeded() for call in hooks.calls()) >= 2 * uploads, 120, "all come back")
        self.wait_for(server, "tusd_hook_dead_letters", 0)
        by_upload = {}
        for call in hooks.calls():
            by_upload.setdefault(call.id, []).append(call.event)
        self.assertEqual(set(map(tuple, by_upload.values())), {("post-create", "post-finish")})


if __name__ == "__main__":
    main()
