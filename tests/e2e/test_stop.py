#!/usr/bin/env python3
"""Stopping, reloading, and upgrading in place, under load."""
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import threading
import time

from harness import BINARY, LIBC, EndToEndTest, Server, die_with_parent, is_sanitized, main, wait_until
from payload import Payload
from wire import TUS, Closed, patch_fields

SOAK = bool(os.environ.get("TUS_SOAK"))
PR_SET_CHILD_SUBREAPER = 36


class Adopted:
    """A process that another one of ours has started: what Server needs of a Popen."""

    def __init__(self, pid):
        self.pid, self.returncode = pid, None

    def poll(self):
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def wait(self, timeout=None):
        deadline = time.monotonic() + (timeout or 600)
        while self.poll() is None:
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired("tusd", timeout)
            time.sleep(0.01)
        return self.returncode

    def send_signal(self, number):
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self):
        self.send_signal(signal.SIGKILL)

    def terminate(self):
        self.send_signal(signal.SIGTERM)


class Client(threading.Thread):
    """Uploads files one after the other, a new connection for each request, as a tus client would: what is
    retryable is tried again, and everything else is a fault."""

    def __init__(self, server, payload, number):
        super().__init__(daemon=True)
        self.server, self.payload, self.number = server, payload, number
        self.stopping = threading.Event()
        self.faults, self.retries, self.requests, self.finished = [], 0, 0, []

    def ask(self, *request):
        """The answer, once it is none that says `try again`."""
        while True:
            self.requests += 1
            try:
                with self.server.wire(30) as wire:
                    answer = wire.ask(*request)
            except (OSError, Closed) as error:
                self.faults.append(f"{request[0]} {request[1]}: {error!r}")
                time.sleep(0.05)
                continue
            if answer.status not in (423, 503):
                return answer
            self.retries += 1
            if not answer.get("Retry-After"):
                self.faults.append(f"no Retry-After: {answer}")
            if request[0] == "PATCH":
                return answer
            time.sleep(0.02)

    def upload(self):
        size = self.payload.size
        created = self.ask("POST", self.server.base_path, {**TUS, "Upload-Length": size, "Content-Length": 0})
        if created.status != 201:
            return self.faults.append(f"POST: {created}")
        path, known = created.path, 0
        while known < size:
            offset = self.ask("HEAD", path, TUS).offset
            if offset is None or offset < known:
                return self.faults.append(f"{known} was acknowledged, then {offset}")
            end = min(size, offset + size // 3 + self.number)
            answer = self.ask("PATCH", path, patch_fields(offset, end - offset), self.payload.read(offset, end))
            if answer.status == 204:
                known = answer.offset
                if known != end:
                    return self.faults.append(f"{answer} instead of {end}")
            elif answer.status not in (423, 503):
                return self.faults.append(f"PATCH: {answer}")
        self.finished.append(path)

    def run(self):
        while not self.stopping.is_set():
            self.upload()


class StopTest(EndToEndTest):
    def load(self, server, count, size):
        payload = Payload(self.scratch, size)
        clients = [Client(server, payload, number) for number in range(count)]
        for client in clients:
            self.addCleanup(client.stopping.set)
            client.start()
        return payload, clients

    def end_load(self, server, payload, clients):
        """No client has seen a fault, and every upload is there, byte for byte."""
        for client in clients:
            client.stopping.set()
        for client in clients:
            client.join(60)
            self.assertFalse(client.is_alive())
        self.assertEqual([fault for client in clients for fault in client.faults][:5], [], server.tail())
        finished = [path for client in clients for path in client.finished]
        for path in finished:
            file = server.directory / path[len(server.base_path):]
            self.assertEqual(file.stat().st_size, payload.size)
            self.assertTrue(payload.is_prefix(file, payload.size))
        self.report(f"{len(finished)} uploads, {sum(c.requests for c in clients)} requests, "
                    f"{sum(c.retries for c in clients)} of them told to come again")
        return finished


class Stop(StopTest):
    def test_stop_under_load(self):
        """[STOP-1] Bodies that are on their way are kept and answered 503; what was acknowledged stays."""
        server = self.serve("-threads=2")
        payload = Payload(self.scratch, 600_000)
        wires, paths = [], []
        for number in range(12):
            wires.append(server.wire())
            self.addCleanup(wires[-1].close)
            paths.append(wires[-1].create(server.base_path, payload.size))
            wires[-1].send_head("PATCH", paths[-1], patch_fields(0, payload.size))
            wires[-1].send(payload.read(0, 10_000 + number))
        idle = server.wire()
        self.addCleanup(idle.close)
        self.assertEqual(idle.head(paths[0]).status, 200)  # takes this upload over, as any newer request does
        time.sleep(0.2)
        server.process.terminate()
        for wire in wires[1:]:
            answer = wire.receive()
            self.assert_error(answer, 503, "ERR_SERVER_SHUTDOWN")
            self.assertTrue(answer.get("Retry-After"))
            self.assertEqual(answer.get("Connection"), "close")
            wire.close()
        self.assertTrue(idle.is_closed(5))
        self.assertEqual(server.wait_for_exit(), 0)
        self.assertIn("Received interrupt signal. Shutting down tusd...", server.output())
        self.assertIn("Shutdown completed. Goodbye!", server.output())
        server.start()
        with server.wire() as wire:
            for number, path in enumerate(paths):
                offset = wire.head(path).offset
                self.assertEqual(offset, 10_000 + number)
                self.assertEqual(wire.patch(path, offset, payload.read(offset, payload.size)).offset, payload.size)
                self.assertTrue(payload.is_prefix(server.directory / path[len(server.base_path):], payload.size))

    def test_new_connections_are_answered(self):
        """[STOP-3] Who has connected just before a stop is told to come again, also from the queue of the socket."""
        server = self.serve()
        fresh = [server.wire() for _ in range(20)]
        time.sleep(0.1)
        os.kill(server.pid, signal.SIGSTOP)
        queued = [server.wire() for _ in range(20)]
        for wire in queued[:10]:
            wire.send_head("OPTIONS", "/files/")
        server.process.terminate()
        os.kill(server.pid, signal.SIGCONT)
        for wire in fresh + queued[10:]:
            self.addCleanup(wire.close)
            wire.send_head("OPTIONS", "/files/")
        for wire in fresh + queued:
            answer = wire.receive()
            if answer.status != 200:
                self.assert_error(answer, 503, "ERR_SERVER_SHUTDOWN")
                self.assertTrue(answer.get("Retry-After"))
                self.assertEqual(answer.get("Connection"), "close")
            wire.close()
        self.assertEqual(server.wait_for_exit(), 0)

    def test_second_signal(self):
        """[STOP-2] A second signal ends a stop that waits for a client, at once, with exit code 1 as tusd."""
        for first, second in ((signal.SIGTERM, signal.SIGTERM), (signal.SIGINT, signal.SIGTERM)):
            server = self.serve()
            with server.wire() as wire:
                path = wire.create(server.base_path, 1000)
                wire.send_head("PATCH", path, patch_fields(0, 1000))
                wire.send(b"x" * 10)
                time.sleep(0.1)
                begin = time.monotonic()
                server.process.send_signal(first)
                self.assert_error(wire.receive(), 503, "ERR_SERVER_SHUTDOWN")
                server.process.send_signal(second)  # the client stays, and the stop would wait for it
                self.ended_by_second(server, begin)
            self.assertTrue((server.directory / path[len(server.base_path):]).stat().st_size == 10)

    def ended_by_second(self, server, begin):
        self.assertEqual(server.wait_for_exit(), 1)
        self.assertLess(time.monotonic() - begin, 5 if is_sanitized() else 1.5)
        self.assertIn("Received second interrupt signal. Exiting immediately!", server.output())
        server.start()

    def test_reload(self):
        """[STOP-5] SIGHUP reads the configuration again while uploads go on."""
        server = self.serve("-max-size=1000000")
        payload, clients = self.load(server, 2, 300_000)
        for _ in range(5):
            time.sleep(0.1)
            server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: server.errors().count("event=ConfigReloaded") >= 1, 10, "the reload")
        self.end_load(server, payload, clients)
        with server.wire() as wire:
            self.assertEqual(wire.ask("OPTIONS", "/files/").get("Tus-Max-Size"), "1000000")


class Upgrade(StopTest):
    def setUp(self):
        super().setUp()
        LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1)
        self.addCleanup(self.end_orphans)  # after all that tests add
        # The program that is replaced: a copy of its own.
        self.binary = self.scratch / "tusd"
        shutil.copy(BINARY, self.binary)

    def end_orphans(self):
        """What a test that failed in the middle of an upgrade has not adopted; our own children by now."""
        children = pathlib.Path(f"/proc/self/task/{os.getpid()}/children").read_text()
        for pid in map(int, children.split()):
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)

    def serve_copy(self, *flags):
        test = self

        class Copy(Server):
            def launch(self, **streams):
                command = [str(test.binary), *self.command[1:]]
                return subprocess.Popen(command, env=self.environment, preexec_fn=die_with_parent, **streams)

        server = Copy(self.scratch / "data", self.scratch, ["-dir=data", *flags])
        self.addCleanup(server.finish)
        return server

    def upgrade(self, server):
        """SIGUSR2, and what follows: the server object goes on with the new process."""
        started = server.output().count("Using /files/ as the base path.")
        handed = server.errors().count("event=UpgradeHandsOver")
        begin = time.monotonic()
        server.process.send_signal(signal.SIGUSR2)
        wait_until(lambda: server.errors().count("event=UpgradeHandsOver") > handed
                   or server.process.poll() is not None, 60, "the upgrade")
        wait_until(lambda: "pid=" in server.errors().split("event=UpgradeHandsOver")[-1], 5, "the line")
        pid = int(re.findall(r"event=UpgradeHandsOver pid=(\d+)", server.errors())[-1])
        self.assertEqual(server.wait_for_exit(), 0, server.tail())
        server.process = Adopted(pid)
        server.ended_by_test = False
        wait_until(lambda: server.output().count("Using /files/ as the base path.") > started
                   or server.process.poll() is not None, 30, "the new process serves")
        self.assertIsNone(server.process.poll(), server.tail())
        return time.monotonic() - begin

    def replace_binary(self, text=None):
        """As an installer does it: a new file in the place of the old one."""
        fresh = self.scratch / "tusd.new"
        if text is None:
            shutil.copy(BINARY, fresh)
        else:
            fresh.write_text(text)
            fresh.chmod(0o755)
        os.rename(fresh, self.binary)

    def upgrade_under_load(self, *flags):
        server = self.serve_copy("-threads=2", *flags)
        pids = [server.pid]
        payload, clients = self.load(server, 4, 200_000)
        for _ in range(20 if SOAK else 3):
            time.sleep(0.5)
            self.replace_binary()
            seconds = self.upgrade(server)
            pids.append(server.pid)
            self.report(f"upgrade took {seconds:.2f} s")
        time.sleep(0.5)
        self.assertTrue(self.end_load(server, payload, clients))
        self.assertEqual(len(set(pids)), len(pids))
        self.assertEqual(server.stop(), 0)
        return server

    def test_under_load(self):
        """[STOP-7] Three upgrades while four clients work: no connection is refused or dropped, nothing is lost."""
        self.upgrade_under_load("-host=127.0.0.1", "-port=0")

    def test_unix_socket_under_load(self):
        """[STOP-7] The same on a Unix socket, whose file stays until the last process stops."""
        server = self.upgrade_under_load("-unix-sock=s")
        self.assertFalse(os.path.exists(server.address))

    def test_running_bodies(self):
        """[STOP-7] Bodies in the old process are kept and answered 503; the new one goes on at their offset. A client
        that does not take its answer delays nobody."""
        server = self.serve_copy("-host=127.0.0.1", "-port=0")
        payload = Payload(self.scratch, 500_000)
        with server.wire() as wire, server.wire() as idle:
            path = wire.create(server.base_path, payload.size)
            self.assertEqual(idle.head(path).offset, 0)
            wire.send_head("PATCH", path, patch_fields(0, payload.size))
            wire.send(payload.read(0, 123_456))
            time.sleep(0.1)
            server.process.send_signal(signal.SIGUSR2)
            answer = wire.receive()
            self.assert_error(answer, 503, "ERR_SERVER_SHUTDOWN")
            with server.wire() as new:  # while `wire` is still open
                begin = time.monotonic()
                self.assertEqual(new.head(path).offset, 123_456)
                self.report(f"the next request was answered after {time.monotonic() - begin:.2f} s")
                self.assertLess(time.monotonic() - begin, 5 if is_sanitized() else 1)
                self.assertEqual(new.patch(path, 123_456, payload.read(123_456, payload.size)).status, 204)
            self.assertTrue(idle.is_closed(5))
        self.assertEqual(server.wait_for_exit(), 0)
        pid = int(re.findall(r"event=UpgradeHandsOver pid=(\d+)", server.errors())[-1])
        server.process, server.ended_by_test = Adopted(pid), False
        self.assertTrue(payload.is_prefix(server.directory / path[len(server.base_path):], payload.size))

    def test_broken_binary(self):
        """[STOP-9] When the new program does not start, the old one goes on and says why."""
        server = self.serve_copy("-host=127.0.0.1", "-port=0")
        payload, clients = self.load(server, 2, 100_000)
        for text, why in (("#!/bin/sh\nexit 3\n", "exit code 3"), ("\x7fELF nonsense", "could not be executed"),
                          ("#!/bin/sh\nkill -9 $$\n", "signal 9")):
            self.replace_binary(text)
            server.process.send_signal(signal.SIGUSR2)
            wait_until(lambda: why in server.errors(), 20, why)
        os.unlink(self.binary)
        server.process.send_signal(signal.SIGUSR2)
        wait_until(lambda: "No such file" in server.errors(), 20, "the missing program")
        self.assertEqual(server.errors().count("event=UpgradeFailed"), 4)
        self.assertTrue(server.alive())
        # Good again, and the directory in the way: the new process says what is wrong.
        self.replace_binary()
        os.rename(server.directory / ".tusd", self.scratch / "away")
        (server.directory / ".tusd").write_text("in the way")
        server.process.send_signal(signal.SIGUSR2)
        wait_until(lambda: server.errors().count("event=UpgradeFailed") == 5, 30, "the fifth failure")
        self.assertIn("the upload directory", server.errors().split("event=UpgradeFailed")[-1])
        os.unlink(server.directory / ".tusd")
        os.rename(self.scratch / "away", server.directory / ".tusd")
        self.end_load(server, payload, clients)
        self.upgrade(server)

    def test_memory_store(self):
        """[STOP-10] With -store=memory an upgrade would lose the uploads: refused."""
        server = self.serve("-store=memory")
        with server.wire() as wire:
            path = wire.create(server.base_path, 10)
            server.process.send_signal(signal.SIGUSR2)
            wait_until(lambda: "event=UpgradeFailed" in server.errors(), 10, "the refusal")
            self.assertIn("memory", server.errors().split("event=UpgradeFailed")[1])
            self.assertEqual(wire.head(path).offset, 0)

    def test_manager_is_told(self):
        """[STOP-11] The service manager hears of the new process before the old one ends."""
        ear = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(ear.close)
        ear.bind(str(self.scratch / "notify"))
        ear.settimeout(20)
        server = Server(self.scratch / "data", self.scratch, ["-dir=data", "-host=127.0.0.1", "-port=0"],
                        {"NOTIFY_SOCKET": str(self.scratch / "notify")})
        self.addCleanup(server.finish)
        self.assertEqual(ear.recv(100), b"READY=1")
        self.upgrade(server)
        self.assertEqual(ear.recv(100), b"MAINPID=%d" % server.pid)
        self.assertEqual(ear.recv(100), b"READY=1")
        self.assertEqual(server.stop(), 0)
        self.assertEqual(ear.recv(100), b"STOPPING=1")


if __name__ == "__main__":
    main()
