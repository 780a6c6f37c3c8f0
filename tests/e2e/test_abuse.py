#!/usr/bin/env python3
"""Clients that are in the way of others: too many, too slow, from one address; and a server that is short of things."""
import resource
import signal
import socket
import subprocess
import time

from harness import EndToEndTest, Server, die_with_parent, main, wait_until
from payload import Payload
from prometheus import scrape
from wire import TUS, Closed, head_of, patch_fields

MIB = 1 << 20
IDLE = 15_000
UPLOADS = 100
SLOW = 10_000
HEAD = b"POST /files/ HTTP/1.1\r\nHost: a\r\nTus-Resumable: 1.0.0\r\nX-Slow: "


class ShortServer(Server):
    """With fewer of something than the machine has: {RLIMIT_...: most}."""

    def __init__(self, directory, scratch, flags, limits):
        self.limits = limits
        super().__init__(directory, scratch, flags)

    def launch(self, **streams):
        limits = list(self.limits.items())

        def prepare():
            die_with_parent()
            for what, most in limits:
                resource.setrlimit(what, (most, most))
        return subprocess.Popen(self.command, env=self.environment, preexec_fn=prepare, **streams)


class Abuse(EndToEndTest):
    def serve_short(self, limits, *flags):
        directory = self.scratch / "short"
        server = ShortServer(directory, self.scratch, ["-host=127.0.0.1", "-port=0", f"-dir={directory}", *flags],
                             limits)
        self.addCleanup(server.finish)
        return server

    def connections(self, server, count, first=b""):
        """From several addresses, so that there are enough ports. The server may close some of them."""
        made = []
        self.addCleanup(lambda: [one.close() for one in made])
        for number in range(count):
            one = socket.create_connection(server.address, 30, source_address=(f"127.0.0.{2 + number % 8}", 0))
            made.append(one)
            if first:
                one.send(first)
        return made

    def upload(self, server, payload):
        with server.wire() as wire:
            path = wire.create(server.base_path, payload.size)
            answer = wire.patch_file(path, payload, 0, payload.size)
        self.assertEqual((answer.status, answer.offset), (204, payload.size), answer)
        self.assertTrue(payload.is_prefix(server.directory / path.rsplit("/", 1)[1], payload.size))

    def refusal(self, wire, code):
        answer = wire.receive()
        self.assert_error(answer, 503, code)
        self.assertRegex(answer.get("Retry-After") or "", r"^\d+$")

    def test_slow_loris(self):
        """[ABUSE-4] [HTTP-44] 10,000 connections with a byte of a head now and then keep nobody out."""
        server = self.serve("-max-connections=2000")
        payload = Payload(self.scratch, 4 * MIB)
        slow, worst = [], 0
        for part in range(10):
            slow += self.connections(server, SLOW // 10, HEAD)
            for one in slow[part::10]:
                try:
                    one.send(b"x")
                except OSError:
                    pass  # it had to make room
            begin = time.monotonic()
            self.upload(server, payload)
            worst = max(worst, time.monotonic() - begin)
        seen = scrape(server)
        self.report(f"{SLOW} slow heads, {seen['tusd_connections_shed_total']:.0f} made room; an upload of 4 MiB took "
                    f"{worst * 1000:.0f} ms at most")
        self.assertLessEqual(seen["tusd_connections_open"], 2000 + 64)
        self.assertGreaterEqual(seen["tusd_connections_shed_total"], SLOW - 2064)
        self.assertEqual(seen['tusd_connections_refused_total{reason="connections"}'], 0)
        self.assertLess(worst, 20)

    def test_many_idle_connections_and_uploads(self):
        """[ABUSE-6] [HTTP-44] 15,000 idle connections and 100 uploads at the same time, with the descriptors of this machine."""
        if resource.getrlimit(resource.RLIMIT_NOFILE)[1] < 20_000:
            self.fail("this test needs 20,000 descriptors")
        server = self.serve_short({resource.RLIMIT_NOFILE: 20_000}, "-fsync=off", "-header-timeout=0")
        begin = time.monotonic()
        idle = self.connections(server, IDLE)
        wait_until(lambda: scrape(server)["tusd_connections_open"] >= IDLE, 60, "all are accepted")
        self.report(f"{IDLE} connections within {time.monotonic() - begin:.1f} s, {server.rss_kib() / IDLE:.1f} KiB each")
        payload = Payload(self.scratch, MIB)
        wires = []
        for _ in range(UPLOADS):
            wire = server.wire()
            self.addCleanup(wire.close)
            path = wire.create(server.base_path, payload.size)
            wire.send_head("PATCH", path, patch_fields(0, payload.size))
            wires.append((wire, path))
        step = MIB // 8
        for start in range(0, MIB, step):  # all of them are on their way at once
            for wire, _ in wires:
                wire.send_file(payload, start, start + step)
        for wire, path in wires:
            wire.socket.settimeout(60)
            self.assertEqual(wire.receive().offset, MIB)
            self.assertTrue(payload.is_prefix(server.directory / path.rsplit("/", 1)[1], MIB))
        seen = scrape(server)
        self.assertEqual(seen["tusd_connections_shed_total"], 0)
        self.assertGreaterEqual(seen["tusd_connections_open"], IDLE)
        for one in idle[::1500]:
            one.sendall(head_of("GET", "/healthz"))
            self.assertTrue(one.recv(65536).startswith(b"HTTP/1.1 200"))

    def test_no_descriptors(self):
        """[ABUSE-3] [ABUSE-5] [HTTP-44] Idle connections do not take the last descriptor from an upload; it recovers by itself."""
        server = self.serve_short({resource.RLIMIT_NOFILE: 200}, "-zero-copy=always")
        payload = Payload(self.scratch, MIB)
        idle = self.connections(server, 600)
        self.upload(server, payload)
        # Now every connection has a request.
        with server.wire() as wire:
            path = wire.create(server.base_path, 1000)
        busy, refused = [], 0
        for _ in range(250):
            wire = server.wire()
            self.addCleanup(wire.close)
            try:
                wire.send_head("PATCH", path + "x", patch_fields(0, 1000))
                wire.send(b"x")
            except OSError:
                pass
            busy.append(wire)
        for wire in busy:
            try:
                self.assertIn(wire.receive().status, (404, 503))
                refused += 1
            except Closed:
                refused += 1
        for wire in busy:
            wire.close()
        for one in idle:
            one.close()
        self.upload(server, payload)
        self.report(f"{refused} of 250 answered")

    def test_limits_by_flags(self):
        """[ABUSE-10] [ABUSE-20] [ABUSE-31] Set in the file, changed by a reload, told with the fields that browsers need."""
        file = self.scratch / "tusd.toml"
        file.write_text("[limits]\nmax-connections-per-address = 3\n")
        server = self.serve(f"-config={file}")
        held = [server.wire() for _ in range(3)]
        for wire in held:
            self.addCleanup(wire.close)
            self.assertEqual(wire.ask("GET", "/healthz").status, 200)
        with server.wire() as wire:
            self.refusal(wire, "ERR_TOO_MANY_CONNECTIONS")
        self.assertEqual(held[0].ask("GET", "/healthz").status, 200)
        file.write_text("[limits]\nmax-uploads-per-address = 1\n")
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "event=ConfigReloaded" in server.errors(), 10, "the reload")
        with server.wire() as sender, server.wire() as other:
            one, two = (other.create(server.base_path, 1000) for _ in range(2))
            sender.send_head("PATCH", one, patch_fields(0, 1000))
            sender.send(b"x" * 500)
            data = server.directory / one.rsplit("/", 1)[1]
            wait_until(lambda: data.stat().st_size == 500, 10, "the first bytes")
            answer = other.ask("PATCH", two, {**patch_fields(0, 1000), "Origin": "https://a.example"}, b"y" * 1000)
            self.assert_error(answer, 503, "ERR_TOO_MANY_UPLOADS")
            self.assertEqual(answer.get("Access-Control-Allow-Origin"), "https://a.example")
            self.assertIn("Retry-After", answer.get("Access-Control-Expose-Headers"))
        with server.wire() as other:
            self.assertEqual(other.head(two).offset, 0)
            # Who lost a connection goes on at once, whatever became of the first request.
            answer = other.ask("PATCH", one, patch_fields(500, 500), b"z" * 500)
            self.assertEqual((answer.status, answer.offset), (204, 1000), answer)
            self.assertEqual(other.patch(two, 0, b"y" * 1000).offset, 1000)
        seen = scrape(server)
        self.assertEqual(seen['tusd_requests_refused_total{reason="uploads"}'], 1)
        self.assertEqual(seen['tusd_connections_refused_total{reason="address"}'], 1)
        self.assertEqual(seen['tusd_errors_total{status="503",code="ERR_TOO_MANY_UPLOADS"}'], 1)

    def test_clients_behind_a_proxy(self):
        """[ABUSE-11] [ABUSE-13] The log names the client, limits count it, and nobody can be somebody else."""
        server = self.serve("-behind-proxy", "-max-connections-per-address=1", "-access-log")
        with server.wire() as proxy, server.wire() as other:
            path = proxy.create(server.base_path, 1000, {"X-Forwarded-For": "203.0.113.1"})
            proxy.send_head("PATCH", path, {**patch_fields(0, 1000), "X-Forwarded-For": "203.0.113.1"})
            proxy.send(b"x" * 500)
            data = server.directory / path.rsplit("/", 1)[1]
            wait_until(lambda: data.stat().st_size == 500, 10, "the first bytes")
            for said in ("203.0.113.1", "198.51.100.1, 203.0.113.1"):
                answer = other.ask("POST", server.base_path, {**TUS, "Upload-Length": 1, "X-Forwarded-For": said})
                self.assert_error(answer, 503, "ERR_TOO_MANY_CONNECTIONS")
            other.create(server.base_path, 1, {"X-Forwarded-For": "203.0.113.2"})
            proxy.send(b"x" * 500)
            self.assertEqual(proxy.receive().offset, 1000)
        server.stop()
        log = server.errors()
        self.assertIn("remote=203.0.113.1 ", log)
        self.assertIn("remote=203.0.113.2 ", log)
        self.assertNotIn("remote=127.0.0.1", log)
        self.assertNotIn("198.51.100.1", log)


if __name__ == "__main__":
    main()
