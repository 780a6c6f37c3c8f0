"""TLS in front of a server that speaks none, as a load balancer has it; and an HTTP proxy for CONNECT."""
import contextlib
import socket
import ssl
import subprocess
import threading


def make_certificate(folder, name, *alternatives):
    """Its own CA. (key, certificate), PEM files."""
    key, certificate = folder / f"{name}.key", folder / f"{name}.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                    "-subj", f"/CN={name}", "-addext", f"subjectAltName={','.join(alternatives)}",
                    "-keyout", key, "-out", certificate], check=True, timeout=30, capture_output=True)
    return key, certificate


class Relay:
    """Accepts connections and passes bytes on, until it is closed."""

    def __init__(self):
        self.ends = []
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        for end in (self.listener, *self.ends):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        with contextlib.suppress(OSError, ValueError):
            client, server = self.join(client)
            self.ends += [client, server]
            threading.Thread(target=self._copy, args=(server, client), daemon=True).start()
            self._copy(client, server)
        client.close()

    @staticmethod
    def _copy(source, target):
        with contextlib.suppress(OSError, ValueError):
            while data := source.recv(64 << 10):
                target.sendall(data)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def join(self, client):
        """The two ends that belong together."""
        raise NotImplementedError


class TlsFront(Relay):
    def __init__(self, target, key, certificate):
        self.target = target
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate, key)
        super().__init__()

    def join(self, client):
        return self.context.wrap_socket(client, server_side=True), socket.create_connection(self.target, 10)


class ConnectProxy(Relay):
    """Every name leads to `target`; `asked` has the names."""

    def __init__(self, target):
        self.target = target
        self.asked = []
        super().__init__()

    def join(self, client):
        head = b""
        while b"\r\n\r\n" not in head:
            head += client.recv(4096) or b"\r\n\r\n"
        method, name = head.split(b" ", 2)[:2]
        if method != b"CONNECT":
            raise ValueError("not CONNECT")
        self.asked.append(name.decode())
        client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        return client, socket.create_connection(self.target, 10)
