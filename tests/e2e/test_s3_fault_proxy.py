"""The proxy that breaks requests to S3, in front of a real one: what it says was done was done, and what it says was not
was not."""
import contextlib
import http.client
import threading
import time
import unittest

from harness import EndToEndTest, main, wait_until
from s3_client import S3Client, S3Error
from s3_fault_proxy import S3FaultProxy, operation_of
from s3_services import ceph

BROKEN = (ConnectionError, http.client.HTTPException)
PART = 5 << 20


class Names(unittest.TestCase):
    def test_operations(self):
        for method, target, name in (
                ("PUT", "/b/k", "PutObject"), ("PUT", "/b/k/l?partNumber=1&uploadId=x", "UploadPart"),
                ("POST", "/b/k?uploads", "CreateMultipartUpload"), ("POST", "/b/k?uploads=", "CreateMultipartUpload"),
                ("POST", "/b/k?uploadId=x", "CompleteMultipartUpload"), ("GET", "/b/k?uploadId=x", "ListParts"),
                ("DELETE", "/b/k?uploadId=x", "AbortMultipartUpload"), ("DELETE", "/b/k", "DeleteObject"),
                ("GET", "/b/k", "GetObject"), ("HEAD", "/b/k", "HeadObject"), ("GET", "/b?list-type=2", "ListObjectsV2"),
                ("GET", "/b/?list-type=2&prefix=a%2Fb", "ListObjectsV2"), ("HEAD", "/b", "HeadBucket"),
                ("GET", "/b?uploads=&prefix=x", "ListMultipartUploads"), ("GET", "/b?location", "ListObjects")):
            self.assertEqual(operation_of(method, target), name, (method, target))


class Faults(EndToEndTest):
    def setUp(self):
        super().setUp()
        s3 = ceph()
        self.direct = s3.make_bucket()
        self.proxy = S3FaultProxy(s3.url)
        self.addCleanup(self.proxy.close)
        # The signature names the proxy's address, and S3 sees that Host.
        self.client = S3Client(self.proxy.url, s3.key, s3.secret, self.direct.bucket, timeout=20)

    def test_everything_passes_and_is_counted(self):
        self.client.put("a", b"x" * 100_000)
        self.assertEqual(self.client.get("a"), b"x" * 100_000)
        self.assertEqual(self.client.head("a").size, 100_000)
        upload = self.client.begin("m")
        tag = self.client.put_part("m", upload, 1, b"y" * PART)
        self.assertEqual(len(self.client.parts("m", upload)), 1)
        self.client.complete("m", upload, [(1, tag)])
        self.assertEqual(self.client.keys(), ["a", "m"])
        self.assertEqual(self.proxy.counts(), {
            "PutObject": 1, "GetObject": 1, "HeadObject": 1, "CreateMultipartUpload": 1, "UploadPart": 1, "ListParts": 1,
            "CompleteMultipartUpload": 1, "ListObjectsV2": 1})
        self.assertEqual(self.proxy.sent("PutObject", "UploadPart"), 100_000 + PART)
        self.assertEqual(self.proxy.received("GetObject"), 100_000)
        self.assertIn("-> 200", str(self.proxy.requests("PutObject")[0]))
        self.proxy.forget()
        self.assertEqual(self.proxy.counts(), {})

    def test_answers_in_place_of_s3(self):
        for how, status, code in (("500", 500, "InternalError"), ("503", 503, "SlowDown"), ("403", 403, "AccessDenied"),
                                  ("404", 404, "NoSuchKey"), ("html", 502, None), ("empty", 500, None)):
            rule = self.proxy.fail("PutObject", how)
            with self.assertRaises(S3Error) as caught:
                self.client.put("a", b"x")
            self.assertEqual((caught.exception.status, caught.exception.code), (status, code), how)
            self.assertEqual(rule.hits, 1)
        self.assertEqual(self.direct.keys(), [])

    def test_resets(self):
        for how, is_done in (("reset-before", False), ("reset-half", False), ("reset-after", True)):
            self.proxy.fail("PutObject", how)
            with self.assertRaises(BROKEN):
                self.client.put(how, b"x" * PART)
            self.assertEqual(self.direct.head(how) is not None, is_done, how)

    def test_an_answer_that_is_cut(self):
        self.client.put("a", b"x" * PART)
        self.proxy.fail("GetObject", "cut-answer")
        with self.assertRaises(BROKEN):
            self.client.get("a")
        self.assertEqual(self.proxy.received("GetObject"), PART // 2)
        self.assertEqual(self.client.get("a"), b"x" * PART)

    def test_a_list_that_is_late(self):
        upload = self.client.begin("m")
        for number in (1, 2):
            self.client.put_part("m", upload, number, b"x" * PART)
        self.proxy.fail("ListParts", "late-list", nth=0)
        self.assertEqual([part.number for part in self.client.parts("m", upload)], [1])
        self.proxy.heal()
        self.assertEqual([part.number for part in self.client.parts("m", upload)], [1, 2])

    def test_the_nth_and_all(self):
        self.proxy.fail("PutObject", "500", nth=2)
        self.client.put("1", b"x")
        self.assertRaises(S3Error, self.client.put, "2", b"x")
        self.client.put("3", b"x")
        self.proxy.fail("*", "503", nth=0, key="/4")
        for _ in range(2):
            self.assertRaises(S3Error, self.client.put, "4", b"x")
        self.client.put("5", b"x")
        self.proxy.heal()
        self.client.put("4", b"x")
        self.assertEqual(self.direct.keys(), ["1", "3", "4", "5"])

    def test_what_hangs_ends_when_it_is_healed(self):
        for how, is_done in (("hang-before", False), ("hang-after", True)):
            self.proxy.fail("PutObject", how)
            errors = []

            def put(key=how):
                try:
                    self.client.put(key, b"x")
                except BROKEN as error:
                    errors.append(error)

            thread = threading.Thread(target=put)
            thread.start()
            if is_done:
                wait_until(lambda: self.direct.head(how), 10, "it is done")
            thread.join(0.3)
            self.assertTrue(thread.is_alive(), how)
            self.proxy.heal()
            thread.join(10)
            self.assertEqual(len(errors), 1, how)
            self.assertEqual(self.direct.head(how) is not None, is_done, how)

    def test_nobody_listens_for_a_while(self):
        self.client.put("a", b"x")
        self.proxy.refuse()
        self.assertRaises(ConnectionRefusedError, self.client.put, "b", b"x")
        self.proxy.accept_again()
        self.client.put("c", b"x")
        self.assertEqual(self.direct.keys(), ["a", "c"])

    def test_how_many_at_once(self):
        self.proxy.fail("PutObject", "hang-after", nth=0)

        def put(key):
            with contextlib.suppress(*BROKEN):
                self.client.put(key, b"x")

        threads = [threading.Thread(target=put, args=(str(number),)) for number in range(3)]
        for thread in threads:
            thread.start()
        wait_until(lambda: self.proxy.most_at_once("PutObject") == 3, 10, "all of them hang")
        self.proxy.heal()
        for thread in threads:
            thread.join(10)
        self.assertEqual(self.proxy.most_at_once("PutObject"), 3)
        self.proxy.forget()
        for number in range(3):
            put(str(number))
        self.assertEqual(self.proxy.most_at_once("PutObject"), 1)

    def test_slow(self):
        self.proxy.fail("PutObject", "slow")
        begin = time.monotonic()
        self.client.put("a", b"x" * (128 << 10))
        self.assertGreater(time.monotonic() - begin, 0.4)
        self.assertEqual(self.direct.head("a").size, 128 << 10)


if __name__ == "__main__":
    main(seconds=240)
