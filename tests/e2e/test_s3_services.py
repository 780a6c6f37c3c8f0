"""The S3 servers that other tests rely on are started, verify signatures, do what they are said to do, and leave
nothing behind."""
import os
import pathlib
import signal
import subprocess
import sys

from harness import EndToEndTest, main, wait_until
from s3_client import S3Client, S3Error
from s3_services import CephServer, SwiftServer, ceph, swift

PART = 5 << 20


def processes_with(text):
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if text.encode() in path.read_bytes():
                found.append(int(path.parent.name))
        except OSError:
            pass
    return found


class Services:
    """On each of them."""

    def service(self):
        raise NotImplementedError

    def setUp(self):
        super().setUp()
        self.s3 = self.service()
        self.bucket = self.s3.make_bucket()

    def test_objects(self):
        self.bucket.put("a/b c+%ü", b"hello", {"name": "x y"}, **{"content-type": "text/plain"})
        self.assertEqual(self.bucket.get("a/b c+%ü"), b"hello")
        head = self.bucket.head("a/b c+%ü")
        self.assertEqual((head.size, head.metadata, head.fields["content-type"]), (5, {"name": "x y"}, "text/plain"))
        self.assertEqual(self.bucket.keys("a/"), ["a/b c+%ü"])
        self.bucket.delete("a/b c+%ü")
        self.assertIsNone(self.bucket.head("a/b c+%ü"))
        self.assertIsNone(self.bucket.find("a/b c+%ü"))
        self.assertEqual(self.bucket.keys(), [])

    def test_multipart_uploads(self):
        upload = self.bucket.begin("m", {"name": "value"})
        first = self.bucket.put_part("m", upload, 1, b"1" * PART)
        last = self.bucket.put_part("m", upload, 2, b"2")
        self.assertEqual(self.bucket.multiparts(), [("m", upload)])
        self.assertEqual([(part.number, part.size) for part in self.bucket.parts("m", upload)], [(1, PART), (2, 1)])
        self.bucket.complete("m", upload, [(1, first), (2, last)])
        self.assertEqual(self.bucket.get("m"), b"1" * PART + b"2")
        self.assertEqual(self.bucket.head("m").metadata, {"name": "value"})
        self.assertEqual(self.bucket.multiparts(), [])
        # Swift goes on listing the parts of what was completed, and takes more of them.
        if self.forgets_completed:
            self.assertIsNone(self.bucket.parts("m", upload))

    def test_too_small_parts_are_refused(self):
        upload = self.bucket.begin("m")
        tags = [(number, self.bucket.put_part("m", upload, number, b"x")) for number in (1, 2)]
        with self.assertRaises(S3Error) as caught:
            self.bucket.complete("m", upload, tags)
        self.assertEqual(caught.exception.code, "EntityTooSmall")
        self.bucket.abort("m", upload)
        self.assertIsNone(self.bucket.parts("m", upload))

    def test_signatures_are_verified(self):
        wrong = S3Client(self.s3.url, self.s3.key, "wrong", self.bucket.bucket)
        with self.assertRaises(S3Error) as caught:
            wrong.put("a", b"b")
        self.assertEqual((caught.exception.status, caught.exception.code), (403, "SignatureDoesNotMatch"))
        with self.assertRaises(S3Error) as caught:
            self.s3.bucket("not-there").put("a", b"b")
        self.assertEqual(caught.exception.code, "NoSuchBucket")
        self.assertEqual(self.bucket.keys(), [])


class Ceph(Services, EndToEndTest):
    forgets_completed = True

    def service(self):
        return ceph()


class Swift(Services, EndToEndTest):
    forgets_completed = False

    def service(self):
        return swift()


class LeaveNothing(EndToEndTest):
    def check(self, kind, end):
        """However the test ends, the daemons end."""
        program = f"import s3_services as s, sys; s.{kind.__name__}(); print('up', flush=True); sys.stdin.read()"
        environment = {**os.environ, "TMPDIR": str(self.scratch)}
        test = subprocess.Popen([sys.executable, "-B", "-c", program], cwd=pathlib.Path(__file__).parent,
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)
        with test:
            self.assertEqual(test.stdout.readline(), b"up\n")
            self.assertGreater(len(processes_with(str(self.scratch))), 2)
            end(test)
        wait_until(lambda: not processes_with(str(self.scratch)), 30, "no daemon is left")

    def test_ceph_ends_with_a_killed_test(self):
        self.check(CephServer, lambda test: test.send_signal(signal.SIGKILL))

    def test_swift_ends_with_a_test(self):
        self.check(SwiftServer, lambda test: test.stdin.close())


if __name__ == "__main__":
    main()
