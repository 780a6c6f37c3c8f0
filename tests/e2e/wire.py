"""HTTP/1.1 by hand: every byte that is sent is the test's, every byte that comes back is seen."""
import os
import socket
import struct

TUS = {"Tus-Resumable": "1.0.0"}
OFFSET_TYPE = "application/offset+octet-stream"


class Closed(Exception):
    """The server closed or reset the connection before an answer was complete."""


class Answer:
    def __init__(self, status, fields, body, interim):
        self.status, self.fields, self.body, self.interim = status, fields, body, interim

    def get(self, name):
        """The value of a field, or None; a field that comes twice is a list."""
        values = [value for field, value in self.fields if field.lower() == name.lower()]
        return values[0] if len(values) == 1 else values or None

    @property
    def offset(self):
        value = self.get("Upload-Offset")
        return None if value is None else int(value)

    @property
    def path(self):
        """The path of Location, which may be absolute."""
        location = self.get("Location")
        return "/" + location.split("://", 1)[1].split("/", 1)[1] if "://" in location else location

    def __repr__(self):
        return f"{self.status} {self.fields} {self.body[:300]!r}"


def head_of(method, target, fields=(), host="127.0.0.1"):
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host}"]
    lines += [f"{name}: {value}" for name, value in dict(fields).items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def patch_fields(offset, length=None):
    fields = {**TUS, "Content-Type": OFFSET_TYPE, "Upload-Offset": offset}
    fields["Transfer-Encoding" if length is None else "Content-Length"] = \
        "chunked" if length is None else length
    return fields


def chunk(data):
    return b"%x\r\n%s\r\n" % (len(data), data)


class Wire:
    """One connection, to (host, port) or to the path of a Unix socket. Small sends go out at once, and every
    wait is bounded."""

    def __init__(self, address, timeout=30):
        if isinstance(address, str):
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(timeout)
            self.socket.connect(address)
            self.host = "localhost"
        else:
            self.socket = socket.create_connection(address, timeout)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.host = f"{address[0]}:{address[1]}"
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def reset(self):
        """RST instead of FIN: what a peer sees when the client's machine drops the connection."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def send_head(self, method, target, fields=()):
        self.send(head_of(method, target, fields, self.host))

    def send_file(self, payload, start, end):
        """Bytes of a payload by sendfile, so that the client costs little. Returns the new position."""
        self.socket.setblocking(True)
        while start < end:
            start += os.sendfile(self.socket.fileno(), payload.fd, start, min(end - start, 8 << 20))
        return start

    def _fill(self):
        try:
            data = self.socket.recv(65536)
        except (ConnectionResetError, BrokenPipeError) as error:
            raise Closed(str(error)) from None
        if not data:
            raise Closed(f"after {self.buffer!r}")
        self.buffer += data

    def read_head(self):
        while b"\r\n\r\n" not in self.buffer:
            self._fill()
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        lines = head.decode("latin-1").split("\r\n")
        version, status = lines[0].split(" ", 2)[:2]
        if version not in ("HTTP/1.1", "HTTP/1.0"):
            raise AssertionError(f"not an HTTP answer: {head!r}")
        return int(status), [tuple(part.strip() for part in line.split(":", 1)) for line in lines[1:]]

    def receive(self, to_head=False):
        """The next final answer; 1xx before it are kept in `interim`."""
        interim = []
        while True:
            status, fields = self.read_head()
            if status >= 200:
                break
            interim.append(status)
        answer = Answer(status, fields, b"", interim)
        length = int(answer.get("Content-Length") or 0)
        if not to_head and status not in (204, 304):
            while len(self.buffer) < length:
                self._fill()
            answer.body, self.buffer = self.buffer[:length], self.buffer[length:]
        return answer

    def ask(self, method, target, fields=(), body=b""):
        fields = dict(fields)
        if body and "Content-Length" not in fields:
            fields["Content-Length"] = len(body)
        self.send(head_of(method, target, fields, self.host) + body)
        return self.receive(to_head=method == "HEAD")

    def create(self, target, length=None, fields=()):
        """POST; the path of the new upload."""
        lengths = {"Upload-Defer-Length": 1} if length is None else {"Upload-Length": length}
        answer = self.ask("POST", target, {**TUS, **lengths, "Content-Length": 0, **dict(fields)})
        if answer.status != 201:
            raise AssertionError(f"POST: {answer}")
        return answer.path

    def head(self, path):
        return self.ask("HEAD", path, TUS)

    def patch(self, path, offset, body, fields=()):
        return self.ask("PATCH", path, {**patch_fields(offset, len(body)), **dict(fields)}, body)

    def patch_file(self, path, payload, start, end):
        self.send_head("PATCH", path, patch_fields(start, end - start))
        self.send_file(payload, start, end)
        return self.receive()

    def is_closed(self, seconds):
        """Whether the server closes within a time; an answer that comes first is dropped."""
        self.socket.settimeout(seconds)
        try:
            while self.socket.recv(65536):
                pass
            return True
        except ConnectionResetError:
            return True
        except TimeoutError:
            return False
