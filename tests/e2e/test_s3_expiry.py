#!/usr/bin/env python3
"""Uploads in S3 that end by themselves, and what servers that were killed have left in the bucket."""
import base64
import email.utils
import hashlib
import re
import subprocess
import time

from harness import BINARY, clean_environment, main, wait_until
from payload import Payload
from prometheus import scrape
from s3_kit import MIB, PART, ProxiedS3Test, Stubborn, key_of
from wire import TUS, patch_fields


class Expiry(ProxiedS3Test):
    def setUp(self):
        super().setUp()
        self.payload = Payload(self.scratch, 3 * PART)

    def half_done(self, server, end, fields=()):
        client = Stubborn(self, [server], self.payload)
        client.create(fields)
        client.send_up_to(end)
        return client

    def finished(self, server):
        client = Stubborn(self, [server], Payload(self.scratch, 100))
        client.create()
        client.finish()
        return client

    def left(self):
        """All that is in the bucket, keys and multipart uploads."""
        return sorted(self.bucket.keys()), sorted(one.key for one in self.bucket.multiparts())

    def assert_only(self, *clients):
        keys = [key_of(client.path) for client in clients]
        self.assertEqual(self.left(), (sorted(keys + [f"{key}.info" for key in keys]), []))
        for client in clients:
            self.assert_bytes(self.bucket.get(key_of(client.path)), client.payload.read(0, client.payload.size))

    def sweep(self, after="2s"):
        """The counts that `tusd -sweep` prints: uploads, their bytes, left-overs, theirs, locks."""
        flags = self.flags(self.s3, self.bucket, self.proxy.url, ("-sweep", f"-expire-after={after}"))
        done = subprocess.run([BINARY, *flags], env=clean_environment(self.s3.environment()), cwd=self.scratch, text=True,
                              capture_output=True, timeout=120, stdin=subprocess.DEVNULL)
        self.assertEqual((done.returncode, done.stderr.count("ERROR")), (0, 0), done)
        return [int(number) for number in re.findall(r"\d+", done.stdout.splitlines()[-1])]

    def test_uploads_that_nobody_goes_on_with(self):
        """[S3RUN-36] They are told when, refused from then on, and nothing of them is in the bucket; also joins that wait."""
        server = self.serve_here("-expire-after=4s")
        kept = self.finished(server)
        begun = [self.half_done(server, PART + MIB), self.half_done(server, 2 * PART), self.half_done(server, 0),
                 self.half_done(server, MIB, {"Upload-Concat": "partial"})]
        with server.wire() as wire:
            final = wire.ask("POST", server.base_path, {**TUS, "Upload-Concat": f"final;{begun[-1].path}", "Content-Length": 0})
            self.assertEqual(final.status, 201, final)
            answer = wire.head(begun[-1].path)
            end = email.utils.parsedate_to_datetime(answer.get("Upload-Expires")).timestamp()
            self.assertAlmostEqual(end, time.time() + 4, delta=3)
            wait_until(lambda: self.left()[1] == [] and len(self.left()[0]) == 2, 60, "all of them are swept away")
            for path in (*(client.path for client in begun), final.path):
                self.assertEqual(wire.head(path).status, 410)
                self.assertEqual(wire.ask("PATCH", path, patch_fields(0, 5), b"hello").status, 410)
        self.assert_only(kept)
        self.assertEqual(scrape(server)["tusd_uploads_expired_total"], 5)
        self.assert_logged(server, "event=UploadExpired")
        server.restart()
        with server.wire() as wire:
            self.assertEqual({wire.head(client.path).status for client in begun}, {404})
            self.assertEqual(wire.head(kept.path).status, 200)

    def leave_staged(self, server):
        """Killed with bytes in the bucket that wait for the rest of their body, and so for their checksum."""
        client = self.half_done(server, MIB)
        body = self.payload.read(MIB, 3 * PART)
        digest = base64.b64encode(hashlib.sha1(body).digest()).decode()
        with server.wire() as wire:
            wire.send_head("PATCH", client.path, {**patch_fields(MIB, len(body)), "Upload-Checksum": f"sha1 {digest}"})
            wire.send(body[:2 * PART])
            wait_until(lambda: any("staged" in request.target and request.status == 200
                                   for request in self.proxy.requests("UploadPart")), 30, "a part is staged")
            server.kill()
        return client

    def leave_going(self, server):
        """Killed in the middle of a DELETE."""
        client = self.half_done(server, PART + MIB)
        rule = self.proxy.fail("AbortMultipartUpload", "hang-before", nth=0)
        with server.wire() as wire:
            wire.send_head("DELETE", client.path, TUS)
            self.assertTrue(self.proxy.wait_for_hit(rule, 30))
            server.kill()
        self.proxy.heal()
        return client

    def test_what_killed_servers_have_left(self):
        """[S3RUN-36] [S3RUN-38] Staged bytes, half a termination, half a creation, and records whose data a rule has removed."""
        server = self.serve_here()
        kept = self.finished(server)
        going = self.leave_going(server)
        server.start()
        self.leave_staged(server)
        server.start()
        hollow = self.half_done(server, PART + MIB)
        for one in self.bucket.multiparts(key_of(hollow.path)):
            self.bucket.abort(one.key, one.upload)
        upload = self.bucket.begin("0123456789abcdef0123456789abcdef")
        self.bucket.put_part("0123456789abcdef0123456789abcdef", upload, 1, b"x" * MIB)
        with server.wire() as wire:
            self.assertEqual(wire.head(going.path).status, 404)
        self.assertTrue(any(key.startswith(".tusd/staged/") for key in self.left()[1]), self.left())
        before = self.left()
        self.assertEqual(self.sweep("1h"), [0] * 5)
        self.assertEqual(self.left(), before, "it is too young")
        time.sleep(3)  # S3's times are seconds
        server.stop()
        self.assertEqual(self.sweep(), [1, MIB, 3, MIB, 0])
        self.assert_only(kept)
        self.assertEqual(self.sweep(), [0] * 5)
        self.assert_only(kept)

    def test_a_delete_is_repeated(self):
        """[S3RUN-38] The first is cut off; the client asks again, and nothing is left in the end."""
        server = self.serve_here()
        kept = self.finished(server)
        going = self.leave_going(server)
        self.assertNotEqual(self.left()[1], [])
        server.start()
        with server.wire() as wire:
            self.assertEqual(wire.ask("DELETE", going.path, TUS).status, 404)
        self.assert_only(kept)


if __name__ == "__main__":
    main(seconds=240)
