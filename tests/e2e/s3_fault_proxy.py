"""Between a server and S3: knows which request is which, breaks those that it is told to, and counts all of them.

It runs an event loop on a thread of its own, so that a test can talk to it as to any other kit. Everything that the two
sides say is passed on as it comes; only heads are understood. The Host field stays as the client wrote it, for it is signed.
"""
import asyncio
import collections
import dataclasses
import re
import socket
import struct
import threading
import time
import urllib.parse

PIECE = 256 << 10
MOST_HEAD = 64 << 10

# What can happen to a request. `before` and `after`: whether S3 has done it.
HOW = ("500", "503", "html", "403", "404", "empty", "page", "region", "moved", "skewed", "signature", "no-bucket", "reset-before", "reset-half",
       "reset-after", "cut-answer", "hang-before", "hang-after", "slow", "late-list", "no-etag")

# Answers in place of S3: status, code, and what else S3 says.
INSTEAD = {
    "500": (500, "InternalError", ""),
    "503": (503, "SlowDown", ""),
    "403": (403, "AccessDenied", ""),
    "404": (404, "NoSuchKey", ""),
    "html": (502, None, ""),
    "page": (200, None, ""),
    "empty": (500, None, ""),
    "region": (400, "AuthorizationHeaderMalformed", "<Region>eu-west-1</Region>"),
    "moved": (301, "PermanentRedirect", "<Endpoint>tests.s3.eu-west-1.amazonaws.com</Endpoint>"),
    "signature": (403, "SignatureDoesNotMatch", "<AWSAccessKeyId>the-key</AWSAccessKeyId>"),
    "no-bucket": (404, "NoSuchBucket", "<BucketName>tests-gone</BucketName>"),
    "skewed": (403, "RequestTimeTooSkewed", "<ServerTime>2001-01-01T00:00:00Z</ServerTime>"),
}

# What is replaced in an answer: the list of parts does not show the last one yet; Complete tells no ETag.
REWRITES = {
    "late-list": (rb"<Part>(?:(?!<Part>).)*</Part>(?!.*<Part>)", b""),
    "no-etag": (rb"<ETag>.*?</ETag>", b"<ETag></ETag>"),
}

HTML = b"<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>\n"


def operation_of(method, target):
    """Amazon's name of a request in path style: /bucket/key?query."""
    path, _, query = target.partition("?")
    names = set(urllib.parse.parse_qs(query, keep_blank_values=True))
    has_key = "/" in path.lstrip("/").rstrip("/") or (path.count("/") > 1 and not path.endswith("/"))
    if not has_key:
        if method == "GET" and "uploads" in names:
            return "ListMultipartUploads"
        if method == "POST" and "delete" in names:
            return "DeleteObjects"
        if method == "GET" and "list-type" in names:
            return "ListObjectsV2"
        return {"GET": "ListObjects", "HEAD": "HeadBucket", "PUT": "CreateBucket", "DELETE": "DeleteBucket"}[method]
    if "uploads" in names and method == "POST":
        return "CreateMultipartUpload"
    if "uploadId" in names:
        return {"PUT": "UploadPart", "POST": "CompleteMultipartUpload", "DELETE": "AbortMultipartUpload",
                "GET": "ListParts"}[method]
    return {"PUT": "PutObject", "GET": "GetObject", "HEAD": "HeadObject", "DELETE": "DeleteObject"}[method]


@dataclasses.dataclass
class Rule:
    operation: str  # "*" is any
    nth: int  # from 1; 0 is all of them
    how: str
    key: str = ""  # a part of the target
    seen: int = 0
    hits: int = 0


@dataclasses.dataclass
class Request:
    """One that was sent to S3; `status` is what the client was told, None when it was told nothing."""
    operation: str
    method: str
    target: str
    fields: dict
    sent: int = 0
    received: int = 0
    status: int | None = None
    how: str | None = None
    begin: float = 0.0  # when its head was here; time.monotonic()
    end: float | None = None  # when the client had its answer, or none any more

    @property
    def seconds(self):
        return (self.end or time.monotonic()) - self.begin

    def __str__(self):
        end = f" [{self.how}]" if self.how else ""
        return f"{self.operation} {self.target} sent {self.sent} received {self.received} -> {self.status}{end}"


class S3FaultProxy:
    def __init__(self, url, host="127.0.0.1", slow_bytes_per_second=256 << 10, receive_buffer=None):
        """`receive_buffer`: bytes that the kernel takes before the proxy does; else some MiB."""
        parts = urllib.parse.urlsplit(url)
        self.target = (parts.hostname, parts.port)
        self.slow = slow_bytes_per_second
        self.lock = threading.Lock()
        self.rules = []
        self.log = []
        self.connections = set()
        self.loop = asyncio.new_event_loop()
        self.host, self.port, self.receive_buffer = host, 0, receive_buffer
        self.listener = self._make_listener()
        self.port = self.listener.getsockname()[1]
        self.url = f"http://{host}:{self.port}"
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # ---- what a test says and asks

    def fail(self, operation, how, nth=1, key=""):
        """The n-th from now on, or all of them with nth=0. Returns the rule, whose `hits` tells whether it came to that."""
        if how not in HOW:
            raise ValueError(how)
        rule = Rule(operation, nth, how, key)
        with self.lock:
            self.rules.append(rule)
        return rule

    @staticmethod
    def wait_for_hit(rule, seconds):
        """Whether it came to that within a time."""
        deadline = time.monotonic() + seconds
        while not rule.hits and time.monotonic() < deadline:
            time.sleep(0.01)
        return rule.hits > 0

    def heal(self):
        """No rule any more, and whatever hangs is cut."""
        with self.lock:
            self.rules.clear()
        asyncio.run_coroutine_threadsafe(self._let_go(), self.loop).result(10)

    def refuse(self):
        """Nobody listens any more, and every connection is cut, until accept_again()."""
        asyncio.run_coroutine_threadsafe(self._refuse(), self.loop).result(10)

    def accept_again(self):
        self.listener = self._make_listener()
        asyncio.run_coroutine_threadsafe(self._accept(), self.loop).result(10)

    def forget(self):
        """Counts begin again."""
        with self.lock:
            self.log.clear()

    def requests(self, *operations):
        with self.lock:
            return [request for request in self.log if not operations or request.operation in operations]

    def counts(self):
        return dict(collections.Counter(request.operation for request in self.requests()))

    def most_at_once(self, *operations):
        """How many there were at the same time."""
        edges = []
        for request in self.requests(*operations):
            edges += [(request.begin, 1), (request.end or float("inf"), -1)]
        now = most = 0
        for _, step in sorted(edges):  # whoever ends at that moment makes room for whoever begins
            now += step
            most = max(most, now)
        return most

    def sent(self, *operations):
        """Bytes of bodies from the server to S3."""
        return sum(request.sent for request in self.requests(*operations))

    def received(self, *operations):
        return sum(request.received for request in self.requests(*operations))

    def text(self):
        return "\n".join(str(request) for request in self.requests())

    def close(self):
        self.loop.call_soon_threadsafe(self.stopping.set)
        self.thread.join(20)
        self.listener.close()

    # ---- the loop

    def _run(self):
        asyncio.set_event_loop(self.loop)
        self.stopping = asyncio.Event()
        self.healed = asyncio.Event()
        try:
            self.loop.run_until_complete(self._serve())
        finally:
            self.loop.close()

    def _make_listener(self):
        listener = socket.create_server((self.host, self.port), backlog=256)
        if self.receive_buffer:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.receive_buffer)  # of what is accepted, too
        return listener

    async def _serve(self):
        await self._accept()
        await self.stopping.wait()
        await self._refuse()

    async def _accept(self):
        self.server = await asyncio.start_server(self._connected, sock=self.listener, limit=MOST_HEAD)

    async def _refuse(self):
        self.server.close()
        tasks = list(self.connections)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _let_go(self):
        self.healed.set()
        self.healed = asyncio.Event()

    async def _connected(self, reader, writer):
        task = asyncio.current_task()
        self.connections.add(task)
        connection = Connection(self, reader, writer)
        try:
            await connection.serve()
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, asyncio.CancelledError):
            pass
        finally:
            connection.close()
            self.connections.discard(task)

    def begin(self, request):
        """Counts a request and says what is to happen to it."""
        with self.lock:
            self.log.append(request)
            for rule in self.rules:
                if rule.operation not in ("*", request.operation) or rule.key not in request.target:
                    continue
                rule.seen += 1
                if rule.nth in (0, rule.seen) and request.how is None:
                    rule.hits += 1
                    request.how = rule.how
        return request.how


def parse_head(head):
    lines = head.decode("latin-1").split("\r\n")
    fields = {}
    for line in lines[1:]:
        if ":" in line:
            name, value = line.split(":", 1)
            fields[name.strip().lower()] = value.strip()
    return lines[0].split(" ", 2), fields


class Connection:
    """One of a client, with one of its own to S3."""

    def __init__(self, proxy, reader, writer):
        self.proxy, self.reader, self.writer = proxy, reader, writer
        self.up_reader = self.up_writer = None
        no_delay(writer)

    def close(self):
        for writer in (self.writer, self.up_writer):
            if writer:
                writer.close()

    async def serve(self):
        while True:
            try:
                head = await self.reader.readuntil(b"\r\n\r\n")
            except asyncio.IncompleteReadError:
                return
            (method, target, _), fields = parse_head(head)
            request = Request(operation_of(method, target), method, target, fields)
            if request.operation == "UploadPart" and "x-amz-copy-source" in fields:
                request.operation = "UploadPartCopy"
            request.begin = time.monotonic()
            how = self.proxy.begin(request)
            try:
                if not await self.handle(request, head, how):
                    return
            finally:
                request.end = time.monotonic()

    async def handle(self, request, head, how):
        """Whether the connection goes on."""
        if how in INSTEAD:
            return await self.answer(request, how)
        if how == "reset-before":
            await self.take_body(request, half=True)
            return self.reset()
        if how == "hang-before":
            await self.hang()
            return self.reset()
        await self.connect()
        self.up_writer.write(head)
        if "100-continue" in request.fields.get("expect", "").lower():
            await self.pass_interim()
        if how == "reset-half":
            await self.take_body(request, to=self.up_writer, half=True)
            abort(self.up_writer)
            return self.reset()
        await self.take_body(request, to=self.up_writer, slowly=how == "slow")
        if how in ("reset-after", "hang-after"):
            await self.read_answer(request, None)
            request.status = None
            if how == "hang-after":
                await self.hang()
            return self.reset()
        if how in REWRITES:
            return await self.rewrite_answer(request, *REWRITES[how])
        if how == "cut-answer":
            await self.read_answer(request, self.writer, half=True)
            return self.reset()
        return await self.read_answer(request, self.writer, slowly=how == "slow")

    async def connect(self):
        if self.up_writer and (self.up_writer.is_closing() or self.up_reader.at_eof()):
            self.up_writer.close()
            self.up_writer = None
        if not self.up_writer:
            self.up_reader, self.up_writer = await asyncio.open_connection(*self.proxy.target, limit=MOST_HEAD)
            no_delay(self.up_writer)

    async def take_body(self, request, to=None, half=False, slowly=False):
        """From the client, and on to S3; half: the last half of it is left where it is."""
        if request.fields.get("transfer-encoding"):
            raise OSError("bodies of unknown length are not for S3")
        length = int(request.fields.get("content-length", 0))
        left = length - length // 2 if half else length
        while left > 0:
            piece = await self.reader.read(min(left, PIECE if not slowly else 16 << 10))
            if not piece:
                raise OSError("the client went away")
            left -= len(piece)
            request.sent += len(piece)
            if to:
                to.write(piece)
                await to.drain()
            if slowly:
                await asyncio.sleep(len(piece) / self.proxy.slow)

    async def pass_interim(self):
        head = await self.up_reader.readuntil(b"\r\n\r\n")
        if not head.startswith((b"HTTP/1.1 100", b"HTTP/1.0 100")):
            raise OSError("no interim answer")
        self.writer.write(head)

    async def read_answer(self, request, to, slowly=False, half=False):
        """From S3, and on to the client; half: of a body of known length."""
        (_, status, *_), fields = parse_head(head := await self.up_reader.readuntil(b"\r\n\r\n"))
        request.status = int(status)
        if to:
            to.write(head)
        keeps = fields.get("connection", "").lower() != "close"
        if request.method != "HEAD" and request.status not in (204, 304):
            if fields.get("transfer-encoding", "").lower() == "chunked":
                await self.pass_chunks(request, to)
            else:
                length = int(fields.get("content-length", 0))
                await self.pass_bytes(request, to, length // 2 if half else length, slowly)
        if to:
            await to.drain()
        return keeps

    async def rewrite_answer(self, request, old, new):
        (_, status, reason), fields = parse_head(await self.up_reader.readuntil(b"\r\n\r\n"))
        if fields.get("transfer-encoding", "").lower() == "chunked":
            body = b""
            while size := int((await self.up_reader.readuntil(b"\r\n")).split(b";")[0], 16):
                body += (await self.up_reader.readexactly(size + 2))[:-2]
            await self.up_reader.readexactly(2)
        else:
            body = await self.up_reader.readexactly(int(fields.get("content-length", 0)))
        body = re.sub(old, new, body, flags=re.DOTALL)
        request.status, request.received = int(status), len(body)
        kept = "".join(f"{name}: {value}\r\n" for name, value in fields.items()
                       if name not in ("content-length", "transfer-encoding"))
        self.writer.write(f"HTTP/1.1 {status} {reason}\r\n{kept}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        await self.writer.drain()
        return fields.get("connection", "").lower() != "close"

    async def pass_bytes(self, request, to, left, slowly=False):
        while left > 0:
            piece = await self.up_reader.read(min(left, PIECE if not slowly else 16 << 10))
            if not piece:
                raise OSError("S3 went away")
            left -= len(piece)
            request.received += len(piece)
            if to:
                to.write(piece)
                await to.drain()
            if slowly:
                await asyncio.sleep(len(piece) / self.proxy.slow)

    async def pass_chunks(self, request, to):
        while True:
            line = await self.up_reader.readuntil(b"\r\n")
            size = int(line.split(b";")[0], 16)
            data = await self.up_reader.readexactly(size + 2)
            request.received += size
            if to:
                to.write(line + data)
                await to.drain()
            if size == 0:
                return

    async def answer(self, request, how):
        """In place of S3, after the body, as a proxy with a broken backend does. The connection goes on."""
        await self.take_body(request)
        status, code, more = INSTEAD[how]
        body, kind = b"", "application/xml"
        if how in ("html", "page"):
            body, kind = HTML, "text/html"
        elif code:
            body = (f'<?xml version="1.0" encoding="UTF-8"?><Error><Code>{code}</Code><Message>told to fail</Message>{more}'
                    f"<RequestId>fault-{id(request):x}</RequestId></Error>").encode()
        request.status = status
        sent = b"" if request.method == "HEAD" else body
        self.writer.write(f"HTTP/1.1 {status} Fault\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
                          f"x-amz-request-id: fault-{id(request):x}\r\n\r\n".encode() + sent)
        await self.writer.drain()
        return True

    async def hang(self):
        """Until heal() or the end of the proxy, or until the client has had enough and goes."""
        healed = asyncio.ensure_future(self.proxy.healed.wait())
        gone = asyncio.ensure_future(self._client_gone())
        try:
            await asyncio.wait((healed, gone), return_when=asyncio.FIRST_COMPLETED)
        finally:
            healed.cancel()
            gone.cancel()

    async def _client_gone(self):
        while await self.reader.read(PIECE):
            pass

    def reset(self):
        abort(self.writer)
        return False


def no_delay(writer):
    writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def abort(writer):
    """RST in place of FIN."""
    connection = writer.get_extra_info("socket")
    if connection is not None:
        try:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        except OSError:
            pass
    writer.transport.abort()
