"""Lives of uploads in S3, several side by side: each lane has a bucket, a proxy and a server of its own, so that what is
counted, broken and left over in one has nothing to do with the others."""
import collections
import threading
import time
import urllib.parse

from payload import Payload
from s3_fault_proxy import S3FaultProxy
from s3_kit import IMPATIENT, MIB, NETWORK_TIMEOUT, PART, Stubborn, key_of
from wire import TUS

SIZE = 3 * PART + 12345
# What a creation leaves in S3 whose answer was lost on the way: its name is known to S3 alone.
LOST = ("reset-half", "reset-after", "hang-after")
EXPIRE_SECONDS = 2
REPORTING = threading.Lock()  # subTest() is for one thread


def side_by_side(test, lanes, cases, make_lane, work):
    """work(lane, *case) for each of the cases, which take turns in the lanes. One that fails does not end the others."""
    left = collections.deque(cases)
    failures = []

    def run():
        lane = None
        while left:
            try:
                case = left.popleft()
            except IndexError:
                break
            try:
                lane = lane or make_lane()
                work(lane, *case)
            except BaseException as error:  # pylint: disable=broad-except
                failures.append((case, error))
                lane = end_lane(lane, failures)  # nobody has to live with what is left of this
        end_lane(lane, failures)

    together(*[run] * min(lanes, len(left)))
    for case, error in failures:
        with REPORTING, test.subTest(case=[getattr(value, "__name__", value) for value in case]):
            raise error


def end_lane(lane, failures):
    try:
        if lane:
            lane.close()
    except BaseException as error:  # pylint: disable=broad-except
        failures.append((("the end of the server",), error))


def together(*steps):
    """All of them at the same time; their results. An error of one is raised when all have ended. A server that was started
    in a step has to be closed in it, for it dies with the thread that has started it."""
    results, errors = [None] * len(steps), []

    def run(number, step):
        try:
            results[number] = step()
        except BaseException as error:  # pylint: disable=broad-except
            errors.append(error)

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(steps)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return results


class Lane:
    def __init__(self, test, *flags, payload=None, slow_bytes_per_second=256 << 10):
        self.test = test
        self.bucket = test.s3.make_bucket()
        self.proxy = S3FaultProxy(test.s3.url, slow_bytes_per_second=slow_bytes_per_second)
        test.addCleanup(self.proxy.close)
        self.payload = payload or Payload(test.scratch, SIZE)
        self.server = test.serve_s3(test.s3, self.bucket, *IMPATIENT, *flags, url=self.proxy.url)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.proxy.heal()
        self.server.finish()

    def client(self):
        return Stubborn(self.test, [self.server], self.payload)

    # ---- lives, by the requests that they make. What is there afterwards; the last is the whole payload.

    def warm(self):
        """An upload with leftovers between its parts, and one that is deleted half-way. To a process that knows them."""
        return self.lives(lambda: None)

    def cold(self):
        """The same to processes that know only what is in the bucket."""
        return self.lives(self.server.restart)

    def lives(self, between):
        client = self.whole(between)
        self.deleted()
        return (client.path,)

    def whole(self, between):
        client = self.client()
        client.create()
        for end in (MIB, PART + 2 * MIB, 2 * PART + MIB):
            client.send_up_to(end)
            between()
            client.head()
        client.finish()
        return client

    def deleted(self):
        client = self.client()
        client.create()
        client.send_up_to(PART + MIB)
        client.delete()
        return client

    def joined(self):
        """Two large parts, copied within S3."""
        ends = (0, PART + MIB, self.payload.size)
        paths = []
        for start, end in zip(ends, ends[1:]):
            client = self.client()
            client.create({"Upload-Concat": "partial", "Upload-Length": end - start})
            client.send_up_to(end - start, start)
            paths.append(client.path)
        client.create({"Upload-Concat": "final;" + " ".join(paths), "Upload-Length": None})
        client.acknowledged, client.sent = 0, self.payload.size

        def is_joined():
            answer = client.ask("HEAD", client.path)
            return answer is not None and answer.status == 200 and answer.offset == self.payload.size
        client.until(is_joined, "the join")
        self.test.assert_bytes(self.download(client), self.payload.read(0, self.payload.size))
        return (*paths, client.path)

    def download(self, client):
        with self.server.wire() as wire:
            return wire.ask("GET", client.path, TUS).body

    def expired(self):
        """An upload that nobody goes on with, and a multipart upload that belongs to none, until both are swept away."""
        orphan = f"orphan-{time.monotonic_ns()}"
        self.bucket.begin(orphan)
        client = self.client()
        client.create()
        client.ask("PATCH", client.path, {"Content-Type": "application/offset+octet-stream", "Upload-Offset": 0,
                                          "Content-Length": PART + MIB}, self.payload.read(0, PART + MIB))

        def is_gone():
            answer = client.ask("HEAD", client.path)
            return answer is not None and answer.status in (404, 410)
        client.until(is_gone, "it has expired")
        client.until(lambda: not self.bucket.multiparts(), "the multipart uploads are swept away")
        client.until(lambda: not self.bucket.keys(), "and the records")
        return ()

    # ---- what is left of them

    def orphans(self):
        return sum(1 for request in self.proxy.requests("CreateMultipartUpload") if request.how in LOST)

    def late(self):
        """What the server has given up before S3 was done with it, for that was slow: nobody can take that back."""
        return {urllib.parse.unquote(request.target.partition("?")[0].split("/", 2)[2]) for request in self.proxy.requests("PutObject")
                if request.how is None and request.seconds > NETWORK_TIMEOUT - 0.5}

    def check(self, *paths):
        """These are in the bucket, the last one with all bytes, and nothing else is. Then they are taken away."""
        if paths:
            self.test.assert_bytes(self.bucket.get(key_of(paths[-1])), self.payload.read(0, self.payload.size))
        keys = [key_of(path) for path in paths]
        wanted = {*keys, *(f"{key}.info" for key in keys)}
        late = self.late() - wanted
        self.test.assertEqual(set(self.bucket.keys()) - late, wanted, f"{self.proxy.text()}\n{self.server.tail()}")
        left = self.bucket.multiparts()
        self.test.assertLessEqual(len(left), self.orphans(), left)
        for one in left:
            self.test.assertEqual(self.bucket.parts(one.key, one.upload), [], one)
            self.bucket.abort(one.key, one.upload)
        for key in (*wanted, *late):
            self.bucket.delete(key)
        self.proxy.forget()
