#!/usr/bin/env python3
"""Uploads without end on a number of connections, as fast as the server takes it: flood.py HOST PORT BASE COUNT.

A process of its own, so that it does not disturb the clock of the test. Prints "flowing" once every connection moves.
"""
import os
import sys
import threading

from wire import TUS, Wire, patch_fields

SIZE = 256 << 20
STEP = 4 << 20


def flood(address, base, body, flowing):
    with Wire(address) as wire:
        while True:
            path = wire.create(base, SIZE)
            wire.send_head("PATCH", path, patch_fields(0, SIZE))
            wire.socket.setblocking(True)
            sent = 0
            while sent < SIZE:
                sent += os.sendfile(wire.socket.fileno(), body, 0, min(STEP, SIZE - sent))
                flowing.set()
            answer = wire.receive()
            if answer.status != 204:
                raise AssertionError(f"flood: {answer}")
            wire.ask("DELETE", path, TUS)


def main():
    host, port, base, count = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
    body = os.memfd_create("body")
    os.write(body, os.urandom(STEP))
    events = [threading.Event() for _ in range(count)]
    for flowing in events:
        threading.Thread(target=flood, args=((host, port), base, body, flowing)).start()
    for flowing in events:
        if not flowing.wait(30):
            os._exit(1)
    print("flowing", flush=True)


if __name__ == "__main__":
    main()
