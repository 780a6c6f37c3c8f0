#!/usr/bin/env python3
"""What the server tells of S3 beside what S3 saw: calls, repetitions, failures and bytes; and of the memory for parts."""
import collections
import re
import subprocess
import threading

from harness import main, wait_until
from payload import Payload
from prometheus import scrape
from s3_kit import MIB, PART, ProxiedS3Test, Stubborn, key_of
from test_metrics import INHERITED
from wire import TUS, Wire, patch_fields

# tusd's name of each request; and what it makes of those for the record and the leftover of an upload.
NAMES = {"PutObject": "put_object", "GetObject": "get_object", "HeadObject": "head_object", "DeleteObject": "delete_object",
         "UploadPart": "upload_part", "CreateMultipartUpload": "create_multipart_upload", "ListParts": "list_parts",
         "CompleteMultipartUpload": "complete_multipart_upload", "AbortMultipartUpload": "abort_multipart_upload",
         "UploadPartCopy": "upload_part_copy", "ListMultipartUploads": "list_multipart_uploads"}
# The look at the bucket: a scrape makes one itself.
PROBE = "list_objects"
KINDS = ("refused", "full", "unavailable", "other")
# What promtool says of names of tusd's that it would have otherwise.
TUSDS = {f"{name} use base unit \"seconds\" instead of \"milliseconds\""
         for name in ("tusd_s3_request_duration_ms", "tusd_s3_disk_write_duration_ms")} | \
        {f"{name} metric names should not contain abbreviated units"
         for name in ("tusd_s3_request_duration_ms", "tusd_s3_disk_write_duration_ms")}
IDLE = ("tusd_s3_memory_bytes", "tusd_s3_memory_waiting", "tusd_s3_sending_bytes", "tusd_s3_upload_semaphore_demand")


def label_of(request):
    path = request.target.partition("?")[0]
    for end in (".info", ".part"):
        if path.endswith(end) and request.operation.endswith("Object"):
            return NAMES[request.operation].replace("_object", f"_{end[1:]}_object")
    return NAMES.get(request.operation, PROBE)


class S3Metrics(ProxiedS3Test):
    def by_operation(self, server, name):
        """{operation: value}, of one kind where there are several."""
        found = {}
        for series, value in scrape(server).items():
            if match := re.fullmatch(re.escape(name) + r'\{operation="(\w+)"\}', series):
                found[match[1]] = int(value)
        return found

    def calls(self, server):
        """{operation: calls}; the summary and the histogram are of one mind."""
        calls = self.by_operation(server, "tusd_s3_request_duration_ms_count")
        calls.pop(PROBE, None)
        also = self.by_operation(server, "tusd_s3_request_duration_seconds_count")
        also.pop(PROBE, None)
        self.assertEqual(calls, also)
        return calls

    def errors(self, server):
        """{(operation, kind): count} of those that are not 0."""
        found = {}
        for series, value in scrape(server).items():
            if match := re.fullmatch(r'tusd_s3_request_errors_total\{operation="(\w+)",kind="(\w+)"\}', series):
                self.assertIn(match[2], KINDS)
                if value:
                    found[match.groups()] = int(value)
        return found

    def assert_what_s3_saw(self, server):
        """All that the proxy has counted, and nothing else."""
        seen, sent = collections.Counter(), collections.Counter()
        for request in self.proxy.requests():
            seen[label_of(request)] += 1
            sent[label_of(request)] += request.sent
        seen.pop(PROBE, None)
        told = collections.Counter(self.calls(server))
        told.update(self.by_operation(server, "tusd_s3_request_retries_total"))
        self.assertEqual(+told, +seen, self.proxy.text())
        self.assertEqual(+collections.Counter(self.by_operation(server, "tusd_s3_sent_bytes_total")), +sent)

    def assert_idle(self, server):
        wait_until(lambda: all(scrape(server)[name] == 0 for name in IDLE), 30, "nothing is held or sent any more")

    def test_calls(self):
        """[METRIC-14] [METRIC-15] PATCHes of these sizes are so many parts and leftovers."""
        server = self.serve_here("-s3-single-instance", f"-s3-max-memory={64 * MIB}", "-s3-concurrent-part-uploads=7")
        for sizes, parts, leftovers in (((PART, PART, PART), 3, 0), ((MIB,) * 5, 1, 4), ((3 * PART + 1,), 4, 0)):
            before = collections.Counter(self.calls(server))
            payload = Payload(self.scratch, sum(sizes))
            with server.wire() as wire:
                path = wire.create(server.base_path, payload.size)
                offset = 0
                for size in sizes:
                    self.assertEqual(wire.patch_file(path, payload, offset, offset + size).status, 204)
                    offset += size
            self.assert_stored(self.bucket, path, payload)
            made = collections.Counter(self.calls(server)) - before
            # An upload whose last part is there needs no leftover; an empty one marks the end of parts before.
            self.assertEqual(made["upload_part"], parts, made)
            self.assertEqual(self.leftovers(path), leftovers, self.proxy.text())
            self.assertEqual((made["create_multipart_upload"], made["complete_multipart_upload"]), (1, 1))
        with server.wire() as wire:
            self.assertEqual(len(wire.ask("GET", path).body), 3 * PART + 1)
            self.assertEqual(wire.ask("DELETE", path, TUS).status, 204)
        self.assert_what_s3_saw(server)
        self.assertEqual(self.errors(server), {})
        self.assertEqual(self.by_operation(server, "tusd_s3_request_duration_ms_count").get("other"), None)
        self.assert_idle(server)
        seen = scrape(server)
        self.assertEqual(seen["tusd_s3_memory_limit_bytes"], 64 * MIB)
        self.assertEqual(seen["tusd_s3_upload_semaphore_limit"], 7)
        self.assertGreater(seen['tusd_s3_request_duration_ms{operation="upload_part",quantile="0.5"}'], 0)
        self.assertEqual((seen["tusd_s3_disk_write_duration_ms_count"], seen["tusd_s3_disk_write_duration_ms_sum"]), (0, 0))

    def leftovers(self, path):
        """PutObject of bytes for .part."""
        return sum(1 for request in self.proxy.requests("PutObject")
                   if f"{key_of(path)}.part" in request.target and request.sent > 0)

    def test_faults(self):
        """[METRIC-14] What S3 refuses, answers late or not at all."""
        server = self.serve_here("-network-timeout=3s")
        client = Stubborn(self, [server], Payload(self.scratch, 3 * PART))
        client.create()
        for how in ("503", "reset-before", "reset-after"):
            self.proxy.fail("UploadPart", how, nth=1)
        client.send_up_to(PART)
        self.assertEqual(self.by_operation(server, "tusd_s3_request_retries_total")["upload_part"], 1)
        self.assertEqual(self.errors(server), {}, "it was repeated, and nobody has noticed")

        self.proxy.heal()
        refused = self.proxy.fail("UploadPart", "403", nth=0)
        client.sent = 2 * PART
        answer = client.ask("PATCH", client.path, patch_fields(PART, PART), client.payload.read(PART, 2 * PART))
        self.assert_failed_well(answer)
        self.assertEqual(refused.hits, 1, "it is not asked again")
        self.assertEqual(self.errors(server), {("upload_part", "refused"): 1})

        self.proxy.heal()
        failing = self.proxy.fail("UploadPart", "500", nth=0)
        answer = client.ask("PATCH", client.path, patch_fields(PART, PART), client.payload.read(PART, 2 * PART))
        self.assert_failed_well(answer)
        self.assertEqual(self.errors(server), {("upload_part", "refused"): 1, ("upload_part", "unavailable"): 1})
        # What is repeated is what S3 was asked and was no first attempt.
        self.assertEqual(self.by_operation(server, "tusd_s3_request_retries_total")["upload_part"], 1 + failing.hits - 1)
        self.proxy.heal()
        client.finish()
        self.assert_stored(self.bucket, client.path, client.payload)
        calls, retries = (self.by_operation(server, f"tusd_s3_request_{name}")["upload_part"]
                          for name in ("duration_ms_count", "retries_total"))
        self.assertEqual(calls + retries, len(self.proxy.requests("UploadPart")), self.proxy.text())
        self.assert_idle(server)

    def test_a_stalled_upload_is_a_spill(self):
        """[METRIC-15] After a second of silence, and its memory is free."""
        server = self.serve_here("-s3-single-instance")
        payload = Payload(self.scratch, PART)
        with server.wire() as wire:
            path = wire.create(server.base_path, PART)
            wire.send_head("PATCH", path, patch_fields(0, PART))
            wire.send_file(payload, 0, 3 * MIB)
            wait_until(lambda: scrape(server)["tusd_s3_memory_bytes"] == PART, 20, "room for the part is held")
            wait_until(lambda: scrape(server)['tusd_s3_spills_total{reason="stalled"}'] == 1, 30, "the spill")
            self.assert_idle(server)
            wire.send_file(payload, 3 * MIB, PART)
            self.assertEqual(wire.receive().status, 204)
        seen = scrape(server)
        # Bytes that came in two pieces, with a second between them on a slow machine, are two spills.
        self.assertGreaterEqual(seen["tusd_s3_spilled_bytes_total"], 3 * MIB)
        self.assertEqual(seen['tusd_s3_spills_total{reason="shortage"}'], 0)
        self.assert_stored(self.bucket, path, payload)
        self.assert_idle(server)

    def test_memory_that_is_short(self):
        """[METRIC-15] Four parts that S3 does not take yet fill the memory; a fifth upload waits until it does."""
        server = self.serve_here("-s3-single-instance", f"-s3-max-memory={4 * PART}")
        payload = Payload(self.scratch, PART)
        with server.wire() as wire:
            paths = [wire.create(server.base_path, PART) for _ in range(5)]
        self.proxy.fail("UploadPart", "hang-before", nth=0)
        answers = []

        def send(path):
            with Wire(server.address, timeout=90) as wire:
                answers.append(wire.patch_file(path, payload, 0, PART).status)

        senders = [threading.Thread(target=send, args=(path,)) for path in paths]
        for sender in senders[:4]:
            sender.start()
        wait_until(lambda: scrape(server)["tusd_s3_sending_bytes"] == 4 * PART, 30, "four parts are on their way")
        senders[4].start()
        wait_until(lambda: scrape(server)["tusd_s3_memory_waiting"] == 1, 30, "the fifth waits")
        seen = scrape(server)
        self.assertEqual(seen["tusd_s3_memory_bytes"], seen["tusd_s3_memory_limit_bytes"])
        self.assertEqual(seen["tusd_s3_upload_semaphore_demand"], 4)
        self.proxy.heal()
        for sender in senders:
            sender.join()
        self.assertEqual(answers, [204] * 5)
        seen = scrape(server)
        waits = {outcome: seen[f'tusd_s3_memory_wait_seconds_count{{outcome="{outcome}"}}']
                 for outcome in ("granted", "timed_out")}
        self.assertEqual(waits, {"granted": 1, "timed_out": 0})
        self.assert_idle(server)
        for path in paths:
            self.assert_stored(self.bucket, path, payload)

    def test_promtool(self):
        """[METRIC-11] promtool has nothing to say but that names of tusd's are not as it likes them."""
        server = self.serve_here()
        client = Stubborn(self, [server], Payload(self.scratch, PART + 5))
        client.create()
        client.finish()
        with server.wire() as wire:
            page = wire.ask("GET", "/metrics").body
        checked = subprocess.run(["promtool", "check", "metrics"], input=page, capture_output=True, timeout=60, check=False)
        said = {line for line in (checked.stdout + checked.stderr).decode().splitlines() if line}
        self.assertLessEqual(said, INHERITED | TUSDS)


if __name__ == "__main__":
    main()
