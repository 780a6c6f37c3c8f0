#!/usr/bin/env python3
"""Another region, clocks that differ, pages of proxies, silence; at the start and while the server runs. And its log of calls."""
import collections
import datetime
import functools
import http.server
import json
import re
import threading
import time

from harness import main, wait_until
from payload import Payload
from s3_fault_proxy import S3FaultProxy
from s3_kit import ANSWER_SECONDS, IMPATIENT, MIB, NETWORK_TIMEOUT, PART, ProxiedS3Test, S3Test, Stubborn
from s3_lanes import Lane, side_by_side, together
from s3_services import ceph
from wire import TUS, patch_fields

HOUR = 3600
# What never has any business in a log.
SECRETS = ("Signature=", "AWS4-HMAC", "Credential=", "x-amz-security-token")
# New keys are asked for five minutes before the old ones expire.
FRESH_SECONDS = 2
KEY_SECONDS = 300 + FRESH_SECONDS
CALL = re.compile(r"event=S3Call(?:Failed)? (.*)$", re.M)


def calls_in(server):
    """[{field: value}] of the calls in the log."""
    return [dict(pair.partition("=")[::2] for pair in line.split()) for line in CALL.findall(server.errors())]


class BadDays(ProxiedS3Test):
    def test_every_call_is_in_the_log(self):
        """[S3RUN-20] One line for each request to S3, parts that are sent while they come among them, and no secret."""
        payload = Payload(self.scratch, 3 * PART + 5)
        # Parts are more than a quarter of the memory: those whose bytes are sure to come are sent while they do.
        for flags in ((), (f"-s3-max-memory={3 * PART}",)):
            self.proxy.forget()
            server = self.serve_here("-s3-log-api-calls", *flags)
            self.proxy.fail("UploadPart", "503", nth=2)
            client = Stubborn(self, [server], payload)
            client.create()
            client.send_up_to(MIB)
            client.finish()
            with server.wire() as wire:
                self.assert_bytes(wire.ask("GET", client.path).body, payload.read(0, payload.size))
                self.assertEqual(wire.ask("DELETE", client.path, TUS).status, 204)
            self.proxy.heal()
            seen = self.proxy.requests()
            wait_until(lambda s=server, n=len(seen): len(calls_in(s)) >= n, 10, "the last line")
            calls = calls_in(server)
            names = collections.Counter(request.operation for request in seen)
            self.assertEqual(collections.Counter(call["operation"] for call in calls), names, self.proxy.text())
            self.assertEqual(collections.Counter(call["status"] for call in calls),
                             collections.Counter(str(request.status) for request in seen))
            for call in calls:
                self.assertEqual(call["bucket"], self.bucket.bucket, call)
                self.assertEqual("key" in call and call["key"] != "", call["operation"] != "ListObjectsV2", call)
                self.assertGreaterEqual(int(call["ms"]), 0, call)
                self.assertTrue(call["request_id"], call)
            log = server.errors()
            for secret in (self.s3.secret, *SECRETS):
                self.assertNotIn(secret, log)
            server.stop()

    def test_calls_are_not_in_the_log_unasked(self):
        """[S3RUN-20]"""
        server = self.serve_here()
        client = Stubborn(self, [server], Payload(self.scratch, 10))
        client.create()
        client.finish()
        self.assertEqual(calls_in(server), [])

    def test_a_slow_line(self):
        """[S3RUN-25] A part that takes four times the network timeout is not given up, for it moves."""
        self.proxy = S3FaultProxy(self.s3.url, slow_bytes_per_second=PART // (4 * NETWORK_TIMEOUT), receive_buffer=64 << 10)
        self.addCleanup(self.proxy.close)
        server = self.serve_here("-s3-single-instance", *IMPATIENT)
        payload = Payload(self.scratch, PART)
        with server.wire(timeout=120) as wire:
            path = wire.create(server.base_path, PART)
            self.proxy.fail("UploadPart", "slow", nth=0)
            self.assertEqual(wire.patch_file(path, payload, 0, PART).status, 204)
        self.assertEqual(len(self.proxy.requests("UploadPart")), 1, self.proxy.text())
        self.assertGreater(self.proxy.requests("UploadPart")[0].seconds, 3 * NETWORK_TIMEOUT)
        self.assert_stored(self.bucket, path, payload)


class Outages(S3Test):
    """While the server runs: every kind of request is 5xx with a code and no word of S3's, in time; the log names the
    operation and S3's request id; no acknowledged byte is lost, and when it is mended all goes on."""

    def setUp(self):
        super().setUp()
        self.s3 = ceph()

    def test_what_s3_says(self):
        """[S3RUN-21] [S3RUN-37] Another region, a wrong clock or secret, a bucket that is not there, pages of proxies."""
        ways = ("region", "moved", "skewed", "html", "page", "403", "signature", "no-bucket")
        side_by_side(self, 4, [(how,) for how in ways], lambda: Lane(self, payload=Payload(self.scratch, 2 * PART)), self.said)

    def said(self, lane, how):
        self.outage(lane, lambda: lane.proxy.fail("*", how, nth=0), lane.proxy.heal)
        failed = [call for call in calls_in(lane.server) if call.get("request_id", "").startswith("fault-")]
        self.assertTrue(failed, lane.server.errors()[-2000:])
        self.assertTrue(all(call["operation"] for call in failed))

    def test_silence_and_refusal(self):
        """[S3RUN-10] [S3RUN-37] S3 takes connections and never answers, or takes none any more."""
        def lane():
            return Lane(self, payload=Payload(self.scratch, 2 * PART))

        def silence():
            with lane() as one:
                self.outage(one, lambda: one.proxy.fail("*", "hang-before", nth=0), one.proxy.heal)
                self.assert_logged(one.server, "S3CallFailed operation=")

        def refusal():
            with lane() as one:
                self.outage(one, one.proxy.refuse, one.proxy.accept_again)
                self.assert_logged(one.server, "S3CallFailed operation=")
        together(silence, refusal)

    def outage(self, lane, begin, end):
        client = lane.client()
        client.create()
        client.send_up_to(MIB)
        whole = Stubborn(self, [lane.server], Payload(self.scratch, 100))
        whole.create()
        whole.finish()
        begin()
        asked = (("POST", lane.server.base_path, {"Upload-Length": 100, "Content-Length": 0}, b""),
                 ("HEAD", client.path, {}, b""), ("GET", whole.path, {}, b""), ("DELETE", whole.path, {}, b""),
                 ("PATCH", client.path, patch_fields(MIB, client.payload.size - MIB), client.payload.read(MIB, client.payload.size)))
        client.sent = client.payload.size

        def ask(method, *request):
            since = time.monotonic()
            answer = client.ask(method, *request)
            seconds = time.monotonic() - since
            if answer is None:
                self.assertEqual(method, "PATCH", "an answer before the end of a body may be lost with it")
                return
            self.assert_failed_well(answer, has_body=method != "HEAD")
            self.assertLess(seconds, ANSWER_SECONDS, method)
        together(*(functools.partial(ask, *request) for request in asked))
        end()
        client.finish()
        lane.check(whole.path, client.path)

    def test_a_bucket_that_is_removed(self):
        """[S3RUN-37] The uploads are lost with it, but that is not for clients to believe: it may be a mistake."""
        bucket = self.s3.make_bucket()
        server = self.serve_s3(self.s3, bucket, *IMPATIENT)
        client = Stubborn(self, [server], Payload(self.scratch, PART + MIB))
        client.create()
        client.send_up_to(MIB)
        for key in bucket.keys():
            bucket.delete(key)
        for one in bucket.multiparts():
            bucket.abort(one.key, one.upload)
        bucket.must("DELETE")
        for method, target in (("POST", server.base_path), ("HEAD", client.path), ("DELETE", client.path)):
            answer = client.ask(method, target, {"Upload-Length": 100, "Content-Length": 0} if method == "POST" else {})
            self.assert_failed_well(answer, has_body=method != "HEAD")
        self.assert_logged(server, "NoSuchBucket")
        bucket.make_bucket()
        again = Stubborn(self, [server], Payload(self.scratch, 100))
        again.create()
        again.finish()
        self.assert_stored(bucket, again.path, again.payload)


class KeyServer(http.server.ThreadingHTTPServer):
    """The endpoint of a container: keys for a while, which are replaced five minutes before they expire."""

    def __init__(self, s3):
        super().__init__(("127.0.0.1", 0), KeyAnswer)
        self.s3, self.secret, self.asked = s3, s3.secret, []
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def environment(self):
        return self.s3.environment(AWS_ACCESS_KEY_ID=None, AWS_SECRET_ACCESS_KEY=None,
                                   AWS_CONTAINER_CREDENTIALS_FULL_URI=f"http://127.0.0.1:{self.server_port}/keys",
                                   AWS_CONTAINER_AUTHORIZATION_TOKEN="the-token")


class KeyAnswer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):  # pylint: disable=invalid-name
        self.server.asked.append((time.monotonic(), self.headers.get("Authorization")))
        end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=KEY_SECONDS)
        body = json.dumps({"AccessKeyId": self.server.s3.key, "SecretAccessKey": self.server.secret, "Token": "",
                           "Expiration": end.strftime("%Y-%m-%dT%H:%M:%SZ")}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Keys(ProxiedS3Test):
    def serve_with_keys(self):
        self.keys = KeyServer(self.s3)
        self.addCleanup(self.keys.server_close)
        self.addCleanup(self.keys.shutdown)
        return self.serve_s3(self.s3, self.bucket, *IMPATIENT, url=self.proxy.url, environment=self.keys.environment())

    def test_keys_that_expire(self):
        """[S3RUN-39] New ones are asked for long before, while uploads go on, and no request fails for it."""
        server = self.serve_with_keys()
        payload = Payload(self.scratch, 2 * PART)
        ends = []

        def upload():
            while len(self.keys.asked) < 4:
                client = Stubborn(self, [server], payload)
                client.create()
                for end in (MIB, PART + MIB, payload.size):
                    client.send_up_to(end)
                    time.sleep(0.1)
                self.assertEqual(client.failures, [])
                ends.append(client.path)
        together(upload, upload)
        self.assertEqual([request for request in self.proxy.requests() if request.status in (None, 400, 401, 403)], [])
        times, tokens = zip(*self.keys.asked)
        self.assertEqual(set(tokens), {"the-token"})
        self.assertLess(times[-1] - times[0], KEY_SECONDS - FRESH_SECONDS, "long before they expire")
        self.assertGreater(times[-1] - times[0], 2 * FRESH_SECONDS - 2, "and not with every request")
        for path in ends:
            self.assert_stored(self.bucket, path, payload)

    def test_keys_that_are_wrong_for_a_while(self):
        """[S3RUN-37] [S3RUN-39] The next ones have a wrong secret: errors with a code until there are others."""
        server = self.serve_with_keys()
        client = Stubborn(self, [server], Payload(self.scratch, 2 * PART))
        client.create()
        client.send_up_to(MIB)
        self.keys.secret = "wr0ngsecret"

        def fails():
            answer = client.ask("HEAD", client.path)
            return answer.status >= 500
        client.until(fails, "the wrong keys are in use")
        answer = client.ask("POST", server.base_path, {"Upload-Length": 5, "Content-Length": 0})
        self.assert_failed_well(answer)
        self.assert_logged(server, "operation=CreateMultipartUpload", "SignatureDoesNotMatch")
        self.keys.secret = self.s3.secret
        self.assertEqual(client.head(), MIB)
        client.finish()
        self.assert_stored(self.bucket, client.path, client.payload)
        self.assertNotIn("wr0ngsecret", server.errors())


class OtherClock(http.server.BaseHTTPRequestHandler):
    """As much of S3 as a creation needs, with a clock of its own; whoever is off by 15 minutes is sent away, as S3 does it."""
    protocol_version = "HTTP/1.1"

    def answer(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        now = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=self.server.ahead)
        signed = datetime.datetime.strptime(self.headers["x-amz-date"], "%Y%m%dT%H%M%SZ")
        off = abs((signed.replace(tzinfo=datetime.timezone.utc) - now).total_seconds())
        status, fields, body = 200, {}, b""
        if off > 900:
            self.server.sent_away += 1
            status, body = 403, b"<Error><Code>RequestTimeTooSkewed</Code><Message>m</Message></Error>"
        elif self.command == "GET":
            body = (b'<ListBucketResult><Name>tests</Name><KeyCount>0</KeyCount><MaxKeys>1</MaxKeys>'
                    b'<IsTruncated>false</IsTruncated></ListBucketResult>')
        elif self.command == "POST":
            body = (b"<InitiateMultipartUploadResult><Bucket>tests</Bucket><Key>k</Key><UploadId>abc</UploadId>"
                    b"</InitiateMultipartUploadResult>")
        else:
            fields["ETag"] = '"e"'
        self.send_response_only(status)
        self.send_header("Date", now.strftime("%a, %d %b %Y %H:%M:%S GMT"))
        for name, value in fields.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_PUT = do_POST = answer

    def log_message(self, *_):
        pass


class Clocks(S3Test):
    def test_clocks_that_differ(self):
        """[S3RUN-22] At the start and later: S3's clock is taken over, with one request more, and the log says so."""
        other = http.server.ThreadingHTTPServer(("127.0.0.1", 0), OtherClock)
        other.ahead, other.sent_away = HOUR, 0
        threading.Thread(target=other.serve_forever, args=(0.05,), daemon=True).start()
        self.addCleanup(other.server_close)
        self.addCleanup(other.shutdown)
        s3 = ceph()
        server = self.serve_s3(s3, s3.bucket("tests"), *IMPATIENT, url=f"http://127.0.0.1:{other.server_port}")
        self.assertEqual(other.sent_away, 1)
        wait_until(lambda: re.search(r"event=S3ClockDiffers seconds=3[56]\d\d s3_is=ahead", server.errors()), 10, "the log")
        with server.wire() as wire:
            wire.create(server.base_path, 100)
            self.assertEqual(other.sent_away, 1, "it is remembered")
            other.ahead = -2 * HOUR
            wire.create(server.base_path, 100)
            self.assertGreater(other.sent_away, 1)
            wait_until(lambda: re.search(r"event=S3ClockDiffers seconds=7[12]\d\d s3_is=behind", server.errors()), 10, "the log")
            before = other.sent_away
            wire.create(server.base_path, 100)
            self.assertEqual(other.sent_away, before)


if __name__ == "__main__":
    main(seconds=400)
