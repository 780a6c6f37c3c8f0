#!/usr/bin/env python3
"""Hooks when what they need fails: the room for their events, and the certificate of their endpoint."""
import pathlib
import ssl
import subprocess
import tempfile

from disks import DiskTest, enter_namespace
from harness import main, wait_until
from hook_kit import whole
from hook_server import HookServer
from wire import TUS

SECONDS = 30
POSTS = ("post-create", "post-finish", "post-terminate")
SYSTEM_CAS = "/etc/ssl/certs/ca-certificates.crt"


class FullOutbox(DiskTest):
    """The outbox has a small disk of its own, so that it is full when the uploads still have room."""

    def setUp(self):
        super().setUp()
        self.hooks = HookServer()
        self.addCleanup(self.hooks.close)
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="data-", dir=self.scratch))
        self.outbox = self.directory / ".tusd" / "outbox"
        self.outbox.mkdir(parents=True)
        self.mount_tmpfs(self.outbox, "size=256k")
        self.addCleanup(subprocess.run, ["umount", "--lazy", self.outbox], check=False, timeout=10)
        self.server = self.serve(f"-hooks-http={self.hooks.url}", f"-hooks-enabled-events={','.join(POSTS)}",
                                 "-hooks-retry-delay=50ms", "-hooks-http-retry=1", "-fsync=finish", directory=self.directory)
        self.wire = self.server.wire()
        self.addCleanup(self.wire.close)

    def fill_outbox(self):
        filler = self.outbox / "filler"
        with open(filler, "wb", buffering=0) as file:
            try:
                while True:
                    file.write(b"x" * 4096)
            except OSError:
                pass
        return filler

    def uploads(self):
        return sorted(path.name for path in self.directory.iterdir() if path.name != ".tusd" and path.suffix != ".lock")

    def records(self):
        return [path for path in self.outbox.rglob("*") if path.is_file() and path.name not in ("lock", "filler")]

    def test_no_room_for_an_event(self):
        """[HOOK-174] What could not be told is not done: nothing is created, finished or removed, and nothing acknowledged."""
        base = self.server.base_path
        running = self.wire.create(base, 5)
        self.assertEqual(self.wire.patch(running, 0, b"123").offset, 3)
        wait_until(lambda: not self.records(), SECONDS, "the event of the creation is gone")
        before, told = self.uploads(), len(self.hooks.of())
        filler = self.fill_outbox()

        self.assert_error(self.wire.ask("POST", base, {**TUS, "Upload-Length": 3}), 507, "ERR_INSUFFICIENT_STORAGE")
        self.assert_error(whole(self.wire, base, b"123"), 507, "ERR_INSUFFICIENT_STORAGE")
        self.assert_error(self.wire.ask("DELETE", running, TUS), 507, "ERR_INSUFFICIENT_STORAGE")
        self.assertEqual(self.uploads(), before)
        self.assertEqual(self.records(), [], "no half of a record")
        self.assertEqual(self.wire.head(running).offset, 3, "what is here is still here")

        answer = self.wire.patch(running, 3, b"45")
        self.assertGreaterEqual(answer.status, 500, answer)
        self.assertIsNone(answer.get("Upload-Offset"), "not finished, and so not acknowledged")
        with self.server.wire() as wire:
            head = wire.head(running)
            self.assertIn(head.status, (503, 507), head)
            self.assertIsNone(head.get("Upload-Offset"), head)
        self.assertEqual(len(self.hooks.of()), told)

        filler.unlink()
        wait_until(lambda: self.hooks.of("post-finish"), SECONDS, "it goes on by itself")
        with self.server.wire() as wire:
            self.assertEqual(wire.head(running).offset, 5)
            self.assertEqual(wire.ask("GET", running).body, b"12345")
            self.assertEqual(whole(wire, base, b"123").status, 201)
            self.assertEqual(wire.ask("DELETE", running, TUS).status, 204)
        wait_until(lambda: len(self.hooks.of("post-finish")) == 2 and self.hooks.of("post-terminate"), SECONDS, "the others")
        self.assertEqual(len(self.hooks.of("post-create")), 2, "no event of what was refused")
        wait_until(lambda: not self.records(), SECONDS, "nothing is left")


class Certificates(DiskTest):
    def certificate(self, name, *alternatives):
        key, certificate = (self.scratch / f"{name}.{what}" for what in ("key", "pem"))
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                        "-subj", f"/CN={name}", "-addext", f"subjectAltName={','.join(alternatives)}",
                        "-keyout", key, "-out", certificate], check=True, timeout=30, capture_output=True)
        return key, certificate

    def endpoint(self, key, certificate):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        hooks = HookServer(tls=context)
        self.addCleanup(hooks.close)
        return hooks

    def status(self, hooks, *flags):
        server = self.serve(f"-hooks-http={hooks.url}", "-hooks-http-retry=1", "-hooks-enabled-events=pre-create", *flags)
        with server.wire() as wire:
            return wire.ask("POST", server.base_path, {**TUS, "Upload-Length": 3}).status, server

    def test_certificates(self):
        """[HOOK-175] An endpoint has to be who it says it is, as the system's CAs see it, unless nobody is to look."""
        right = self.certificate("right", "IP:127.0.0.1")
        wrong = self.certificate("wrong", "DNS:other.example", "IP:127.0.0.2")
        unknown = self.certificate("unknown", "IP:127.0.0.1")
        trusted = self.scratch / "cas.pem"
        trusted.write_bytes(right[1].read_bytes() + wrong[1].read_bytes())
        # In the namespace of this test alone.
        subprocess.run(["mount", "--bind", trusted, SYSTEM_CAS], check=True, timeout=10)
        self.addCleanup(subprocess.run, ["umount", "--lazy", SYSTEM_CAS], check=False, timeout=10)
        for name, files, flags, is_accepted in (("trusted", right, (), True), ("unknown", unknown, (), False),
                                                ("wrong name", wrong, (), False),
                                                ("unknown, skipped", unknown, ("-hooks-http-skip-verify",), True),
                                                ("wrong name, skipped", wrong, ("-hooks-http-skip-verify",), True)):
            with self.subTest(name):
                hooks = self.endpoint(*files)
                status, server = self.status(hooks, *flags)
                if is_accepted:
                    self.assertEqual((status, len(hooks.of())), (201, 1), server.errors())
                else:
                    self.assertEqual((status, hooks.of()), (500, []), "nothing was told to whoever that is")
                    wait_until(lambda s=server: "certificate" in s.errors(), SECONDS, "the reason in the log")


if __name__ == "__main__":
    enter_namespace()
    main()
