#!/usr/bin/env python3
"""Every request to S3 fails once, in every way, and for long; and the ways in which others lose or make up data.

What is checked after each: no acknowledged offset goes back, nothing is said to be complete before the object is there,
clients get a status, a code and nothing of what S3 said, and in the end the object has every byte and nothing else of the
upload is left.
"""
import functools
import os
import random
import threading
import time

from harness import SEED, main, wait_until
from payload import Payload
from s3_kit import ANSWER_SECONDS, BROKEN, IMPATIENT, MIB, PART, ProxiedS3Test, S3Test, Stubborn, key_of
from s3_lanes import EXPIRE_SECONDS, SIZE, Lane, side_by_side, together
from s3_services import ceph
from wire import Wire, patch_fields

SOAK = os.environ.get("TUS_SOAK") == "1"
# The requests of an upload's life, to a process that knows it; those that it makes once.
WARM = ("CreateMultipartUpload", "PutObject", "UploadPart", "HeadObject", "GetObject", "CompleteMultipartUpload",
        "DeleteObject", "AbortMultipartUpload")
ONCE = ("HeadObject", "CompleteMultipartUpload", "AbortMultipartUpload")
SWEPT = ("ListObjectsV2", "ListMultipartUploads")
QUICK_WAYS = ("500", "503", "html", "empty", "reset-before", "reset-half", "reset-after")
SLOW_WAYS = ("hang-before", "hang-after")
# Side by side where the machine has to work, and where all wait.
WORKING, WAITING = 3, 8


class EveryRequestFailsOnce(S3Test):
    """Each case has to come to its fault."""

    def setUp(self):
        super().setUp()
        self.s3 = ceph()

    def fail_each(self, life, operations, ways, numbers=(1,), lanes=WORKING, flags=()):
        if life == Lane.expired:
            flags = (f"-expire-after={EXPIRE_SECONDS}s",)
        cases = [(life, operation, how, nth) for operation in operations for how in ways for nth in numbers
                 if nth == 1 or operation not in ONCE]
        side_by_side(self, lanes, cases, lambda: Lane(self, *flags), self.fail_once)
        self.report(f"{len(cases)} faults")

    def fail_once(self, lane, life, operation, how, nth):
        rule = lane.proxy.fail(operation, how, nth)
        paths = life(lane)
        self.assertEqual(rule.hits, 1, f"it did not come to that:\n{lane.proxy.text()}")
        lane.proxy.heal()
        lane.check(*paths)

    def test_quick_faults(self):
        """[S3RUN-9]"""
        self.fail_each(Lane.warm, WARM, QUICK_WAYS, (1, 2, 3) if SOAK else (1, 2))

    def test_with_restarts_between(self):
        """[S3RUN-9] A new process knows only what is in the bucket."""
        self.fail_each(Lane.cold, ("ListParts",), QUICK_WAYS)
        self.fail_each(Lane.cold, WARM if SOAK else ("GetObject", "HeadObject", "UploadPart"),
                       QUICK_WAYS if SOAK else ("503", "reset-after"))
        # The first list is the look at the bucket, the second that for joins which are pending.
        self.fail_each(Lane.cold, ("ListObjectsV2",), QUICK_WAYS if SOAK else ("503", "reset-after"), (2,))

    def test_with_a_single_instance(self):
        """[S3RUN-9]"""
        self.fail_each(Lane.warm, ("UploadPart", "PutObject", "CompleteMultipartUpload"), ("500", "reset-after"), (1, 2),
                       flags=("-s3-single-instance",))

    def test_joins(self):
        """[S3RUN-35] What is copied within S3."""
        self.fail_each(Lane.joined, ("UploadPartCopy",), QUICK_WAYS, (1, 2) if SOAK else (1,))

    def test_sweeps(self):
        """[S3RUN-36] A list that fails ends a pass, and no more than that."""
        self.fail_each(Lane.expired, SWEPT, QUICK_WAYS, lanes=WAITING)

    def test_hanging_requests(self):
        """[S3RUN-9] [S3RUN-35] [S3RUN-36] Done or not done, and never answered: each operation."""
        warm = [operation for operation in WARM if operation != "CompleteMultipartUpload"]  # see test_finishes
        together(*(functools.partial(self.fail_each, life, operations, SLOW_WAYS, lanes=lanes)
                   for life, operations, lanes in ((Lane.warm, warm, 6), (Lane.cold, ("ListParts",), 2),
                                                   (Lane.joined, ("UploadPartCopy",), 2), (Lane.expired, SWEPT, 4))))

    def test_finishes(self):
        """[S3RUN-9] [S3RUN-14] Complete hangs once, or it fails, or its answer is lost: no HEAD says that all is there before
        the object is."""
        # Each takes half a minute, for every request waits for the finish.
        together(functools.partial(self.fail_each, Lane.warm, ("CompleteMultipartUpload",), SLOW_WAYS, lanes=WAITING),
                 lambda: side_by_side(self, WAITING, [(how,) for how in ("500", "reset-before", "reset-after", "empty")],
                                      lambda: Lane(self), self.complete_fails))

    def complete_fails(self, lane, how):
        client = lane.client()
        client.create()
        client.send_up_to(2 * PART)
        rule = lane.proxy.fail("CompleteMultipartUpload", how, nth=0)
        client.sent = SIZE

        def look():
            answer = client.ask("HEAD", client.path)
            if answer is not None and answer.status == 200 and answer.offset == SIZE:
                self.assertIsNotNone(lane.bucket.head(key_of(client.path)), "complete, and no object")

        def look_while_it_fails():
            wait_until(lambda: rule.hits > 0, 30, "Complete was asked")
            look()
        rest = patch_fields(2 * PART, SIZE - 2 * PART)
        together(lambda: client.ask("PATCH", client.path, rest, lane.payload.read(2 * PART, SIZE)), look_while_it_fails)
        lane.server.restart()
        look()
        lane.proxy.heal()
        client.finish()
        lane.check(client.path)


class FaultTest(ProxiedS3Test):
    def setUp(self):
        super().setUp()
        self.payload = Payload(self.scratch, SIZE)

    def serve_here(self, *flags):
        return super().serve_here(*IMPATIENT, *flags)

    def mend_later(self, rule, seconds, proxy=None):
        """A while after it came to that for the first time."""
        proxy = proxy or self.proxy

        def mend():
            if not proxy.wait_for_hit(rule, 60):
                return
            time.sleep(seconds)
            proxy.heal()
        thread = threading.Thread(target=mend)
        thread.start()
        return thread

    def client(self, server):
        return Stubborn(self, [server], self.payload)


class RequestsFailForLong(FaultTest):
    def test_each_operation(self):
        """[S3RUN-10] Longer than anybody repeats: clients are told, and when it is mended all goes on."""
        every = [(operation, how) for operation in ("CreateMultipartUpload", "PutObject", "UploadPart",
                                                    "CompleteMultipartUpload")
                 for how in ("500", "reset-after", "hang-before")]
        cases = every if SOAK else (("PutObject", "reset-after"), ("UploadPart", "500"))
        side_by_side(self, WAITING, cases, lambda: Lane(self), self.fail_for_long)

    def fail_for_long(self, lane, operation, how):
        rule = lane.proxy.fail(operation, how, nth=0)
        mend = self.mend_later(rule, ANSWER_SECONDS, lane.proxy)
        paths = lane.warm()
        mend.join()
        self.report(f"{operation} {how}: {rule.hits} faults")
        self.assertGreater(rule.hits, 0)
        lane.check(*paths)

    def test_s3_never_answers(self):
        """[S3RUN-10] [S3RUN-11] Every kind of request ends in time, with a code; the log names what was asked of S3."""
        server = self.serve_here()
        client = self.client(server)
        client.create()
        client.send_up_to(MIB)
        whole = self.client(server)
        whole.create()
        whole.finish()
        self.proxy.fail("*", "hang-before", nth=0)
        create = {"Upload-Length": 100, "Content-Length": 0}
        part = patch_fields(MIB, PART)
        asked = (("POST", server.base_path, create, b""), ("DELETE", whole.path, {}, b""),
                 ("PATCH", client.path, part, self.payload.read(MIB, MIB + PART)), ("GET", whole.path, {}, b""))
        for answer in together(*(functools.partial(client.ask, *request) for request in asked)):
            self.assertIsNotNone(answer)
            self.assert_failed_well(answer)
        # Before its first part a PATCH makes sure of the record.
        self.assert_logged(server, "PutObject", "CreateMultipartUpload")
        self.proxy.heal()
        client.finish()
        self.assert_stored(self.bucket, client.path, self.payload)

    def test_s3_takes_no_parts(self):
        """[S3RUN-10] Records are written and parts are not taken: a PATCH, in parts or as a whole, is answered in time too."""
        together(self.take_no_parts, lambda: self.take_no_parts("-s3-max-memory=12582912"))  # there they are sent as they come

    def take_no_parts(self, *flags):
        with Lane(self, *flags) as lane:
            client = lane.client()
            client.create()
            lane.proxy.fail("UploadPart", "hang-before", nth=0)
            begin = time.monotonic()
            with lane.server.wire() as wire:
                wire.send_head("PATCH", client.path, patch_fields(0, SIZE))
                try:
                    wire.send(self.payload.read(0, SIZE))
                except BROKEN:
                    pass  # the answer came before the end of the body
                answer = wire.receive()
            self.report(f"{flags}: {answer.status} after {time.monotonic() - begin:.1f} s")
            self.assertLess(time.monotonic() - begin, ANSWER_SECONDS)
            self.assert_failed_well(answer)
            self.assert_logged(lane.server, "UploadPart")
            lane.proxy.heal()
            client.finish()
            lane.check(client.path)

    def test_what_s3_says_is_in_the_log(self):
        """[S3RUN-11]"""
        server = self.serve_here()
        client = self.client(server)
        client.create()
        self.proxy.fail("UploadPart", "403", nth=0)
        answer = client.ask("PATCH", client.path, patch_fields(0, 2 * PART), self.payload.read(0, 2 * PART))
        self.assert_failed_well(answer)
        self.assert_logged(server, "UploadPart", "AccessDenied", "fault-")

    def test_a_download_that_breaks(self):
        """[S3RUN-5] Never the whole length with other bytes: the connection breaks, or it goes on where it was."""
        server = self.serve_here()
        client = self.client(server)
        client.create()
        client.finish()
        self.proxy.fail("GetObject", "cut-answer", nth=0)
        with server.wire() as wire:
            try:
                answer = wire.ask("GET", client.path)
                if answer.status == 200:
                    self.assert_bytes(answer.body, self.payload.read(0, SIZE))
                else:
                    self.assert_failed_well(answer)
            except BROKEN:
                pass
        self.proxy.heal()
        with server.wire() as wire:
            self.assert_bytes(wire.ask("GET", client.path).body, self.payload.read(0, SIZE))


class TheWaysOfOthers(FaultTest):
    """Each has cost somebody data with another server."""

    def test_a_leftover_outlives_its_replacement(self):
        """[S3RUN-12] Killed while the part that takes a leftover's bytes is on its way: they are still there."""
        server = self.serve_here()
        client = self.client(server)
        client.create()
        client.send_up_to(PART + 3 * MIB)
        for how in ("hang-before", "reset-half", "hang-after"):
            rule = self.proxy.fail("UploadPart", how, nth=0)
            with Wire(server.address) as wire:
                wire.send_head("PATCH", client.path, patch_fields(client.acknowledged, SIZE - client.acknowledged))
                wire.send(self.payload.read(client.acknowledged, client.acknowledged + PART))
                client.sent = client.acknowledged + PART
                wait_until(lambda: rule.hits > 0, 30, "the part is on its way")
                time.sleep(0.2)
                server.kill()
            self.proxy.heal()
            server.start()
            client.head()
        client.finish()
        self.assert_stored(self.bucket, client.path, self.payload)

    def test_no_gap_after_a_failed_part(self):
        """[S3RUN-13] The second of three parts fails for good, the others arrive: the offset ends where the gap begins."""
        server = self.serve_here("-s3-concurrent-part-uploads=3")
        client = self.client(server)
        client.create()
        self.proxy.fail("UploadPart", "500", nth=0, key="partNumber=2")
        client.sent = SIZE
        answer = client.ask("PATCH", client.path, patch_fields(0, SIZE), self.payload.read(0, SIZE))
        if answer is not None:
            self.assert_failed_well(answer)
        for _ in range(2):
            self.assertLessEqual(client.head(), 2 * PART, "bytes behind a gap count")
            server.restart()
        self.proxy.heal()
        client.finish()
        self.assert_stored(self.bucket, client.path, self.payload)

    def test_a_complete_without_etag_is_a_complete(self):
        """[S3RUN-14]"""
        server = self.serve_here()
        self.proxy.fail("CompleteMultipartUpload", "no-etag", nth=0)
        client = self.client(server)
        client.create()
        client.finish()
        self.assert_stored(self.bucket, client.path, self.payload)

    def test_aborted_is_gone_and_not_complete(self):
        """[S3RUN-15] By a rule for the life cycle of the bucket, half-way and with all bytes sent; also to a new process."""
        server = self.serve_here()
        for sent in (PART, 2 * PART + MIB):
            for restart in (False, True):
                client = self.client(server)
                client.create()
                client.send_up_to(sent)
                key = key_of(client.path)
                for upload in self.bucket.multiparts(key):
                    self.bucket.abort(key, upload.upload)
                if restart:
                    server.restart()
                # Whoever has cached its state learns it from the next part; a body that nobody wants may end in a reset.
                answer = client.ask("PATCH", client.path, patch_fields(sent, SIZE - sent), self.payload.read(sent, SIZE))
                if answer is not None:
                    self.assertIn(answer.status, (404, 410), answer)
                self.assertIn(client.ask("HEAD", client.path).status, (404, 410))
                self.assertIsNone(self.bucket.find(key))

    def test_another_object_is_not_this_upload(self):
        """[S3RUN-15] The multipart upload is gone and an object with its name is there, of another size or origin."""
        server = self.serve_here()
        for size in (10, SIZE):
            client = self.client(server)
            client.create()
            client.send_up_to(PART)
            key = key_of(client.path)
            for upload in self.bucket.multiparts(key):
                self.bucket.abort(key, upload.upload)
            self.bucket.put(key, b"x" * size)
            server.restart()
            self.assertIn(client.ask("HEAD", client.path).status, (404, 410), size)

    def test_a_list_of_parts_that_is_late(self):
        """[S3RUN-16] It does not show the last part yet, to a process that knows nothing else: an error that can be retried, and
        never an object without that part."""
        server = self.serve_here()
        client = self.client(server)
        client.create()
        client.send_up_to(2 * PART)
        self.proxy.fail("ListParts", "late-list", nth=0)
        server.restart()
        for _ in range(3):
            answer = client.ask("HEAD", client.path)
            self.assertIn(answer.status, (200, 503), answer)
            if answer.status == 200:
                self.assertEqual(answer.offset, 2 * PART)
        self.proxy.heal()
        client.finish()
        self.assert_stored(self.bucket, client.path, self.payload)

    def test_a_list_that_is_late_at_the_end(self):
        """[S3RUN-16]"""
        server = self.serve_here()
        client = self.client(server)
        client.create()
        client.send_up_to(2 * PART)
        rule = self.proxy.fail("ListParts", "late-list", nth=0)
        server.restart()
        mend = self.mend_later(rule, 2)
        client.finish()
        mend.join()
        self.report(f"{rule.hits} lists were late")
        self.assert_stored(self.bucket, client.path, self.payload)


class RandomFaults(S3Test):
    def test_any_request_in_any_way(self):
        """[S3RUN-9] One request in ten goes wrong, while clients work; then it is mended."""
        self.s3 = ceph()
        self.report(f"random seed {SEED}")
        # A part that is slow and then fails is answered in time all the same.
        side_by_side(self, 2, [(number,) for number in range(60 if SOAK else 2)],
                     lambda: Lane(self, slow_bytes_per_second=4 * MIB), self.live)

    def live(self, lane, number):
        generator = random.Random(SEED + number)
        ways = [way for way in (*QUICK_WAYS, "slow") if way != "html"]
        for nth in range(1, 400):
            if generator.random() < 0.1:
                lane.proxy.fail("*", generator.choice(ways), nth)
        paths = lane.cold() if generator.random() < 0.5 else lane.warm()
        lane.proxy.heal()
        lane.check(*paths)


if __name__ == "__main__":
    main(seconds=3600 if SOAK else 900)
