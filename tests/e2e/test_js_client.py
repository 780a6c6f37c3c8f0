#!/usr/bin/env python3
"""tus-js-client, cut off again and again: what is stored is what was sent."""
import random
import re

import js_client
from cut_proxy import CutProxy
from harness import SEED, EndToEndTest, main
from payload import Payload, sha256_of

GIB = 1 << 30
MIB = 1 << 20


class JsClient(EndToEndTest):
    def setUp(self):
        super().setUp()
        self.random = random.Random(SEED)
        self.report(f"random seed {SEED}")

    def proxy(self, server, size, cuts, always=()):
        points = [self.random.randrange(1, size) for _ in range(cuts - len(always))]
        proxy = CutProxy(server.address, points + list(always))
        self.addCleanup(proxy.close)
        return proxy

    def upload(self, server, proxy, uploads):
        return js_client.upload(f"http://127.0.0.1:{proxy.port}{server.base_path}", uploads)

    def stored(self, server, url):
        return server.directory / re.search(rf"{re.escape(server.base_path)}(.+)$", url)[1]

    def check(self, server, proxy, result, payload, cuts):
        self.report(f"{payload.size / GIB:.2f} GiB, {len(proxy.done)} cuts, {proxy.passed / payload.size:.3f} x"
                    f" sent, {result['chunks']} PATCHes, retried after {sorted(set(result['errors']))}")
        self.assertEqual(len(proxy.done), cuts, "every cut must have come")
        self.assertEqual(sha256_of(self.stored(server, result["url"])), payload.sha256)

    def test_known_length(self):
        """[RUN-1] 1 GiB of known length, cut at 20 random moments."""
        server = self.serve("-fsync=off")
        payload = Payload(self.scratch, GIB)
        proxy = self.proxy(server, GIB, 20)
        result, = self.upload(server, proxy, [{"file": payload.path}])
        self.check(server, proxy, result, payload, 20)

    def test_deferred_length(self):
        """[RUN-2] 1 GiB of a stream whose length nobody knows before its end, cut at 20 random moments.

        One cut falls into the last chunk: the client then declares the length a second time.
        """
        server = self.serve("-fsync=off")
        payload = Payload(self.scratch, GIB)
        chunk = 10_000_000
        proxy = self.proxy(server, GIB - 2 * chunk, 20, always=[GIB - 1_000_000])
        options = {"uploadLengthDeferred": True, "chunkSize": chunk}
        result, = self.upload(server, proxy, [{"file": payload.path, "stream": True, "options": options}])
        self.check(server, proxy, result, payload, 20)

    def test_chunked_by_client(self):
        """[RUN-3] Many PATCHes, spelled as POST with X-HTTP-Method-Override."""
        server = self.serve()
        payload = Payload(self.scratch, 100 * MIB)
        proxy = self.proxy(server, payload.size, 5)
        options = {"chunkSize": 3_000_000, "overridePatchMethod": True}
        result, = self.upload(server, proxy, [{"file": payload.path, "options": options}])
        self.check(server, proxy, result, payload, 5)

    def test_creation_with_upload(self):
        """[RUN-3] The first chunk travels in the POST."""
        server = self.serve()
        payload = Payload(self.scratch, 60 * MIB)
        proxy = self.proxy(server, payload.size, 3)
        options = {"uploadDataDuringCreation": True, "chunkSize": 25_000_000}
        result, = self.upload(server, proxy, [{"file": payload.path, "options": options}])
        self.check(server, proxy, result, payload, 3)

    def test_empty_file(self):
        """[RUN-3] Nothing to send: complete with its creation."""
        server = self.serve()
        payload = Payload(self.scratch, 0)
        proxy = self.proxy(server, 1, 0)
        result, = self.upload(server, proxy, [{"file": payload.path}])
        self.assertEqual(self.stored(server, result["url"]).stat().st_size, 0)

    def test_paused_and_resumed(self):
        """[RUN-3] Paused in the middle by the app, and resumed by another process that knows the URL."""
        server = self.serve()
        payload = Payload(self.scratch, 100 * MIB)
        proxy = self.proxy(server, payload.size, 0)
        paused, = self.upload(server, proxy, [{"file": payload.path, "abortAt": 30 * MIB}])
        self.assertTrue(paused["aborted"])
        options = {"uploadUrl": paused["url"]}
        result, = self.upload(server, proxy, [{"file": payload.path, "options": options}])
        self.assertEqual(result["url"], paused["url"])
        self.check(server, proxy, result, payload, 0)

    def test_terminate(self):
        """[RUN-3] Given up in the middle: nothing of it stays."""
        server = self.serve()
        payload = Payload(self.scratch, 100 * MIB)
        proxy = self.proxy(server, payload.size, 0)
        job = {"file": payload.path, "abortAt": 30 * MIB, "terminate": True}
        result, = self.upload(server, proxy, [job])
        self.assertTrue(result["aborted"])
        data = self.stored(server, result["url"])
        self.assertFalse(data.exists())
        self.assertFalse(data.with_name(data.name + ".info").exists())
        with server.wire() as wire:
            self.assertEqual(wire.head(server.base_path + data.name).status, 404)

    def test_parallel_clients(self):
        """[RUN-4] Eight uploads at the same time, cut 16 times between them."""
        server = self.serve("-threads", "2")
        payloads = [Payload(self.scratch, 48 * MIB + seed, seed) for seed in range(8)]
        proxy = self.proxy(server, sum(payload.size for payload in payloads), 16)
        results = self.upload(server, proxy, [{"file": payload.path} for payload in payloads])
        self.report(f"{len(proxy.done)} cuts, {sum(len(result['errors']) for result in results)} retries")
        self.assertEqual(len(proxy.done), 16)
        for result, payload in zip(results, payloads):
            self.assertEqual(sha256_of(self.stored(server, result["url"])), payload.sha256)


if __name__ == "__main__":
    main()
