#!/usr/bin/env python3
"""Flags in Go's forms, the lines at start, and how the server ends."""
import os
import pathlib
import random
import re
import signal
import socket
import stat
import subprocess
import threading
import time

from harness import BINARY, SEED, EndToEndTest, clean_environment, is_sanitized, main
from payload import Payload
from wire import TUS, patch_fields

DATE = r"\d{4}/\d\d/\d\d \d\d:\d\d:\d\d(\.\d+)? "


class CommandLine(EndToEndTest):
    def run_to_end(self, *flags):
        return subprocess.run([BINARY, *flags], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=30, cwd=self.scratch, env=clean_environment())

    def test_forms_of_flags(self):
        """[RUN-12] -flag value, -flag=value, --flag=value and --flag value mean the same; the last one counts."""
        for form in (["-port", "0"], ["-port=0"], ["--port=0"], ["--port", "0"], ["-port=1", "-port=0"]):
            with self.subTest(form):
                directory = self.scratch / "data"
                server = self.serve_plain(directory, "-host=127.0.0.1", f"-dir={directory}", *form)
                with server.wire() as wire:
                    self.assertEqual(wire.ask("OPTIONS", "/files/").status, 200)
                self.assertEqual(server.stop(), 0)

    def test_boolean_flags(self):
        """[RUN-12] A boolean alone is true; it is switched off by =false and by a word of its own."""
        for form, status in ((["-expose-metrics"], 200), (["-expose-metrics=false"], 404),
                             (["-expose-metrics", "false"], 404), (["--expose-metrics=true"], 200)):
            with self.subTest(form):
                server = self.serve(*form)
                with server.wire() as wire:
                    self.assertEqual(wire.ask("GET", "/metrics").status, status)

    def test_wrong_flags(self):
        """[RUN-12] What is not understood is named on stderr, with exit code 2, and nothing is started."""
        for flags, named in ((["-no-such-flag"], "-no-such-flag"), (["-port", "http"], "http"),
                             (["-port=70000"], "70000"), (["-fsync=perhaps"], "perhaps"), (["-port"], "-port"),
                             (["-network-timeout", "60"], "60"), (["-max-size=-1"], "-1"), (["stray"], "stray"),
                             (["-store=tape"], "tape"), (["-zero-copy=perhaps"], "perhaps")):
            with self.subTest(flags):
                done = self.run_to_end(*flags)
                self.assertEqual(done.returncode, 2, done)
                self.assertIn(named, done.stderr)
                self.assertEqual(done.stdout, "")
        self.assertEqual(list(self.scratch.iterdir()), [])

    def test_version_and_help(self):
        """[RUN-12] -version and -help print to stdout and succeed."""
        for flag in ("-version", "--version"):
            done = self.run_to_end(flag)
            self.assertEqual(done.returncode, 0)
            self.assertRegex(done.stdout, r"\AVersion: \d+\.\d+\.\d+")
        for flag in ("-help", "--help", "-h"):
            done = self.run_to_end(flag)
            self.assertEqual(done.returncode, 0, flag)
            for name in ("-host", "-port", "-dir", "-upload-dir", "-base-path", "-max-size", "-network-timeout",
                         "-timeout", "-threads", "-fsync", "-store", "-version"):
                self.assertRegex(done.stdout, rf"(?m)(^|\s){name}\b")

    def test_start_lines(self):
        """[RUN-13] Exactly the lines that operators' scripts read, in this order, with Go's date before them."""
        server = self.serve_plain(self.scratch / "data", "-host", "127.0.0.1", "-port", "0", "-dir", "./data")
        lines = server.output().splitlines()
        port = server.address[1]
        wanted = [f"Using '{os.path.realpath(self.scratch)}/data' as directory storage.",
                  "Using 0.00MB as maximum size.",
                  "Supported tus extensions: creation,creation-with-upload,termination,concatenation,"
                  "concatenation-unfinished,creation-defer-length,checksum,checksum-trailer",
                  f"Using 127.0.0.1:{port} as address to listen.",
                  "Using /files/ as the base path.",
                  "Using /metrics as the metrics path.",
                  f"You can now upload files to: http://127.0.0.1:{port}/files/"]
        self.assertEqual([re.sub("^" + DATE, "", line) for line in lines], wanted)
        for line in lines:
            self.assertRegex(line, "^" + DATE)

    def test_urls_of_uploads(self):
        """[PROXY-7] [PROXY-8] [PROXY-9] What the flags make of Location; uploads go on at what it says."""
        for flags, location in ((("-relative-location",), "/files/"), (("-allowed-hosts=u.example",), "/files/"),
                                (("-base-path=https://u.example/up",), "https://u.example/up/"),
                                (("-base-path=/up",), None), (("-base-path=up/",), None)):
            server = self.serve(*flags)
            with server.wire() as wire:
                location = location or f"http://{wire.host}/up/"
                answer = wire.ask("POST", server.base_path, {**TUS, "Upload-Length": 3, "Content-Length": 0})
                self.assertRegex(answer.get("Location") or "", f"^{re.escape(location)}[0-9a-f]+$")
                self.assertEqual(wire.patch(answer.path, 0, b"abc").status, 204)
                self.assertEqual(wire.ask("POST", server.base_path.rstrip("/"), {**TUS, "Upload-Length": 3,
                                                                                "Content-Length": 0}).status, 201)

    def test_start_lines_with_flags(self):
        """[RUN-13] The lines say what was asked for."""
        server = self.serve("-max-size=1048576", "-base-path=uploads", "-metrics-path=/m")
        text = server.output()
        for line in ("Using 1.00MB as maximum size.", "Using /uploads/ as the base path.",
                     "Using /m as the metrics path."):
            self.assertIn(line, text)
        with server.wire() as wire:
            self.assertEqual(wire.ask("GET", "/m").status, 200)
            self.assertEqual(wire.ask("OPTIONS", "/uploads/").get("Tus-Max-Size"), "1048576")

    def test_any_address(self):
        """[RUN-13] Without -host all addresses are served, IPv4 and IPv6."""
        server = self.serve_plain(self.scratch / "data", "-port=0", "-dir=data")
        families = [(socket.AF_INET, "127.0.0.1")]
        if socket.has_ipv6 and pathlib.Path("/proc/net/if_inet6").read_text():
            families.append((socket.AF_INET6, "::1"))
        for family, address in families:
            with socket.socket(family) as connection:
                connection.settimeout(10)
                connection.connect((address, server.address[1]))
                connection.sendall(b"OPTIONS /files/ HTTP/1.1\r\nHost: a\r\n\r\n")
                self.assertTrue(connection.recv(100).startswith(b"HTTP/1.1 20"))
        self.report(f"reached by {len(families)} address families")

    def test_port_in_use(self):
        """[RUN-14] A port that is taken: one sentence, exit code 1."""
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            done = self.run_to_end("-host=127.0.0.1", f"-port={port}", "-dir=data")
        self.assertEqual(done.returncode, 1, done)
        self.assertEqual(len(done.stderr.strip().splitlines()), 1, done.stderr)
        self.assertIn(str(port), done.stderr)
        self.assertNotIn("You can now upload", done.stdout)

    def test_bad_directory(self):
        """[RUN-14] A directory that is a file, or below one: one sentence that names it, exit code 1."""
        (self.scratch / "file").write_text("")
        for directory in ("file", "file/below"):
            with self.subTest(directory):
                done = self.run_to_end("-host=127.0.0.1", "-port=0", f"-dir={directory}")
                self.assertEqual(done.returncode, 1, done)
                self.assertEqual(len(done.stderr.strip().splitlines()), 1, done.stderr)
                self.assertIn("file", done.stderr)
                self.assertNotIn("You can now upload", done.stdout)

    def test_memory_store(self):
        """[RUN-12] -store=memory: everything works, and nothing is written."""
        directory = self.scratch / "unused"
        server = self.serve("-store=memory", directory=directory)
        with server.wire() as wire:
            path = wire.create(server.base_path, 10)
            self.assertEqual(wire.patch(path, 0, b"01234").offset, 5)
            self.assertEqual(wire.patch(path, 5, b"56789").offset, 10)
            self.assertEqual(wire.head(path).offset, 10)
            self.assertEqual(wire.ask("DELETE", path, {"Tus-Resumable": "1.0.0"}).status, 204)
        self.assertFalse(directory.exists())

    def test_permissions(self):
        """[RUN-12] -file-perms and -dir-perms mean what they say, less nothing but the umask."""
        directory = self.scratch / "made"
        old = os.umask(0o022)
        try:
            server = self.serve("-file-perms=0640", "-dir-perms=0750", directory=directory)
        finally:
            os.umask(old)
        with server.wire() as wire:
            name = wire.create(server.base_path, 10)[len(server.base_path):]
        self.assertEqual(stat.S_IMODE(directory.stat().st_mode), 0o750)
        for file in (name, name + ".info"):
            self.assertEqual(stat.S_IMODE((directory / file).stat().st_mode), 0o640, file)


class Stop(EndToEndTest):
    def test_stop_saves_running_bodies(self):
        """[RUN-15] SIGTERM: bytes that arrived are kept, the client is told 503, and the next start goes on."""
        server = self.serve()
        payload = Payload(self.scratch, 1_000_000)
        wires = [server.wire() for _ in range(21)]
        for wire in wires:
            self.addCleanup(wire.close)
        idle = wires.pop()
        paths = []
        for number, wire in enumerate(wires):
            paths.append(wire.create(server.base_path, payload.size))
            wire.send_head("PATCH", paths[-1], patch_fields(0, payload.size))
            wire.send(payload.read(0, 1000 * (number + 1)))
        time.sleep(0.2)
        begin = time.monotonic()
        answers = []
        reader = threading.Thread(target=lambda: answers.extend(wire.receive() for wire in wires))
        reader.start()
        self.assertEqual(server.stop(), 0)
        seconds = time.monotonic() - begin
        reader.join(20)
        self.report(f"stopped within {seconds:.2f} s")
        self.assertLess(seconds, 10 if is_sanitized() else 5)
        self.assertTrue(idle.is_closed(1))
        for answer in answers:
            self.assert_error(answer, 503, "ERR_SERVER_SHUTDOWN")
        self.assertEqual(len(answers), len(wires))
        server.start()
        with server.wire() as wire:
            for number, path in enumerate(paths):
                offset = wire.head(path).offset
                self.assertEqual(offset, 1000 * (number + 1))
                answer = wire.patch(path, offset, payload.read(offset, payload.size))
                self.assertEqual(answer.offset, payload.size)
                self.assertTrue(payload.is_prefix(server.directory / path[len(server.base_path):], payload.size))

    def test_sigint_and_sigterm(self):
        """[RUN-15] Both end an idle server at once, with exit code 0."""
        for number in (signal.SIGINT, signal.SIGTERM):
            server = self.serve()
            os.kill(server.pid, number)
            self.assertEqual(server.wait_for_exit(), 0)

    def test_many_stops(self):
        """[RUN-15] Stopped at any moment, with work of every kind on its way, the end is clean."""
        generator = random.Random(SEED)
        self.report(f"random seed {SEED}")
        server = self.serve("-threads", "2")
        for _ in range(40):
            wires = [server.wire() for _ in range(4)]
            for wire in wires:
                path = wire.create(server.base_path, 100_000)
                wire.send_head("PATCH", path, patch_fields(0, 100_000))
                wire.send(b"x" * generator.choice((1, 1000, 100_000)))
            time.sleep(generator.choice((0, 0.001, 0.01)))
            server.process.terminate()
            for wire in wires:
                wire.close()
            self.assertEqual(server.wait_for_exit(), 0, server.tail())
            server.start()

    def test_no_new_connections(self):
        """[RUN-15] A stopping server takes no new work."""
        server = self.serve()
        server.stop()
        with self.assertRaises(OSError):
            server.wire(2)

    def test_restart_on_the_same_port(self):
        """[RUN-15] The port is free again at once, although old connections linger."""
        server = self.serve()
        with server.wire() as wire:
            path = wire.create(server.base_path, 10)
            wire.patch(path, 0, b"012")
            server.stop()
        port = server.address[1]
        again = self.serve(f"-port={port}", directory=server.directory)
        with again.wire() as wire:
            self.assertEqual(wire.head(path).offset, 3)


if __name__ == "__main__":
    main()
