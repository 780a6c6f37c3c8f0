"""What `curl --include` has printed."""


class CurlAnswer:
    def __init__(self, text, sent=None):
        heads = text.split("\r\n\r\n")
        while len(heads) > 1 and heads[0].split(" ")[1].startswith("1"):
            heads.pop(0)
        self.http = heads[0].split(" ")[0]
        lines = heads[0].split("\r\n")
        self.status = int(lines[0].split(" ")[1])
        self.fields = {name.lower(): value.strip() for name, value in (line.split(":", 1) for line in lines[1:])}
        self.body = "\r\n\r\n".join(heads[1:])
        self.continued = text.startswith("HTTP/1.1 100")
        self.sent = sent

    def __repr__(self):
        return f"{self.status} {self.fields} {self.body!r}"
