#!/usr/bin/env python3
"""Parallel uploads with the real binary: tus-js-client, kill -9 in the middle of joins, gigabytes, a thousand parts."""
import hashlib
import os
import random
import threading
import time

import js_client
from harness import SEED, EndToEndTest, is_sanitized, main, wait_until
from payload import Payload, sha256_of
from wire import TUS

MIB = 1 << 20
SOAK = os.environ.get("TUS_SOAK") == "1"
KILLS = 200 if SOAK else 8
LARGE = (40 << 30) if SOAK else (2 << 30)


class Concat(EndToEndTest):
    def part(self, wire, server, body=b"", length=None):
        fields = {**TUS, "Upload-Concat": "partial", "Upload-Length": len(body) if length is None else length}
        answer = wire.ask("POST", server.base_path, fields)
        self.assertEqual(answer.status, 201, answer)
        if body:
            self.assertEqual(wire.patch(answer.path, 0, body).status, 204)
        return answer.path

    def join(self, wire, server, paths):
        value = "final;" + " ".join(paths)
        answer = wire.ask("POST", server.base_path, {**TUS, "Upload-Concat": value})
        self.assertEqual(answer.status, 201, answer)
        return answer.path

    def settled(self, wire, path):
        """HEAD, after a join that may still be running; nothing that it says before is an offset."""
        def answer():
            found = wire.head(path)
            if found.status == 503:
                self.assertIsNone(found.get("Upload-Offset"))
                return None
            return found
        return wait_until(answer, 60, "the join")

    def stored(self, server, path):
        return server.directory / path[len(server.base_path):]

    def test_parallel_uploads_of_tus_js_client(self):
        """[CONCAT-95] The client that made the extension popular: four parts at the same time, and one upload of them."""
        server = self.serve("-concat-remove-parts")
        payload = Payload(self.scratch, 64 * MIB + 7)
        job = {"file": payload.path, "options": {"parallelUploads": 4}}
        result, = js_client.upload(server.url, [job])
        path = server.base_path + result["url"].rsplit("/", 1)[1]
        with server.wire() as wire:
            answer = self.settled(wire, path)
            self.assertEqual((answer.status, answer.offset), (200, payload.size))
            self.assertEqual(len(answer.get("Upload-Concat").split(" ")), 4)
        self.assertEqual(sha256_of(self.stored(server, path)), payload.sha256)
        wait_until(lambda: len(list(server.directory.glob("*.info"))) == 1, 10, "the parts are removed")

    def test_a_thousand_parts(self):
        """[CONCAT-89] As many as a request head takes."""
        server = self.serve("-fsync=off")
        with server.wire() as wire:
            parts = [self.part(wire, server, b"%d," % number) for number in range(40)]
            paths = [parts[number % 40] for number in range(1000)]
            final = self.join(wire, server, paths)
            whole = b"".join(b"%d," % (number % 40) for number in range(1000))
            self.assertEqual(self.settled(wire, final).offset, len(whole))
            self.assertEqual(self.stored(server, final).read_bytes(), whole)
            self.assertEqual(wire.head(final).get("Upload-Concat"), "final;" + " ".join(paths))
            many = {**TUS, "Upload-Concat": "final;" + " ".join(paths * 2)}
            self.assertEqual(wire.ask("POST", server.base_path, many).status, 431)

    def test_two_servers(self):
        """[CONCAT-96] Two servers on a directory: parts, joins, DELETEs and kills at either of them."""
        generator = random.Random(SEED)
        self.report(f"random seed {SEED}")
        servers = [self.serve()]
        servers.append(self.serve(directory=servers[0].directory))
        piece, seen = generator.randbytes(MIB + 1), []
        for number in range(200 if SOAK else 30):
            here, there = generator.sample(servers, 2)
            # The last part comes after the final upload; a part goes while the join begins; a server dies then.
            late, deletes, kills = number % 3 == 0, number % 4 == 1, number % 10 == 7
            with here.wire() as wire, there.wire() as other:
                parts = [self.part(wire, here, piece), self.part(other, there, piece),
                         self.part(other, there, b"" if late else piece, len(piece))]
                beside = threading.Thread(target=lambda: (
                    seen.append(other.ask("DELETE", parts[0], TUS).status) if deletes else None,
                    there.kill() if kills else None))
                beside.start()
                answer = wire.ask("POST", here.base_path, {**TUS, "Upload-Concat": "final;" + " ".join(parts)})
                beside.join(60)
            if kills:
                there.start()
            if deletes and seen[-1] == 204:
                # Before the join was promised. Whoever made the final upload hears of it at the latest now.
                with there.wire() as wire:
                    gone = answer if answer.status != 201 else wire.head(answer.path)
                self.assertIn(gone.status, (404, 410), gone)
                continue
            self.assertEqual(answer.status, 201, answer)
            if late:
                with there.wire() as wire:
                    self.assertIsNone(wire.head(answer.path).offset)
                    self.assertEqual(wire.patch(parts[2], 0, piece).offset, len(piece))
            for server in servers:
                with server.wire() as wire:
                    wait_until(lambda wire=wire, path=answer.path: self.settled(wire, path).offset is not None, 30,
                               "the join")
                    self.assertEqual(self.settled(wire, answer.path).offset, 3 * len(piece))
                    self.assertEqual(wire.ask("GET", answer.path).body, piece * 3)
        self.report(f"DELETEs of parts were answered {seen}")
        self.wait_for_no_locks(servers[0].directory)

    def test_killed_in_joins(self):
        """[CONCAT-93] Whenever the server is killed: a final upload is whole, or it is not there yet."""
        generator = random.Random(SEED)
        self.report(f"random seed {SEED}")
        server = self.serve()
        payload = Payload(self.scratch, 24 * MIB + 5)
        pieces = [payload.read(0, 10 * MIB + 1), payload.read(10 * MIB + 1, payload.size)]
        with server.wire() as wire:
            parts = [self.part(wire, server, piece) for piece in pieces]
        order = (0, 1) * 3
        digest = hashlib.sha256(b"".join(pieces[number] for number in order)).hexdigest()
        size = sum(len(pieces[number]) for number in order)
        pending = joined = 0
        for _ in range(KILLS):
            wires = [server.wire() for _ in range(3)]
            for wire in wires:
                value = "final;" + " ".join(parts[number] for number in order)
                wire.send_head("POST", server.base_path, {**TUS, "Upload-Concat": value, "Content-Length": 0})
            time.sleep(generator.random() * 0.12)
            server.kill()
            for wire in wires:
                wire.close()
            finals = [path for path in server.directory.glob("*.info") if b'"IsFinal":true' in path.read_bytes()]
            pending += sum(b'"Join"' in path.read_bytes() for path in finals)
            server.start()
            with server.wire() as wire:
                for info in finals:
                    path = server.base_path + info.stem
                    answer = self.settled(wire, path)
                    self.assertEqual((answer.status, answer.offset, answer.get("Upload-Length")),
                                     (200, size, str(size)), answer)
                    self.assertEqual(sha256_of(self.stored(server, path)), digest)
                    self.assertEqual(wire.ask("DELETE", path, TUS).status, 204)
                    joined += 1
        with server.wire() as wire:
            for part, piece in zip(parts, pieces):
                self.assertEqual(self.stored(server, part).stat().st_size, len(piece))
                self.assertEqual(wire.ask("DELETE", part, TUS).status, 204)
        self.wait_for_no_locks(server.directory)
        # Of creations that were cut off there are empty files, the data's or the record's, and marks: no uploads.
        left_over = list(server.directory.glob("[!.]*"))
        with server.wire() as wire:
            for path in left_over:
                self.assertIn(path.suffix, ("", ".info"))
                self.assertEqual(path.stat().st_size, 0, path)
                self.assertEqual(wire.head(server.base_path + path.stem).status, 404, path)
        self.report(f"{KILLS} kills, {joined} final uploads, {pending} of them hit before they were joined")

    def test_gigabytes(self):
        """[CONCAT-94] A POST is answered in time, others are served, and the final upload is whole in the end."""
        large = LARGE if not is_sanitized() else LARGE // 4
        count = 16
        server = self.serve()
        piece = Payload(self.scratch, large // count)
        with server.wire() as wire, server.wire() as other:
            part = self.part(wire, server, length=piece.size)
            self.assertEqual(wire.patch_file(part, piece, 0, piece.size).status, 204)
            begin = time.monotonic()
            wire.send_head("POST", server.base_path,
                           {**TUS, "Upload-Concat": "final;" + " ".join([part] * count), "Content-Length": 0})
            slowest = 0
            for _ in range(20):
                asked = time.monotonic()
                self.assertEqual(other.head(part).status, 200)
                slowest = max(slowest, time.monotonic() - asked)
            answer = wire.receive()
            told = time.monotonic() - begin
            self.assertEqual(answer.status, 201, answer)
            self.assertLess(told, 20)
            found = self.settled(wire, answer.path)
            self.assertEqual(found.offset, piece.size * count)
            self.report(f"{piece.size * count / MIB:.0f} MiB: answered after {told:.1f} s, whole after "
                        f"{time.monotonic() - begin:.1f} s; HEAD of others took at most {slowest * 1000:.0f} ms")
            data = self.stored(server, answer.path)
            with open(data, "rb") as file:
                for number in (0, count // 2, count - 1):
                    file.seek(number * piece.size)
                    self.assertEqual(file.read(MIB), piece.read(0, MIB))
                    file.seek((number + 1) * piece.size - MIB)
                    self.assertEqual(file.read(MIB), piece.read(piece.size - MIB, piece.size))

    def test_a_stop_in_the_middle(self):
        """[CONCAT-90] SIGTERM does not wait for a join, and the next start goes on with it."""
        server = self.serve()
        body = os.urandom(32 * MIB)
        with server.wire() as wire:
            part = self.part(wire, server, body)
            wire.send_head("POST", server.base_path,
                           {**TUS, "Upload-Concat": "final;" + " ".join([part] * 32), "Content-Length": 0})
            marks = server.directory / ".tusd" / "joins"
            wait_until(lambda: marks.is_dir() and any(marks.iterdir()), 10, "the join")
            begin = time.monotonic()
            self.assertEqual(server.stop(), 0)
            self.report(f"stopped after {time.monotonic() - begin:.1f} s")
        server.start()
        final, = [path.stem for path in server.directory.glob("*.info") if b'"IsFinal":true' in path.read_bytes()]
        with server.wire() as wire:
            self.assertEqual(self.settled(wire, server.base_path + final).offset, 32 * len(body))
            wait_until(lambda: not any(marks.iterdir()), 10, "the mark is gone")


if __name__ == "__main__":
    main(3600 if SOAK else 600)
