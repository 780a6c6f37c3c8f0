"""Servers that keep uploads in a bucket, and clients of them that do not give up."""
import base64
import pathlib
import subprocess
import tempfile
import time
import urllib.parse

from harness import BINARY, EndToEndTest, Server, clean_environment, is_sanitized, wait_until
from s3_fault_proxy import S3FaultProxy
from s3_services import ceph
from wire import TUS, Closed, Wire

MIB = 1 << 20
PART = 5 * MIB
# So that a few MiB are several parts, and what hangs is known to hang soon.
SMALL_PARTS = (f"-s3-part-size={PART}", f"-s3-min-part-size={PART}")
NETWORK_TIMEOUT = 2
IMPATIENT = (f"-network-timeout={NETWORK_TIMEOUT}s",)
# Twice the network timeout, and what a loaded machine adds.
ANSWER_SECONDS = 2 * NETWORK_TIMEOUT + (10 if is_sanitized() else 4)
# A request waits so long for a finish.
FINISH_SECONDS = 15
BROKEN = (Closed, OSError)
# What is not told to a client whose server cannot reach S3.
INNER = (b"SlowDown", b"InternalError", b"NoSuch", b"AccessDenied", b"amz", b"<Error", b"html", b"127.0.0.1", b"tests-",
         b"told to fail", b"uploadId", b".info", b".part", b"Redirect", b"Malformed", b"Skewed", b"eu-west-1", b"fault-")


def key_of(path):
    """The object of an upload: its id up to the id of S3's multipart upload."""
    return urllib.parse.unquote(path.rpartition("/")[2]).partition("+")[0]


class S3Test(EndToEndTest):
    def serve_s3(self, s3, bucket, *flags, url=None, environment=None):
        """A server with this bucket, through a proxy when there is a URL."""
        directory = pathlib.Path(tempfile.mkdtemp(prefix="s3-", dir=self.scratch))
        server = Server(directory, self.scratch, self.flags(s3, bucket, url, flags),
                        environment or s3.environment())
        self.addCleanup(server.finish)
        return server

    @staticmethod
    def flags(s3, bucket, url, flags):
        return ["-host=127.0.0.1", "-port=0", f"-s3-bucket={bucket.bucket}", f"-s3-endpoint={url or s3.url}", *SMALL_PARTS,
                *flags]

    def refused_start(self, flags, environment, seconds=60):
        """What a server says that does not start: one sentence, and exit code 1."""
        begin = time.monotonic()
        done = subprocess.run([BINARY, *flags], env=clean_environment(environment), cwd=self.scratch, text=True,
                              capture_output=True, timeout=seconds, stdin=subprocess.DEVNULL)
        self.assertEqual(done.returncode, 1, done)
        said = [line for line in done.stderr.splitlines() if " level=" not in line]  # what is left is not the log
        self.assertEqual(len(said), 1, done.stderr)
        self.assertNotIn("You can now upload", done.stdout)
        self.report(f"{time.monotonic() - begin:.1f} s: {said[0]}")
        return said[0]

    # ---- what is in the bucket

    def assert_stored(self, bucket, path, payload, size=None, orphans=0):
        """The whole object, its record, and nothing else of this upload. Orphans: multipart uploads without a part that
        may be there, for nobody was told their names."""
        size = payload.size if size is None else size
        key = key_of(path)
        stored = bucket.find(key)
        self.assertIsNotNone(stored, f"no object {key}: {bucket.keys()}")
        self.assert_bytes(stored, payload.read(0, size))
        self.assertEqual(sorted(bucket.keys(key)), [key, f"{key}.info"])
        self.assert_orphans(bucket, key, orphans)

    def assert_orphans(self, bucket, key, orphans):
        found = bucket.multiparts(key)
        self.assertLessEqual(len(found), orphans, found)
        for one in found:
            self.assertEqual(bucket.parts(key, one.upload), [], one)

    def assert_bytes(self, found, wanted):
        """Not assertEqual: nobody wants to read the difference of two large texts."""
        self.assertEqual(len(found), len(wanted))
        self.assertTrue(found == wanted, "other bytes")

    def assert_gone(self, bucket, path, orphans=0):
        self.assertEqual(bucket.keys(key_of(path)), [])
        self.assert_orphans(bucket, key_of(path), orphans)

    # ---- requests

    def upload(self, wire, server, payload, chunk=None, fields=()):
        """A whole upload in PATCHes of this size. Its path."""
        path = wire.create(server.base_path, payload.size, fields)
        step = chunk or payload.size
        for start in range(0, payload.size, step):
            end = min(payload.size, start + step)
            answer = wire.patch_file(path, payload, start, end)
            self.assertEqual((answer.status, answer.offset), (204, end), answer)
        return path

    def download(self, wire, path, fields=()):
        return wire.ask("GET", path, fields)

    def assert_private(self, answer):
        """Nothing of what S3 said reaches a client."""
        for text in INNER:
            self.assertNotIn(text, answer.body, answer)

    def assert_failed_well(self, answer, statuses=(500, 503), has_body=True):
        self.assertIn(answer.status, statuses, answer)
        if has_body:
            self.assertRegex(answer.body, rb"^ERR_[A-Z_]+", answer)
        self.assert_private(answer)

    def assert_logged(self, server, *texts):
        """The log is for the operator: the request to S3 by its name, and what S3 said."""
        wait_until(lambda: all(text in server.errors() for text in texts), 20, f"{texts} in the log")


class ProxiedS3Test(S3Test):
    """With a bucket of Ceph's, and between it and the server a proxy that does what it is told."""

    def setUp(self):
        super().setUp()
        self.s3 = ceph()
        self.bucket = self.s3.make_bucket()
        self.proxy = S3FaultProxy(self.s3.url)
        self.addCleanup(self.proxy.close)

    def serve_here(self, *flags):
        return self.serve_s3(self.s3, self.bucket, *flags, url=self.proxy.url)


def metadata(**pairs):
    text = ",".join(f"{name} {base64.b64encode(value.encode()).decode()}" for name, value in pairs.items())
    return {"Upload-Metadata": text}


class Stubborn:
    """A client as tus clients are: after any failure it asks for the offset and goes on, as long as there is time. It
    judges every answer that it gets."""

    def __init__(self, test, servers, payload, seconds=90):
        self.test, self.payload = test, payload
        self.servers = list(servers)
        self.turn = 0
        self.deadline = time.monotonic() + seconds
        self.path = None
        self.acknowledged = self.sent = 0
        self.failures = []  # statuses, and None for no answer at all
        self.log = []

    def ask(self, method, target, fields=(), body=b""):
        """An answer, or None when the connection broke. Servers take turns."""
        server = self.servers[self.turn % len(self.servers)]
        self.turn += 1
        begin = time.monotonic()
        try:
            with Wire(server.address, timeout=FINISH_SECONDS + ANSWER_SECONDS) as wire:
                answer = self.converse(wire, method, target, fields, body)
        except BROKEN as error:
            self.failures.append(None)
            self.log.append(f"{method}: {error!r}")
            return None
        seconds = time.monotonic() - begin
        self.log.append(f"{method} {seconds:.2f} s: {answer.status} {answer.offset} {answer.body[:60]!r}")
        # An answer to HEAD does not say what it waited for.
        if answer.status >= 500 and method != "HEAD" and b"ERR_UPLOAD_FINISHING" not in answer.body:
            self.test.assertLess(seconds, ANSWER_SECONDS, f"{method}: {answer}")
        if answer.status >= 400:
            self.failures.append(answer.status)
            self.test.assert_private(answer)
        if answer.status >= 500:
            self.test.assert_failed_well(answer, has_body=method != "HEAD")
        return answer

    @staticmethod
    def converse(wire, method, target, fields, body):
        wire.send_head(method, target, {**TUS, **dict(fields)})
        try:
            wire.send(body)
        except OSError:
            pass  # the answer came before the end of the body
        return wire.receive(to_head=method == "HEAD")

    def until(self, step, what):
        """The first true value of step(); bounded."""
        while True:
            if value := step():
                return value
            if time.monotonic() > self.deadline:
                raise AssertionError(f"never: {what}\n" + "\n".join(self.log[-40:]))
            time.sleep(0.05)

    def create(self, fields=()):
        """A field that is None is not sent."""
        fields = {"Upload-Length": self.payload.size, "Content-Length": 0, **dict(fields)}
        fields = {name: value for name, value in fields.items() if value is not None}

        def step():
            answer = self.ask("POST", self.servers[0].base_path, fields)
            return answer if answer is not None and answer.status == 201 else None
        self.path = self.until(step, "a creation").path

    def head(self):
        """The offset. Never less than was acknowledged, never more than was sent."""
        def step():
            answer = self.ask("HEAD", self.path)
            if answer is None or answer.status >= 500 or answer.status == 423:
                return None
            self.test.assertEqual(answer.status, 200, answer)
            return answer
        offset = self.until(step, "a HEAD").offset
        self.test.assertGreaterEqual(offset, self.acknowledged, "an acknowledged offset was taken back")
        self.test.assertLessEqual(offset, self.sent, "an offset that was never sent")
        self.acknowledged = offset
        return offset

    def send_up_to(self, end, at=0):
        """PATCHes until so much is acknowledged, of the payload from `at` on."""
        while self.acknowledged < end:
            offset = self.acknowledged
            self.sent = max(self.sent, end)
            answer = self.ask("PATCH", self.path, {"Content-Type": "application/offset+octet-stream",
                                                   "Upload-Offset": offset, "Content-Length": end - offset},
                              self.payload.read(at + offset, at + end))
            if answer is not None and answer.status == 204:
                self.test.assertEqual(answer.offset, end, answer)
                self.acknowledged = end
                return
            if answer is not None and answer.status < 500:
                self.test.assertIn(answer.status, (409, 423), answer)
            time.sleep(0.05)
            self.head()

    def finish(self):
        """All of it, and the server says so."""
        self.send_up_to(self.payload.size)
        self.test.assertEqual(self.head(), self.payload.size)

    def delete(self):
        def step():
            answer = self.ask("DELETE", self.path)
            return answer if answer is not None and answer.status in (204, 404, 410) else None
        self.until(step, "a DELETE")
