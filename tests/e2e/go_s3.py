"""What Go's tusd 2 does with uploads in a bucket, by the rules of its s3store and with requests to S3 of its own: tests
let it go on with what our server has left."""
import json

from s3_client import S3Error

MIN_PART = 5 << 20


class GoTusd:
    """With no prefixes."""

    def __init__(self, bucket):
        self.bucket = bucket

    @staticmethod
    def split(upload_id):
        return upload_id.split("+", 1)

    def look(self, upload_id):
        """(length, parts, size of .part, offset), or None; parts are None when S3 knows no multipart upload."""
        key, multipart = self.split(upload_id)
        text = self.bucket.find(f"{key}.info")
        if text is None:
            return None
        record = json.loads(text)
        length = None if record["SizeIsDeferred"] else record["Size"]
        parts = self.bucket.parts(key, multipart)
        if parts is None:
            return length, None, 0, length
        rest = self.bucket.head(f"{key}.part")
        rest = rest.size if rest else 0
        return length, parts, rest, rest + sum(part.size for part in parts)

    def offset(self, upload_id):
        seen = self.look(upload_id)
        return seen and seen[3]

    def patch(self, upload_id, body):
        """At the offset. The new one; an S3Error is its 500."""
        key, multipart = self.split(upload_id)
        length, parts, rest, offset = self.look(upload_id)
        if offset == length:
            return offset
        if rest > 0:
            body = self.bucket.get(f"{key}.part") + body
            self.bucket.delete(f"{key}.part")
        position = offset - rest
        tags = [(part.number, part.etag) for part in parts]
        for start in range(0, len(body), MIN_PART):
            part = body[start:start + MIN_PART]
            position += len(part)
            if len(part) < MIN_PART and position != length:
                self.bucket.put(f"{key}.part", part)
            else:
                number = len(tags) + 1
                tags.append((number, self.bucket.put_part(key, multipart, number, part)))
        if position == length:
            self.bucket.complete(key, multipart, tags)
        return position

    def finish(self, upload_id, payload, step):
        """The rest of the payload in pieces of this size."""
        offset = self.offset(upload_id)
        while offset < payload.size:
            end = min(payload.size, offset + step)
            if self.patch(upload_id, payload.read(offset, end)) != end:
                raise S3Error(500, None, f"Go's tusd is not at {end}")
            offset = end
