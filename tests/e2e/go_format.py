"""What Go's tusd makes of an `.info` file, and how it leaves a directory: its rules, for the tests.

Go's decoder matches keys without regard to case, ignores those it does not know, takes null for the zero value, and refuses
a value of another type. `Size` is the length (0 while `SizeIsDeferred`), and the offset is the size of the data file.
"""
import json
import subprocess

FIELDS = {"ID": str, "Size": int, "SizeIsDeferred": bool, "Offset": int, "MetaData": {str: str}, "IsPartial": bool,
          "IsFinal": bool, "PartialUploads": [str], "Storage": {str: str}}


class CannotDecode(Exception):
    pass


def content(count):
    """The data of all fixtures."""
    return b"".join(b"%07d\n" % i for i in range(count // 8 + 1))[:count]


def _zero(kind):
    return {} if isinstance(kind, dict) else [] if isinstance(kind, list) else kind()


def _fits(value, kind):
    if isinstance(kind, dict):
        return isinstance(value, dict) and all(_fits(item, str) for item in value.values())
    if isinstance(kind, list):
        return isinstance(value, list) and all(_fits(item, str) for item in value)
    if kind is int:
        return type(value) is int and -2**63 <= value < 2**63
    return type(value) is kind


def decode(text):
    """The fields as Go's json.Unmarshal sets them."""
    info = {name: _zero(kind) for name, kind in FIELDS.items()}
    names = {name.lower(): name for name in FIELDS}
    decoded = json.loads(text.decode("utf-8"))  # strict: Go's would put U+FFFD for what is not UTF-8
    if not isinstance(decoded, dict):
        raise CannotDecode(f"not an object: {text!r}")
    for key, value in decoded.items():
        name = names.get(key.lower())
        if name is None or value is None:
            continue
        if not _fits(value, FIELDS[name]):
            raise CannotDecode(f"{name}: {value!r}")
        info[name] = value
    return info


def encode(info):
    """As Go's json.Marshal writes it: known fields in order, maps sorted, HTML characters escaped."""
    ordered = {name: info[name] for name in FIELDS}
    for name in ("MetaData", "Storage"):
        ordered[name] = dict(sorted(ordered[name].items()))
    text = json.dumps(ordered, ensure_ascii=False, separators=(",", ":"))
    for char in "<>&\u2028\u2029":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return text.encode()


class GoUpload:
    """An upload as Go's file store opens it, in a process that was started above the directory."""

    def __init__(self, directory, upload_id):
        self.record = directory / (upload_id + ".info")
        self.info = decode(self.record.read_bytes())
        self.data = directory.parent / (self.info["Storage"].get("Path") or directory / self.info["ID"])
        self.offset = self.data.stat().st_size
        self.length = None if self.info["SizeIsDeferred"] else self.info["Size"]

    def append(self, data):
        """PATCH: Go writes the data alone."""
        with open(self.data, "ab") as file:
            file.write(data)
        self.offset += len(data)

    def declare_length(self, length):
        """The one change for which Go writes the record again, and what it does not know is lost."""
        self.info.update(Size=length, SizeIsDeferred=False)
        self.length = length
        self.rewrite()

    def rewrite(self):
        self.record.write_bytes(encode(self.info))


def dead_pid():
    """A pid that has been in use, and is not any more."""
    with subprocess.Popen(["true"]) as process:
        process.wait()
        return process.pid


def lay_out(fixture, directory, outside):
    """Copies a directory of fixtures, with real names in it."""
    pid = str(dead_pid())
    for source in fixture.rglob("*"):
        target = directory / source.relative_to(fixture)
        if source.is_dir():
            target.mkdir(parents=True, exist_ok=True)
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        data = source.read_bytes()
        if source.suffix in (".info", ".lock"):
            for mark, value in (("@DIR@", str(directory)), ("@OUTSIDE@", str(outside)), ("@DEAD_PID@", pid)):
                data = data.replace(mark.encode(), value.encode())
        target.write_bytes(data)
