#!/usr/bin/env python3
"""The proxies of deploy/proxies in front of the server: nothing is kept back, cut uploads go on, URLs are right."""
import os
import re
import shutil
import subprocess
import tempfile
import time

import proxies
from curl_answer import CurlAnswer
from harness import EndToEndTest, is_sanitized, main, wait_until
from payload import Payload, sha256_of
from proxies import HOST, free_ports
from wire import TUS as TUS_FIELDS
from wire import patch_fields

MIB = 1 << 20
VERSIONS = ("1.1", "2")
TUS = ("-H", "Tus-Resumable: 1.0.0")
BODY = (*TUS, "-H", "Content-Type: application/offset+octet-stream", "-H", "Expect:")
HTTPS = f"https://{HOST}"
PARTS = 150  # whose URLs are more than the 8 KB that proxies allow for a header by default
# A proxy that is a hundred times slower than no proxy does something else than to pass bytes on.
ABSURD = 100


class Behind:
    """The tests; each proxy is a class below."""

    proxy = None

    def setUp(self):
        super().setUp()
        self.start()

    def start(self, changes=(), flags=(f"-allowed-hosts={HOST}",)):
        port, *ports = free_ports(4)
        # The same port after a restart.
        self.server = self.serve(f"-port={port}", "-behind-proxy", *flags)
        self.front = self.proxy(port, ports, changes)
        self.addCleanup(self.front.stop)

    # ---- curl

    def curl_command(self, version, *arguments):
        through = []
        for outside, inside in ((443, self.front.https_port), (80, self.front.http_port)):
            through += ["--connect-to", f"{HOST}:{outside}:127.0.0.1:{inside}"]
        return ["curl", "--silent", "--show-error", "--include", f"--http{version}",
                "--cacert", str(self.front.certificate), *through, *arguments]

    def curl(self, version, *arguments):
        command = self.curl_command(version, "--max-time", "90", *arguments)
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=120)
        self.assertEqual(done.returncode, 0, f"{arguments}: {done.stderr.decode()}\n{self.front.log()}")
        answer = CurlAnswer(done.stdout.decode("latin-1"))
        self.assertEqual(answer.http, "HTTP/2" if version == "2" else "HTTP/1.1", "what was negotiated")
        return answer

    def create(self, version, length, *fields, path="/files/"):
        """The URL of a new upload."""
        answer = self.curl(version, "-X", "POST", *TUS, "-H", f"Upload-Length: {length}", *fields, HTTPS + path)
        self.assertEqual(answer.status, 201, f"{answer}\n{self.front.log()}")
        return answer.fields["location"]

    def patch(self, version, url, offset, path):
        answer = self.curl(version, "-X", "PATCH", *BODY, "-H", f"Upload-Offset: {offset}", "-T", path, url)
        self.assertEqual(answer.status, 204, f"{answer}\n{self.front.log()}")

    def refused_patch(self, version, url, offset, path):
        """Status and text. With HTTP/2 a server may send RST_STREAM(NO_ERROR) behind an answer, so that the client sends no
        more (RFC 9113, 8.1). curl 7.88 takes that for a failure, and loses the answer; nghttp does not."""
        if version != "2":
            answer = self.curl(version, "-X", "PATCH", *BODY, "-H", f"Upload-Offset: {offset}", "-T", path, url)
            return answer.status, answer.body
        fields = (":method: PATCH", f":authority: {HOST}", "tus-resumable: 1.0.0", f"upload-offset: {offset}",
                  "content-type: application/offset+octet-stream")
        done = subprocess.run(["nghttp", "-v", "--no-verify-peer", "-d", path, *(f"-H{field}" for field in fields),
                               f"https://127.0.0.1:{self.front.https_port}{url.removeprefix(HTTPS)}"],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
        status = re.search(r"recv .*:status: (\d+)", done.stdout)
        self.assertTrue(status, f"{done}\n{self.front.log()}")
        return int(status[1]), done.stdout

    def offset(self, version, url):
        answer = self.curl(version, "--head", *TUS, url)
        self.assertEqual(answer.status, 200, answer)
        return int(answer.fields["upload-offset"])

    def stored(self, url):
        return self.server.directory / url.rsplit("/", 1)[1]

    def start_patch(self, version, url):
        """A client that sends what is written to its stdin. With --max-time curl would sleep on what it has read."""
        command = self.curl_command(version, "-X", "PATCH", *BODY, "-H", "Upload-Offset: 0", "-T", ".", url)
        client = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                  bufsize=0)
        self.addCleanup(client.stdout.close)
        self.addCleanup(client.stdin.close)
        self.addCleanup(client.wait)
        self.addCleanup(client.kill)
        return client

    def wait_for_bytes(self, url, size):
        wait_until(lambda: self.stored(url).stat().st_size >= size, 20, f"{size} bytes are on the disk")
        self.assertEqual(self.stored(url).stat().st_size, size)

    def rest_of(self, payload, start):
        path = self.scratch / f"rest-{start}"
        path.write_bytes(payload.read(start, payload.size))
        return path

    # ---- where uploads are

    def test_urls(self):
        """[PROXY-11] Location has the scheme, the host and the path that clients know; uploads and downloads."""
        payload = Payload(self.scratch, 3 * MIB + 7)
        for version in VERSIONS:
            for place, path in (("/files/", "/files/"), ("/files/", "/files"), ("/media/files/", "/media/files/")):
                url = self.create(version, payload.size, path=path)
                self.assertRegex(url, f"^{re.escape(HTTPS + place)}[0-9a-f]+$")
                self.patch(version, url, 0, payload.path)
                self.assertEqual(sha256_of(self.stored(url)), payload.sha256)
                answer = self.curl(version, url)
                self.assertEqual(answer.status, 200)
                self.assertEqual(answer.body.encode("latin-1"), payload.read(0, payload.size))
                part = self.curl(version, "-r", "1000-1999", url)
                self.assertEqual((part.status, part.body.encode("latin-1")), (206, payload.read(1000, 2000)))
                answer = self.curl(version, "-X", "DELETE", *TUS, url)
                self.assertEqual(answer.status, 204, answer)
                self.assertEqual(self.curl(version, "--head", *TUS, url).status, 404)

    def test_unix_socket(self):
        """[PROXY-11] The same with a Unix socket between proxy and server."""
        folder = tempfile.mkdtemp(prefix="tusd-socket-")
        self.addCleanup(shutil.rmtree, folder)
        os.chmod(folder, 0o755)
        socket = f"{folder}/tusd.sock"
        data = self.scratch / "data"
        self.server = self.serve_plain(data, f"-dir={data}", f"-unix-sock={socket}", "-unix-sock-perms=0666",
                                       "-behind-proxy", f"-allowed-hosts={HOST}")
        self.front = self.proxy(socket, free_ports(3))
        self.addCleanup(self.front.stop)
        payload = Payload(self.scratch, MIB + 7)
        for version in VERSIONS:
            for place in ("/files/", "/media/files/"):
                url = self.create(version, payload.size, path=place)
                self.assertRegex(url, f"^{re.escape(HTTPS + place)}[0-9a-f]+$")
                self.patch(version, url, 0, payload.path)
                self.assertEqual(sha256_of(self.stored(url)), payload.sha256)

    def test_lies(self):
        """[PROXY-11] What clients say of themselves does not get through; nor do they get to anything but uploads."""
        lies = ("X-Forwarded-Host: evil.example", "X-Forwarded-Proto: http", "X-Forwarded-Prefix: /evil",
                "Forwarded: host=evil.example;proto=http", "X-Forwarded-For: 192.0.2.1")
        self.start(flags=())  # the files alone have to do it
        for version in VERSIONS:
            for place in ("/files/", "/media/files/"):
                url = self.create(version, 5, *(word for lie in lies for word in ("-H", lie)), path=place)
                self.assertRegex(url, f"^{re.escape(HTTPS + place)}[0-9a-f]+$")
            for path in ("/", "/metrics", "/media/metrics", "/filesystem"):
                self.assertEqual(self.curl(version, HTTPS + path).status, 404, path)
        # What a proxy does with a name that is not its own differs; the server tells none that is not its own.
        self.start()
        for version in VERSIONS:
            other = self.curl(version, "-X", "POST", *TUS, "-H", "Upload-Length: 5", "-H", "Host: evil.example",
                              HTTPS + "/files/")
            self.assertNotIn("evil", f"{other.fields}")
        # A client that comes without TLS learns where to go, and keeps its method.
        answer = self.curl("1.1", "-X", "POST", *TUS, "-H", "Upload-Length: 5", f"http://{HOST}/files/")
        self.assertEqual(answer.status, 308, answer)
        self.assertRegex(answer.fields["location"], rf"^https://{re.escape(HOST)}(:{self.front.https_port})?/files/$")

    # ---- what is on its way

    def test_cut_with_known_length(self):
        """[PROXY-12] Every byte is on the disk before the next one comes; a cut upload goes on where it was."""
        payload = Payload(self.scratch, 4 * MIB + 3)
        url = self.create("1.1", payload.size)
        path = url.removeprefix(HTTPS)
        with self.front.connect() as wire:
            wire.send_head("PATCH", path, patch_fields(0, payload.size))
            at = 0
            for size in (1, 10, 100_000, MIB, 1000):
                wire.send(payload.read(at, at + size))
                at += size
                self.wait_for_bytes(url, at)
            wire.reset()
        self.assertEqual(self.offset("1.1", url), at)
        self.patch("1.1", url, at, self.rest_of(payload, at))
        self.assertEqual(sha256_of(self.stored(url)), payload.sha256)
        self.wait_for_no_locks(self.server.directory)

    def test_cut_with_unknown_length(self):
        """[PROXY-12] The same when nobody knows how long the body will be, over HTTP/1.1 and HTTP/2."""
        payload = Payload(self.scratch, 4 * MIB + 3)
        for version in VERSIONS:
            url = self.create(version, payload.size)
            client = self.start_patch(version, url)
            at = 0
            for size in (10, 100_000, MIB, 1000):
                client.stdin.write(payload.read(at, at + size))
                at += size
                self.wait_for_bytes(url, at)
            self.assertIsNone(client.poll(), "its body is still in flight")
            client.kill()
            client.wait()
            self.assertEqual(self.offset(version, url), at)
            self.patch(version, url, at, self.rest_of(payload, at))
            self.assertEqual(sha256_of(self.stored(url)), payload.sha256)
        self.wait_for_no_locks(self.server.directory)

    def test_cut_by_a_restart(self):
        """[PROXY-12] The server is killed while a body is in flight; the same URL goes on as soon as it is back."""
        payload = Payload(self.scratch, 4 * MIB + 3)
        for version in VERSIONS:
            url = self.create(version, payload.size)
            client = self.start_patch(version, url)
            client.stdin.write(payload.read(0, MIB))
            self.wait_for_bytes(url, MIB)
            self.server.kill()
            self.assertIn(self.curl(version, "--head", *TUS, url).status, (502, 503, 504))
            self.server.start()
            answer, _ = client.communicate(timeout=60)
            self.assertNotIn(b" 204", answer.split(b"\r\n")[0])
            self.assertEqual(self.offset(version, url), MIB, self.front.log())
            self.patch(version, url, MIB, self.rest_of(payload, MIB))
            self.assertEqual(sha256_of(self.stored(url)), payload.sha256)

    def test_slow_upload(self):
        """[PROXY-12] The times of the proxies are times without a byte: an upload that keeps moving may take longer."""
        self.start(self.proxy.impatient)
        url, other = self.create("1.1", 1000), self.create("2", 1000)
        client = self.start_patch("2", other)
        with self.front.connect() as wire:
            wire.send_head("PATCH", url.removeprefix(HTTPS), patch_fields(0, 1000))
            for sent in range(1, 13):  # 4 s
                wire.send(b"x")
                client.stdin.write(b"x")
                self.wait_for_bytes(url, sent)
                self.wait_for_bytes(other, sent)
                time.sleep(0.35)
            wire.send(b"x" * 988)
            self.assertEqual(wire.receive().status, 204)
        client.stdin.write(b"x" * 988)
        answer, _ = client.communicate(timeout=60)
        self.assertIn(b" 204", answer.split(b"\r\n")[0])

    def test_no_limit_of_size(self):
        """[PROXY-12] A body of 6 GiB is not refused; its first bytes arrive."""
        size = 6 << 30
        url = self.create("1.1", size)
        with self.front.connect() as wire:
            wire.send_head("PATCH", url.removeprefix(HTTPS), patch_fields(0, size))
            wire.send(b"x" * 100_000)
            self.wait_for_bytes(url, 100_000)
            wire.reset()

    def test_errors_reach_the_client(self):
        """[PROXY-13] Answers of the server come through as they are, also while the client still sends."""
        payload = Payload(self.scratch, 20 * MIB)
        for version in VERSIONS:
            url = self.create(version, payload.size)
            self.patch(version, url, 0, os.devnull)
            for offset, target, status, code in ((7, url, 409, "ERR_MISMATCHED_OFFSET"),
                                                 (0, url + "x", 404, "ERR_UPLOAD_NOT_FOUND")):
                answer, text = self.refused_patch(version, target, offset, payload.path)
                self.assertEqual(answer, status, text)
                self.assertIn(code, text)
            self.assertEqual(self.offset(version, url), 0)

    def test_many_parts(self):
        """[PROXY-10] A final upload of many parts: their public URLs are one long header."""
        urls = []
        while len(urls) < PARTS:
            with self.front.connect() as wire:  # Apache takes 100 requests by a connection
                for number in range(len(urls), min(len(urls) + 90, PARTS)):
                    fields = {**TUS_FIELDS, "Upload-Concat": "partial", "Upload-Length": 3,
                              "Content-Type": "application/offset+octet-stream"}
                    made = wire.ask("POST", "/media/files/", fields, b"%03d" % number)
                    self.assertEqual(made.status, 201, made)
                    urls.append(made.get("Location"))
        with self.front.connect() as wire:
            final = wire.ask("POST", "/media/files/", {**TUS_FIELDS, "Content-Length": 0,
                                                       "Upload-Concat": "final;" + " ".join(urls)})
            self.assertEqual(final.status, 201, final)
        self.assertEqual(self.stored(final.get("Location")).read_bytes(), b"".join(b"%03d" % n for n in range(PARTS)))
        answer = self.curl("2", "--head", *TUS, final.get("Location"))
        self.assertEqual(answer.fields["upload-concat"], "final;" + " ".join(urls))

    def test_throughput(self):
        """[PROXY-12] How much of the server's speed is left."""
        payload = Payload(self.scratch, (64 if not is_sanitized() else 16) * MIB)

        def rate(url, version, *arguments):
            begin = self.curl(version, "-X", "POST", *TUS, "-H", f"Upload-Length: {payload.size}", url)
            target = begin.fields["location"]
            if not target.startswith("http"):
                target = url.rsplit("/files/", 1)[0] + target
            command = self.curl_command(version, "-X", "PATCH", *BODY, "-H", "Upload-Offset: 0", "-T", payload.path,
                                        "--write-out", "%{stderr}speed=%{speed_upload}", target)
            done = subprocess.run(command, capture_output=True, timeout=120)
            self.assertIn(b" 204", done.stdout.split(b"\r\n")[0], done)
            return float(re.search(rb"speed=([\d.]+)", done.stderr)[1]) / MIB

        direct = rate(self.server.url, "1.1")
        rates = {version: rate(HTTPS + "/files/", version) for version in VERSIONS}
        self.report(f"{direct:.0f} MiB/s without a proxy; with TLS and {self.front.source}: "
                    + ", ".join(f"{rate:.0f} MiB/s over HTTP/{version}" for version, rate in rates.items()))
        if not is_sanitized():
            self.assertGreater(min(rates.values()), direct / ABSURD)


class Nginx(Behind, EndToEndTest):
    proxy = proxies.Nginx


class Haproxy(Behind, EndToEndTest):
    proxy = proxies.Haproxy


class Caddy(Behind, EndToEndTest):
    proxy = proxies.Caddy


class Apache(Behind, EndToEndTest):
    proxy = proxies.Apache


if __name__ == "__main__":
    main()
