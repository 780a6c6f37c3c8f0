#!/usr/bin/env python3
"""-access-log: a line for every request, which nothing from outside can break."""
import json
import re

from harness import EndToEndTest, main
from test_logging import LINE, NASTY, fields_of
from wire import OFFSET_TYPE, TUS, chunk, patch_fields


def access_lines(server):
    server.stop()
    lines = server.errors().splitlines()
    for line in lines:
        assert re.fullmatch(LINE.pattern, line), line
    return [fields for fields in map(fields_of, lines) if fields["event"] == "Access"]


class AccessLog(EndToEndTest):
    def test_a_line_for_every_request(self):
        """[ACCESS-1] Status, bytes of both bodies, time, method, path, client and request id."""
        server = self.serve("-access-log")
        with server.wire() as wire:
            remote = "%s:%d" % wire.socket.getsockname()
            path = wire.create(server.base_path, 100_000, {"X-Request-ID": "one"})
            wire.patch(path, 0, b"x" * 60_000)
            wire.send_head("PATCH", path, patch_fields(60_000))
            wire.send(chunk(b"y" * 30_000) + chunk(b"z" * 10_000) + chunk(b""))
            self.assertEqual(wire.receive().status, 204)
            wire.ask("GET", path)
            wire.ask("GET", path, {"Range": "bytes=10-19"})
            wire.head(path)
            refused = wire.patch(path, 5, b"abc")
            wire.ask("GET", "/healthz")
            wire.ask("GET", "/nowhere")
        with server.wire() as wire:
            wire.send(b"NO HTTP AT ALL\r\n\r\n")
            self.assertEqual(wire.receive().status, 400)
        lines = access_lines(server)
        seen = [(line.get("method"), line.get("path"), int(line["status"]), int(line["bytesIn"]), int(line["bytesOut"]))
                for line in lines]
        self.assertEqual(seen[:-2], [
            ("POST", server.base_path, 201, 0, 0),
            ("PATCH", path, 204, 60_000, 0),
            ("PATCH", path, 204, 40_000, 0),
            ("GET", path, 200, 0, 100_000),
            ("GET", path, 206, 0, 10),
            ("HEAD", path, 200, 0, 0),
            ("PATCH", path, 409, 0, len(refused.body)),
            ("GET", "/healthz", 200, 0, 3)])
        self.assertEqual(seen[-2][:3], ("GET", "/nowhere", 404))
        self.assertEqual(seen[-1][:3], (None, None, 400))
        self.assertEqual(lines[0]["requestId"], "one")
        self.assertEqual(len({line["requestId"] for line in lines[:-1]}), len(lines) - 1)
        for line in lines[:-1]:
            self.assertEqual(line["remote"], remote)
            self.assertNotIn("broken", line)
        for line in lines:
            self.assertLess(int(line["durationUs"]), 60_000_000)
        self.assertGreater(int(lines[1]["durationUs"]), 0)

    def test_off_by_default(self):
        """[ACCESS-1] Without the flag there is no such line, with -verbose neither."""
        server = self.serve("-verbose")
        with server.wire() as wire:
            wire.create(server.base_path, 5)
        self.assertEqual(access_lines(server), [])

    def test_json(self):
        """[ACCESS-1] One object a line, with numbers as numbers."""
        server = self.serve("-access-log", "-log-format=json")
        with server.wire() as wire:
            answer = wire.ask("POST", server.base_path, {**TUS, "Upload-Length": 3, "Content-Type": OFFSET_TYPE}, b"abc")
            self.assertEqual(answer.status, 201)
        server.stop()
        entries = [json.loads(line) for line in server.errors().splitlines()]
        entry = next(entry for entry in entries if entry["msg"] == "Access")
        self.assertEqual((entry["status"], entry["bytesIn"], entry["bytesOut"], entry["method"]), (201, 3, 0, "POST"))
        self.assertIsInstance(entry["durationUs"], int)

    def test_nobody_writes_lines_for_us(self):
        """[ACCESS-3] Whatever a client sends as method, path or request id, it stays one field of one line."""
        for form in ("text", "json"):
            server = self.serve("-access-log", f"-log-format={form}")
            sent = 0
            for text in NASTY:
                for method, target, fields in (("GET", "/" + text, {}), ("GET", "/healthz", {"X-Request-ID": text}),
                                               (text, "/healthz", {})):
                    with server.wire() as wire:
                        try:
                            wire.send_head(method, target, fields)
                            wire.receive()
                        except UnicodeEncodeError:
                            continue
                        sent += 1
            server.stop()
            raw = server.stderr_path.read_bytes()
            self.assertTrue(all(byte == 10 or 32 <= byte < 127 for byte in raw), "only printable ASCII")
            lines = raw.decode().splitlines()
            self.assertEqual(len(lines), sent, "one for each")
            for line in lines:
                if form == "json":
                    entry = json.loads(line)
                    self.assertEqual((entry["level"], entry["msg"]), ("INFO", "Access"))
                    self.assertIsInstance(entry["status"], int)
                else:
                    self.assertRegex(line, rf"^{LINE.pattern}$")
                    plain = fields_of(re.sub(r'"(?:[^"\\]|\\.)*"', '"q"', line))
                    self.assertEqual((plain["level"], plain["event"]), ("INFO", "Access"))


if __name__ == "__main__":
    main()
