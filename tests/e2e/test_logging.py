#!/usr/bin/env python3
"""The log: who asked for what, and a reader who does not read."""
import fcntl
import json
import os
import re
import signal
import subprocess
import threading
import time

from harness import BINARY, EndToEndTest, clean_environment, die_with_parent, is_sanitized, main, wait_until
from wire import TUS, Wire, patch_fields

DATE = r"\d{4}/\d\d/\d\d \d\d:\d\d:\d\d\.\d{6} "
WORD = r'[^ "=\\]+|"(?:[^"\\]|\\["\\]|\\x[0-9a-f]{2})*"'
LINE = re.compile(rf"{DATE}level=(DEBUG|INFO|WARN|ERROR) event=[A-Za-z]+( [A-Za-z]+=({WORD}))*")
# What an attacker would like to see in the log of others.
NASTY = ('x" level=ERROR event=Forged', "x level=ERROR event=Forged", 'x","level":"ERROR","msg":"Forged',
         "x\\x0alevel=ERROR", "a\tb", "\x85", "\u00e4", "\x9b31m", "{}", "=", "\\", '"')


def fields_of(line):
    """A line of the text log as a dictionary."""
    fields = {}
    for key, value in re.findall(rf"([A-Za-z]+)=({WORD})", line):
        fields[key] = value[1:-1] if value.startswith('"') else value
    return fields


class Lines(EndToEndTest):
    def lines_of(self, server):
        server.stop()
        return server.errors().splitlines()

    def test_lines_of_requests(self):
        """[LOG-4] With -verbose every request leaves tusd's events, and each line says whose they are."""
        server = self.serve("-verbose")
        with server.wire() as wire:
            remote = "%s:%d" % wire.socket.getsockname()
            path = wire.create(server.base_path, 10, {"X-Request-ID": "my-create"})
            wire.patch(path, 0, b"01234")
            wire.ask("PATCH", path, {**patch_fields(5, 5), "X-Request-ID": "my-patch"}, b"56789")
            wire.ask("PATCH", path, {**patch_fields(3, 1), "X-Request-ID": "my-mistake"}, b"x")
            wire.ask("POST", server.base_path, {**TUS, "Upload-Length": 3, "X-Request-ID": "whole",
                                                "Content-Type": "application/offset+octet-stream"}, b"abc")
            wire.ask("DELETE", path, {**TUS, "X-Request-ID": "my-end"})
        lines = self.lines_of(server)
        for line in lines:
            self.assertRegex(line, rf"^{LINE.pattern}$")
        entries = [fields_of(line) for line in lines]
        name = path.rpartition("/")[2]

        def events(request):
            return [entry["event"] for entry in entries if entry.get("requestId") == request]

        self.assertEqual(events("my-create"), ["RequestIncoming", "UploadCreated", "ResponseOutgoing"])
        self.assertEqual(events("my-patch"), ["RequestIncoming", "ChunkWriteStart", "ChunkWriteComplete",
                                              "UploadFinished", "ResponseOutgoing"])
        self.assertEqual(events("my-mistake"), ["RequestIncoming", "RequestFailed", "ResponseOutgoing"])
        self.assertEqual(events("whole"), ["RequestIncoming", "UploadCreated", "ChunkWriteStart", "ChunkWriteComplete",
                                           "UploadFinished", "ResponseOutgoing"])
        self.assertEqual(events("my-end"), ["RequestIncoming", "UploadTerminated", "ResponseOutgoing"])
        for entry in entries:
            self.assertEqual(entry["remote"], remote, entry)
            self.assertIn(entry["method"], ("POST", "PATCH", "DELETE"))
            self.assertTrue(entry["path"].startswith(server.base_path), entry)
            self.assertTrue(entry["requestId"], entry)
        ours = [entry for entry in entries if entry["requestId"] == "my-patch"]
        self.assertEqual({entry["id"] for entry in ours[1:]}, {name})
        self.assertEqual(ours[1]["offset"], "5")
        self.assertEqual(ours[1]["maxSize"], "5")
        self.assertEqual(ours[2]["bytesWritten"], "5")
        self.assertEqual(ours[4]["status"], "204")
        mistake = [entry for entry in entries if entry["requestId"] == "my-mistake"]
        self.assertEqual(mistake[1]["error"], "ERR_MISMATCHED_OFFSET")
        self.assertEqual((mistake[2]["status"], mistake[2]["error"], mistake[2]["id"]), ("409", "ERR_MISMATCHED_OFFSET", name))
        generated = [entry["requestId"] for entry in entries if not entry["requestId"].startswith(("my", "whole"))]
        self.assertEqual(len(set(generated)), 1, "the one request without an id of its client got one")

    def test_what_is_logged_without_verbose(self):
        """[LOG-4] Without it uploads, warnings and errors are logged, and nothing else."""
        server = self.serve()
        with server.wire() as wire:
            path = wire.create(server.base_path, 3)
            wire.patch(path, 1, b"x")
            wire.patch(path, 0, b"abc")
            wire.head(path)
        events = [fields_of(line)["event"] for line in self.lines_of(server)]
        self.assertEqual(events, ["UploadCreated", "UploadFinished"])

    def test_the_cause_of_an_error(self):
        """[LOG-4] A fault of ours is logged with its internal cause, which no client sees."""
        server = self.serve()
        with server.wire() as wire:
            path = wire.create(server.base_path, 3)
            name = path.rpartition("/")[2]
            (server.directory / f"{name}.info").write_text("{ damaged")
            answer = wire.ask("HEAD", path, {**TUS, "X-Request-ID": "broken"})
            self.assertGreaterEqual(answer.status, 500)
            self.assertNotIn(str(server.directory), str(answer))
        entry = next(entry for entry in map(fields_of, self.lines_of(server)) if entry.get("requestId") == "broken")
        self.assertEqual((entry["level"], entry["event"], entry["id"], entry["requestId"], entry["method"]),
                         ("ERROR", "RequestFailed", name, "broken", "HEAD"))
        self.assertTrue(entry["error"].startswith("ERR_"), entry)
        self.assertTrue(entry["cause"], entry)

    def test_json(self):
        """[LOG-1] -log-format=json: one object a line, with numbers as numbers."""
        server = self.serve("-log-format=json", "-verbose")
        with server.wire() as wire:
            path = wire.create(server.base_path, 3)
            wire.patch(path, 0, b"abc")
        entries = [json.loads(line) for line in self.lines_of(server)]
        self.assertEqual([entry["msg"] for entry in entries],
                         ["RequestIncoming", "UploadCreated", "ResponseOutgoing", "RequestIncoming", "ChunkWriteStart",
                          "ChunkWriteComplete", "UploadFinished", "ResponseOutgoing"])
        for entry in entries:
            self.assertRegex(entry["time"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}[+-]\d\d:\d\d$")
        self.assertEqual(entries[1]["size"], 3)
        self.assertEqual(entries[5]["bytesWritten"], 3)
        self.assertEqual(entries[7]["status"], 204)

    def test_nobody_writes_lines_for_us(self):
        """[LOG-2] Whatever a client sends as a request id, a path or a method, it stays one field of one line."""
        for form in ("text", "json"):
            server = self.serve(f"-log-format={form}", "-verbose")
            sent = 0
            for text in NASTY:
                for method, target, fields in (("HEAD", server.base_path + "a", {**TUS, "X-Request-ID": text}),
                                               ("HEAD", server.base_path + text, TUS),
                                               ("HEAD", server.base_path + "a", {**TUS, "X-HTTP-Method-Override": text}),
                                               ("HEAD", server.base_path + "a", {**TUS, "Upload-Metadata": text}),
                                               (text, server.base_path, TUS)):
                    with server.wire() as wire:
                        try:
                            wire.send_head(method, target, fields)
                            wire.receive(to_head=method == "HEAD")
                        except UnicodeEncodeError:
                            continue
                        sent += 1
            raw = server.stop() or server.stderr_path.read_bytes()
            self.assertTrue(all(byte == 10 or 32 <= byte < 127 for byte in raw), "only printable ASCII")
            lines = raw.decode().splitlines()
            self.assertGreaterEqual(len(lines), sent)
            for line in lines:
                if form == "json":
                    entry = json.loads(line)
                    level, event = entry["level"], entry["msg"]
                else:
                    self.assertRegex(line, rf"^{LINE.pattern}$")
                    entry = fields_of(re.sub(r'"(?:[^"\\]|\\.)*"', '"q"', line))
                    level, event = entry["level"], entry["event"]
                self.assertEqual(level, "DEBUG", line)
                self.assertIn(event, ("RequestIncoming", "RequestFailed", "RequestRejected", "ResponseOutgoing"), line)


class Unread(EndToEndTest):
    def serve_into_pipe(self, *flags):
        """A server whose stderr is a pipe that nobody reads; the pipe's other end, the process and its address."""
        readable, writable = os.pipe()
        fcntl.fcntl(writable, 1031, 4096)  # F_SETPIPE_SZ
        out = self.scratch / "stdout"
        with open(out, "wb") as stdout:
            process = subprocess.Popen([BINARY, "-host=127.0.0.1", "-port=0", "-dir=data", *flags], stdin=subprocess.DEVNULL,
                                       stdout=stdout, stderr=writable, cwd=self.scratch, env=clean_environment(),
                                       preexec_fn=die_with_parent)
        os.close(writable)
        self.addCleanup(os.close, readable)
        self.addCleanup(process.wait, 30)
        self.addCleanup(process.kill)
        url = wait_until(lambda: re.search(r"upload files to: http://127.0.0.1:(\d+)/", out.read_text()), 30, "the start")
        return readable, process, ("127.0.0.1", int(url[1]))

    def upload(self, address, count):
        """Whole uploads of one request each, one after the other; the slowest in seconds."""
        slowest = 0
        with Wire(address) as wire:
            for _ in range(count):
                begin = time.monotonic()
                answer = wire.ask("POST", "/files/", {**TUS, "Upload-Length": 3, "X-Request-ID": "r" * 120,
                                                      "Content-Type": "application/offset+octet-stream"}, b"abc")
                slowest = max(slowest, time.monotonic() - begin)
                self.assertEqual(answer.status, 201)
        return slowest

    def test_a_full_pipe_stops_nobody(self):
        """[LOG-3] With a log that nobody reads, uploads go on, the end comes in time, and lost lines are counted."""
        readable, process, address = self.serve_into_pipe("-verbose", "-fsync=off", "-store=memory")
        count = 3_500  # of about 1,500 bytes in the log: more than is kept for a reader that is late
        slowest = self.upload(address, count)
        self.report(f"slowest of {count} uploads: {slowest * 1000:.0f} ms")
        self.assertLess(slowest, 20 if is_sanitized() else 5)
        # Somebody reads again: what was kept comes, and how much is missing is said.
        pieces = []

        def read():
            while b"event=LogLinesLost" not in b"".join(pieces[-2:]):
                piece = os.read(readable, 65536)
                if not piece:
                    return
                pieces.append(piece)

        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        reader.join(60)
        self.assertFalse(reader.is_alive(), "no line about lost lines")
        process.send_signal(signal.SIGTERM)
        while piece := os.read(readable, 65536):
            pieces.append(piece)
        self.assertEqual(process.wait(30), 0)
        lines = b"".join(pieces).decode().splitlines()
        lost = sum(int(fields_of(line)["count"]) for line in lines if "event=LogLinesLost" in line)
        for line in lines:
            self.assertRegex(line, rf"^{LINE.pattern}$")
        self.report(f"{lost} lines lost, {len(lines)} written")
        self.assertGreater(lost, 0)
        written = sum("event=LogLinesLost" not in line for line in lines)
        self.assertEqual(lost + written, 6 * count)

    def test_the_end_does_not_wait_for_a_reader(self):
        """[LOG-3] A process that stops gives a reader half a second, and no more."""
        _, process, address = self.serve_into_pipe("-verbose", "-store=memory")
        self.upload(address, 200)
        begin = time.monotonic()
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(30), 0)
        seconds = time.monotonic() - begin
        self.report(f"ended within {seconds:.2f} s")
        self.assertLess(seconds, 10 if is_sanitized() else 3)

    def test_a_closed_pipe(self):
        """[LOG-3] A reader that went away is no reason to end, nor to be slow."""
        readable, process, address = self.serve_into_pipe("-verbose", "-store=memory")
        os.dup2(os.open("/dev/null", os.O_RDONLY), readable)
        self.upload(address, 200)
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(30), 0)


if __name__ == "__main__":
    main()
