#!/usr/bin/env python3
"""/healthz and /readyz: whether the server runs, and whether it can take uploads."""
import shutil
import signal
import threading
import time

from disks import DiskTest, FaultFs, enter_namespace
from harness import is_sanitized, main, wait_until
from prometheus import scrape
from wire import TUS, Closed, head_of, patch_fields

KEEP = 1.0  # seconds that a look at the storage is good for
PATIENCE = 2.0


class Health(DiskTest):
    def status(self, server, path="/readyz"):
        with server.wire() as wire:
            return wire.ask("GET", path).status

    def wait_for(self, server, status):
        wait_until(lambda: self.status(server) == status, 20, f"/readyz is {status}")

    def assert_not_ready(self, server):
        with server.wire() as wire:
            answer = wire.ask("GET", "/readyz")
        self.assertEqual(answer.status, 503)
        self.assertTrue(answer.body.startswith(b"not ready: "), answer)
        self.assertNotIn(b"/", answer.body, "no path of ours is told")
        self.assertEqual(scrape(server)["tusd_ready"], 0)
        self.assertEqual(self.status(server, "/healthz"), 200)

    def test_paths(self):
        """[HEALTH-1] Both are there whatever the base path is, and answer GET and HEAD alone."""
        for base in ("/files/", "/", "/a/b/"):
            server = self.serve(f"-base-path={base}")
            with server.wire() as wire:
                for path, text in (("/healthz", b"ok\n"), ("/readyz", b"ready\n"), ("/readyz?probe=1", b"ready\n")):
                    answer = wire.ask("GET", path)
                    self.assertEqual((answer.status, answer.body), (200, text))
                    self.assertEqual(answer.get("Cache-Control"), "no-store")
                    self.assertEqual(wire.ask("HEAD", path).status, 200)
                    for method in ("POST", "PATCH", "DELETE"):
                        refused = wire.ask(method, path, {**TUS, "Content-Length": 0})
                        self.assertEqual((refused.status, refused.get("Allow")), (405, "GET, HEAD"))
                upload = wire.create(server.base_path, 3)
                self.assertEqual(wire.patch(upload, 0, b"abc").status, 204)
                self.assertEqual(wire.ask("GET", "/healthz/").status, 404)

    def test_switched_off(self):
        """[HEALTH-1] With -expose-health=false they are paths like any other, as they are with Go's tusd."""
        server = self.serve("-expose-health=false", "-base-path=/healthz")
        with server.wire() as wire:
            self.assertEqual(wire.ask("GET", "/readyz").status, 404)
            self.assertEqual(wire.ask("POST", "/healthz", {**TUS, "Upload-Length": 3}).status, 201)

    def test_storage_that_cannot_be_written(self):
        """[HEALTH-2] Read-only, full or gone: not ready; and ready again without a restart."""
        disk = self.small_disk(16)
        server = self.serve(directory=disk / "uploads")
        self.assertEqual(self.status(server), 200)
        self.remount(disk, "ro")
        self.wait_for(server, 503)
        self.assert_not_ready(server)
        self.remount(disk, "rw")
        self.wait_for(server, 200)
        filler = self.fill(disk / "uploads", 0)
        self.wait_for(server, 503)
        self.assert_not_ready(server)
        self.assertLess(scrape(server)["tusd_storage_free_bytes"], 1 << 16)
        filler.unlink()
        self.wait_for(server, 200)
        shutil.rmtree(disk / "uploads")
        self.wait_for(server, 503)
        self.assert_not_ready(server)

    def test_nobody_hammers_the_disk(self):
        """[HEALTH-3] Thousands of questions, from many at once, are a look a second."""
        faults = FaultFs(self)
        server = self.serve(directory=faults.folder / "uploads")
        self.assertEqual(self.status(server), 200)
        time.sleep(KEEP)
        faults.rules()
        one = self.status(server) and sum(faults.counts().values())  # the operations of one look
        self.assertGreater(one, 0)
        asked, begin = [0] * 8, time.monotonic()

        def ask(number):
            with server.wire() as wire:
                while time.monotonic() - begin < 2.5:
                    self.assertEqual(wire.ask("GET", "/readyz").status, 200)
                    asked[number] += 1

        threads = [threading.Thread(target=ask, args=(number,), daemon=True) for number in range(len(asked))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        seconds = time.monotonic() - begin
        looks = sum(faults.counts().values()) / one
        self.report(f"{sum(asked)} questions in {seconds:.1f} s, {looks:.1f} looks of {one} operations")
        self.assertGreater(sum(asked), 100)
        self.assertLessEqual(looks, seconds / KEEP + 2)

    def test_storage_that_hangs(self):
        """[HEALTH-4] [METRIC-10] It is told within two seconds, nobody waits for it, and the metrics are told all the same."""
        faults = FaultFs(self)
        server = self.serve(directory=faults.folder / "uploads")
        self.assertEqual(self.status(server), 200)
        time.sleep(KEEP)
        faults.rules("create hang path=/uploads", "write hang path=/uploads", "open hang path=/uploads")
        slack = 10 if is_sanitized() else 2
        begin = time.monotonic()
        self.assertEqual(self.status(server), 503)
        self.assertLess(time.monotonic() - begin, PATIENCE + slack)
        hanging = sum(faults.counts().values())
        begin = time.monotonic()
        for _ in range(50):
            self.assertEqual(self.status(server), 503)
        self.assertLess(time.monotonic() - begin, slack, "whoever comes later does not wait")
        self.assertEqual(sum(faults.counts().values()), hanging, "and nobody asks again")
        self.assert_not_ready(server)
        faults.clear()
        self.wait_for(server, 200)

    def test_stop(self):
        """[HEALTH-2] A server that stops is not ready: who is connected is told so, others are not let in."""
        server = self.serve()
        with server.wire() as upload, server.wire() as begun:
            path = upload.create(server.base_path, 1000)
            upload.send_head("PATCH", path, patch_fields(0, 1000))
            upload.send(b"abc")
            wait_until(lambda: scrape(server)["tusd_requests_in_flight"] == 1, 10, "the upload runs")
            question = head_of("GET", "/readyz", {}, begun.host)
            begun.send(question[:20])
            time.sleep(0.2)  # so that its beginning is there before the end
            server.process.send_signal(signal.SIGTERM)
            self.assertEqual(upload.receive().status, 503)
            try:
                begun.send(question[20:])
                self.assertEqual(begun.receive().status, 503)
            except (Closed, BrokenPipeError):
                self.fail("a question that had begun was not answered")
        self.assertEqual(server.wait_for_exit(), 0)
        with self.assertRaises(ConnectionRefusedError):
            self.status(server)


if __name__ == "__main__":
    enter_namespace()
    main()
