#!/usr/bin/env python3
"""Headless Chromium with the pages of examples/browser: tus-js-client and Uppy from another origin."""
import base64
import hashlib
import json
import os
import re
import textwrap

import node_packages
from browser import Browser, Pages
from harness import ROOT, EndToEndTest, Server, main, wait_until
from payload import Payload, sha256_of
from prometheus import scrape
from proxies import free_ports
from wire import OFFSET_TYPE, TUS

MB = 1_000_000
CLIENTS = ("tus-js-client", "uppy")
UNLIMITED = -1
DONE_SECONDS = 60
# A request as a page makes it, and what the page gets to see of the answer.
ASK = """async ({ method, url, fields, body, size, ...options }) => {
  try {
    // DevTools look at all of a body, unless it is a blob; then it takes as long as it takes a user.
    const content = size ? new Blob([new Uint8Array(size)]) : body
    const answer = await fetch(url, { method, headers: fields, body: content, ...options })
    return { status: answer.status, type: answer.type, fields: Object.fromEntries(answer.headers),
             body: await answer.text() }
  } catch (error) {
    return { unseen: String(error) }
  }
}"""
PATCH = {**TUS, "Content-Type": OFFSET_TYPE}
CHECKSUM = {"Upload-Checksum": f"sha1 {base64.b64encode(hashlib.sha1(b'0123456789').digest()).decode()}"}


class InTheBrowser(EndToEndTest):
    @classmethod
    def setUpClass(cls):
        cls.pages = Pages(node_packages.browser_example())
        cls.addClassCleanup(cls.pages.close)
        cls.browser = Browser()
        cls.addClassCleanup(cls.browser.close)
        print(f"  Chromium {cls.browser.version}", flush=True)

    # ---- the pages of the example

    def open(self, client, server, parallel=1):
        self.browser.do("open", url=self.pages.url(f"{client}.html"))
        self.fill_in(server, parallel)

    def fill_in(self, server, parallel=1):
        self.browser.do("fill", selector="#endpoint", text=server.url)
        self.browser.do("fill", selector="#parallel", text=str(parallel))

    def choose(self, path):
        self.browser.do("choose", selector="#file", path=path)

    def click(self, name):
        self.browser.do("click", selector=f"#{name}")

    def wait_until_done(self):
        """The URL that the client tells."""
        self.browser.do("wait_for_text", selector="#state", pattern="^(done|failed)$", seconds=DONE_SECONDS)
        self.assertEqual(self.browser.do("text", selector="#error"), "")
        return self.browser.do("run", script="() => document.getElementById('download').href", argument=None)

    # ---- what the server has

    def data_files(self, server):
        return [path for path in server.directory.iterdir() if path.is_file() and "." not in path.name]

    def arrived(self, server):
        return sum(path.stat().st_size for path in self.data_files(server))

    def wait_for_bytes(self, server, count):
        wait_until(lambda: self.arrived(server) >= count, 30, f"{count} bytes have arrived")

    def wait_for_nothing(self, server):
        """No upload, neither its bytes nor its record."""
        wait_until(lambda: not [path for path in server.directory.iterdir() if path.name != ".tusd"], 20,
                   f"{server.directory} is empty: {list(server.directory.iterdir())}")

    def stored(self, server, url):
        self.assertTrue(url.startswith(server.url), url)
        return server.directory / url.removeprefix(server.url)

    def requests(self, server, method):
        return scrape(server).get(f'tusd_requests_total{{method="{method}"}}', 0)

    # ---- uploads that go on

    def check_goes_on(self, client, end):
        """200 MB: the server ends and comes back, the upload is paused and resumed, the server restarted and the tab
        reloaded."""
        port, = free_ports(1)
        server = self.serve(f"-port={port}")
        payload = Payload(self.scratch, 200 * MB)
        self.open(client, server)
        self.browser.do("rate", bytes=25 * MB)
        self.choose(payload.path)
        self.click("start")
        self.wait_for_bytes(server, 20 * MB)
        end(server)
        server.start()
        ended_at = self.arrived(server)
        self.wait_for_bytes(server, ended_at + 20 * MB)
        self.assertEqual(self.requests(server, "POST"), 0, "the client goes on by itself")
        paused_at = self.pause(server)
        self.click("resume")
        self.wait_for_bytes(server, paused_at + 20 * MB)
        offset = self.pause(server)
        self.assertLess(offset, payload.size)
        self.assertEqual(server.stop(), 0)
        server.start()
        self.browser.do("reload")
        self.fill_in(server)
        self.browser.do("rate", bytes=UNLIMITED)
        self.choose(payload.path)
        self.click("start")
        url = self.wait_until_done()
        self.report(f"ended at {ended_at / MB:.0f} MB, paused at {paused_at / MB:.0f},"
                    f" reloaded at {offset / MB:.0f}")
        self.assertEqual(scrape(server)["tusd_bytes_received"], payload.size - offset)
        self.assertEqual(self.requests(server, "POST"), 0, "the upload is the same after the reload")
        self.assertEqual(self.data_files(server), [self.stored(server, url)])
        self.assertEqual(sha256_of(self.stored(server, url)), payload.sha256)

    def pause(self, server):
        """The number of bytes that the server has when all that was on its way is there."""
        self.click("pause")
        self.wait_for_no_locks(server.directory)
        return self.arrived(server)

    def test_tus_js_client_goes_on(self):
        """[BROWSER-1] As tus-js-client does it, with a server that is killed."""
        self.check_goes_on("tus-js-client", Server.kill)

    def test_uppy_goes_on(self):
        """[BROWSER-1] As Uppy does it, with a server that is stopped while it receives."""
        self.check_goes_on("uppy", Server.stop)

    def test_parallel_uploads(self):
        """[BROWSER-2] In four parts at once."""
        payload = Payload(self.scratch, 40 * MB)
        for client in CLIENTS:
            with self.subTest(client):
                server = self.serve()
                self.open(client, server, parallel=4)
                self.choose(payload.path)
                self.click("start")
                self.check_joined(server, self.wait_until_done(), payload)

    def check_joined(self, server, url, payload):
        final = self.stored(server, url)
        info = json.loads(final.with_name(f"{final.name}.info").read_text())
        self.assertEqual((info["IsFinal"], len(info["PartialUploads"])), (True, 4), info)
        self.assertEqual(sha256_of(final), payload.sha256)

    def test_parallel_uploads_go_on(self):
        """[BROWSER-2] The server is stopped and the tab reloaded in the middle of all parts."""
        port, = free_ports(1)
        server = self.serve(f"-port={port}")
        payload = Payload(self.scratch, 80 * MB)
        self.open("tus-js-client", server, parallel=4)
        self.browser.do("rate", bytes=10 * MB)
        self.choose(payload.path)
        self.click("start")
        self.wait_for_bytes(server, 20 * MB)
        offset = self.pause(server)
        self.assertLess(offset, payload.size)
        self.assertEqual(server.stop(), 0)
        server.start()
        self.browser.do("reload")
        self.fill_in(server, parallel=4)
        self.browser.do("rate", bytes=UNLIMITED)
        self.choose(payload.path)
        self.click("start")
        url = self.wait_until_done()
        self.assertEqual(scrape(server)["tusd_bytes_received"], payload.size - offset)
        self.check_joined(server, url, payload)

    def test_cancelled(self):
        """[BROWSER-3] Given up while bytes are on their way: nothing stays, and the file can be sent again."""
        payload = Payload(self.scratch, 60 * MB)
        for client, parallel in (("tus-js-client", 1), ("tus-js-client", 3), ("uppy", 1)):
            with self.subTest(client, parallel=parallel):
                server = self.serve()
                self.open(client, server, parallel)
                self.browser.do("rate", bytes=10 * MB)
                self.choose(payload.path)
                self.click("start")
                self.wait_for_bytes(server, 5 * MB)
                self.click("cancel")
                self.wait_for_nothing(server)
                self.browser.do("rate", bytes=UNLIMITED)
                self.browser.do("reload")
                self.fill_in(server)
                self.choose(payload.path)
                self.click("start")
                self.assertEqual(sha256_of(self.stored(server, self.wait_until_done())), payload.sha256)

    # ---- downloads

    def uploaded(self, server, name, content):
        path = self.scratch / name
        path.write_bytes(content)
        self.open("tus-js-client", server)
        self.choose(path)
        self.click("start")
        return self.wait_until_done()

    def test_download_link(self):
        """[BROWSER-4] The link saves the file under its name; what could run as a page is saved, and not shown."""
        server = self.serve()
        page = b"<!doctype html><title>shown</title><script>document.title = 'run'</script>"
        for name, content in (("grüße, 100 % – ‘neu’.bin", os.urandom(3 * MB)), ("page.html", page)):
            with self.subTest(name):
                self.uploaded(server, name, content)
                target = self.scratch / "downloaded"
                self.assertEqual(self.browser.do("download", selector="#download", path=target), name)
                self.assertEqual(target.read_bytes(), content)
        url = self.uploaded(server, "note.txt", b"plain text")
        self.assertEqual(self.browser.do("follow", selector="#download"), {"url": url, "text": "plain text"})

    # ---- requests of a page

    def ask(self, method, url, fields=(), **given):
        """{"status", "fields", "body"} as the page sees it, or {"unseen"}."""
        argument = {"method": method, "url": url, "fields": dict(fields), **given}
        return self.browser.do("run", script=ASK, argument=argument)

    def open_blank(self):
        """A page of the other origin that does nothing by itself."""
        self.browser.do("open", url=self.pages.url("index.html"))

    def assert_seen(self, answer, status, *fields, code=""):
        self.assertEqual(answer.get("status"), status, answer)
        for name in fields:
            self.assertIn(name.lower(), answer["fields"], answer)
        self.assertIn(code, answer["body"])

    def assert_unseen(self, answer):
        self.assertIn("unseen", answer)

    def create(self, server, length=10, fields=(), **given):
        answer = self.ask("POST", server.url, {**TUS, "Upload-Length": str(length), **dict(fields)}, **given)
        self.assert_seen(answer, 201, "Location")
        return answer["fields"]["location"]

    def test_methods(self):
        """[BROWSER-5] Every method gets through its preflight request, also as POST with X-HTTP-Method-Override."""
        server = self.serve()
        self.open_blank()

        def overridden(method, url, fields, **given):
            return self.ask("POST", url, {**fields, "X-HTTP-Method-Override": method}, **given)

        for ask in (self.ask, overridden):
            url = self.create(server)
            at = {**PATCH, "Upload-Offset": "0"}
            self.assert_seen(ask("PATCH", url, at, body="0123456789"), 204, "Upload-Offset")
            self.assert_seen(ask("HEAD", url, TUS), 200, "Upload-Offset", "Upload-Length")
            self.assert_seen(ask("DELETE", url, TUS), 204)
            self.assert_seen(ask("HEAD", url, TUS), 404)
        self.assert_seen(self.ask("OPTIONS", server.url, TUS), 200, "Tus-Version")
        self.wait_for_nothing(server)

    def test_fields_are_readable(self):
        """[BROWSER-6] What a client needs of an answer is shown to the page."""
        server = self.serve("-expire-after=24h", "-digest=sha256", "-max-size=1000000")
        self.open_blank()
        self.assert_seen(self.ask("OPTIONS", server.url), 200, "Tus-Version", "Tus-Resumable", "Tus-Extension",
                         "Tus-Max-Size", "Tus-Checksum-Algorithm")
        metadata = {"Upload-Metadata": "filename bm90ZS50eHQ=,filetype dGV4dC9wbGFpbg=="}
        answer = self.ask("POST", server.url, {**TUS, **metadata, "Upload-Length": "10"})
        self.assert_seen(answer, 201, "Location", "Tus-Resumable", "Upload-Expires")
        url = answer["fields"]["location"]
        self.assert_seen(self.ask("HEAD", url, TUS), 200, "Upload-Offset", "Upload-Length", "Upload-Metadata",
                         "Upload-Expires")
        answer = self.ask("PATCH", url, {**PATCH, **CHECKSUM, "Upload-Offset": "0"}, body="0123456789")
        self.assert_seen(answer, 204, "Upload-Offset")
        self.assert_seen(self.ask("HEAD", url, {**TUS, "Want-Repr-Digest": "sha-256=1"}), 200, "Repr-Digest")
        answer = self.ask("GET", url, {"Range": "bytes=2-4"})
        self.assert_seen(answer, 206, "Content-Range", "Content-Length", "Content-Disposition", "Content-Type", "ETag",
                         "Accept-Ranges")
        self.assertEqual(answer["body"], "234")
        answer = self.ask("GET", url, {"If-None-Match": answer["fields"]["etag"]}, cache="no-store")
        self.assert_seen(answer, 304, "ETag")
        part = self.create(server, 1, {"Upload-Concat": "partial"})
        self.assert_seen(self.ask("HEAD", part, TUS), 200, "Upload-Concat")
        deferred = self.ask("POST", server.url, {**TUS, "Upload-Defer-Length": "1"})
        self.assert_seen(self.ask("HEAD", deferred["fields"]["location"], TUS), 200, "Upload-Defer-Length")

    def test_errors_are_readable(self):
        """[BROWSER-7] Errors are shown with status, body and fields, also those that come before the body is sent."""
        server = self.serve("-max-size=60000000")
        self.open_blank()
        url = self.create(server, 50 * MB)
        create = {**TUS, "Upload-Length": "10"}
        at = {**PATCH, "Upload-Offset": "0"}
        self.assert_seen(self.ask("POST", server.url, {**TUS, "Upload-Length": "60000001"}), 413,
                         code="ERR_MAX_SIZE_EXCEEDED")
        self.assert_seen(self.ask("POST", server.url, {**TUS, "Upload-Length": "ten"}), 400,
                         code="ERR_INVALID_UPLOAD_LENGTH")
        self.assert_seen(self.ask("POST", server.url, {**create, "Tus-Resumable": "0.9.0"}), 412, "Tus-Version",
                         code="ERR_UNSUPPORTED_VERSION")
        self.assert_seen(self.ask("PATCH", url, {**at, "Upload-Offset": "5"}, size=50 * MB), 409, "Upload-Offset",
                         code="ERR_MISMATCHED_OFFSET")
        self.assert_seen(self.ask("PATCH", url, {**at, "Content-Type": "text/plain"}, size=50 * MB), 415,
                         "Accept-Patch", code="ERR_INVALID_CONTENT_TYPE")
        self.assert_seen(self.ask("PATCH", url, at, size=51 * MB), 413, code="ERR_UPLOAD_SIZE_EXCEEDED")
        self.assert_seen(self.ask("PATCH", url, {**at, **CHECKSUM}, body="other"), 460, code="ERR_CHECKSUM_MISMATCH")
        self.assert_seen(self.ask("PATCH", f"{url}0", at, size=50 * MB), 404, code="ERR_UPLOAD_NOT_FOUND")
        self.assert_seen(self.ask("GET", f"{url}0"), 404, code="ERR_UPLOAD_NOT_FOUND")
        with server.wire() as wire:
            self.assertEqual(wire.head(url.removeprefix(server.url.removesuffix(server.base_path))).offset, 0)

    def test_error_on_the_page(self):
        """[BROWSER-7] The clients hand on what the server says."""
        server = self.serve("-max-size=999")
        path = self.scratch / "large"
        path.write_bytes(bytes(1000))
        for client in CLIENTS:
            with self.subTest(client):
                self.open(client, server)
                self.choose(path)
                self.click("start")
                self.browser.do("wait_for_text", selector="#state", pattern="^failed$", seconds=DONE_SECONDS)
                self.assertEqual(self.browser.do("text", selector="#error").strip(),
                                 "413 ERR_MAX_SIZE_EXCEEDED: maximum size exceeded")

    # ---- refusals

    def check_refused(self, client, server):
        """The page fails, and learns nothing. Nothing but preflight requests was sent for it."""
        path = self.scratch / "refused"
        path.write_bytes(b"0123456789")
        self.open(client, server)
        self.choose(path)
        self.click("start")
        self.browser.do("wait_for_text", selector="#state", pattern="^(done|failed)$", seconds=DONE_SECONDS)
        self.assertRegex(self.browser.do("text", selector="#error"), "^no answer: ")
        self.assertGreater(self.requests(server, "OPTIONS"), 0)
        self.assertEqual(self.requests(server, "POST"), 0)
        self.wait_for_nothing(server)

    def check_unreadable(self, server):
        """An upload that somebody else has made."""
        with server.wire() as wire:
            path = wire.create(server.base_path, 10)
            wire.patch(path, 0, b"0123456789")
        url = server.url.removesuffix(server.base_path) + path
        self.assert_unseen(self.ask("GET", url))
        self.assert_unseen(self.ask("HEAD", url, TUS))
        self.assert_unseen(self.ask("DELETE", url, TUS))
        self.assert_unseen(self.ask("OPTIONS", url))
        # Without asking the server before, a page may send this much, and see that something came back.
        self.assertEqual(self.ask("GET", url, mode="no-cors")["type"], "opaque")
        self.assertEqual(self.ask("POST", server.url, mode="no-cors", body="0123456789")["type"], "opaque")
        self.assertEqual([file.read_bytes() for file in self.data_files(server)], [b"0123456789"])

    def test_origin_refused(self):
        """[BROWSER-8] A page of an origin that is not allowed."""
        server = self.serve("-cors-allow-origin=^https://pages\\.example$")
        self.check_refused("tus-js-client", server)
        self.check_unreadable(server)

    def test_cors_disabled(self):
        """[BROWSER-8] With -disable-cors no page of another origin gets anywhere."""
        server = self.serve("-disable-cors")
        self.check_refused("uppy", server)
        self.check_unreadable(server)

    def test_flags(self):
        """[BROWSER-9] What the flags allow, and only that."""
        plain = self.serve()
        origin = self.pages.origin.replace(".", "\\.")
        more = self.serve(f"-cors-allow-origin=^{origin}$", "-cors-allow-headers=X-Mine", "-cors-allow-methods=PUT",
                          "-cors-expose-headers=X-Content-Type-Options", "-cors-allow-credentials")
        self.open_blank()
        mine = {**TUS, "Upload-Length": "10", "X-Mine": "a"}
        self.assert_unseen(self.ask("POST", plain.url, mine))
        self.wait_for_nothing(plain)
        self.assert_seen(self.ask("POST", more.url, mine), 201, "X-Content-Type-Options")
        self.assertNotIn("x-content-type-options", self.ask("POST", plain.url, TUS)["fields"])
        self.assert_unseen(self.ask("PUT", plain.url, TUS))
        self.assert_seen(self.ask("PUT", more.url, TUS), 405)
        for method, fields in (("GET", {}), ("HEAD", TUS)):
            for server, url in ((plain, self.create(plain, 0)), (more, self.create(more, 0))):
                answer = self.ask(method, url, fields, credentials="include")
                if server is plain:
                    self.assert_unseen(answer)
                else:
                    self.assert_seen(answer, 200)

    def test_preflights_are_remembered(self):
        """[BROWSER-5] Not every request is preceded by one."""
        server = self.serve()
        self.open_blank()
        url = self.create(server, 20)
        for offset in range(20):
            self.assert_seen(self.ask("PATCH", url, {**PATCH, "Upload-Offset": str(offset)}, body="a"), 204)
        self.assertEqual(self.requests(server, "OPTIONS"), 2)

    def test_documentation(self):
        """[BROWSER-10] What docs/browser.md shows is what these tests run."""
        shown = re.findall(r"^```js\n(.*?)^```$", (ROOT / "docs" / "browser.md").read_text(), re.M | re.S)
        run = [(node_packages.BROWSER_EXAMPLE / f"{client}.js").read_text() for client in CLIENTS]
        self.assertEqual(len(shown), len(run))
        for part, script in zip(shown, run):
            self.assertIn(textwrap.indent(part, "  "), script)


if __name__ == "__main__":
    main()
