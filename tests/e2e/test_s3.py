#!/usr/bin/env python3
"""Uploads in buckets of real S3 servers: what is in the bucket afterwards, restarts, and two servers on one bucket."""
import base64
import hashlib
import itertools
import json
import os
import pathlib
import random

from harness import SEED, main, wait_until
from payload import Payload
from s3_kit import MIB, PART, S3Test, Stubborn, key_of, metadata
from s3_services import ceph, swift
from wire import TUS

UNHASHED = "-s3-disable-content-hashes"
ALONE = "-s3-single-instance"


class Uploads:
    """On each of the real servers."""

    def service(self):
        raise NotImplementedError

    def setUp(self):
        super().setUp()
        self.s3 = self.service()
        self.bucket = self.s3.make_bucket()

    def serve_here(self, *flags):
        return self.serve_s3(self.s3, self.bucket, *flags)

    def test_whole_uploads(self):
        """[S3RUN-1] [S3RUN-5] Sizes around the borders of parts, in one PATCH and in small ones; hashed, unhashed, alone."""
        flags = itertools.cycle(((), (UNHASHED,), (ALONE,), (UNHASHED, ALONE)))
        for size, chunk in ((0, None), (1, None), (PART - 1, None), (PART, None), (PART + 1, MIB), (3 * PART, None),
                            (2 * PART + 12345, 700_001), (3 * PART + 7, PART)):
            server = self.serve_here(*next(flags))
            payload = Payload(self.scratch, size)
            with server.wire() as wire:
                if size:
                    path = self.upload(wire, server, payload, chunk, metadata(filename="näme.txt", filetype="text/plain"))
                else:
                    path = wire.create(server.base_path, 0, metadata(filename="näme.txt", filetype="text/plain"))
                self.assertEqual(wire.head(path).offset, size)
                self.assert_stored(self.bucket, path, payload)
                head = self.bucket.head(key_of(path))
                self.assertEqual(head.fields["content-type"], "text/plain")
                self.assertEqual(head.metadata["filetype"], "text/plain")
                self.assertTrue(all(" " <= c <= "~" for c in head.metadata["filename"]), head.metadata)
                self.assert_bytes(self.download(wire, path).body, payload.read(0, size))
                self.assertEqual(wire.ask("DELETE", path, TUS).status, 204)
                self.assert_gone(self.bucket, path)
            server.stop()

    def test_records_are_those_of_tusd(self):
        """[S3RUN-1]"""
        server = self.serve_here()
        payload = Payload(self.scratch, 1000)
        with server.wire() as wire:
            path = self.upload(wire, server, payload, fields=metadata(filename="a"))
            record = json.loads(self.bucket.get(key_of(path) + ".info"))
        self.assertEqual(record["ID"], path[len(server.base_path):].replace("%2B", "+"))
        self.assertEqual((record["Size"], record["MetaData"]), (1000, {"filename": "a"}))
        self.assertEqual(record["Storage"], {"Type": "s3store", "Bucket": self.bucket.bucket, "Key": key_of(path)})

    def test_restarts(self):
        """[S3RUN-2] After each chunk the server is killed; what was acknowledged is there, with and without leftovers."""
        payload = Payload(self.scratch, 2 * PART + 3 * MIB)
        server = self.serve_here()
        client = Stubborn(self, [server], payload)
        client.create()
        for end in (MIB, PART, PART + MIB, 2 * PART + MIB, payload.size - 1):
            client.send_up_to(end)
            server.restart()
            self.assertEqual(client.head(), end)
        client.finish()
        self.assert_stored(self.bucket, client.path, payload)
        server.restart()
        self.assertEqual(client.head(), payload.size)

    def test_a_length_that_comes_late(self):
        """[S3RUN-1]"""
        payload = Payload(self.scratch, PART + 2 * MIB)
        server = self.serve_here()
        with server.wire() as wire:
            path = wire.create(server.base_path)
            self.assertEqual(wire.patch(path, 0, payload.read(0, 3 * MIB)).offset, 3 * MIB)
            self.assertEqual(wire.head(path).get("Upload-Defer-Length"), "1")
            answer = wire.patch(path, 3 * MIB, payload.read(3 * MIB, payload.size), {"Upload-Length": payload.size})
            self.assertEqual((answer.status, answer.offset), (204, payload.size), answer)
        self.assert_stored(self.bucket, path, payload)

    def test_deleted_half_way(self):
        """[S3RUN-1]"""
        payload = Payload(self.scratch, 2 * PART)
        server = self.serve_here()
        with server.wire() as wire:
            path = wire.create(server.base_path, payload.size)
            wire.patch(path, 0, payload.read(0, PART + MIB))
            self.assertEqual(wire.ask("DELETE", path, TUS).status, 204)
            self.assertEqual(wire.head(path).status, 404)
        self.assert_gone(self.bucket, path)

    def test_joined(self):
        """[S3RUN-4] Of large and small parts, in their order."""
        server = self.serve_here()
        for sizes in ((PART + 1, 2 * PART), (100, 200, 300), (PART, 1, 2 * PART)):
            payloads = [Payload(self.scratch, size, seed) for seed, size in enumerate(sizes)]
            with server.wire(timeout=120) as wire:
                paths = []
                for payload in payloads:
                    path = wire.create(server.base_path, payload.size, {"Upload-Concat": "partial"})
                    self.assertEqual(wire.patch_file(path, payload, 0, payload.size).status, 204)
                    paths.append(path)
                answer = wire.ask("POST", server.base_path,
                                  {**TUS, "Upload-Concat": "final;" + " ".join(paths), "Content-Length": 0})
                self.assertEqual(answer.status, 201, answer)
                final = answer.path
                wait_until(lambda: wire.head(final).offset == sum(sizes), 60, "the join")
            wanted = b"".join(payload.read(0, payload.size) for payload in payloads)
            self.assert_bytes(self.bucket.get(key_of(final)), wanted)
            self.assertEqual(self.bucket.multiparts(key_of(final)), [])

    def test_ranges(self):
        """[S3RUN-5]"""
        payload = Payload(self.scratch, PART + 12345)
        server = self.serve_here()
        with server.wire() as wire:
            path = self.upload(wire, server, payload)
            for text, start, end in (("0-0", 0, 1), ("5-99", 5, 100), (f"{PART - 1}-{PART}", PART - 1, PART + 1),
                                     ("-7", payload.size - 7, payload.size), ("1-", 1, payload.size)):
                answer = self.download(wire, path, {"Range": f"bytes={text}"})
                self.assertEqual(answer.status, 206, answer)
                self.assert_bytes(answer.body, payload.read(start, end))
            self.assertEqual(self.download(wire, path, {"Range": f"bytes={payload.size}-"}).status, 416)

    def test_checksums(self):
        """[S3RUN-6]"""
        payload = Payload(self.scratch, 2 * PART)
        server = self.serve_here()
        with server.wire() as wire:
            path = wire.create(server.base_path, payload.size)
            offset = 0
            for end in (MIB, PART + MIB, payload.size):
                body = payload.read(offset, end)
                digest = base64.b64encode(hashlib.sha1(body).digest()).decode()
                wrong = body[:-1] + bytes([body[-1] ^ 1])
                self.assertEqual(wire.patch(path, offset, wrong, {"Upload-Checksum": f"sha1 {digest}"}).status, 460)
                self.assertEqual(wire.head(path).offset, offset)
                self.assertEqual(wire.patch(path, offset, body, {"Upload-Checksum": f"sha1 {digest}"}).status, 204)
                offset = end
        self.assert_stored(self.bucket, path, payload)

    def test_two_servers(self):
        """[S3RUN-7] On one bucket, with requests that alternate: neither believes what it remembers."""
        generator = random.Random(SEED)
        self.report(f"random seed {SEED}")
        payload = Payload(self.scratch, 3 * PART + 5)
        client = Stubborn(self, [self.serve_here(), self.serve_here()], payload)
        client.create()
        while client.acknowledged < payload.size:
            client.send_up_to(min(payload.size, client.acknowledged + generator.randrange(1, 2 * MIB)))
            client.turn += generator.random() < 0.3
            if generator.random() < 0.3:
                client.head()
        client.finish()
        self.assertEqual(client.failures, [])
        self.assert_stored(self.bucket, client.path, payload)

    def test_nothing_is_written_to_local_disk(self):
        """[S3RUN-8]"""
        payload = Payload(self.scratch, 4 * PART)
        temporary = self.scratch / "tmp"
        temporary.mkdir()
        server = self.serve_s3(self.s3, self.bucket, environment=self.s3.environment(TMPDIR=str(temporary)))
        with server.wire() as wire:
            path = wire.create(server.base_path, payload.size)
            wire.patch_file(path, payload, 0, PART + MIB)
            wire.send_head("PATCH", path, {**TUS, "Content-Type": "application/offset+octet-stream",
                                           "Upload-Offset": PART + MIB, "Content-Length": payload.size - PART - MIB})
            wire.send_file(payload, PART + MIB, 3 * PART)
            opened = [os.readlink(link) for link in pathlib.Path(f"/proc/{server.pid}/fd").iterdir()
                      if os.path.lexists(link)]
            wire.send_file(payload, 3 * PART, payload.size)
            self.assertEqual(wire.receive().status, 204)
        files = {name for name in opened if name.startswith("/") and not name.startswith(("/dev/", "/proc/"))}
        self.assertEqual(files, {str(server.stdout_path), str(server.stderr_path)})
        self.assertEqual(list(temporary.iterdir()), [])
        self.assert_stored(self.bucket, path, payload)


class Ceph(Uploads, S3Test):
    def service(self):
        return ceph()

    def go_upload(self, size, sent, leftover):
        """As Go's tusd 2 leaves an upload: whole parts, and a rest in .part without any metadata."""
        key = f"go-{size}-{sent}-{leftover}"
        upload = self.bucket.begin(key)
        payload = Payload(self.scratch, size)
        for number in range(sent):
            self.bucket.put_part(key, upload, number + 1, payload.read(number * PART, (number + 1) * PART))
        if leftover:
            self.bucket.put(f"{key}.part", payload.read(sent * PART, sent * PART + leftover))
        record = {"ID": f"{key}+{upload}", "Size": size, "SizeIsDeferred": False, "Offset": 0, "MetaData": {},
                  "IsPartial": False, "IsFinal": False, "PartialUploads": None,
                  "Storage": {"Type": "s3store", "Bucket": self.bucket.bucket, "Key": key}}
        self.bucket.put(f"{key}.info", json.dumps(record).encode())
        return key, upload, payload

    def test_what_go_left_half_done_goes_on(self):
        """[S3RUN-3]"""
        server = self.serve_here()
        for sent, leftover in ((0, 0), (0, 1000), (2, 0), (2, MIB)):
            key, upload, payload = self.go_upload(3 * PART + 5, sent, leftover)
            client = Stubborn(self, [server], payload)
            client.path = f"{server.base_path}{key}+{upload}"
            client.sent = sent * PART + leftover
            self.assertEqual(client.head(), sent * PART + leftover)
            client.finish()
            self.assert_stored(self.bucket, client.path, payload)

    def test_half_done_uploads_can_go_back_to_go(self):
        """[S3RUN-3] After a clean stop: parts without gaps, each but the last large enough, and the rest in .part."""
        payload = Payload(self.scratch, 3 * PART)
        server = self.serve_here()
        client = Stubborn(self, [server], payload)
        client.create()
        client.send_up_to(MIB)
        client.send_up_to(2 * PART + MIB)
        self.assertEqual(server.stop(), 0)
        key = key_of(client.path)
        upload = self.bucket.multiparts(key)[0].upload
        parts = self.bucket.parts(key, upload)
        self.assertEqual([part.number for part in parts], list(range(1, len(parts) + 1)))
        self.assertTrue(all(part.size >= PART for part in parts), parts)
        rest = self.bucket.find(f"{key}.part") or b""
        self.assertEqual(sum(part.size for part in parts) + len(rest), client.acknowledged)
        self.assertLess(len(rest), PART)
        self.assert_bytes(rest, payload.read(client.acknowledged - len(rest), client.acknowledged))


class Swift(Uploads, S3Test):
    def service(self):
        return swift()


if __name__ == "__main__":
    main()
