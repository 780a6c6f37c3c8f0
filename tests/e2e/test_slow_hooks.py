#!/usr/bin/env python3
"""Uploads beside 500 others that wait for a hook: how much longer what needs no hook takes than without those."""
import pathlib
import statistics
import subprocess
import sys
import time

from harness import EndToEndTest, clean_environment, die_with_parent, main, percentile, wait_until
from prometheus import scrape

CROWD = 500
ROUNDS = 5
SECONDS = 2.5  # of each half of a round: every client of the crowd has its turn more than once
# The target is 1.2. Whoever measures shares two processors with the crowd and its hooks, so the same creations with a hook
# that answers at once are measured too; and this is what a blocked loop, a line before a hook or a lock would not keep, and
# what noise does not reach.
LIMIT = 4
PROGRAM = pathlib.Path(__file__).with_name("slow_crowd.py")


class SlowHooks(EndToEndTest):
    def program(self, *arguments):
        process = subprocess.Popen([sys.executable, "-B", PROGRAM, *map(str, arguments)], stdin=subprocess.PIPE, text=True,
                                   stdout=subprocess.PIPE, env=clean_environment(), preexec_fn=die_with_parent, bufsize=1)

        def end():
            process.kill()
            process.wait()
            process.stdin.close()
            process.stdout.close()
        self.addCleanup(end)
        return process

    def latencies(self, wire, base):
        """Milliseconds that POSTs and PATCHes took; the POST asks a hook that answers at once, the PATCH asks none."""
        posts, patches = [], []
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            begin = time.perf_counter()
            path = wire.create(base, 20)
            posts.append((time.perf_counter() - begin) * 1000)
            for offset in range(20):
                begin = time.perf_counter()
                answer = wire.patch(path, offset, b"x")
                patches.append((time.perf_counter() - begin) * 1000)
                self.assertEqual(answer.status, 204)
        return posts, patches

    def test_crowd_that_waits_for_hooks(self):
        """[HOOK-179] 500 uploads whose hook sleeps for a second delay the others by little."""
        hooks = self.program("hooks")
        server = self.serve(f"-hooks-http=http://127.0.0.1:{int(hooks.stdout.readline())}/", "-hooks-enabled-events=pre-create",
                            "-hooks-http-timeout=30s")
        crowd = self.program("crowd", *server.address, server.base_path, CROWD)
        figures = {state: ([], []) for state in ("alone", "quick", "slow")}
        created, cpu = {"quick": 0, "slow": 0}, {"quick": 0.0, "slow": 0.0}

        def measure(state):
            for kind, found in enumerate(self.latencies(wire, server.base_path)):
                figures[state][kind].append(found)

        with server.wire() as wire:
            self.latencies(wire, server.base_path)
            before = 0
            for _ in range(ROUNDS):
                measure("alone")
                for state in ("quick", "slow"):
                    begin = scrape(server)["process_cpu_seconds_total"]
                    crowd.stdin.write(f"{state}\n")
                    if state == "slow":
                        wait_until(lambda: scrape(server)["tusd_requests_in_flight"] >= 0.9 * CROWD, 30, "a crowd that waits")
                    else:
                        time.sleep(1)
                    measure(state)
                    if state == "slow":
                        self.assertGreaterEqual(scrape(server)["tusd_requests_in_flight"], 0.9 * CROWD, "all the time")
                    crowd.stdin.write("stop\n")
                    now = int(crowd.stdout.readline())
                    created[state] += now - before
                    before = now
                    cpu[state] += scrape(server)["process_cpu_seconds_total"] - begin
        self.report(f"{created['slow']} slow creations, {created['quick']} quick ones; CPU of the server {cpu['slow']:.1f} s and "
                    f"{cpu['quick']:.1f} s")
        for number, kind in enumerate(("POST", "PATCH")):
            for percent in (50, 99):
                alone, quick, slow = ([percentile(values, percent) for values in found[number]] for found in figures.values())
                ratios = [statistics.median(two / one for one, two in zip(base, slow)) for base in (alone, quick)]
                self.report(f"{kind} p{percent}: {statistics.median(alone):.2f} ms alone, {statistics.median(quick):.2f} ms beside "
                            f"{CROWD} quick creations a second, {statistics.median(slow):.2f} ms beside {CROWD} that wait; "
                            f"ratios {ratios[0]:.2f} and {ratios[1]:.2f} (medians of {ROUNDS})")
                self.assertLess(min(ratios), LIMIT, (kind, percent, alone, quick, slow))


if __name__ == "__main__":
    main()
