#!/usr/bin/env python3
"""Two programs for test_slow_hooks.py, in processes of their own so that they take no turns with what it measures.

hooks: an endpoint that answers a pre-create with metadata after a second and everything else at once; prints its port.
crowd HOST PORT PATH COUNT: so many clients that create uploads for ever, one after the other, each once a second: while
the last line on standard input was "slow" with metadata, so that the hook takes the second, and while it was "quick" without,
so that the client does. Prints a line with what they have created when it was "stop" and all have their answers.
"""
import asyncio
import base64
import sys

SECOND = 1.0
METADATA = b"Upload-Metadata: slow " + base64.b64encode(b"x") + b"\r\n"
REPLY = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


async def read_message(reader):
    """The head and the body of a request or an answer."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = next((int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0)
    return head, await reader.readexactly(length)


async def serve_hooks():
    async def connection(reader, writer):
        try:
            while True:
                _, body = await read_message(reader)
                if b'"pre-create"' in body and b'"slow"' in body:
                    await asyncio.sleep(SECOND)
                writer.write(REPLY)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(connection, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


class Crowd:
    def __init__(self, host, port, path):
        self.address = (host, port)
        head = f"POST {path} HTTP/1.1\r\nHost: {host}:{port}\r\nTus-Resumable: 1.0.0\r\nUpload-Length: 5\r\n".encode()
        self.requests = {"slow": head + METADATA + b"\r\n", "quick": head + b"\r\n"}
        self.kind = "slow"
        self.may_go = asyncio.Event()
        self.created = self.busy = 0

    async def client(self, delay):
        reader, writer = await asyncio.open_connection(*self.address)
        while True:
            await self.may_go.wait()
            # Not all of them at the same moment of each second.
            await asyncio.sleep(delay)
            while self.may_go.is_set():
                self.busy += 1
                writer.write(self.requests[self.kind])
                head, _ = await read_message(reader)
                self.busy -= 1
                if not head.startswith(b"HTTP/1.1 201"):
                    raise AssertionError(head)
                self.created += 1
                if self.kind == "quick":
                    await asyncio.sleep(SECOND)

    async def run(self, count):
        clients = [asyncio.ensure_future(self.client(SECOND * number / count)) for number in range(count)]
        commands = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
        while line := await commands.readline():
            for one in clients:
                if one.done():
                    one.result()
            if line != b"stop\n":
                self.kind = line.decode().strip()
                self.may_go.set()
                continue
            self.may_go.clear()
            while self.busy:
                await asyncio.sleep(0.01)
            print(self.created, flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "hooks":
        asyncio.run(serve_hooks())
    else:
        async def main():
            await Crowd(sys.argv[2], int(sys.argv[3]), sys.argv[4]).run(int(sys.argv[5]))
        asyncio.run(main())
