"""Bytes to upload that no two places share, so that a byte stored at the wrong offset shows."""
import functools
import hashlib
import os
import random

BLOCK = 1 << 20


class Payload:
    """A file of random bytes. Each block of 1 MiB carries its number."""

    def __init__(self, folder, size, seed=1):
        self.size = size
        self.path = os.path.join(folder, f"payload-{size}-{seed}")
        block = bytearray(random.Random(seed).randbytes(BLOCK))
        with open(self.path, "wb") as file:
            for number in range(-(-size // BLOCK)):
                block[:8] = number.to_bytes(8, "big")
                file.write(block[:min(BLOCK, size - number * BLOCK)])
        self.fd = os.open(self.path, os.O_RDONLY)

    def __del__(self):
        os.close(self.fd)

    def read(self, start, end):
        return os.pread(self.fd, end - start, start)

    @functools.cached_property
    def sha256(self):
        return sha256_of(self.path)

    def is_prefix(self, path, length):
        """Whether a file begins with the first `length` bytes."""
        with open(path, "rb") as file:
            for start in range(0, length, BLOCK):
                part = min(BLOCK, length - start)
                if file.read(part) != self.read(start, start + part):
                    return False
        return True


def sha256_of(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
