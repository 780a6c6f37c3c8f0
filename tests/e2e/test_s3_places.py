#!/usr/bin/env python3
"""Where the bytes of an upload go, by flags and as a hook says it, and what the object is made with."""
import json
import subprocess
import time

from harness import BINARY, clean_environment, main, wait_until
from hook_kit import FileHooks, HttpHooks
from payload import Payload
from s3_fault_proxy import S3FaultProxy
from s3_kit import MIB, PART, ProxiedS3Test, S3Test, Stubborn, key_of
from s3_lanes import together
from s3_services import ceph
from tls_front import ConnectProxy
from wire import TUS

KEY = "by hook/Ünïcode & more.bin"


class Places(S3Test):
    def setUp(self):
        super().setUp()
        self.s3 = ceph()
        self.bucket = self.s3.make_bucket()
        self.other = self.s3.make_bucket()

    def start(self, make):
        self.hooks = make(self)
        return self.serve_s3(self.s3, self.bucket, *self.hooks.flags(), "-hooks-enabled-events=pre-create")

    def goes_to(self, storage):
        self.hooks.says("pre-create", {"ChangeFileInfo": {"Storage": storage}})

    def test_another_bucket_and_key(self):
        """[S3RUN-23] The data is there and nowhere else; record and leftover stay under the id, also for another process."""
        for make in (HttpHooks, FileHooks):
            server = self.start(make)
            key = f"{make.kind}/{KEY}"
            self.goes_to({"Bucket": self.other.bucket, "Key": key})
            payload = Payload(self.scratch, 2 * PART + 5)
            client = Stubborn(self, [server], payload)
            client.create()
            record = f"{key_of(client.path)}.info"
            self.assertEqual((self.bucket.keys(), len(self.other.multiparts(key))), ([record], 1))
            client.send_up_to(MIB)
            self.assertEqual(self.bucket.keys(), [record, record.replace(".info", ".part")])
            server.restart()
            self.assertEqual(client.head(), MIB)
            client.send_up_to(PART + MIB)
            server.restart()
            client.finish()
            self.assertEqual((self.bucket.keys(), self.bucket.multiparts("")), ([record], []))
            self.assertEqual((self.other.keys(), self.other.multiparts("")), ([key], []))
            self.assert_bytes(self.other.get(key), payload.read(0, payload.size))
            storage = json.loads(self.bucket.get(record))["Storage"]
            self.assertEqual(storage, {"Type": "s3store", "Bucket": self.other.bucket, "Key": key})
            server.restart()
            with server.wire() as wire:
                self.assertEqual(wire.head(client.path).offset, payload.size)
                self.assert_bytes(self.download(wire, client.path).body, payload.read(0, payload.size))
                part = self.download(wire, client.path, {"Range": f"bytes={PART - 1}-{PART}"})
                self.assertEqual(part.status, 206)
                self.assert_bytes(part.body, payload.read(PART - 1, PART + 1))
                self.assertEqual(wire.ask("DELETE", client.path, TUS).status, 204)
                self.assertEqual(wire.head(client.path).status, 404)
            self.assertEqual((self.bucket.keys(), self.other.keys()), ([], []))
            server.stop()

    def test_one_of_both(self):
        """[S3RUN-23] A bucket alone, or a key alone; what is not said is as always."""
        server = self.start(HttpHooks)
        payload = Payload(self.scratch, 100)
        for storage, bucket in (({"Bucket": self.other.bucket}, self.other), ({"Key": "some/where"}, self.bucket)):
            self.goes_to(storage)
            client = Stubborn(self, [server], payload)
            client.create()
            client.finish()
            self.assert_bytes(bucket.get(storage.get("Key", key_of(client.path))), payload.read(0, 100))
            client.delete()
        self.assertEqual((self.bucket.keys(), self.other.keys()), ([], []))

    def test_deleted_half_way(self):
        """[S3RUN-23]"""
        server = self.start(HttpHooks)
        self.goes_to({"Bucket": self.other.bucket, "Key": "a"})
        client = Stubborn(self, [server], Payload(self.scratch, 2 * PART))
        client.create()
        client.send_up_to(PART + MIB)
        server.restart()
        client.delete()
        self.assertEqual((self.bucket.keys(), self.other.keys(), self.other.multiparts("")), ([], [], []))

    def test_places_that_are_none(self):
        """[S3RUN-24] A bucket that is not there, names that no bucket or object can have: an error, and nothing is left."""
        server = self.start(HttpHooks)
        for storage in ({"Bucket": "not-there-at-all"}, {"Bucket": "Not_A Bucket/../x"}, {"Key": "a\nb"}, {"Key": "x" * 1025}):
            with self.subTest(storage=str(storage)[:40]):
                self.goes_to(storage)
                client = Stubborn(self, [server], None)
                answer = client.ask("POST", server.base_path, {"Upload-Length": 5, "Content-Length": 0})
                self.assert_failed_well(answer)
                self.assertNotIn(b"not-there", answer.body)
                self.assertEqual((self.bucket.keys(), self.bucket.multiparts(""), self.other.keys()), ([], [], []))
        self.assert_logged(server, "not-there-at-all", "NoSuchBucket")


class Flags(ProxiedS3Test):
    def one_upload(self, server):
        payload = Payload(self.scratch, 100)
        with server.wire() as wire:
            self.upload(wire, server, payload)
        return payload

    def test_prefixes_and_headers(self):
        """[S3RUN-34] Data and records have prefixes of their own, and the object the fields that it is to be served with."""
        server = self.serve_here("-s3-object-prefix=data/", "-s3-metadata-object-prefix=meta/",
                                 "-s3-cache-control=max-age=60", "-s3-content-disposition=attachment")
        payload = self.one_upload(server)
        data, record = self.bucket.keys()
        self.assertEqual((data[:5], record[:5], record), ("data/", "meta/", f"meta/{data[5:]}.info"))
        self.assert_bytes(self.bucket.get(data), payload.read(0, 100))
        made = self.proxy.requests("CreateMultipartUpload")[-1].fields
        self.assertEqual((made["cache-control"], made["content-disposition"]), ("max-age=60", "attachment"))

    def test_class_and_encryption(self):
        """[S3RUN-34] As it is asked of S3, whatever this one knows of it."""
        asked = (
            (["-s3-storage-class=STANDARD_IA"], {"x-amz-storage-class": "STANDARD_IA"}),
            (["-s3-server-side-encryption=AES256"], {"x-amz-server-side-encryption": "AES256"}),
            (["-s3-server-side-encryption=aws:kms", "-s3-kms-key-id=the-key"],
             {"x-amz-server-side-encryption": "aws:kms", "x-amz-server-side-encryption-aws-kms-key-id": "the-key"}),
        )
        for flags, wanted in asked:
            with self.subTest(flags=flags):
                server = self.serve_here(*flags)
                with server.wire() as wire:
                    wire.ask("POST", server.base_path, {**TUS, "Upload-Length": 1, "Content-Length": 0})
                made = self.proxy.requests("CreateMultipartUpload")[-1].fields
                self.assertEqual({name: made.get(name) for name in wanted}, wanted)
                server.stop()

    def test_an_endpoint_without_a_scheme(self):
        """[S3RUN-34] -s3-disable-ssl says how to speak to it."""
        server = self.serve_s3(self.s3, self.bucket, "-s3-disable-ssl", url=self.proxy.url.partition("://")[2])
        payload = self.one_upload(server)
        self.assert_bytes(self.bucket.get(self.bucket.keys()[0]), payload.read(0, 100))


class Limits(S3Test):
    def setUp(self):
        super().setUp()
        self.s3 = ceph()
        self.payload = Payload(self.scratch, 4 * PART)

    def check_most(self, wanted, uploads, *flags):
        """So many parts are sent at the same time, of so many uploads together, and no more of them while S3 is silent."""
        bucket = self.s3.make_bucket()
        with S3FaultProxy(self.s3.url) as proxy:
            server = self.serve_s3(self.s3, bucket, *flags, url=proxy.url)
            proxy.fail("UploadPart", "hang-before", nth=0)

            def upload():
                with server.wire(timeout=120) as wire:
                    return self.upload(wire, server, self.payload)

            def look():
                try:
                    wait_until(lambda: proxy.most_at_once("UploadPart") >= wanted, 30, f"{wanted} parts with {flags}")
                    time.sleep(1)
                finally:
                    proxy.heal()
            *paths, _ = together(*[upload] * uploads, look)
            for path in paths:
                self.assert_stored(bucket, path, self.payload)
            server.finish()
            self.assertEqual(proxy.most_at_once("UploadPart"), wanted, f"{flags}\n{proxy.text()}")

    def test_parts_at_once(self):
        """[S3RUN-40] -s3-concurrent-part-uploads counts for all uploads together, -s3-max-buffered-parts for each of them."""
        together(lambda: self.check_most(1, 1, "-s3-concurrent-part-uploads=1"),
                 lambda: self.check_most(3, 2, "-s3-concurrent-part-uploads=3"),
                 lambda: self.check_most(1, 1, "-s3-max-buffered-parts=1"),
                 lambda: self.check_most(4, 2, "-s3-max-buffered-parts=2"))

    def test_transfer_acceleration(self):
        """[S3RUN-41] AWS's host for it, with the bucket's name before it; elsewhere there is no such thing."""
        said = self.refused_start(self.flags(self.s3, self.s3.bucket("tests"), None, ("-s3-transfer-acceleration",)),
                                  self.s3.environment())
        self.assertIn("-s3-transfer-acceleration", said)
        self.assertIn("-s3-endpoint", said)
        self.check_host("tests-1.s3-accelerate.amazonaws.com:443", "-s3-transfer-acceleration")
        self.check_host("tests-1.s3.us-east-1.amazonaws.com:443")

    def check_host(self, host, *flags):
        proxy = ConnectProxy(("127.0.0.1", 9))  # what is behind it is not AWS, and nobody there speaks TLS
        self.addCleanup(proxy.close)
        environment = self.s3.environment(HTTPS_PROXY=f"http://127.0.0.1:{proxy.port}")
        command = [BINARY, "-host=127.0.0.1", "-port=0", "-s3-bucket=tests-1", *flags]
        with subprocess.Popen(command, env=clean_environment(environment), cwd=self.scratch, stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
            try:
                wait_until(lambda: proxy.asked, 20, "the look at the bucket")
            finally:
                server.kill()
        self.assertEqual(set(proxy.asked), {host})


if __name__ == "__main__":
    main(seconds=200)
