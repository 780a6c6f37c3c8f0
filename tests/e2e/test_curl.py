#!/usr/bin/env python3
"""curl as the client: each way it has to send a body."""
import re
import subprocess

from curl_answer import CurlAnswer
from harness import EndToEndTest, main, wait_until
from payload import Payload, sha256_of

MIB = 1 << 20
TUS = ("-H", "Tus-Resumable: 1.0.0")
BODY = (*TUS, "-H", "Content-Type: application/offset+octet-stream")
NO_EXPECT = ("-H", "Expect:")


class Curl(EndToEndTest):
    def curl(self, *arguments, stdin=None):
        command = ["curl", "--silent", "--show-error", "--include", "--max-time", "60",
                   "--write-out", "%{stderr}sent=%{size_upload}", *arguments]
        done = subprocess.run(command, stdin=stdin or subprocess.DEVNULL, capture_output=True, timeout=90)
        self.assertEqual(done.returncode, 0, f"{command}: {done.stderr.decode()}")
        sent = int(re.search(r"sent=(\d+)", done.stderr.decode())[1])
        return CurlAnswer(done.stdout.decode("latin-1"), sent)

    def create(self, server, length):
        answer = self.curl("-X", "POST", *TUS, "-H", f"Upload-Length: {length}", server.url)
        self.assertEqual(answer.status, 201, answer)
        return answer.fields["location"]

    def check_stored(self, server, url, payload):
        answer = self.curl("--head", *TUS, url)
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual(answer.fields["upload-offset"], str(payload.size))
        self.assertEqual(answer.fields["upload-length"], str(payload.size))
        self.assertEqual(sha256_of(server.directory / url.rsplit("/", 1)[1]), payload.sha256)

    def test_post_with_file(self):
        """[RUN-5] POST --data-binary: creation with the whole upload; curl itself asks with Expect."""
        server = self.serve()
        for size in (1, 1000, 3 * MIB + 7):
            payload = Payload(self.scratch, size)
            answer = self.curl("-X", "POST", *BODY, "-H", f"Upload-Length: {size}", "-H",
                               "Upload-Metadata: filename d29ybGQ=", "--data-binary", f"@{payload.path}",
                               server.url)
            self.assertEqual((answer.status, answer.fields["upload-offset"]), (201, str(size)), answer)
            self.check_stored(server, answer.fields["location"], payload)

    def test_patch_with_file(self):
        """[RUN-5] PATCH --data-binary, with and without Expect."""
        server = self.serve()
        payload = Payload(self.scratch, 5 * MIB + 3)
        for expect in ((), NO_EXPECT, ("-H", "Expect: 100-continue")):
            url = self.create(server, payload.size)
            answer = self.curl("-X", "PATCH", *BODY, *expect, "-H", "Upload-Offset: 0", "--data-binary",
                               f"@{payload.path}", url)
            self.assertEqual((answer.status, answer.fields["upload-offset"]), (204, str(payload.size)), answer)
            self.assertEqual(answer.continued, expect != NO_EXPECT)
            self.check_stored(server, url, payload)

    def test_upload_file(self):
        """[RUN-5] -T file: Content-Length is known, the body is streamed."""
        server = self.serve()
        payload = Payload(self.scratch, 20 * MIB + 1)
        url = self.create(server, payload.size)
        answer = self.curl("-X", "PATCH", *BODY, "-H", "Upload-Offset: 0", "-T", payload.path, url)
        self.assertEqual(answer.status, 204, answer)
        self.check_stored(server, url, payload)

    def test_upload_stdin_chunked(self):
        """[RUN-5] -T -: nobody knows the length of the request, the body is chunked."""
        server = self.serve()
        payload = Payload(self.scratch, 20 * MIB + 1)
        url = self.create(server, payload.size)
        for expect in (NO_EXPECT, ()):
            with open(payload.path, "rb") as file:
                file.seek(0 if expect else 10 * MIB)
                body = subprocess.Popen(["head", "-c", str(10 * MIB if expect else 99 * MIB)], stdin=file,
                                        stdout=subprocess.PIPE)
            offset = "0" if expect else str(10 * MIB)
            with body:
                answer = self.curl("-X", "PATCH", *BODY, *expect, "-H", f"Upload-Offset: {offset}", "-T", "-",
                                   url, stdin=body.stdout)
            self.assertEqual(answer.status, 204, answer)
        self.check_stored(server, url, payload)

    def test_post_chunked_with_deferred_length(self):
        """[RUN-5] A pipe into a new upload, whose length is declared afterwards."""
        server = self.serve()
        payload = Payload(self.scratch, 2 * MIB + 11)
        with open(payload.path, "rb") as file:
            answer = self.curl("-X", "POST", *BODY, "-H", "Upload-Defer-Length: 1", "-T", "-", server.url,
                               stdin=file)
        self.assertEqual((answer.status, answer.fields["upload-offset"]), (201, str(payload.size)), answer)
        url = answer.fields["location"]
        state = self.curl("--head", *TUS, url)
        self.assertEqual(state.fields.get("upload-defer-length"), "1", state)
        answer = self.curl("-X", "PATCH", *BODY, "-H", f"Upload-Offset: {payload.size}", "-H",
                           f"Upload-Length: {payload.size}", url)
        self.assertEqual(answer.status, 204, answer)
        self.check_stored(server, url, payload)

    def test_expect_saves_the_body(self):
        """[RUN-5] A request that cannot succeed is refused before its body is sent."""
        server = self.serve()
        payload = Payload(self.scratch, 30 * MIB)
        url = self.create(server, payload.size)
        for target, offset, status in ((url, 7, 409), (url + "x", 0, 404)):
            answer = self.curl("-X", "PATCH", *BODY, "-H", f"Upload-Offset: {offset}", "-H",
                               "Expect: 100-continue", "-T", payload.path, target)
            self.assertEqual((answer.status, answer.continued, answer.sent), (status, False, 0), answer)

    def test_early_answer_without_expect(self):
        """[RUN-6] The same while curl is already sending: it still sees the answer."""
        server = self.serve()
        payload = Payload(self.scratch, 100 * MIB)
        url = self.create(server, payload.size)
        answer = self.curl("-X", "PATCH", *BODY, *NO_EXPECT, "-H", "Upload-Offset: 7", "-T", payload.path, url)
        self.assertEqual(answer.status, 409, answer)
        self.assertIn("ERR_MISMATCHED_OFFSET", answer.body)
        self.report(f"answered after {answer.sent / MIB:.1f} of 100 MiB")

    def test_delete(self):
        """[RUN-5] DELETE of an unfinished and of a finished upload."""
        server = self.serve()
        payload = Payload(self.scratch, 1000)
        for finished in (False, True):
            url = self.create(server, payload.size)
            if finished:
                self.curl("-X", "PATCH", *BODY, "-H", "Upload-Offset: 0", "--data-binary", f"@{payload.path}", url)
            self.assertEqual(self.curl("-X", "DELETE", *TUS, url).status, 204)
            self.assertEqual(self.curl("--head", *TUS, url).status, 404)
        wait_until(lambda: [p.name for p in server.directory.iterdir()] == [".tusd"], 10, "nothing is left, no lock either")

    def test_http_1_0(self):
        """[RUN-5] A client that knows neither chunks nor interim answers."""
        server = self.serve()
        payload = Payload(self.scratch, 1000)
        url = self.create(server, payload.size)
        answer = self.curl("--http1.0", "-X", "PATCH", *BODY, "-H", "Upload-Offset: 0", "--data-binary",
                           f"@{payload.path}", url)
        self.assertEqual((answer.status, answer.continued), (204, False), answer)
        self.check_stored(server, url, payload)


if __name__ == "__main__":
    main()
