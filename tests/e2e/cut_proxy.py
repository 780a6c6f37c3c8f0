"""A TCP proxy that breaks connections when a given number of bytes has gone from clients to the server."""
import ctypes
import socket
import struct
import threading

LIBC = ctypes.CDLL(None)

# How a cut looks from the server: a reset, an end in the middle, or nothing at all: the old connection
# stays open and silent, as when a phone changes its network. The client always sees a reset.
STYLES = ("reset", "end", "silent")


class CutProxy:
    def __init__(self, target, cuts=(), styles=STYLES):
        self.target = target
        self.cuts = sorted(cuts)
        self.styles = styles
        self.done = []
        self.passed = 0
        self.lock = threading.Lock()
        self.sockets = []
        self.threads = []
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self.listener.getsockname()[1]
        self._spawn(self._accept)

    def _spawn(self, function, *arguments):
        thread = threading.Thread(target=function, args=arguments, daemon=True)
        self.threads.append(thread)
        thread.start()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(self.target, 10)
            except OSError:
                client.close()
                continue
            self.sockets += [client, server]
            for end in (client, server):
                end.settimeout(None)
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._spawn(self._upstream, client, server)
            self._spawn(self._downstream, client, server)

    def _take(self, size):
        """How many of `size` bytes may pass, and the style of the cut that comes then, or None."""
        with self.lock:
            room = self.cuts[0] - self.passed if self.cuts else size + 1
            if size < room:
                self.passed += size
                return size, None
            self.passed += room
            style = self.styles[len(self.done) % len(self.styles)]
            self.done.append((self.cuts.pop(0), style))
            return room, style

    def _upstream(self, client, server):
        buffer = memoryview(bytearray(256 << 10))
        try:
            while size := client.recv_into(buffer):
                allowed, style = self._take(size)
                server.sendall(buffer[:allowed])
                if style:
                    self._cut(client, server, style)
                    return
            server.shutdown(socket.SHUT_WR)
        except OSError:
            shut(client)
            shut(server)

    def _downstream(self, client, server):
        try:
            while data := server.recv(65536):
                client.sendall(data)
            client.shutdown(socket.SHUT_WR)
        except OSError:
            shut(client)

    def _cut(self, client, server, style):
        reset(client)
        if style == "reset":
            reset(server)
        elif style == "end":
            shut(server)

    def close(self):
        shut(self.listener)
        for end in self.sockets:
            shut(end)
        for thread in self.threads:
            thread.join(10)
        for end in (self.listener, *self.sockets):
            end.close()


def reset(connection):
    """Sends RST now, although another thread is in recv: on Linux, connect to AF_UNSPEC aborts."""
    LIBC.connect(connection.fileno(), struct.pack("HHIQ", socket.AF_UNSPEC, 0, 0, 0), 16)


def shut(connection):
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
