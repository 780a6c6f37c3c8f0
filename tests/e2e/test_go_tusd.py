#!/usr/bin/env python3
"""Taking over directories of Go's tusd, and handing them back. The fixtures are in tests/fixtures/go-tusd."""
import base64
import shutil

from go_format import GoUpload, content, decode, lay_out
from harness import ROOT, EndToEndTest, main, wait_until
from wire import TUS, patch_fields

FIXTURES = ROOT / "tests" / "fixtures" / "go-tusd"
POLICIES = ("-fsync=finish", "-fsync=off", "-fsync=always")

# id: (offset, length, where the data is, below the directory if it is not the id)
GOES_ON = {
    "v2": {"half": (40, 100), "nothing-yet": (0, 100), "deferred-nothing": (0, None), "deferred-half": (40, None),
           "partial-half": (40, 100), "project/2024/half": (40, 100), "locked": (40, 100), "metadata": (40, 100),
           "custom-relative": (40, 100, "custom/relative.bin"), "custom-outside": (40, 100, "../outside/outside.bin"),
           "library-relative": (40, 100, "library/file.bin"), "moved": (40, 100), "unknown-members": (40, 100),
           "case-of-keys": (40, 100), "indented": (40, 100)},
    "v1": {"v1-half": (40, 100), "v1-deferred": (40, None), "v1-relative": (40, 100)},
    "v0": {"v0-half": (40, 100, "v0-half.bin"), "v0-plain": (40, 100)},
}
FINISHED = {
    "v2": {"24e533e02ec3bc40c387f1a0e460e216": 64, "zero": 0, "project/2024/done": 64, "partial-done-1": 24,
           "partial-done-2": 40, "final-done": 64},
    "v1": {"v1-done": 64},
    "v0": {"v0-done": 64, "v0-partial": 40, "v0-final": 40},
}
# Go 2 does not find the data of these from their own records; it does when we have written a record, which -fsync=off
# has no reason to do.
LOST_TO_GO = {"moved", "v1-relative", "v0-half", "v0-done", "v0-partial", "v0-final"}


def metadata_header(**pairs):
    return ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in pairs.items())


class GoTusd(EndToEndTest):
    def directory_of(self, version):
        """A fresh copy of a fixture, with its own `outside` beside it."""
        above = self.scratch / f"{version}-{len(list(self.scratch.iterdir()))}"
        directory, outside = above / "uploads", above / "outside"
        lay_out(FIXTURES / version, directory, outside)
        outside.mkdir()
        (outside / "outside.bin").write_bytes(content(40))
        return directory

    def for_each_directory(self, check):
        for version in GOES_ON:
            for policy in POLICIES:
                with self.subTest(version=version, policy=policy):
                    directory = self.directory_of(version)
                    check(version, directory, self.serve(policy, directory=directory))

    def files_of(self, directory):
        return {path.relative_to(directory.parent): (path.read_bytes(), path.stat().st_mtime_ns)
                for path in directory.parent.rglob("*") if path.is_file() and ".tusd" not in path.parts}

    def head(self, server, upload_id):
        with server.wire() as wire:
            return wire.head(server.base_path + upload_id)

    def assert_head(self, server, upload_id, offset, length):
        answer = self.head(server, upload_id)
        self.assertEqual((answer.status, answer.offset), (200, offset), f"{upload_id}: {answer}")
        known = None if length is None else str(length)
        self.assertEqual(answer.get("Upload-Length"), known, f"{upload_id}: {answer}")
        self.assertEqual(answer.get("Upload-Defer-Length"), "1" if length is None else None)
        return answer

    def go_reads(self, directory, upload_id, offset, length):
        """What Go's tusd would say of it now, with the right bytes behind it. None: Go cannot read it, and never could."""
        if upload_id in LOST_TO_GO and b'"Tusd"' not in (directory / (upload_id + ".info")).read_bytes():
            return None
        upload = GoUpload(directory, upload_id)
        self.assertEqual((upload.info["ID"], upload.offset, upload.length), (upload_id, offset, length))
        self.assertEqual(upload.info["Offset"], 0)
        if length is None:
            self.assertEqual(upload.info["Size"], 0)
        self.assertEqual(upload.data.read_bytes(), content(offset))
        return upload

    def test_everything_is_seen_and_nothing_touched(self):
        """[MIG-1] [MIG-2] HEAD of every upload says what Go would; start, HEAD and a stop change no file."""
        self.for_each_directory(self.see_everything)

    def see_everything(self, version, directory, server):
        before = self.files_of(directory)
        for upload_id, (offset, length, *_) in GOES_ON[version].items():
            self.assert_head(server, upload_id, offset, length)
        for upload_id, length in FINISHED[version].items():
            self.assert_head(server, upload_id, length, length)
        self.assertEqual(server.stop(), 0)
        self.assertEqual(self.files_of(directory), before)

    def test_uploads_go_on(self):
        """[MIG-3] [MIG-4] PATCH to the end, a restart in between, DELETE; the data is where Go had it."""
        self.for_each_directory(self.go_on_with_all)

    def go_on_with_all(self, version, directory, server):
        for upload_id, (offset, length, *place) in GOES_ON[version].items():
            self.go_on(server, upload_id, offset, length, directory / (place or [upload_id])[0])
        self.assertEqual(server.stop(), 0)
        server.start()
        for upload_id, (_, _, *place) in GOES_ON[version].items():
            self.assert_head(server, upload_id, 100, 100)
            self.go_reads(directory, upload_id, 100, 100)
            with server.wire() as wire:
                self.assertEqual(wire.ask("DELETE", server.base_path + upload_id, TUS).status, 204)
            self.assertFalse((directory / (place or [upload_id])[0]).exists())
            self.assertFalse((directory / (upload_id + ".info")).exists())
            self.assertEqual(self.head(server, upload_id).status, 404)

    def go_on(self, server, upload_id, offset, length, file):
        path = server.base_path + upload_id
        with server.wire() as wire:
            wrong = wire.patch(path, offset + 1, b"x")
            self.assertEqual(wrong.status, 409, f"{upload_id}: {wrong}")
            self.assertEqual(wire.patch(path, offset, content(100)[offset:70]).offset, 70, upload_id)
            self.assert_head(server, upload_id, 70, length)
            declared = {} if length else {"Upload-Length": 100}
            answer = wire.patch(path, 70, content(100)[70:], declared)
            self.assertEqual((answer.status, answer.offset), (204, 100), f"{upload_id}: {answer}")
        self.assertEqual(file.read_bytes(), content(100), upload_id)
        self.assert_head(server, upload_id, 100, 100)

    def test_finished_uploads_stay_finished(self):
        """[MIG-2] An empty PATCH at the end is fine, more is refused; final uploads are 403; no record is written."""
        self.for_each_directory(self.leave_finished_alone)

    def leave_finished_alone(self, version, directory, server):
        before = self.files_of(directory)
        for upload_id, length in FINISHED[version].items():
            path = server.base_path + upload_id
            with server.wire() as wire:
                if "final" in upload_id:
                    self.assert_error(wire.patch(path, length, b"x"), 403, "ERR_MODIFY_FINAL")
                    self.assert_error(wire.ask("PATCH", path, patch_fields(length, 0)), 403, "ERR_MODIFY_FINAL")
                    continue
                self.assertEqual(wire.ask("PATCH", path, patch_fields(length, 0)).status, 204, upload_id)
                self.assert_error(wire.patch(path, length, b"x"), 413, "ERR_UPLOAD_SIZE_EXCEEDED")
        # Locks go when the answers are on their way.
        wait_until(lambda: self.files_of(directory).keys() <= before.keys(), 10, "our locks are gone")
        self.assertEqual(self.files_of(directory), before)
        with server.wire() as wire:
            for upload_id in FINISHED[version]:
                self.assertEqual(wire.ask("DELETE", server.base_path + upload_id, TUS).status, 204)
                self.assertEqual(wire.head(server.base_path + upload_id).status, 404)

    def test_concatenation(self):
        """[MIG-5] What Go knows of parts and final uploads is in HEAD."""
        server = self.serve(directory=self.directory_of("v2"))
        host = f"http://{server.address[0]}:{server.address[1]}"
        self.assertEqual(self.head(server, "partial-half").get("Upload-Concat"), "partial")
        self.assertEqual(self.head(server, "final-done").get("Upload-Concat"),
                         f"final;{host}/files/partial-done-1 {host}/files/project/partial-done-2")
        cut = self.head(server, "final-cut")  # Go died while it joined the parts
        self.assertEqual((cut.status, cut.offset, cut.get("Upload-Length")), (200, None, "64"), cut)
        with server.wire() as wire:
            for offset in (24, 64):
                answer = wire.patch(server.base_path + "final-cut", offset, content(64)[24:])
                self.assert_error(answer, 403, "ERR_MODIFY_FINAL")
        self.assertEqual((server.directory / "final-cut").read_bytes(), content(24))

    def test_halves(self):
        """[MIG-6] A record without data and data without a record are no uploads, as with Go, and are left alone."""
        directory = self.directory_of("v2")
        before = self.files_of(directory)
        server = self.serve(directory=directory)
        for upload_id in ("no-data", "no-info", "library/file.bin", "locked.lock", "locked.stop", "half.info"):
            with self.subTest(upload_id), server.wire() as wire:
                path = server.base_path + upload_id
                self.assertEqual(wire.head(path).status, 404)
                self.assertEqual(wire.patch(path, 0, content(5)).status, 404)
                self.assertEqual(wire.ask("DELETE", path, TUS).status, 404)
        self.assertEqual(self.files_of(directory), before)

    def test_metadata(self):
        """[MIG-7] Metadata comes back with the bytes that the client sent, however Go escaped them."""
        server = self.serve(directory=self.directory_of("v2"))
        value = self.head(server, "metadata").get("Upload-Metadata")
        self.assertEqual(value, metadata_header(
            amp="a&b", control="\x01\t\n\x1f", emoji="😀", filename="hö<b>.txt", line="\u2028\u2029", quote='"\\',
            replaced="\ufffd"))
        finished = self.head(server, "24e533e02ec3bc40c387f1a0e460e216").get("Upload-Metadata")
        self.assertEqual(finished, "filename d29ybGRfZG9taW5hdGlvbl9wbGFuLnBkZg==,is_confidential")
        with server.wire() as wire:
            wire.patch(server.base_path + "metadata", 40, content(50)[40:])
        self.assertEqual(self.head(server, "metadata").get("Upload-Metadata"), value)
        before = decode((FIXTURES / "v2" / "metadata.info").read_bytes())
        self.assertEqual(decode((server.directory / "metadata.info").read_bytes())["MetaData"], before["MetaData"])

    def test_unknown_members(self):
        """[MIG-7] What we do not know in a record is still there when we have written it again."""
        server = self.serve(directory=self.directory_of("v2"))
        with server.wire() as wire:
            self.assertEqual(wire.patch(server.base_path + "unknown-members", 40, content(100)[40:]).offset, 100)
        text = (server.directory / "unknown-members.info").read_text()
        self.assertIn('"Note":{"by":["ops",1.5E0,null]}', text.replace("1.5,", "1.5E0,"))
        self.assertIn('"FinalUploadID":""', text)
        self.assertIn('"Region":"eu"', text)

    def test_back_to_go(self):
        """[MIG-8] Go goes on with what we wrote, and we with what Go makes of that."""
        self.for_each_directory(self.go_back_to_go)

    def go_back_to_go(self, version, directory, server):
        begun = dict(GOES_ON[version])
        with server.wire() as wire:
            for upload_id, (offset, *_) in begun.items():
                self.assertEqual(wire.patch(server.base_path + upload_id, offset, content(60)[offset:]).offset, 60)
        self.assertEqual(server.stop(), 0)
        for upload_id, (_, length, *_) in GOES_ON[version].items():
            upload = self.go_reads(directory, upload_id, 60, length)
            if upload is None:
                del begun[upload_id]
                continue
            if length is None:
                upload.declare_length(100)
            else:
                upload.rewrite()  # as some hook may make it do
            upload.append(content(80)[60:])
        server.start()
        for upload_id in begun:
            self.assert_head(server, upload_id, 80, 100)
            with server.wire() as wire:
                self.assertEqual(wire.patch(server.base_path + upload_id, 80, content(100)[80:]).offset, 100)
            self.go_reads(directory, upload_id, 100, 100)

    def test_ours_to_go_and_back(self):
        """[MIG-8] Uploads of ours, which Go has never seen, are Go's as well."""
        for policy in POLICIES:
            with self.subTest(policy):
                server = self.serve(policy)
                metadata = metadata_header(filename="hö<b>&\u2028\x01", empty="")
                with server.wire() as wire:
                    known = wire.create(server.base_path, 100, {"Upload-Metadata": metadata})
                    self.assertEqual(wire.patch(known, 0, content(40)).offset, 40)
                    deferred = wire.create(server.base_path)
                    self.assertEqual(wire.patch(deferred, 0, content(40)).offset, 40)
                    done = wire.create(server.base_path, 64)
                    self.assertEqual(wire.patch(done, 0, content(64)).offset, 64)
                self.assertEqual(server.stop(), 0)
                names = [path[len(server.base_path):] for path in (known, deferred, done)]
                go = self.go_reads(server.directory, names[0], 40, 100)
                self.assertEqual(go.info["MetaData"], {"filename": "hö<b>&\u2028\x01", "empty": ""})
                self.assertEqual(go.info["Storage"], {"Type": "filestore", "Path": str(server.directory / names[0]),
                                                      "InfoPath": str(server.directory / names[0]) + ".info"})
                go.rewrite()
                go.append(content(80)[40:])
                other = self.go_reads(server.directory, names[1], 40, None)
                other.declare_length(80)
                other.append(content(80)[40:])
                self.go_reads(server.directory, names[2], 64, 64)
                server.start()
                self.assert_head(server, names[0], 80, 100)
                self.assert_head(server, names[1], 80, 80)
                with server.wire() as wire:
                    self.assertEqual(wire.patch(known, 80, content(100)[80:]).offset, 100)
                self.go_reads(server.directory, names[0], 100, 100)

    def test_go_goes_on_and_writes_no_record(self):
        """[MIG-8] Go appends to an upload of ours and leaves the record: after a clean stop its bytes count."""
        for policy in POLICIES:
            with self.subTest(policy):
                server = self.serve(policy)
                with server.wire() as wire:
                    begun = [wire.create(server.base_path, 100) for _ in range(2)]
                    for path in begun:
                        self.assertEqual(wire.patch(path, 0, content(40)).offset, 40)
                self.assertEqual(server.stop(), 0)
                half, whole = (path[len(server.base_path):] for path in begun)
                self.go_reads(server.directory, half, 40, 100).append(content(80)[40:])
                self.go_reads(server.directory, whole, 40, 100).append(content(100)[40:])
                server.start()
                self.assert_head(server, half, 80, 100)
                self.assert_head(server, whole, 100, 100)
                for upload_id in (half, whole):
                    with server.wire() as wire:
                        offset = wire.head(server.base_path + upload_id).offset
                        answer = wire.patch(server.base_path + upload_id, offset, content(100)[offset:])
                        self.assertEqual(answer.offset, 100)
                    self.go_reads(server.directory, upload_id, 100, 100)

    def test_a_copied_directory(self):
        """[MIG-4] Records of a copy name the original; the copy's own files are used, and the original is left alone."""
        original = self.directory_of("v2")
        before = self.files_of(original)
        copy = self.scratch / "copy" / "uploads"
        shutil.copytree(original, copy)
        server = self.serve(directory=copy)
        with server.wire() as wire:
            for upload_id in ("half", "custom-relative", "project/2024/half"):
                self.assertEqual(wire.patch(server.base_path + upload_id, 40, content(100)[40:]).offset, 100)
        self.assertEqual((copy / "custom" / "relative.bin").read_bytes(), content(100))
        self.assertEqual(self.files_of(original), before)


if __name__ == "__main__":
    main()
