"""Real S3 servers for tests, one of each kind a process of tests: with CephServer() as ceph, or ceph().

They take 12 to 24 s to start. A server that cannot be started is a failure of the test, never a reason to pass it over.
"""
import atexit
import functools
import itertools
import select
import subprocess
import tempfile
import time

from harness import ROOT, clean_environment, die_with_parent
from s3_client import S3Client

START_SECONDS = 120
STOP_SECONDS = 30


class S3Server:
    script = None  # in tests/services
    region = "us-east-1"

    def __init__(self):
        self.buckets = itertools.count(1)
        self.errors = tempfile.TemporaryFile()
        # Its standard input ends with this process, however that ends, and with it the service.
        self.process = subprocess.Popen([ROOT / "tests" / "services" / self.script], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=self.errors, bufsize=0,
                                        env=clean_environment(), preexec_fn=die_with_parent)
        try:
            self.url, self.key, self.secret = self._read_ready()
        except BaseException:
            self.stop()
            raise

    def _read_ready(self):
        deadline = time.monotonic() + START_SECONDS
        line = b""
        while not line.endswith(b"\n"):
            left = deadline - time.monotonic()
            if left < 0 or not select.select([self.process.stdout], [], [], left)[0]:
                raise AssertionError(f"{self.script} was not ready within {START_SECONDS} s")
            byte = self.process.stdout.read(1)
            if not byte:
                self.process.wait()
                self.errors.seek(0)
                raise AssertionError(f"{self.script} did not start:\n{self.errors.read().decode()}")
            line += byte
        return line.decode().split()[1:]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self.process.stdin.close()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()  # and the kernel kills the daemons
            self.process.wait()
        self.process.stdout.close()
        self.errors.close()

    def bucket(self, name):
        """A client of a bucket, which may be there or not."""
        return S3Client(self.url, self.key, self.secret, name, self.region)

    def make_bucket(self, name=None):
        """A client of a new bucket."""
        if name is None:
            name = f"tests-{next(self.buckets)}"
        client = self.bucket(name)
        client.make_bucket()
        return client

    def environment(self, **changes):
        """The variables that tusd, and everybody else's SDK, finds its rights in. None takes one away."""
        values = {"AWS_ACCESS_KEY_ID": self.key, "AWS_SECRET_ACCESS_KEY": self.secret, "AWS_REGION": self.region,
                  # Neither files nor services of the machine count in a test.
                  "AWS_CONFIG_FILE": "/nonexistent", "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
                  "AWS_EC2_METADATA_DISABLED": "true", "AWS_CA_BUNDLE": "", "SSL_CERT_FILE": "", "HTTPS_PROXY": "",
                  "HTTP_PROXY": "", "NO_PROXY": "", **changes}
        return {name: value for name, value in values.items() if value is not None}


class CephServer(S3Server):
    script = "ceph"

    def __init__(self):
        super().__init__()
        # The first object and the first multipart upload make pools, which takes seconds on a busy machine.
        bucket = self.make_bucket("first")
        bucket.put("a", b"x")
        bucket.delete("a")
        bucket.abort("b", bucket.begin("b"))


class SwiftServer(S3Server):
    script = "swift"


@functools.cache
def shared(kind):
    server = kind()
    atexit.register(server.stop)
    return server


def ceph():
    """The one of this process, ended with it."""
    return shared(CephServer)


def swift():
    return shared(SwiftServer)
