"""An HTTP endpoint for hooks that remembers what it is told and answers as a test says."""
import http.server
import json
import random
import socket
import threading
import time


class Reply:
    """One answer. `body` is JSON when it is not bytes."""

    def __init__(self, body=None, status=200, content_type="application/json", delay=0, hang_up=False):
        self.body = b"{}" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        self.status, self.content_type, self.delay, self.hang_up = status, content_type, delay, hang_up


class Call:
    """One request as it came, in order of arrival, and the status it was answered with (0: none)."""

    def __init__(self, raw, headers):
        self.raw, self.headers = raw, headers
        self.message = json.loads(raw)
        self.event = self.message.get("Type") or headers.get("Hook-Name")
        self.event_id = self.message.get("EventId")
        self.upload = self.message.get("Event", {}).get("Upload") or self.message.get("Upload") or self.message
        self.request = self.message.get("Event", {}).get("HTTPRequest") or {}
        self.id = self.upload.get("ID", "")
        self.status = None  # not answered yet
        self.time = time.monotonic()

    def succeeded(self):
        return self.status is not None and 200 <= self.status < 300

    def __repr__(self):
        return f"{self.event} {self.id} {self.event_id} -> {self.status}"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self):
        super().setup()
        self.server.hooks.connected(self.connection)

    def do_POST(self):
        raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.hooks.handle(self, raw)

    def log_message(self, *_):
        pass


class Endpoint(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 1024

    def handle_error(self, *_):
        pass  # a server that was killed in the middle of a request


class HookServer:
    """Use as a context manager, or close() it."""

    def __init__(self, port=0, failure_rate=0.0, seed=0, tls=None):
        """`tls`: the context of an HTTPS server."""
        self.lock = threading.Lock()
        self.calls = []
        self.connections = []
        self.replies = {}  # event -> [Reply or function of a Call, ...]: in order, the last one for ever
        self.failure_rate = failure_rate
        self.generator = random.Random(seed)
        self.closing = threading.Event()
        self.endpoint = Endpoint(("127.0.0.1", port), Handler)
        self.endpoint.hooks = self
        self.port = self.endpoint.server_port
        if tls:
            # The handshake belongs to the thread of a connection, which may be gone before it is over.
            self.endpoint.socket = tls.wrap_socket(self.endpoint.socket, server_side=True, do_handshake_on_connect=False)
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}/hooks"
        self.thread = threading.Thread(target=self.endpoint.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.closing.set()
        self.endpoint.shutdown()
        self.endpoint.server_close()
        for connection in self.connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def answer(self, event, *replies):
        with self.lock:
            self.replies[event] = list(replies)

    def forget(self):
        with self.lock:
            self.calls.clear()

    def connected(self, connection):
        with self.lock:
            self.connections.append(connection)

    def of(self, *events):
        """The calls so far, of these events or of all."""
        with self.lock:
            return [call for call in self.calls if not events or call.event in events]

    def reply_to(self, call):
        if self.generator.random() < self.failure_rate:
            return Reply(b"bad luck", status=500, content_type="text/plain")
        replies = self.replies.get(call.event) or [Reply()]
        reply = replies[0] if len(replies) == 1 else replies.pop(0)
        return reply(call) if callable(reply) else reply

    def handle(self, handler, raw):
        call = Call(raw, dict(handler.headers.items()))
        with self.lock:
            self.calls.append(call)
            reply = self.reply_to(call)
        if reply.delay:
            self.closing.wait(reply.delay)
        if reply.hang_up:
            call.status = 0
            handler.close_connection = True
            return
        # Before it goes out: whoever has been answered may tell others at once.
        call.status = reply.status
        handler.send_response(reply.status)
        handler.send_header("Content-Type", reply.content_type)
        handler.send_header("Content-Length", str(len(reply.body)))
        handler.end_headers()
        handler.wfile.write(reply.body)
