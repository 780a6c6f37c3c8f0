"""A client that uses every command in random order until its server dies, and knows what it was told."""
import base64
import hashlib
import threading

from wire import OFFSET_TYPE, TUS, Closed, chunk, patch_fields

MIB = 1 << 20
BROKEN = (Closed, OSError)
PIECE = 128 * 1024


class Upload:
    """What the client of one upload knows."""

    def __init__(self, payload, generator):
        self.payload = payload
        self.size = generator.choice((1, 1000, 300_000, 5 * MIB, payload.size))
        self.deferred = generator.random() < 0.3
        self.path = None
        self.acknowledged = 0
        self.sent = 0  # at most this much can have reached the server
        self.length_sent = self.length_acknowledged = not self.deferred
        self.deleting = False
        self.all_or_nothing = False  # a checked body is on its way
        self.seen = None  # of its file, when that was last read

    def is_complete(self):
        return self.length_acknowledged and self.acknowledged == self.size

    def __repr__(self):
        return f"{self.path}: {self.acknowledged} of {self.size}, sent {self.sent}, deferred {self.deferred}"


class Client(threading.Thread):
    """Uploads on one connection, until the server is gone."""

    def __init__(self, server, upload, generator):
        super().__init__(daemon=True)
        self.server, self.upload, self.random = server, upload, generator
        self.finished, self.deleted = [], []
        self.counts = {}
        self.failure = None

    def run(self):
        try:
            with self.server.wire() as wire:
                while True:
                    kind = self.one_request(wire)
                    self.counts[kind] = self.counts.get(kind, 0) + 1
                    if self.upload.is_complete():
                        self.finished.append(self.upload)
                        self.next_upload()
        except BROKEN:
            pass  # the kill
        except Exception as error:  # pylint: disable=broad-except
            self.failure = error

    def next_upload(self):
        self.upload = Upload(self.upload.payload, self.random)

    def one_request(self, wire):
        if self.upload.path is None:
            return self.create(wire)
        kind = self.random.choices(("patch", "chunked", "head", "delete", "declare", "checked", "wrong"), (10, 6, 4, 2, 4, 6, 4))[0]
        if kind == "head":
            return self.head(wire)
        if kind == "delete":
            return self.delete(wire)
        if kind == "declare" and not self.upload.length_acknowledged:
            return self.patch(wire, self.upload.acknowledged, "declare")
        if kind in ("checked", "wrong"):
            return self.checked(wire, self.random_end(), kind)
        return self.patch(wire, self.random_end(), kind)

    def random_end(self):
        upload = self.upload
        if self.random.random() < 0.3:
            return upload.size
        return min(upload.size, upload.acknowledged + self.random.randrange(1, 4 * MIB))

    def expect(self, answer, status, offset):
        if answer.status != status or answer.offset != offset:
            raise AssertionError(f"expected {status} and offset {offset} for {self.upload}: {answer}")

    def create(self, wire):
        upload = self.upload
        first = self.random.choice((0, 0, 1, 100_000, upload.size))
        first = min(first, upload.size, MIB)
        chunked = self.random.random() < 0.3 and first > 0
        fields = {**TUS, **({"Upload-Defer-Length": 1} if upload.deferred else {"Upload-Length": upload.size})}
        if chunked:
            fields["Transfer-Encoding"] = "chunked"
        else:
            fields["Content-Length"] = first
        if first:
            fields["Content-Type"] = OFFSET_TYPE
        upload.sent = first
        wire.send_head("POST", self.server.base_path, fields)
        body = upload.payload.read(0, first)
        wire.send(chunk(body) + b"0\r\n\r\n" if chunked else body)
        answer = wire.receive()
        if answer.status != 201:
            raise AssertionError(f"POST: {answer}")
        upload.path = answer.path
        upload.acknowledged = first
        return "whole" if upload.is_complete() else "create"

    def head(self, wire):
        upload = self.upload
        answer = wire.head(upload.path)
        self.expect(answer, 200, upload.acknowledged)
        length = answer.get("Upload-Length")
        if length != (str(upload.size) if upload.length_acknowledged else None):
            raise AssertionError(f"the length of {upload}: {answer}")
        return "head"

    def delete(self, wire):
        self.upload.deleting = True
        answer = wire.ask("DELETE", self.upload.path, TUS)
        if answer.status != 204:
            raise AssertionError(f"DELETE: {answer}")
        self.deleted.append(self.upload)
        self.next_upload()
        return "delete"

    def patch(self, wire, end, kind):
        upload = self.upload
        declares = not upload.length_acknowledged and (kind == "declare" or end == upload.size)
        fields = patch_fields(upload.acknowledged, None if kind == "chunked" else end - upload.acknowledged)
        if declares:
            fields["Upload-Length"] = upload.size
            upload.length_sent = True
        wire.send_head("PATCH", upload.path, fields)
        if kind == "chunked":
            self.send(wire, end, chunk)
            wire.send(b"0\r\n\r\n")
        else:
            self.send(wire, end, bytes)
        self.expect(wire.receive(), 204, end)
        upload.acknowledged = end
        upload.length_acknowledged = upload.length_acknowledged or declares
        return "declare" if declares else kind if kind != "declare" else "patch"

    def checked(self, wire, end, kind):
        """A PATCH with a checksum, in its head or behind a chunked body. Nothing of it counts before all of it does:
        `sent` grows only when every byte is on its way, and of a wrong body never."""
        upload = self.upload
        start = upload.acknowledged
        body = upload.payload.read(start, end)
        checksum = "sha1 " + base64.b64encode(hashlib.sha1(body).digest()).decode()
        if kind == "wrong":
            body = body[:-1] + bytes([body[-1] ^ 1]) if body else b""
            end = end if body else start
        chunked = self.random.random() < 0.5
        fields = patch_fields(start, None if chunked else len(body))
        fields.update({"Trailer": "Upload-Checksum"} if chunked else {"Upload-Checksum": checksum})
        declares = not upload.length_acknowledged and end == upload.size
        if declares:
            fields["Upload-Length"] = upload.size
            upload.length_sent = kind == "checked" or not body
        wire.send_head("PATCH", upload.path, fields)
        last = body[-1:]
        # A small one with its length in the head is looked at before it is stored, and stored like any other.
        upload.all_or_nothing = chunked or len(body) > 64 * 1024
        for position in range(0, len(body) - 1, PIECE):
            part = body[position:min(position + PIECE, len(body) - 1)]
            wire.send(chunk(part) if chunked else part)
        if kind == "checked":
            upload.sent = max(upload.sent, end)
        tail = (chunk(last) if last else b"") + f"0\r\nUpload-Checksum: {checksum}\r\n\r\n".encode()
        wire.send(tail if chunked else last)
        answer = wire.receive()
        upload.all_or_nothing = False
        if kind == "wrong" and body:
            self.expect(answer, 460, start)
            return "wrong"
        self.expect(answer, 204, end)
        upload.acknowledged = end
        upload.length_acknowledged = upload.length_acknowledged or declares
        return "checked"

    def send(self, wire, end, frame):
        upload = self.upload
        position = upload.acknowledged
        while position < end:
            part = upload.payload.read(position, min(end, position + PIECE))
            position += len(part)
            # Counted before it goes out: at the moment of the kill it may be anywhere.
            upload.sent = max(upload.sent, position)
            wire.send(frame(part))
