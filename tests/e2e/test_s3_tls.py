#!/usr/bin/env python3
"""S3 behind TLS: who is believed, and the way through a proxy."""
import urllib.parse

from harness import main
from payload import Payload
from s3_kit import MIB, PART, S3Test
from s3_services import ceph
from tls_front import ConnectProxy, TlsFront, make_certificate

NAME = "192.0.2.1"  # nobody's; Ceph takes a name that it does not know for a bucket
SIZE = 2 * PART + 12345


class S3Tls(S3Test):
    def setUp(self):
        super().setUp()
        self.s3 = ceph()
        self.bucket = self.s3.make_bucket()
        self.payload = Payload(self.scratch, SIZE)
        url = urllib.parse.urlsplit(self.s3.url)
        self.target = (url.hostname, url.port)

    def front(self, *certificate):
        front = TlsFront(self.target, *certificate)
        self.addCleanup(front.close)
        return front

    def check_uploads(self, server):
        """Parts, a leftover, a look, a download."""
        with server.wire() as wire:
            path = self.upload(wire, server, self.payload, chunk=PART + MIB)
            self.assert_stored(self.bucket, path, self.payload)
            self.assert_bytes(self.download(wire, path).body, self.payload.read(0, SIZE))

    def test_who_is_believed(self):
        """[S3RUN-26] The CAs of the system or of SSL_CERT_FILE, AWS_CA_BUNDLE before it; nobody else."""
        right = make_certificate(self.scratch, "right", "IP:127.0.0.1")
        wrong = make_certificate(self.scratch, "wrong", "DNS:other.example")
        url = f"https://127.0.0.1:{self.front(*right).port}"
        for variables in ({"SSL_CERT_FILE": right[1]}, {"AWS_CA_BUNDLE": right[1], "SSL_CERT_FILE": wrong[1]}):
            with self.subTest(str(list(variables))):
                environment = self.s3.environment(**{name: str(file) for name, file in variables.items()})
                self.check_uploads(self.serve_s3(self.s3, self.bucket, url=url, environment=environment))
        strange = f"https://127.0.0.1:{self.front(*wrong).port}"
        for name, where, file in (("unknown", url, None), ("another name", strange, wrong[1]),
                                  ("no such file", url, self.scratch / "missing.pem")):
            with self.subTest(name):
                environment = self.s3.environment(**({"SSL_CERT_FILE": str(file)} if file else {}))
                said = self.refused_start(self.flags(self.s3, self.bucket, where, ()), environment)
                self.assertRegex(said, "certificate|CA")

    def test_through_a_proxy(self):
        """[S3RUN-27] HTTPS_PROXY leads to S3, and the proxy sees names, and nothing of what goes through."""
        files = make_certificate(self.scratch, "bucket", f"IP:{NAME}")
        proxy = ConnectProxy(("127.0.0.1", self.front(*files).port))
        self.addCleanup(proxy.close)
        environment = self.s3.environment(SSL_CERT_FILE=str(files[1]), HTTPS_PROXY=f"http://127.0.0.1:{proxy.port}")
        server = self.serve_s3(self.s3, self.bucket, url=f"https://{NAME}", environment=environment)
        self.check_uploads(server)
        self.assertEqual(set(proxy.asked), {f"{NAME}:443"})


if __name__ == "__main__":
    main()
