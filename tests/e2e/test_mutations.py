#!/usr/bin/env python3
"""300,000 broken requests: the server stays up, takes no more memory, and no upload of others is touched."""
import collections
import hashlib
import json
import os
import pathlib
import random
import subprocess
import sys
import time

import js_client
from harness import SEED, EndToEndTest, clean_environment, die_with_parent, is_sanitized, main, wait_until
from payload import Payload, sha256_of
from wire import TUS

# One in seven is left as it is, so that there is something that the others can break.
REQUESTS = 2_000_000 if os.environ.get("TUS_SOAK") else 15_000 if is_sanitized() else 360_000
PROCESSES = 2
PHASES = 3
MUTATOR = pathlib.Path(__file__).with_name("mutator.py")
# A hundred bytes lost for each request would be 23 MiB. What is neither finished nor deleted is remembered, up to 100,000
# uploads, for a clean stop: 130 bytes for each, and this leaves some 15,000 behind in the two thirds that are compared.
SLACK_KIB = 8 * 1024


class Mutations(EndToEndTest):
    def make_victims(self, server):
        """Uploads of all kinds, and what they are: finished, begun, with a part missing, not even begun."""
        generator = random.Random(SEED)
        victims = []
        with server.wire() as wire:
            for length, offset, fields in ((70_000, 70_000, {"Upload-Metadata": "filename YS50eHQ=,k"}), (1, 1, {}), (0, 0, {}),
                                           (100_000, 40_000, {}), (5_000, 4_999, {"Upload-Concat": "partial"}), (300, 0, {})):
                content = generator.randbytes(length)
                path = wire.create(server.base_path, length, fields)
                if offset:
                    self.assertEqual(wire.patch(path, 0, content[:offset]).offset, offset)
                victims.append({"id": path.rsplit("/", 1)[1], "path": path, "offset": offset, "length": length,
                                "content": content, "metadata": fields.get("Upload-Metadata")})
        return victims

    def check_victims(self, server, victims):
        with server.wire() as wire:
            for victim in victims:
                answer = wire.head(victim["path"])
                self.assertEqual((answer.status, answer.offset, int(answer.get("Upload-Length")), answer.get("Upload-Metadata")),
                                 (200, victim["offset"], victim["length"], victim["metadata"]), answer)
                stored = (server.directory / victim["id"]).read_bytes()
                self.assertEqual(hashlib.sha256(stored).digest(),
                                 hashlib.sha256(victim["content"][:victim["offset"]]).digest(), victim["id"])

    def end_victims(self, server, victims):
        """What was begun can be ended."""
        with server.wire() as wire:
            for victim in victims:
                rest = victim["content"][victim["offset"]:]
                if rest:
                    answer = wire.patch(victim["path"], victim["offset"], rest)
                    self.assertEqual((answer.status, answer.offset), (204, victim["length"]), answer)
                victim["offset"] = victim["length"]
                answer = wire.ask("GET", victim["path"], TUS)
                self.assertEqual((answer.status, answer.body), (200, victim["content"]))
        self.check_victims(server, victims)

    def mutators(self, server, victims, phase, count):
        plan = self.scratch / "plan.json"
        known = [{key: victim[key] for key in ("id", "path", "offset", "length")} for victim in victims]
        plan.write_text(json.dumps({"address": server.address, "base": server.base_path, "victims": known}))
        seeds = [SEED + 1000 * phase + number for number in range(PROCESSES)]
        started = [subprocess.Popen([sys.executable, "-B", str(MUTATOR), str(seed), str(count // PROCESSES), str(plan)],
                                    env=clean_environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                    preexec_fn=die_with_parent) for seed in seeds]
        for process in started:
            self.addCleanup(process.kill)
        return started

    def figures(self, server):
        """Once the connections are gone: resident memory and descriptors."""
        descriptors = pathlib.Path(f"/proc/{server.pid}/fd")
        count = lambda: len(list(descriptors.iterdir()))
        wait_until(lambda: count() <= self.idle_descriptors, 30, "as many descriptors as before")
        return server.rss_kib()

    def upload_for_real(self, server, payload):
        result, = js_client.upload(f"http://127.0.0.1:{server.address[1]}{server.base_path}", [{"file": payload.path}])
        path = server.directory / result["url"].rsplit("/", 1)[1]
        self.assertEqual(sha256_of(path), payload.sha256)

    def test_mutated_requests(self):
        """[FUZZ-5] [FUZZ-6] In three parts, so that memory is compared with memory of a server that is warm."""
        self.report(f"random seed {SEED}")
        server = self.serve("-behind-proxy")
        payload = Payload(self.scratch, 8 << 20)
        victims = self.make_victims(server)
        self.upload_for_real(server, payload)
        # One or two may come with the first requests and stay.
        self.idle_descriptors = len(os.listdir(f"/proc/{server.pid}/fd")) + 2
        memory, statuses, sent = [], collections.Counter(), 0
        begin = time.monotonic()
        for phase in range(PHASES):
            running = self.mutators(server, victims, phase, REQUESTS // PHASES)
            self.upload_for_real(server, payload)
            for process in running:
                out, err = process.communicate(timeout=1200)
                self.assertEqual(process.returncode, 0, err[-3000:])
                done = json.loads(out)
                sent += done["requests"]
                statuses.update(done["statuses"])
            self.assertTrue(server.alive(), "the server has ended")
            memory.append(self.figures(server))
            self.check_victims(server, victims)
        seconds = time.monotonic() - begin
        self.report(f"{sent} requests in {seconds:.0f} s, {sent / seconds:.0f} a second; resident "
                    + ", ".join(f"{kib / 1024:.1f}" for kib in memory) + " MiB after each third")
        self.report(f"answers: {dict(sorted(statuses.items()))}")
        self.assertGreaterEqual(sent, REQUESTS)
        # Some of it got through to every corner.
        for status in ("200", "201", "204", "400", "404", "405", "409", "412", "413", "415", "460", "501"):
            self.assertGreater(statuses[status], 0, status)
        if not is_sanitized():
            self.assertLess(memory[-1] - memory[0], SLACK_KIB)
        self.end_victims(server, victims)
        self.upload_for_real(server, payload)
        self.assertEqual(server.stop(), 0)
        # Nothing of it waits in a lock, a record or a mark.
        again = self.serve(directory=server.directory)
        self.check_victims(again, victims)


if __name__ == "__main__":
    main(3600 if os.environ.get("TUS_SOAK") else 900)
