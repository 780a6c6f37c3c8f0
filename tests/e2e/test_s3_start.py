#!/usr/bin/env python3
"""Mistakes in the configuration of S3: the server says in one sentence what to mend, and does not start."""
import socket

from harness import main
from s3_fault_proxy import S3FaultProxy
from s3_kit import IMPATIENT, S3Test, Stubborn
from s3_lanes import together
from s3_services import ceph, swift


class Mistakes(S3Test):
    def setUp(self):
        super().setUp()
        self.s3 = ceph()
        self.bucket = self.s3.make_bucket()

    def refused(self, words, url=None, bucket=None, s3=None, **environment):
        """What it says has all of the words and no secret. With -s3-skip-check it starts all the same, and says 503."""
        s3 = s3 or self.s3
        bucket = bucket or self.bucket
        said = self.refused_start(self.flags(s3, bucket, url, IMPATIENT), s3.environment(**environment))
        for word in words:
            self.assertIn(word, said)
        for secret in (s3.secret, "wr0ngsecret"):
            self.assertNotIn(secret, said)
        server = self.serve_s3(s3, bucket, "-s3-skip-check", *IMPATIENT, url=url, environment=s3.environment(**environment))
        answer = Stubborn(self, [server], None).ask("POST", server.base_path, {"Upload-Length": 5, "Content-Length": 0})
        self.assert_failed_well(answer)
        server.finish()

    def answered(self, how, *words):
        """By something between the server and S3."""
        with S3FaultProxy(self.s3.url) as proxy:
            proxy.fail("*", how, nth=0)
            self.refused([word.replace("URL", proxy.url) for word in words], url=proxy.url)

    def test_keys(self):
        """[S3RUN-18] [S3RUN-19]"""
        self.refused(["AWS_SECRET_ACCESS_KEY does not belong to AWS_ACCESS_KEY_ID"], AWS_SECRET_ACCESS_KEY="wr0ngsecret")
        self.refused(["check AWS_ACCESS_KEY_ID"], AWS_ACCESS_KEY_ID="nobody")

    def test_keys_of_swift(self):
        """[S3RUN-18] [S3RUN-19]"""
        s3 = swift()
        self.refused(["AWS_SECRET_ACCESS_KEY"], bucket=s3.make_bucket(), s3=s3, AWS_SECRET_ACCESS_KEY="wr0ngsecret")

    def test_the_bucket_is_missing(self):
        """[S3RUN-18] [S3RUN-19]"""
        self.refused(['there is no bucket "not-there"', "create it, or check -s3-bucket"], bucket=self.s3.bucket("not-there"))

    def test_there_are_no_credentials(self):
        """[S3RUN-18] There is nothing to start with then."""
        said = self.refused_start(self.flags(self.s3, self.bucket, None, IMPATIENT),
                                  self.s3.environment(AWS_ACCESS_KEY_ID=None, AWS_SECRET_ACCESS_KEY=None))
        self.assertIn("set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY", said)

    def test_there_is_no_region(self):
        """[S3RUN-18] Of AWS itself; nothing is asked of the network for that."""
        said = self.refused_start(["-host=127.0.0.1", "-port=0", "-s3-bucket=tests"], self.s3.environment(AWS_REGION=None))
        self.assertIn("set AWS_REGION", said)

    def test_the_region_is_wrong(self):
        """[S3RUN-18] [S3RUN-19]"""
        self.answered("region", 'in the region "eu-west-1"', "set AWS_REGION=eu-west-1")
        self.answered("moved", "set AWS_REGION")

    def test_clocks_that_nobody_takes(self):
        """[S3RUN-18] [S3RUN-19]"""
        self.answered("skewed", "the clock of this machine", "NTP")

    def test_rights(self):
        """[S3RUN-18] [S3RUN-19]"""
        self.answered("403", "does not let these credentials list the bucket", "give them the rights")

    def test_a_page_in_place_of_s3(self):
        """[S3RUN-18] [S3RUN-19] With an error and without."""
        together(lambda: self.answered("html", "URL is not S3", "check -s3-endpoint, and proxies on the way"),
                 lambda: self.answered("page", "URL is not S3", "check -s3-endpoint, and proxies on the way"))

    def test_nobody_is_there(self):
        """[S3RUN-18] [S3RUN-19] Nobody listens, takes a connection and answers, or has this name."""
        unused = socket.socket()
        unused.bind(("127.0.0.1", 0))
        silent = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(unused.close)
        self.addCleanup(silent.close)
        nobody, mute = (f"http://127.0.0.1:{one.getsockname()[1]}" for one in (unused, silent))
        together(lambda: self.refused([nobody, "start S3 there, or check -s3-endpoint"], url=nobody),
                 lambda: self.refused([mute, "does not answer: check -s3-endpoint, the network and S3 itself"], url=mute),
                 lambda: self.refused(["nowhere.invalid", "check -s3-endpoint"], url="http://nowhere.invalid"))


if __name__ == "__main__":
    main()
