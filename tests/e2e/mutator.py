#!/usr/bin/env python3
"""Broken requests without end: mutator.py SEED COUNT PLAN, where PLAN is a JSON file that names the victims.

A process of its own, so that several can run. Sends requests that began as good ones and were changed until COUNT of them
were answered or broken off, and prints what came back: {"requests": n, "statuses": {...}}. What is pipelined behind a
request that ends its connection does not count.

The victims are uploads that must not change. Requests that are let loose never name one: their bytes are checked for
each victim's id after they were changed. Others do name a victim, and are made so that the server has to refuse them.
"""
import collections
import json
import random
import re
import socket
import struct
import sys

OFFSET_TYPE = "application/offset+octet-stream"
PIPELINE = 3  # requests on a connection, as long as it lasts
WORDS = [b"\r\n", b"\n", b"\r", b"\0", b" ", b"\t", b":", b",", b";", b"/", b"..", b"%2e%2e%2f", b"%00", b"%", b"\xff", b"\"",
         b"-1", b"+1", b"0x10", b"9223372036854775807", b"18446744073709551616", b"chunked", b"Transfer-Encoding: chunked\r\n",
         b"Content-Length: 7\r\n", b"Content-Length: 99999\r\n", b"HTTP/1.0", b"HTTP/2.0", b"Host: x\r\n", b"A" * 300,
         b"0\r\n\r\n", b"5\r\nabcde\r\n", b"Expect: 100-continue\r\n", b"Connection: close\r\n", b".info", b".lock", b"/../",
         b"X-HTTP-Method-Override: DELETE\r\n", b"Upload-Concat: final;/files/a\r\n", b"Upload-Defer-Length: 1\r\n"]
TROUBLE = re.compile(rb"ERR_(INTERNAL|UPLOAD_DAMAGED|UPLOAD_FINISH_FAILED|LOCK_TIMEOUT|UPLOAD_EXISTS)")
ANSWER = re.compile(rb"HTTP/1\.1 (\d\d\d) [^\r\n]*\r\n")


class Mutator:
    def __init__(self, seed, plan):
        self.random = random.Random(seed)
        self.address = tuple(plan["address"])
        self.base = plan["base"]
        self.victims = plan["victims"]
        self.forbidden = [victim["id"].encode() for victim in self.victims]
        self.own = []  # paths of uploads that these requests may do anything to

    def head(self, method, path, fields):
        lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", "Tus-Resumable: 1.0.0"]
        lines += [f"{name}: {value}" for name, value in fields.items()]
        return "\r\n".join(lines).encode() + b"\r\n\r\n"

    def path(self):
        """An upload of its own, or one that has the form of an id and is nobody's."""
        if self.own and self.random.random() < 0.6:
            return self.random.choice(self.own)
        return f"{self.base}{self.random.getrandbits(128):032x}"

    def good(self):
        kind = self.random.randrange(8)
        if kind == 0:
            return self.head("POST", self.base, {"Upload-Length": self.random.randrange(40), "Content-Length": 0,
                                                 "Upload-Metadata": "filename YS50eHQ=,filetype dGV4dC9wbGFpbg=="})
        if kind == 1:
            body = self.random.randbytes(self.random.randrange(30))
            return self.head("POST", self.base, {"Upload-Length": len(body) + 3, "Content-Type": OFFSET_TYPE,
                                                 "Content-Length": len(body)}) + body
        if kind in (2, 3):
            body = self.random.randbytes(self.random.randrange(20))
            fields = {"Content-Type": OFFSET_TYPE, "Upload-Offset": self.random.choice((0, 0, 3, len(body)))}
            if kind == 2:
                return self.head("PATCH", self.path(), {**fields, "Content-Length": len(body)}) + body
            chunks = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body) if body else b"0\r\n\r\n"
            return self.head("PATCH", self.path(), {**fields, "Transfer-Encoding": "chunked"}) + chunks
        if kind == 4:
            return self.head("HEAD", self.path(), {"X-Forwarded-For": "192.0.2.1"})
        if kind == 5:
            return self.head("GET", self.path(), {"Range": "bytes=0-3", "If-None-Match": "\"x\""})
        if kind == 6:
            return self.head("DELETE", self.path(), {})
        return self.head("OPTIONS", self.base, {"Origin": "https://a.example"})

    def changed(self, request):
        data = bytearray(request)
        for _ in range(self.random.randrange(1, 4)):
            at = self.random.randrange(len(data) + 1)
            to = min(len(data), at + self.random.randrange(1, 12))
            kind = self.random.randrange(6)
            if kind == 0 and at < len(data):
                data[at] = self.random.randrange(256)
            elif kind == 1:
                del data[at:to]
            elif kind == 2:
                data[at:at] = self.random.choice(WORDS)
            elif kind == 3:
                data[at:to] = self.random.choice(WORDS)
            elif kind == 4:
                data[at:at] = data[at:to]
            elif data:
                del data[self.random.randrange(len(data)):]
        return bytes(data)

    def against_a_victim(self):
        """Names a victim; the server must refuse it, or only look. Not changed any more, but for what cannot help it."""
        victim = self.random.choice(self.victims)
        path, offset = victim["path"], victim["offset"]
        body = self.random.randbytes(10)
        patch = {"Content-Type": OFFSET_TYPE, "Content-Length": len(body), "Upload-Offset": offset}
        kind = self.random.randrange(11)
        if kind == 0:
            return self.head("PATCH", path, {**patch, "Upload-Offset": offset + self.random.randrange(1, 1000)}) + body
        if kind == 1:
            return self.head("PATCH", path, {**patch, "Content-Type": "text/plain"}) + body
        if kind == 2:
            return self.head("PATCH", path, patch).replace(b"Tus-Resumable: 1.0.0", b"Tus-Resumable: 0.2.2") + body
        if kind == 3:
            return self.head("PATCH", path, {**patch, "Content-Length": victim["length"] - offset + 10}) + body
        if kind == 4:
            return self.head("PATCH", path, {**patch, "Upload-Checksum": "sha1 AAAAAAAAAAAAAAAAAAAAAAAAAAA="}) + body
        if kind == 5:
            bad = self.random.choice((f"-{offset}", f"+{offset}", f"0x{offset:x}", f"{offset} ,1", f"{offset + 2**64}", "", "1e3"))
            return self.head("PATCH", path, {**patch, "Upload-Offset": bad}) + body
        if kind == 6:
            both = self.head("PATCH", path, {**patch, "Transfer-Encoding": "chunked"})
            return both + b"a\r\n" + body + b"\r\n0\r\n\r\n"
        if kind == 7:
            suffix = self.random.choice((".info", ".lock", "/..", "%2f", "%00", "/", "%2e", "\\", ".part", "/../" + victim["id"]))
            method = self.random.choice(("DELETE", "PATCH"))
            return self.head(method, path + suffix, patch) + body
        if kind == 8:
            return self.head(self.random.choice(("PUT", "POST", "TRACE", "delete", "Patch", "LINK")), path, {"Content-Length": 0})
        if kind == 9:
            return self.head("DELETE", path, {}).replace(b"Tus-Resumable: 1.0.0\r\n", b"")
        return self.head(self.random.choice(("HEAD", "GET")), path, {})

    def requests(self):
        """Some requests for one connection."""
        count = self.random.randrange(1, PIPELINE + 1)
        if self.random.random() < 0.2:
            # What is left open would swallow what comes behind it: one is all of the connection.
            return [self.against_a_victim()]
        made = []
        while len(made) < count:
            request = self.good()
            if self.random.random() < 0.85:
                request = self.changed(request)
            if request:
                made.append(request)
        data = b"".join(made)
        return [] if any(name in data for name in self.forbidden) else made

    def converse(self, data):
        with socket.socket() as client:
            client.settimeout(20)
            client.connect(self.address)
            # RST: nothing of it is left in the kernel, so that ports do not run out.
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            received = b""
            try:
                client.sendall(data)
                # Not all are so kind as to say that they have nothing more to say.
                if self.random.random() < 0.97:
                    client.shutdown(socket.SHUT_WR)
                    while piece := client.recv(65536):
                        received += piece
            except (ConnectionResetError, BrokenPipeError):
                pass
        return received

    def learn(self, received):
        for location in re.findall(rb"\r\nLocation: http://[^/\r\n]*(/[^\r\n]*)\r\n", received):
            self.own.append(location.decode())
        del self.own[:-50]


def main():
    seed, count, plan = int(sys.argv[1]), int(sys.argv[2]), json.load(open(sys.argv[3]))
    mutator = Mutator(seed, plan)
    sent, statuses = 0, collections.Counter()
    while sent < count:
        made = mutator.requests()
        if not made:
            continue
        received = mutator.converse(b"".join(made))
        mutator.learn(received)
        answers = [match.decode() for match in ANSWER.findall(received)]
        statuses.update(answers)
        sent += max(1, len(answers) - answers.count("100"))
        # A server that calls it its own fault has not understood what is wrong.
        if TROUBLE.search(received):
            sys.exit(f"{received!r} to {made!r}")
    print(json.dumps({"requests": sent, "statuses": statuses}))


if __name__ == "__main__":
    main()
