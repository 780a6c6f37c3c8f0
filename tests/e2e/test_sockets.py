#!/usr/bin/env python3
"""Where the server listens: Unix sockets, several addresses, sockets and words of a service manager."""
import contextlib
import os
import pathlib
import signal
import socket
import stat
import subprocess

from harness import BINARY, EndToEndTest, Server, clean_environment, die_with_parent, main, wait_until
from payload import Payload
from wire import TUS, Wire


class Activated(Server):
    """tusd as systemd starts it: with listening sockets from descriptor 3 on."""

    def __init__(self, directory, scratch, flags, sockets, environment=None):
        self.sockets = sockets
        super().__init__(directory, scratch, flags, environment)

    def launch(self, **streams):
        def place_sockets():
            die_with_parent()
            # Above all descriptors that are in use, then down, so that none is overwritten too early.
            high = [os.dup2(s.fileno(), 1000 + number) for number, s in enumerate(self.sockets)]
            for number, fd in enumerate(high):
                os.dup2(fd, 3 + number)
                os.close(fd)
        # The pid is only known between fork and exec, so a shell puts it in.
        command = ["/bin/sh", "-c", 'export LISTEN_PID=$$; exec "$@"', "sh", *self.command]
        environment = {**self.environment, "LISTEN_FDS": str(len(self.sockets))}
        return subprocess.Popen(command, env=environment, preexec_fn=place_sockets, close_fds=False, **streams)


class Sockets(EndToEndTest):
    def run_to_end(self, *flags, environment=None):
        return subprocess.run([BINARY, *flags], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=30, cwd=self.scratch, env=clean_environment(environment))

    def assert_refused(self, done, *words):
        """One sentence on stderr with these words, exit code 1, and no word of success."""
        self.assertEqual(done.returncode, 1, done)
        self.assertEqual(len(done.stderr.strip().splitlines()), 1, done.stderr)
        for word in words:
            self.assertIn(word, done.stderr)
        self.assertEqual(done.stdout, "")

    def serve_unix(self, *flags, name="s"):
        return self.serve_plain(self.scratch / "data", "-dir=data", f"-unix-sock={name}", *flags)

    def upload(self, server, payload, address=None):
        with Wire(address or server.address) as wire:
            path = wire.create(server.base_path, payload.size)
            half = payload.size // 2
            self.assertEqual(wire.patch_file(path, payload, 0, half).offset, half)
            self.assertEqual(wire.head(path).offset, half)
            self.assertEqual(wire.patch_file(path, payload, half, payload.size).offset, payload.size)
        name = path[len(server.base_path):]
        self.assertTrue(payload.is_prefix(server.directory / name, payload.size))
        return path

    def test_unix_socket(self):
        """[SOCK-2] Uploads over a Unix socket, zero-copy or not; there is no TCP then, and the lines are tusd's."""
        payload = Payload(self.scratch, 20 << 20)
        for way in ("always", "never"):
            server = self.serve_unix(f"-zero-copy={way}", "-port=1", "-host=192.0.2.1", "-verbose")
            lines = [line.split(" ", 2)[2] for line in server.output().splitlines()]
            self.assertEqual(lines[3:], ["Using s as socket to listen.", "Using /files/ as the base path.",
                                         "Using /metrics as the metrics path."])
            self.upload(server, payload)
            with server.wire() as wire:
                self.assertEqual(wire.ask("HEAD", "/files/none", TUS).status, 404)
            own = {os.readlink(link) for link in pathlib.Path(f"/proc/{server.pid}/fd").iterdir()
                   if link.is_symlink()}
            tcp = pathlib.Path(f"/proc/{server.pid}/net/tcp").read_text()
            self.assertFalse([line for line in tcp.splitlines() if f"socket:[{line.split()[9]}]" in own])
            self.assertEqual(server.stop(), 0)
            self.assertIn("remote=@", server.errors())

    def test_curl(self):
        """[SOCK-2] A client that nobody here wrote."""
        server = self.serve_unix()
        payload = Payload(self.scratch, 3_000_000)
        done = subprocess.run(["curl", "-sS", "-D-", "--unix-socket", server.address, "-H", "Tus-Resumable: 1.0.0",
                               "-H", f"Upload-Length: {payload.size}", "-H",
                               "Content-Type: application/offset+octet-stream", "--data-binary",
                               f"@{payload.path}", "http://localhost/files/"],
                              capture_output=True, text=True, timeout=60)
        self.assertIn("201 Created", done.stdout, done)
        name = done.stdout.split("Location: http://localhost/files/")[1].split()[0]
        self.assertTrue(payload.is_prefix(server.directory / name, payload.size))

    def test_permissions(self):
        """[SOCK-4] The umask decides, as with tusd, unless -unix-sock-perms does."""
        old = os.umask(0o027)
        self.addCleanup(os.umask, old)
        for flags, mode in (((), 0o750), (("-unix-sock-perms=0666",), 0o666), (("-unix-sock-perms", "700"), 0o700)):
            server = self.serve_unix(*flags)
            self.assertEqual(stat.S_IMODE(os.stat(server.address).st_mode), mode)
            server.stop()
        done = self.run_to_end("-dir=data", "-unix-sock=s", "-unix-sock-perms=rw")
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertIn("-unix-sock-perms", done.stderr)

    def test_stale_socket(self):
        """[SOCK-3] [SOCK-5] A socket that kill -9 left is replaced; a clean stop leaves none."""
        server = self.serve_unix()
        server.kill()
        self.assertTrue(os.path.exists(server.address))
        server.start()
        with server.wire() as wire:
            self.assertEqual(wire.ask("OPTIONS", "/files/").status, 200)
        self.assertEqual(server.stop(), 0)
        self.assertFalse(os.path.exists(server.address))

    def test_living_socket(self):
        """[SOCK-3] Neither the socket of a living server nor another file is touched."""
        server = self.serve_unix()
        self.assert_refused(self.run_to_end("-dir=other", "-unix-sock=s"), "another server listens on it", "-unix-sock")
        with server.wire() as wire:
            self.assertEqual(wire.ask("OPTIONS", "/files/").status, 200)
        (self.scratch / "file").write_text("precious")
        self.assert_refused(self.run_to_end("-dir=other", "-unix-sock=file"), "a file of another kind")
        self.assertEqual((self.scratch / "file").read_text(), "precious")

    def test_socket_of_a_newer_server(self):
        """[SOCK-5] What another server has put in its place stays when the older one stops."""
        older = self.serve_unix()
        os.unlink(older.address)
        newer = self.serve_plain(self.scratch / "data2", "-dir=data2", "-unix-sock=s")
        self.assertEqual(older.stop(), 0)
        with newer.wire() as wire:
            self.assertEqual(wire.ask("OPTIONS", "/files/").status, 200)

    def test_several_addresses(self):
        """[SOCK-1] -host takes a list; each address has its lines, and any port is one port for all."""
        server = self.serve_plain(self.scratch / "data", "-dir=data", "-host=127.0.0.1,127.0.0.2", "-port=0")
        port = server.address[1]
        for host in ("127.0.0.1", "127.0.0.2"):
            self.assertIn(f"Using {host}:{port} as address to listen.", server.output())
            self.assertIn(f"You can now upload files to: http://{host}:{port}/files/", server.output())
            with Wire((host, port)) as wire:
                self.assertEqual(wire.ask("OPTIONS", "/files/").status, 200)
        with self.assertRaises(OSError):
            Wire(("127.0.0.3", port), 2)

    def test_socket_activation(self):
        """[SOCK-6] Sockets that a service manager has opened, TCP and Unix at once, and only those."""
        payload = Payload(self.scratch, 1 << 20)
        with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(socket.AF_UNIX) as local:
            local.bind(str(self.scratch / "activated"))
            local.listen()
            # A client that came before the server waits.
            early = Wire(tcp.getsockname())
            self.addCleanup(early.close)
            server = Activated(self.scratch / "data", self.scratch, ["-dir=data", "-host=192.0.2.1", "-port=1"],
                               [tcp, local])
            self.addCleanup(server.finish)
            self.assertEqual(server.address, tcp.getsockname())
            self.assertIn(f"Using {self.scratch}/activated as socket to listen.", server.output())
            self.assertEqual(early.ask("OPTIONS", "/files/").status, 200)
            self.upload(server, payload)
            self.upload(server, payload, str(self.scratch / "activated"))
            self.assertEqual(server.stop(), 0)
            # The manager's socket is not ours to remove, and clients that come now wait for the next start.
            self.assertTrue((self.scratch / "activated").exists())
            waiting = Wire(str(self.scratch / "activated"))
            self.addCleanup(waiting.close)
            server.start()
            self.assertEqual(waiting.ask("OPTIONS", "/files/").status, 200)

    def test_descriptors_that_do_not_listen(self):
        """[SOCK-6] [SOCK-8] A manager that is set up wrongly is told so."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as datagram:
            os.set_inheritable(datagram.fileno(), True)
            shell = f'exec 3<&{datagram.fileno()}; LISTEN_FDS=1 LISTEN_PID=$$ exec "$0" -dir=data'
            done = subprocess.run(["/bin/sh", "-c", shell, BINARY], capture_output=True, text=True, timeout=30,
                                  cwd=self.scratch, env=clean_environment(), close_fds=False)
        self.assert_refused(done, "no stream socket that listens", "Accept=no")

    def manager(self, name):
        """A service manager's ear."""
        ear = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(ear.close)
        ear.bind(str(self.scratch / name))
        ear.settimeout(20)
        return ear

    def test_notification(self):
        """[SOCK-7] READY when clients are served, RELOADING and READY around SIGHUP, STOPPING at the end."""
        ear = self.manager("notify")
        directory = self.scratch / "data"
        server = Server(directory, self.scratch, ["-host=127.0.0.1", "-port=0", "-dir=data"],
                        {"NOTIFY_SOCKET": str(self.scratch / "notify")})
        self.addCleanup(server.finish)
        self.assertEqual(ear.recv(1000), b"READY=1")
        server.process.send_signal(signal.SIGHUP)
        self.assertRegex(ear.recv(1000), rb"\ARELOADING=1\nMONOTONIC_USEC=\d+\Z")
        self.assertEqual(ear.recv(1000), b"READY=1")
        self.assertEqual(server.stop(), 0)
        self.assertEqual(ear.recv(1000), b"STOPPING=1")
        ear.settimeout(0.1)
        with self.assertRaises(TimeoutError):
            ear.recv(1000)

    def test_no_notification_of_failure(self):
        """[SOCK-7] A start that fails is not called ready."""
        ear = self.manager("notify")
        self.run_to_end("-dir=/dev/null/x", environment={"NOTIFY_SOCKET": str(self.scratch / "notify")})
        ear.settimeout(0.1)
        with self.assertRaises(TimeoutError):
            ear.recv(1000)

    def test_children_inherit_nothing(self):
        """[SOCK-6] No descriptor is left to child processes; sockets meant for another process are not ours."""
        server = Server(self.scratch / "data", self.scratch, ["-host=127.0.0.1", "-port=0", "-dir=data"],
                        {"LISTEN_PID": "1", "LISTEN_FDS": "1"})
        self.addCleanup(server.finish)
        with server.wire() as wire:
            path = wire.create(server.base_path, 10)
            wire.send_head("PATCH", path, {**TUS, "Content-Length": 10, "Upload-Offset": 0,
                                           "Content-Type": "application/offset+octet-stream"})
            wire.send(b"01234")
            fdinfo = pathlib.Path(f"/proc/{server.pid}/fdinfo")
            wait_until(lambda: len(list(fdinfo.iterdir())) > 10, 10, "descriptors")
            for entry in fdinfo.iterdir():
                with contextlib.suppress(OSError):
                    flags = int(entry.read_text().split("flags:")[1].split()[0], 8)
                    close_on_exec = bool(flags & os.O_CLOEXEC)
                    self.assertTrue(close_on_exec or int(entry.name) <= 2, (entry.name, os.readlink(
                        f"/proc/{server.pid}/fd/{entry.name}")))

    def test_errors_at_start(self):
        """[SOCK-8] What keeps the server from listening is one sentence that says what to do."""
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            self.assert_refused(self.run_to_end("-host=127.0.0.1", f"-port={port}", "-dir=data"),
                                f"127.0.0.1:{port}", "another program uses this port", "-port")
            self.assert_refused(self.run_to_end("-host=127.0.0.2,127.0.0.1", f"-port={port}", "-dir=data"),
                                f"127.0.0.1:{port}")
        self.assert_refused(self.run_to_end("-host=192.0.2.1", "-port=0", "-dir=data"), "192.0.2.1", "-host")
        self.assert_refused(self.run_to_end("-host=no.such.host.invalid", "-dir=data"), "no.such.host.invalid", "-host")
        self.assert_refused(self.run_to_end("-unix-sock=no/such/s", "-dir=data"), "no/such/s", "make it first")
        too_long = self.run_to_end("-unix-sock=" + "x" * 200, "-dir=data")
        self.assertEqual(too_long.returncode, 2, "a bad value, before anything is tried")
        self.assertIn("too long", too_long.stderr)

    def test_privileged_port(self):
        """[SOCK-8] A port that needs a right which the server does not have."""
        if os.geteuid() == 0:
            command = ["setpriv", "--bounding-set=-net_bind_service", "--inh-caps=-net_bind_service", BINARY]
        else:
            command = [BINARY]
        lowest = int(pathlib.Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text())
        if lowest <= 1:
            command = ["unshare", "--net", "sh", "-c", "ip link set lo up; "
                       "echo 1024 >/proc/sys/net/ipv4/ip_unprivileged_port_start; exec \"$@\"", "sh", *command]
        done = subprocess.run([*command, "-host=127.0.0.1", "-port=80", "-dir=data"], capture_output=True, text=True,
                              timeout=30, cwd=self.scratch, env=clean_environment())
        self.assert_refused(done, "127.0.0.1:80", "CAP_NET_BIND_SERVICE")


if __name__ == "__main__":
    main()
