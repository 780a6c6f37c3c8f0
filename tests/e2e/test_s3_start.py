#!/usr/bin/env python3
"""Mistakes in the configuration of S3: the server says in one sentence what to mend, and does not start."""
import http.server
import socket
import threading

from harness import main
from s3_kit import IMPATIENT, S3Test, Stubborn
from s3_services import ceph, swift


class HtmlPage(http.server.BaseHTTPRequestHandler):
    """A proxy with a page of its own."""

    def answer(self):
        body = b"<html><body>Welcome to the captive portal</body></html>"
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_HEAD = do_PUT = do_POST = answer

    def log_message(self, *_):
        pass


class Mistakes(S3Test):
    def setUp(self):
        super().setUp()
        self.s3 = ceph()
        self.bucket = self.s3.make_bucket()

    def refused(self, words, url=None, bucket=None, flags=(), s3=None, **environment):
        s3 = s3 or self.s3
        said = self.refused_start(self.flags(s3, bucket or self.bucket, url, (*IMPATIENT, *flags)),
                                  s3.environment(**environment))
        for word in words:
            self.assertIn(word, said)
        for secret in (s3.secret, "wr0ngsecret"):
            self.assertNotIn(secret, said)
        return said

    def test_the_secret_is_wrong(self):
        """[S3RUN-18]"""
        self.refused(["AWS_SECRET_ACCESS_KEY"], AWS_SECRET_ACCESS_KEY="wr0ngsecret")

    def test_the_key_is_unknown(self):
        self.refused(["AWS_ACCESS_KEY_ID"], AWS_ACCESS_KEY_ID="nobody")

    def test_the_secret_is_wrong_for_swift(self):
        s3 = swift()
        self.refused([], bucket=s3.make_bucket(), s3=s3, AWS_SECRET_ACCESS_KEY="wr0ngsecret")

    def test_the_bucket_is_missing(self):
        self.refused(["not-there"], bucket=self.s3.bucket("not-there"))

    def test_there_are_no_credentials(self):
        self.refused(["AWS_ACCESS_KEY_ID"], AWS_ACCESS_KEY_ID=None, AWS_SECRET_ACCESS_KEY=None)

    def test_there_is_no_region(self):
        """Of AWS itself; nothing is asked of the network for that."""
        said = self.refused_start(["-host=127.0.0.1", "-port=0", "-s3-bucket=tests"], self.s3.environment(AWS_REGION=None))
        self.assertIn("AWS_REGION", said)

    def test_nobody_listens(self):
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{unused.getsockname()[1]}"
            self.refused([url], url=url)

    def test_nobody_answers(self):
        with socket.create_server(("127.0.0.1", 0)) as silent:
            url = f"http://127.0.0.1:{silent.getsockname()[1]}"
            self.refused([url], url=url)

    def test_a_page_in_place_of_s3(self):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), HtmlPage)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        url = f"http://127.0.0.1:{server.server_port}"
        self.refused([url], url=url)

    def test_started_all_the_same(self):
        """[S3RUN-19] -s3-skip-check: the server comes up, and answers 503 until S3 is there."""
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{unused.getsockname()[1]}"
            server = self.serve_s3(self.s3, self.bucket, "-s3-skip-check", *IMPATIENT, url=url)
            client = Stubborn(self, [server], None)
            answer = client.ask("POST", server.base_path, {"Upload-Length": 5, "Content-Length": 0})
            self.assert_failed_well(answer)


if __name__ == "__main__":
    main()
