"""What tests ask of S3 themselves: signed by hand, one connection a request, nothing repeated."""
import collections
import datetime
import hashlib
import hmac
import http.client
import time
import urllib.parse
import xml.etree.ElementTree

Head = collections.namedtuple("Head", "size etag metadata fields")
Part = collections.namedtuple("Part", "number size etag")
Listed = collections.namedtuple("Listed", "key size etag")
Multipart = collections.namedtuple("Multipart", "key upload")


class S3Error(Exception):
    def __init__(self, status, code, text):
        super().__init__(f"{status} {code}: {text[:500]}")
        self.status, self.code = status, code


def quote(text, safe="-._~"):
    return urllib.parse.quote(text, safe=safe)


def canonical_query(query):
    return "&".join(f"{quote(name)}={quote(str(value))}" for name, value in sorted(query.items()))


def hmac_sha256(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def parse_xml(body):
    """Without namespaces: Amazon's, Ceph's and Swift's differ in them."""
    root = xml.etree.ElementTree.fromstring(body)
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    return root


def error_of(status, body):
    try:
        return S3Error(status, parse_xml(body).findtext("Code"), body.decode(errors="replace"))
    except xml.etree.ElementTree.ParseError:
        return S3Error(status, None, body.decode(errors="replace"))


class S3Client:
    """Of one bucket, path style."""

    def __init__(self, url, key, secret, bucket, region="us-east-1", timeout=60):
        parts = urllib.parse.urlsplit(url)
        self.host, self.port = parts.hostname, parts.port
        self.key, self.secret, self.bucket, self.region = key, secret, bucket, region
        self.timeout = timeout

    def _sign(self, method, path, query, fields, digest):
        now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
        fields |= {"host": f"{self.host}:{self.port}", "x-amz-date": now, "x-amz-content-sha256": digest}
        names = sorted(fields)
        head = "".join(f"{name}:{fields[name].strip()}\n" for name in names)
        request = "\n".join((method, path, query, head, ";".join(names), digest))
        scope = f"{now[:8]}/{self.region}/s3/aws4_request"
        to_sign = "\n".join(("AWS4-HMAC-SHA256", now, scope, hashlib.sha256(request.encode()).hexdigest()))
        key = ("AWS4" + self.secret).encode()
        for text in scope.split("/"):
            key = hmac_sha256(key, text)
        signature = hmac_sha256(key, to_sign).hex()
        fields["authorization"] = (f"AWS4-HMAC-SHA256 Credential={self.key}/{scope},"
                                   f"SignedHeaders={';'.join(names)},Signature={signature}")

    def ask(self, method, key="", query=None, body=b"", fields=None):
        """(status, fields in lower case, body), also when it is an error."""
        path = f"/{quote(self.bucket)}" + (f"/{quote(key, '-._~/')}" if key else "")
        text = canonical_query(query or {})
        fields = {name.lower(): value for name, value in (fields or {}).items()}
        self._sign(method, path, text, fields, hashlib.sha256(body).hexdigest())
        connection = http.client.HTTPConnection(self.host, self.port, timeout=self.timeout)
        try:
            connection.request(method, path + ("?" + text if text else ""), body, fields)
            answer = connection.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def must(self, *arguments, **named):
        status, fields, body = self.ask(*arguments, **named)
        if status >= 300 or b"<Error>" in body[:200]:
            raise error_of(status, body)
        return fields, body

    # ---- objects

    def make_bucket(self):
        """Swift says 503 where a busy machine keeps it waiting for its own servers."""
        for attempt in range(5):
            try:
                self.must("PUT")
                return
            except S3Error as error:
                if error.status != 503 or attempt == 4:
                    raise
                time.sleep(1)

    def put(self, key, body, metadata=None, **fields):
        named = {f"x-amz-meta-{name}": value for name, value in (metadata or {}).items()}
        return self.must("PUT", key, body=body, fields={**named, **fields})[0].get("etag")

    def get(self, key):
        return self.must("GET", key)[1]

    def find(self, key):
        """The bytes, or None when there is no such object."""
        try:
            return self.get(key)
        except S3Error as error:
            if error.status == 404:
                return None
            raise

    def head(self, key):
        """None when there is no such object."""
        status, fields, _ = self.ask("HEAD", key)
        if status == 404:
            return None
        if status >= 300:
            raise S3Error(status, None, "HEAD")
        start = "x-amz-meta-"
        metadata = {name[len(start):]: value for name, value in fields.items() if name.startswith(start)}
        return Head(int(fields["content-length"]), fields.get("etag"), metadata, fields)

    def delete(self, key):
        self.must("DELETE", key)

    def list(self, prefix=""):
        found, query = [], {"list-type": 2, "prefix": prefix}
        while True:
            root = parse_xml(self.must("GET", query=query)[1])
            for entry in root.iter("Contents"):
                found.append(Listed(entry.findtext("Key"), int(entry.findtext("Size")), entry.findtext("ETag")))
            if root.findtext("IsTruncated") != "true":
                return found
            query["continuation-token"] = root.findtext("NextContinuationToken")

    def keys(self, prefix=""):
        return [entry.key for entry in self.list(prefix)]

    # ---- multipart uploads

    def multiparts(self, prefix=""):
        found, query = [], {"uploads": "", "prefix": prefix}
        while True:
            root = parse_xml(self.must("GET", query=query)[1])
            found += [Multipart(entry.findtext("Key"), entry.findtext("UploadId")) for entry in root.iter("Upload")]
            if root.findtext("IsTruncated") != "true":
                return found
            query |= {"key-marker": root.findtext("NextKeyMarker"),
                      "upload-id-marker": root.findtext("NextUploadIdMarker")}

    def parts(self, key, upload):
        """None when there is no such multipart upload."""
        found, query = [], {"uploadId": upload}
        while True:
            try:
                root = parse_xml(self.must("GET", key, query)[1])
            except S3Error as error:
                if error.status == 404:
                    return None
                raise
            for entry in root.iter("Part"):
                found.append(Part(int(entry.findtext("PartNumber")), int(entry.findtext("Size")),
                                  entry.findtext("ETag")))
            if root.findtext("IsTruncated") != "true":
                return found
            query["part-number-marker"] = root.findtext("NextPartNumberMarker")

    def begin(self, key, metadata=None):
        fields = {f"x-amz-meta-{name}": value for name, value in (metadata or {}).items()}
        return parse_xml(self.must("POST", key, {"uploads": ""}, fields=fields)[1]).findtext("UploadId")

    def put_part(self, key, upload, number, body):
        return self.must("PUT", key, {"partNumber": number, "uploadId": upload}, body)[0]["etag"]

    def complete(self, key, upload, parts):
        """`parts`: (number, etag)."""
        listed = "".join(f"<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>" for number, etag in parts)
        body = f"<CompleteMultipartUpload>{listed}</CompleteMultipartUpload>".encode()
        self.must("POST", key, {"uploadId": upload}, body)

    def abort(self, key, upload):
        self.must("DELETE", key, {"uploadId": upload})
