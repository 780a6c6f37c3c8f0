#!/usr/bin/env python3
"""Requests as bytes on a raw socket: cut anywhere, pipelined, malformed, and refused while the body flows."""
import select
import socket
import time

from harness import EndToEndTest, main, wait_until
from payload import Payload
from wire import OFFSET_TYPE, TUS, Closed, Wire, chunk, head_of, patch_fields

MIB = 1 << 20
HOST = b"Host: a\r\n"

# Each must be answered with one of the statuses, and the connection must not be used any more.
MALFORMED = {
    "no Host": (b"HEAD /files/x HTTP/1.1\r\n\r\n", {400}),
    "two Hosts": (b"HEAD /files/x HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", {400}),
    "length and chunked": (b"POST /files/ HTTP/1.1\r\n" + HOST +
                           b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", {400}),
    "two lengths": (b"POST /files/ HTTP/1.1\r\n" + HOST + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
                    {400}),
    "list of lengths": (b"POST /files/ HTTP/1.1\r\n" + HOST + b"Content-Length: 3, 3\r\n\r\nabc", {400}),
    "signed length": (b"POST /files/ HTTP/1.1\r\n" + HOST + b"Content-Length: +3\r\n\r\nabc", {400}),
    "huge length": (b"POST /files/ HTTP/1.1\r\n" + HOST + b"Content-Length: 99999999999999999999\r\n\r\n", {400}),
    "unknown coding": (b"POST /files/ HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: gzip\r\n\r\n", {400, 501}),
    "chunked twice": (b"POST /files/ HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
                      {400}),
    "space before colon": (b"POST /files/ HTTP/1.1\r\n" + HOST + b"Upload-Length : 3\r\n\r\n", {400}),
    "folded line": (b"POST /files/ HTTP/1.1\r\n" + HOST + b"X-A: b\r\n c\r\n\r\n", {400}),
    "NUL in a value": (b"POST /files/ HTTP/1.1\r\n" + HOST + b"X-A: b\0c\r\n\r\n", {400}),
    "not HTTP": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 hello there\r\n\r\n", {400}),
    "HTTP/3.0": (b"HEAD /files/x HTTP/3.0\r\n" + HOST + b"\r\n", {400, 505}),
    "long target": (b"HEAD /files/" + b"x" * 20_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", {414, 431}),
    "large head": (b"HEAD /files/x HTTP/1.1\r\n" + HOST + b"X-A: " + b"x" * 70_000 + b"\r\n\r\n", {431}),
    "many fields": (b"HEAD /files/x HTTP/1.1\r\n" + HOST + b"X-A: b\r\n" * 2000 + b"\r\n", {431}),
}


class Framing(EndToEndTest):
    def setUp(self):
        super().setUp()
        self.server = self.serve("-fsync=off")
        self.base = self.server.base_path

    def stored(self, path):
        return (self.server.directory / path[len(self.base):]).read_bytes()

    def test_split_everywhere(self):
        """[RUN-7] A PATCH in two segments, cut after every byte of it; all on one connection."""
        body = b"0123456789"
        with self.server.wire() as wire:
            request = head_of("PATCH", self.base + "x" * 32, patch_fields(0, len(body)), wire.host) + body
            for cut in range(1, len(request)):
                path = wire.create(self.base, len(body))
                request = head_of("PATCH", path, patch_fields(0, len(body)), wire.host) + body
                wire.send(request[:cut])
                time.sleep(0.002)
                wire.send(request[cut:])
                answer = wire.receive()
                self.assertEqual((answer.status, answer.offset), (204, len(body)), f"cut at {cut}: {answer}")
                self.assertEqual(self.stored(path), body)
            self.report(f"{cut} cuts")

    def test_split_chunked(self):
        """[RUN-7] The same for a chunked body with an extension and a trailer; and one byte at a time."""
        body = chunk(b"01234") + b"5;a=b\r\n56789\r\n" + b"0\r\nX-Trailer: 1\r\n\r\n"
        with self.server.wire() as wire:
            for cut in range(1, len(body)):
                path = wire.create(self.base, 10)
                wire.send(head_of("PATCH", path, patch_fields(0), wire.host) + body[:cut])
                time.sleep(0.002)
                wire.send(body[cut:])
                answer = wire.receive()
                self.assertEqual((answer.status, answer.offset), (204, 10), f"cut at {cut}: {answer}")
                self.assertEqual(self.stored(path), b"0123456789")
            path = wire.create(self.base, 10)
            for byte in head_of("PATCH", path, patch_fields(0), wire.host) + body:
                wire.send(bytes([byte]))
            self.assertEqual(wire.receive().status, 204)
            self.assertEqual(self.stored(path), b"0123456789")

    def test_tiny_chunks(self):
        """[RUN-7] 200,000 chunks of one byte: slow, but constant memory and right."""
        count = 200_000
        payload = Payload(self.scratch, count)
        data = payload.read(0, count)
        with self.server.wire() as wire:
            path = wire.create(self.base, count)
            before = self.server.rss_kib()
            wire.send_head("PATCH", path, patch_fields(0))
            wire.send(b"".join(b"1\r\n%c\r\n" % byte for byte in data) + b"0\r\n\r\n")
            self.assertEqual(wire.receive().offset, count)
            self.report(f"resident memory grew by {self.server.rss_kib() - before} KiB")
        self.assertEqual(self.stored(path), data)

    def test_large_chunked_body(self):
        """[RUN-7] Half a GiB in large chunks: the memory of the server does not follow the body."""
        payload = Payload(self.scratch, 512 * MIB)
        for mode in ("always", "never"):
            with self.subTest(mode):
                server = self.serve("-fsync=off", f"-zero-copy={mode}")
                with server.wire() as wire:
                    path = wire.create(self.base, payload.size)
                    before = server.rss_kib()
                    wire.send_head("PATCH", path, patch_fields(0))
                    for start in range(0, payload.size, MIB):
                        wire.send(b"%x\r\n" % MIB)
                        wire.send_file(payload, start, start + MIB)
                        wire.send(b"\r\n")
                    grown = server.rss_kib() - before
                    wire.send(b"0\r\n\r\n")
                    self.assertEqual(wire.receive().offset, payload.size)
                self.report(f"zero-copy {mode}: resident memory grew by {grown} KiB")
                self.assertLess(grown, 32 << 10)
                self.assertTrue(payload.is_prefix(server.directory / path[len(self.base):], payload.size))

    def test_pipelining(self):
        """[RUN-7] Several requests in one segment are answered in order; a body is never read as a request."""
        trap = b"DELETE " + self.base.encode() + b"x HTTP/1.1\r\nHost: a\r\n\r\n"
        with self.server.wire() as wire:
            path = wire.create(self.base, 2 * len(trap))
            size = len(trap)
            wire.send(head_of("PATCH", path, patch_fields(0, size)) + trap +
                      head_of("HEAD", path, TUS) +
                      head_of("PATCH", path, patch_fields(size)) + chunk(trap) + b"0\r\n\r\n" +
                      head_of("HEAD", path, TUS) +
                      head_of("POST", self.base, {**TUS, "Upload-Length": 0, "Content-Length": 0}) +
                      head_of("OPTIONS", self.base))
            self.assertEqual([wire.receive(to_head=is_head).status
                              for is_head in (False, True, False, True, False)], [204, 200, 204, 200, 201])
            self.assertIn(wire.receive().status, (200, 204))
        self.assertEqual(self.stored(path), trap + trap)

    def test_malformed(self):
        """[RUN-7] Malformed requests get their answer, then the connection ends."""
        for name, (request, statuses) in MALFORMED.items():
            with self.subTest(name), self.server.wire(10) as wire:
                wire.send(request)
                to_head = request.startswith(b"HEAD ")
                self.assertIn(wire.receive(to_head=to_head).status, statuses)
                self.assertTrue(wire.is_closed(5), "the connection must not be used any more")
        wait_until(lambda: [p.name for p in self.server.directory.iterdir()] == [".tusd"], 10, "nothing is left, no lock either")

    def refused_while_sending(self, wire, method, target, fields, payload):
        """Sends a large body until an answer is there; the answer and how much was sent."""
        wire.send_head(method, target, {**fields, "Content-Length": payload.size})
        sent = 0
        while sent < payload.size:
            readable, writable, _ = select.select([wire.socket], [wire.socket], [], 20)
            if readable or not writable:
                break
            try:
                sent += wire.socket.send(payload.read(sent, sent + 65536))
            except (ConnectionResetError, BrokenPipeError):
                break
        return wire.receive(), sent

    def test_early_answer(self):
        """[RUN-6] 409, 413, 404 while 100 MB are on their way: the client sees the answer at once."""
        payload = Payload(self.scratch, 100 * MIB)
        server = self.serve("-max-size", str(50 * MIB))
        with server.wire() as wire:
            path = wire.create(self.base, 10 * MIB)
        big_post = {**TUS, "Content-Type": OFFSET_TYPE, "Upload-Length": payload.size}
        cases = [("PATCH", path, patch_fields(5, payload.size), 409, "ERR_MISMATCHED_OFFSET"),
                 ("PATCH", path, patch_fields(0, payload.size), 413, "ERR_UPLOAD_SIZE_EXCEEDED"),
                 ("PATCH", path + "x", patch_fields(0, payload.size), 404, "ERR_UPLOAD_NOT_FOUND"),
                 ("POST", self.base, big_post, 413, "ERR_MAX_SIZE_EXCEEDED")]
        for method, target, fields, status, code in cases:
            with self.subTest(code), server.wire() as wire:
                begin = time.monotonic()
                answer, sent = self.refused_while_sending(wire, method, target, fields, payload)
                self.assert_error(answer, status, code)
                self.assertLess(sent, payload.size)
                self.assertEqual(answer.get("Connection"), "close")
                self.report(f"{status} after {sent / MIB:.1f} MiB and {time.monotonic() - begin:.3f} s")
                self.assertTrue(wire.is_closed(10), "a body that nobody wants must not be read for ever")
        with server.wire() as wire:
            self.assertEqual(wire.head(path).offset, 0)

    def test_early_answer_to_a_deaf_client(self):
        """[RUN-6] A client that only reads once it cannot send any more still finds the answer."""
        payload = Payload(self.scratch, 100 * MIB)
        with self.server.wire() as wire:
            path = wire.create(self.base, payload.size)
            wire.send_head("PATCH", path, patch_fields(5, payload.size))
            try:
                wire.send_file(payload, 0, payload.size)
            except OSError:
                pass  # the server has closed
            self.assert_error(wire.receive(), 409, "ERR_MISMATCHED_OFFSET")

    def test_small_refused_body(self):
        """[RUN-6] A small body of a refused request is read away, and the connection goes on."""
        with self.server.wire() as wire:
            path = wire.create(self.base, 200_000)
            answer = wire.patch(path, 7, b"x" * 100_000)
            self.assert_error(answer, 409, "ERR_MISMATCHED_OFFSET")
            self.assertEqual(wire.head(path).offset, 0)

    def test_expect_continue(self):
        """[RUN-6] 100 comes only for a request that has passed every check, and then before the body."""
        with self.server.wire() as wire:
            path = wire.create(self.base, 5)
            fields = {**patch_fields(0, 5), "Expect": "100-continue"}
            wire.send_head("PATCH", path, fields)
            status, _ = wire.read_head()
            self.assertEqual(status, 100)
            wire.send(b"hello")
            self.assertEqual(wire.receive().status, 204)
        for target, fields, status in ((path, {"Upload-Offset": 9}, 409), (path + "x", {}, 404),
                                       (path, {"Content-Type": "text/plain"}, 415),
                                       (path, {"Tus-Resumable": "9.9.9"}, 412)):
            with self.subTest(status), self.server.wire() as wire:
                wire.send_head("PATCH", target, {**patch_fields(0, 5), "Expect": "100-continue", **fields})
                answer = wire.receive()
                self.assertEqual((answer.status, answer.interim), (status, []), answer)

    def test_half_close(self):
        """[RUN-7] A client that has sent all of its request may close its side and still reads the answer."""
        with self.server.wire() as wire:
            path = wire.create(self.base, 5)
            wire.send_head("PATCH", path, patch_fields(0, 5))
            wire.send(b"hello")
            wire.socket.shutdown(socket.SHUT_WR)
            self.assertEqual(wire.receive().status, 204)
            self.assertTrue(wire.is_closed(5))

    def test_body_breaks_off(self):
        """[RUN-7] However a connection ends in the middle of a body, what came before is kept, soon."""
        payload = Payload(self.scratch, 3 * MIB)
        for end in ("reset", "close", "shutdown"):
            with self.subTest(end), self.server.wire() as control:
                path = control.create(self.base, payload.size)
                wire = Wire(self.server.address)
                wire.send_head("PATCH", path, patch_fields(0, payload.size))
                wire.send_file(payload, 0, MIB)
                # A reset drops what the server has not read yet, so it has to come later.
                wait_until(lambda: len(self.stored(path)) == MIB, 10, "the first MiB is written")
                if end == "reset":
                    wire.reset()
                elif end == "close":
                    wire.close()
                else:
                    wire.socket.shutdown(socket.SHUT_WR)
                begin = time.monotonic()
                self.assertEqual(control.head(path).offset, MIB)
                self.assertLess(time.monotonic() - begin, 1)
                answer = control.patch_file(path, payload, MIB, payload.size)
                self.assertEqual(answer.offset, payload.size)
                self.assertTrue(payload.is_prefix(self.server.directory / path[len(self.base):], payload.size))
                wire.close()

    def test_over_length_chunked(self):
        """[RUN-7] A chunked body that goes on past the length of the upload: 413, and the upload stays usable."""
        with self.server.wire() as wire:
            path = wire.create(self.base, 10)
            wire.send_head("PATCH", path, patch_fields(0))
            wire.send(chunk(b"01234"))
            time.sleep(0.05)
            wire.send(chunk(b"56789abcdef"))
            self.assert_error(wire.receive(), 413, "ERR_UPLOAD_SIZE_EXCEEDED")
        with self.server.wire() as wire:
            offset = wire.head(path).offset
            self.assertLessEqual(offset, 10)
            if offset < 10:
                self.assertEqual(wire.patch(path, offset, b"0123456789"[offset:]).status, 204)
        self.assertEqual(self.stored(path), b"0123456789")

    def test_idle_connection_is_closed(self):
        """[RUN-7] A peer that says nothing, or stops in the middle of a head, does not stay for ever."""
        server = self.serve("-network-timeout", "1s")
        silent, half = server.wire(), server.wire()
        with silent, half:
            half.send(b"HEAD /files/x HTT")
            begin = time.monotonic()
            self.assertTrue(silent.is_closed(60), "a connection without a request")
            self.assertTrue(half.is_closed(60), "half a head")
            self.report(f"idle connections ended after {time.monotonic() - begin:.1f} s")
        with server.wire() as wire:
            path = wire.create(self.base, 10)
            wire.send_head("PATCH", path, patch_fields(0, 10))
            wire.send(b"012")
            begin = time.monotonic()
            try:
                self.assert_error(wire.receive(), 500, "ERR_READ_TIMEOUT")
            except Closed:
                pass
            self.report(f"a silent body ended after {time.monotonic() - begin:.1f} s (limit 1 s)")
        with server.wire() as wire:
            self.assertEqual(wire.head(path).offset, 3)


if __name__ == "__main__":
    main()
