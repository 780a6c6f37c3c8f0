#!/usr/bin/env python3
"""Downloads from the real server: curl's ways to ask, pages of other origins, and a thousand readers who do not read."""
import os
import pathlib
import statistics
import subprocess

from harness import EndToEndTest, is_sanitized, main, wait_until
from payload import Payload, sha256_of
from wire import TUS, Closed

MIB = 1 << 20
READERS = 1000
KIB_LIMIT = 12
RATE_LIMIT = 0.85
RUNS = 5
ATTEMPTS = 3


class Downloads(EndToEndTest):
    def upload(self, server, payload, fields=()):
        with server.wire() as wire:
            path = wire.create(server.base_path, payload.size, fields)
            answer = wire.patch_file(path, payload, 0, payload.size)
            self.assertEqual((answer.status, answer.offset), (204, payload.size), answer)
        return path

    def url(self, server, path):
        return f"http://{server.address[0]}:{server.address[1]}{path}"

    def curl(self, *arguments, code=0):
        done = subprocess.run(["curl", "--silent", "--show-error", "--max-time", "60", *arguments],
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=90)
        self.assertEqual(done.returncode, code, f"{arguments}: {done.stderr.decode()}")
        return done.stdout

    def test_curl(self):
        """[RUN-60] [DL-1] [DL-2] [DL-7] The whole, ranges, and what was broken off is continued with -C -."""
        for flags in ((), ("-zero-copy=never",), ("-store=memory",)):
            server = self.serve(*flags)
            payload = Payload(self.scratch, 20 * MIB + 3)
            url = self.url(server, self.upload(server, payload))
            target = self.scratch / "got"
            self.curl("-o", target, url)
            self.assertEqual(sha256_of(target), payload.sha256)
            os.truncate(target, 7 * MIB + 1)
            self.curl("-C", "-", "-o", target, url)
            self.assertEqual(sha256_of(target), payload.sha256)
            for given, first, end in (("0-9", 0, 10), (f"{9 * MIB}-", 9 * MIB, payload.size),
                                      ("-100", payload.size - 100, payload.size)):
                self.assertEqual(self.curl("-r", given, url), payload.read(first, end), given)
            head = self.curl("-I", url).decode()
            etag = next(line.split(": ", 1)[1].strip() for line in head.split("\r\n") if line.startswith("ETag: "))
            for tag, expected in ((etag, "206 10"), ('"other"', f"200 {payload.size}")):
                told = self.curl("-r", "0-9", "-H", f"If-Range: {tag}", "-o", "/dev/null", "-w",
                                 "%{http_code} %{size_download}", url)
                self.assertEqual(told.decode(), expected)
            self.assertEqual(self.curl("-H", f"If-None-Match: {etag}", "-w", "%{http_code}", url), b"304")
            self.curl("-f", "-r", f"{payload.size}-", url, code=22)
            server.stop()

    def test_dates(self):
        """[RUN-60] [DL-6] curl -z, which asks with If-Modified-Since."""
        server = self.serve()
        payload = Payload(self.scratch, 1000)
        path = self.upload(server, payload)
        os.utime(server.directory / path.rsplit("/", 1)[1], (784111777, 784111777))
        answer = self.curl("-i", self.url(server, path))
        self.assertIn(b"Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n", answer)
        for date, status in (("Sun, 06 Nov 1994 08:49:37 GMT", b"304"), ("Sun, 06 Nov 1994 08:49:36 GMT", b"200")):
            got = self.curl("-z", date, "-o", "/dev/null", "-w", "%{http_code}", self.url(server, path))
            self.assertEqual(got, status, date)

    def test_restart(self):
        """[RUN-60] [DL-5] An ETag is the same after a restart and after a copy of the directory."""
        server = self.serve()
        path = self.upload(server, Payload(self.scratch, 1000), {"Upload-Metadata": "filename YQ==,b"})
        with server.wire() as wire:
            before = wire.ask("GET", path).get("ETag")
        server.stop()
        copy = self.scratch / "copy"
        subprocess.run(["cp", "-r", server.directory, copy], check=True)
        for directory in (server.directory, copy):
            again = self.serve(directory=directory)
            with again.wire() as wire:
                self.assertEqual(wire.ask("GET", path).get("ETag"), before)
            again.stop()

    def test_flags(self):
        """[CORS-6] [DL-14] [TERM-79] [TERM-80] What flags switch off and allow."""
        server = self.serve("-disable-download", "-disable-termination", "-cors-allow-origin=^https://a\\.test$",
                            "-cors-allow-headers=X-Mine")
        path = self.upload(server, Payload(self.scratch, 10))
        with server.wire() as wire:
            self.assertEqual(wire.ask("GET", path).status, 405)
            answer = wire.ask("DELETE", path, TUS)
            self.assertEqual((answer.status, answer.get("Allow")), (405, "OPTIONS, HEAD, PATCH"))
            self.assertNotIn("termination", wire.ask("OPTIONS", path).get("Tus-Extension"))
            preflight = wire.ask("OPTIONS", path, {"Origin": "https://a.test"})
            self.assertEqual(preflight.get("Access-Control-Allow-Origin"), "https://a.test")
            self.assertTrue(preflight.get("Access-Control-Allow-Headers").endswith(", X-Mine"))
            self.assert_error(wire.ask("OPTIONS", path, {"Origin": "https://axtest"}), 403, "ERR_ORIGIN_NOT_ALLOWED")
        server = self.serve("-disable-cors", "-disable-termination-finished")
        path = self.upload(server, Payload(self.scratch, 10))
        with server.wire() as wire:
            answer = wire.ask("HEAD", path, {**TUS, "Origin": "https://a.test"})
            self.assertEqual((answer.get("Access-Control-Allow-Origin"), answer.get("Vary")), (None, None))
            self.assert_error(wire.ask("DELETE", path, TUS), 400, "ERR_UPLOAD_TERMINATION_REJECTED")
            self.assertEqual(wire.ask("DELETE", wire.create(server.base_path, 5), TUS).status, 204)
            self.assertEqual(len(wire.ask("GET", path).body), 10)

    def slow_reader(self, server, path):
        """A client that has asked, and reads nothing but the head."""
        wire = server.wire(timeout=60)
        self.addCleanup(wire.close)
        wire.send_head("GET", path)
        status, fields = wire.read_head()
        self.assertEqual(status, 200)
        wire.length = int(dict(fields)["Content-Length"])
        return wire

    def rest_of(self, wire):
        """All that still comes; its length is that of the answer."""
        body = bytearray(wire.buffer)
        while len(body) < wire.length:
            data = wire.socket.recv(1 << 20)
            if not data:
                raise Closed(f"after {len(body)} bytes")
            body += data
        return body

    def test_deleted_while_read(self):
        """[DL-21] Who reads an upload that is deleted meanwhile gets its bytes, and no others."""
        server = self.serve()
        payload = Payload(self.scratch, 30 * MIB)
        path = self.upload(server, payload)
        readers = [self.slow_reader(server, path) for _ in range(5)]
        with server.wire() as wire:
            self.assertEqual(wire.ask("DELETE", path, TUS).status, 204)
            self.assertEqual(wire.ask("GET", path).status, 404)
            for reader in readers:
                self.assertTrue(self.rest_of(reader) == payload.read(0, payload.size))
                reader.close()
            wait_until(lambda: self.open_files(server) == [], 10, "the deleted file is closed")

    def test_deleted_in_memory(self):
        """[DL-16] In memory the bytes are gone: the connection ends before the length is reached."""
        server = self.serve("-store=memory")
        path = self.upload(server, Payload(self.scratch, 30 * MIB))
        reader = self.slow_reader(server, path)
        with server.wire() as wire:
            self.assertEqual(wire.ask("DELETE", path, TUS).status, 204)
            with self.assertRaises(Closed):
                self.rest_of(reader)
            self.assertEqual(wire.ask("GET", path).status, 404)
        wait_until(lambda: "DownloadBroken" in server.errors(), 10, "a line in the log")

    def test_stop(self):
        """[DL-19] SIGTERM lets a download that moves go on to its end."""
        server = self.serve("-shutdown-timeout=30s")
        payload = Payload(self.scratch, 30 * MIB)
        reader = self.slow_reader(server, self.upload(server, payload))
        server.process.terminate()
        wait_until(lambda: "Shutting down" in server.output(), 10, "the stop")
        self.assertTrue(self.rest_of(reader) == payload.read(0, payload.size))
        self.assertEqual(server.wait_for_exit(), 0)

    def open_files(self, server):
        """What the server has open below its directory of uploads, but for its own files."""
        found = []
        for entry in pathlib.Path(f"/proc/{server.pid}/fd").iterdir():
            try:
                name = os.readlink(entry)
            except FileNotFoundError:
                continue
            if name.startswith(f"{server.directory}/") and "/.tusd" not in name:
                found.append(name)
        return found

    def test_slow_readers(self):
        """[RUN-61] [HTTP-46] 1,000 readers who do not read: a descriptor and a little memory each, no thread, no
        lock, and a writer beside them is as fast as without."""
        idle, loaded = self.serve("-fsync=off"), self.serve("-fsync=off")
        payload = Payload(self.scratch, 64 * MIB)
        path = self.upload(loaded, Payload(self.scratch, 8 * MIB))
        for server in (idle, loaded):
            self.rate(server, payload)
        before = loaded.rss_kib()
        threads = len(os.listdir(f"/proc/{loaded.pid}/task"))
        readers = [self.slow_reader(loaded, path) for _ in range(READERS)]
        wait_until(lambda: len(self.open_files(loaded)) == READERS, 10, "one file a reader")
        each = (loaded.rss_kib() - before) / READERS
        more = len(os.listdir(f"/proc/{loaded.pid}/task")) - threads
        self.report(f"{each:.2f} KiB per slow reader, {more} threads more")
        ratio = 0
        for _ in range(ATTEMPTS):
            rates = {idle: [], loaded: []}
            for number in range(RUNS):
                for server in (idle, loaded) if number % 2 == 0 else (loaded, idle):
                    rates[server].append(self.rate(server, payload))
            ratio = max(ratio, statistics.median(rates[loaded]) / statistics.median(rates[idle]))
            self.report(f"a writer beside {READERS} slow readers: {ratio:.3f} of its rate")
            if ratio >= RATE_LIMIT or is_sanitized():
                break
        if not is_sanitized():
            self.assertLessEqual(each, KIB_LIMIT)
            self.assertGreaterEqual(ratio, RATE_LIMIT)
        self.assertLessEqual(more, 2)
        with loaded.wire() as wire:  # no lock: it can be deleted, and who has begun goes on
            self.assertEqual(wire.ask("DELETE", path, TUS).status, 204)
        self.assertEqual(len(self.rest_of(readers[0])), 8 * MIB)
        for reader in readers:
            reader.close()
        wait_until(lambda: self.open_files(loaded) == [], 20, "all files are closed")


if __name__ == "__main__":
    main()
