#!/usr/bin/env python3
"""Another region, clocks that differ, pages of proxies, silence; at the start and while the server runs. And its log of calls."""
import collections
import datetime
import http.server
import re
import threading
import time

from harness import is_sanitized, main, wait_until
from payload import Payload
from s3_fault_proxy import S3FaultProxy
from s3_kit import IMPATIENT, MIB, PART, ProxiedS3Test, S3Test, Stubborn
from s3_services import ceph
from wire import TUS, patch_fields

HOUR = 3600
# What never has any business in a log.
SECRETS = ("Signature=", "AWS4-HMAC", "Credential=", "x-amz-security-token")
CALL = re.compile(r"event=S3Call(?:Failed)? (.*)$", re.M)


class BadDays(ProxiedS3Test):
    def calls_in(self, server):
        """[{field: value}] of the calls in the log."""
        return [dict(pair.partition("=")[::2] for pair in line.split()) for line in CALL.findall(server.errors())]

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
            wait_until(lambda s=server, n=len(seen): len(self.calls_in(s)) >= n, 10, "the last line")
            calls = self.calls_in(server)
            names = collections.Counter(request.operation.replace("ListObjects", "ListObjectsV2") for request in seen)
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
        self.assertEqual(self.calls_in(server), [])

    def refused(self, how, *words):
        self.proxy.fail("*", how, nth=0)
        said = self.refused_start(self.flags(self.s3, self.bucket, self.proxy.url, IMPATIENT), self.s3.environment())
        for word in words:
            self.assertIn(word, said)
        self.assertNotIn(self.s3.secret, said)
        self.proxy.heal()

    def test_at_the_start(self):
        """[S3RUN-18] One sentence that says what to mend."""
        self.refused("region", "AWS_REGION=eu-west-1")
        self.refused("moved", "AWS_REGION")
        self.refused("skewed", "clock", "NTP")
        self.refused("html", self.proxy.url)
        self.refused("page", self.proxy.url)

    def test_while_it_runs(self):
        """[S3RUN-21] 5xx with a code and no word of S3's; the log names the operation and S3's request id; then it goes on."""
        server = self.serve_here(*IMPATIENT)
        payload = Payload(self.scratch, 2 * PART)
        for how in ("region", "moved", "skewed", "html", "page"):
            with self.subTest(how=how):
                client = Stubborn(self, [server], payload)
                client.create()
                client.send_up_to(MIB)
                whole = Stubborn(self, [server], Payload(self.scratch, 100))
                whole.create()
                whole.finish()
                self.proxy.fail("*", how, nth=0)
                rest = patch_fields(MIB, payload.size - MIB)
                for method, target, fields, body in (
                        ("POST", server.base_path, {"Upload-Length": 100, "Content-Length": 0}, b""),
                        ("HEAD", client.path, {}, b""), ("GET", whole.path, {}, b""),
                        ("PATCH", client.path, rest, payload.read(MIB, payload.size)), ("DELETE", whole.path, {}, b"")):
                    client.sent = payload.size
                    answer = client.ask(method, target, fields, body)
                    if answer is None:
                        self.assertEqual(method, "PATCH", "an answer before the end of a body may be lost with it")
                        continue
                    self.assert_failed_well(answer, has_body=method != "HEAD")
                failed = [call for call in self.calls_in(server) if call.get("request_id", "").startswith("fault-")]
                self.assertTrue(failed, server.errors()[-2000:])
                self.assertTrue(all(call["operation"] for call in failed))
                self.proxy.heal()
                client.finish()
                self.assert_stored(self.bucket, client.path, payload)
                self.assert_bytes(self.bucket.get(whole.path.rpartition("/")[2].partition("+")[0].partition("%2B")[0]),
                                  whole.payload.read(0, 100))

    def test_a_slow_line(self):
        """[S3RUN-25] A part that takes twenty seconds is not given up, for it moves."""
        self.proxy = S3FaultProxy(self.s3.url, receive_buffer=64 << 10)
        self.addCleanup(self.proxy.close)
        server = self.serve_here("-s3-single-instance")
        payload = Payload(self.scratch, PART)
        with server.wire(timeout=120) as wire:
            path = wire.create(server.base_path, PART)
            self.proxy.fail("UploadPart", "slow", nth=0)
            self.assertEqual(wire.patch_file(path, payload, 0, PART).status, 204)
        self.assertEqual(len(self.proxy.requests("UploadPart")), 1, self.proxy.text())
        self.assertGreater(self.proxy.requests("UploadPart")[0].seconds, 15)
        self.assert_stored(self.bucket, path, payload)

    def test_silence(self):
        """[S3RUN-10] S3 takes connections and never answers: an error with a code within twice the network timeout."""
        timeout = 4
        server = self.serve_here(f"-network-timeout={timeout}s")
        payload = Payload(self.scratch, 2 * PART)
        client = Stubborn(self, [server], payload)
        client.create()
        client.send_up_to(MIB)
        whole = Stubborn(self, [server], Payload(self.scratch, 100))
        whole.create()
        whole.finish()
        self.proxy.fail("*", "hang-before", nth=0)
        for method, target, fields, body in (
                ("POST", server.base_path, {"Upload-Length": 100, "Content-Length": 0}, b""),
                ("HEAD", client.path, {}, b""), ("GET", whole.path, {}, b""),
                ("PATCH", client.path, patch_fields(MIB, PART), payload.read(MIB, MIB + PART)),
                ("DELETE", whole.path, {}, b"")):
            begin = time.monotonic()
            answer = client.ask(method, target, fields, body)
            seconds = time.monotonic() - begin
            self.report(f"{method}: {answer.status} after {seconds:.2f} s")
            self.assert_failed_well(answer, has_body=method != "HEAD")
            self.assertLess(seconds, 2 * timeout + (5 if is_sanitized() else 0.5), method)
        self.proxy.heal()
        client.sent = MIB + PART
        client.finish()
        self.assert_stored(self.bucket, client.path, payload)


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
