#!/usr/bin/env python3
"""The same bytes, whether the kernel moves them from socket to file or the server copies them."""
import random

import js_client
from cut_proxy import CutProxy
from harness import SEED, EndToEndTest, main
from payload import Payload, sha256_of
from wire import OFFSET_TYPE, TUS, chunk, patch_fields

MIB = 1 << 20
# Around every size at which a server might change its ways: pages, socket buffers, pipes, spliced blocks.
EDGES = sorted({max(0, edge + shift) for edge in (0, 1, 4096, 16384, 65536, 131072, 262144, MIB, 2 * MIB)
                for shift in (-1, 0, 1)})


class ZeroCopy(EndToEndTest):
    def both(self):
        for mode in ("always", "never"):
            with self.subTest(mode):
                yield self.serve("-fsync=off", f"-zero-copy={mode}")

    def stored(self, server, path):
        return (server.directory / path[len(server.base_path):]).read_bytes()

    def test_sizes(self):
        """[RUN-11] POST, PATCH and chunked PATCH of every size around an edge."""
        payload = Payload(self.scratch, 3 * MIB)
        for server in self.both():
            with server.wire() as wire:
                for size in EDGES:
                    body = payload.read(0, size)
                    if size:
                        answer = wire.ask("POST", server.base_path,
                                          {**TUS, "Content-Type": OFFSET_TYPE, "Upload-Length": size}, body)
                        self.assertEqual((answer.status, answer.offset), (201, size), answer)
                        self.assertEqual(self.stored(server, answer.path), body)
                    path = wire.create(server.base_path, size + 7)
                    self.assertEqual(wire.patch(path, 0, body).offset, size)
                    self.assertEqual(wire.patch(path, size, b"the end").offset, size + 7)
                    self.assertEqual(self.stored(server, path), body + b"the end")
                    path = wire.create(server.base_path, size)
                    wire.send_head("PATCH", path, patch_fields(0))
                    wire.send((chunk(body) if body else b"") + b"0\r\n\r\n")
                    self.assertEqual(wire.receive().offset, size)
                    self.assertEqual(self.stored(server, path), body)

    def test_random_chunks(self):
        """[RUN-11] Chunked bodies in chunks and segments of random sizes, with a request behind them."""
        generator = random.Random(SEED)
        self.report(f"random seed {SEED}")
        payload = Payload(self.scratch, 4 * MIB)
        for server in self.both():
            with server.wire() as wire:
                for _ in range(40):
                    size = generator.randrange(1, payload.size)
                    path = wire.create(server.base_path, size)
                    raw, position = b"", 0
                    while position < size:
                        step = min(size - position, generator.choice((1, 100, 5000, 70_000, 300_000, 2_000_000)))
                        raw += chunk(payload.read(position, position + step))
                        position += step
                    wire.send_head("PATCH", path, patch_fields(0))
                    raw += b"0\r\n\r\nHEAD " + path.encode() + b" HTTP/1.1\r\nHost: a\r\n\r\n"
                    while raw:
                        cut = generator.choice((3, 1400, 30_000, 500_000, 4_000_000))
                        wire.send(raw[:cut])
                        raw = raw[cut:]
                    answer = wire.receive()
                    self.assertEqual((answer.status, answer.offset), (204, size), answer)
                    self.assertEqual(wire.receive(to_head=True).offset, size)
                    self.assertEqual(self.stored(server, path), payload.read(0, size))

    def test_slow_body(self):
        """[RUN-11] A body that comes in small pieces with pauses, so that the server waits again and again."""
        payload = Payload(self.scratch, 200_000)
        for server in self.both():
            with server.wire() as wire:
                path = wire.create(server.base_path, payload.size)
                wire.send_head("PATCH", path, patch_fields(0, payload.size))
                for start in range(0, payload.size, 1999):
                    wire.send(payload.read(start, min(payload.size, start + 1999)))
                    wire.socket.settimeout(30)
                self.assertEqual(wire.receive().offset, payload.size)
                self.assertEqual(self.stored(server, path), payload.read(0, payload.size))

    def test_js_client_with_cuts(self):
        """[RUN-11] tus-js-client through ten cuts, known and deferred length."""
        payload = Payload(self.scratch, 200 * MIB)
        generator = random.Random(SEED)
        for server in self.both():
            for job in ({"file": payload.path},
                        {"file": payload.path, "stream": True,
                         "options": {"uploadLengthDeferred": True, "chunkSize": 7_000_000}}):
                proxy = CutProxy(server.address, [generator.randrange(1, payload.size) for _ in range(10)])
                self.addCleanup(proxy.close)
                result, = js_client.upload(f"http://127.0.0.1:{proxy.port}{server.base_path}", [job])
                self.assertEqual(len(proxy.done), 10)
                self.assertEqual(sha256_of(server.directory / result["url"].rsplit("/", 1)[1]), payload.sha256)


if __name__ == "__main__":
    main()
