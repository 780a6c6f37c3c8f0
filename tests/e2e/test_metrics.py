#!/usr/bin/env python3
"""The metrics after uploads: as the page says it, as promtool judges it, and as a real Prometheus stores it."""
import json
import pathlib
import re
import socket
import subprocess

from harness import ROOT, EndToEndTest, Server, main, wait_until
from prometheus import Prometheus, families, scrape
from wire import OFFSET_TYPE, TUS, chunk, patch_fields

MIB = 1 << 20
DEPLOY = ROOT / "deploy" / "monitoring"
# What promtool says of names that dashboards for Go's tusd depend on.
INHERITED = {f'{name} counter metrics should have "_total" suffix'
             for name in ("tusd_bytes_received", "tusd_uploads_created", "tusd_uploads_finished", "tusd_uploads_terminated")}


def promtool(*arguments, stdin=None, cwd=None):
    return subprocess.run(["promtool", *map(str, arguments)], input=stdin, capture_output=True, timeout=60, cwd=cwd)


def expressions():
    """[(where, expression)] of the alert rules and the dashboard."""
    found = [("alerts.yml", expression)
             for expression in re.findall(r"^ +expr: (.+)$", (DEPLOY / "alerts.yml").read_text(), re.M)]
    dashboard = json.loads((DEPLOY / "dashboard.json").read_text())
    for panel in dashboard["panels"]:
        found += [(panel["title"], target["expr"]) for target in panel.get("targets", ())]
    return found


class Metrics(EndToEndTest):
    def work(self, server):
        """Four uploads, two of them finished, one deleted; a take-over; mistakes; a download. Returns a path."""
        with server.wire() as wire:
            path = wire.create(server.base_path, MIB)
            self.assertEqual(wire.patch(path, 0, b"x" * MIB).status, 204)
            self.assertEqual(len(wire.ask("GET", path).body), MIB)
            answer = wire.ask("POST", server.base_path, {**TUS, "Upload-Length": 100, "Content-Type": OFFSET_TYPE}, b"y" * 100)
            self.assertEqual(answer.status, 201)
            self.assertEqual(wire.patch(path, 5, b"x").status, 409)
            self.assertEqual(wire.head("/files/unknown").status, 404)
            end = wire.create(server.base_path, 5)
            self.assertEqual(wire.ask("DELETE", end, TUS).status, 204)
        with server.wire() as wire:
            wire.send(b"SENSELESS\r\n\r\n")
            self.assertEqual(wire.receive().status, 400)
        with server.wire() as stalled, server.wire() as wire:
            half = wire.create(server.base_path, 1000)
            stalled.send_head("PATCH", half, patch_fields(0))
            stalled.send(chunk(b"abc"))
            wait_until(lambda: (server.directory / half.rpartition("/")[2]).stat().st_size == 3, 10, "bytes are there")
            self.assertEqual(wire.head(half).offset, 3)
            self.assertEqual(stalled.receive().status, 423)
        # A client has its answer before the server has written it down.
        wait_until(lambda: scrape(server)["tusd_requests_in_flight"] == 0, 10, "no request is left")
        return path

    def with_hooks(self):
        """The option without which there are no figures of hooks. None of the programs is there, and no event is anybody's."""
        directory = self.scratch / "no-hooks"
        directory.mkdir(exist_ok=True)
        return f"-hooks-dir={directory}"

    def with_bucket(self):
        """A server with figures of S3, and no S3 behind it."""
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        environment = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "us-east-1"}
        server = Server(self.scratch, self.scratch, ["-host=127.0.0.1", "-port=0", "-s3-bucket=tests", f"-s3-endpoint={url}",
                                                     "-s3-skip-check"], environment)
        self.addCleanup(server.finish)
        return server

    def test_values(self):
        """[METRIC-1] [METRIC-2] [METRIC-3] [METRIC-4] [METRIC-5] [METRIC-6] What was done is what is told."""
        for mode in ("always", "never"):
            server = self.serve(f"-zero-copy={mode}", "-fsync=finish")
            self.work(server)
            seen = scrape(server)

            def lookup(name, labels=""):
                return seen[name + labels]

            requests = {method: lookup("tusd_requests_total", f'{{method="{method}"}}')
                        for method in ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST")}
            self.assertEqual(requests, {"DELETE": 1, "GET": 1, "HEAD": 2, "OPTIONS": 0, "PATCH": 3, "POST": 4})
            received = MIB + 100 + 3
            self.assertEqual(seen["tusd_bytes_received"], received)
            self.assertEqual([seen[f"tusd_uploads_{what}"] for what in ("created", "finished", "terminated")], [4, 2, 1])
            errors = {key: value for key, value in seen.items() if key.startswith("tusd_errors_total") and value}
            self.assertEqual(errors, {'tusd_errors_total{status="409",code="ERR_MISMATCHED_OFFSET"}': 1,
                                      'tusd_errors_total{status="404",code="ERR_UPLOAD_NOT_FOUND"}': 1,
                                      'tusd_errors_total{status="423",code="ERR_UPLOAD_INTERRUPTED"}': 1})
            self.assertEqual(seen["tusd_connections_open"], 1, "the one that asks")
            self.assertGreaterEqual(seen["tusd_connections_accepted_total"], 5)
            for reason in ("descriptors", "connections", "address"):
                self.assertEqual(seen[f'tusd_connections_refused_total{{reason="{reason}"}}'], 0)

            durations = {key: value for key, value in seen.items() if key.startswith("tusd_request_duration_seconds_count")}
            self.assertEqual(durations, {f'tusd_request_duration_seconds_count{{method="{method}",status="{status}"}}': count
                                         for method, status, count in (("DELETE", 204, 1), ("GET", 200, 1), ("HEAD", 200, 1),
                                                                       ("HEAD", 404, 1), ("PATCH", 204, 1), ("PATCH", 409, 1),
                                                                       ("PATCH", 423, 1), ("POST", 201, 4))})
            self.assertEqual(lookup("tusd_requests_rejected_total", '{status="400"}'), 1)
            by_path = {path: (lookup("tusd_upload_bytes_total", f'{{path="{path}"}}'),
                              lookup("tusd_download_bytes_total", f'{{path="{path}"}}')) for path in ("spliced", "copied")}
            self.assertEqual(sum(up for up, _ in by_path.values()), received)
            wanted = "spliced" if mode == "always" else "copied"
            self.assertGreaterEqual(by_path[wanted][0], MIB - 64 * 1024)
            self.assertEqual(by_path[wanted][1], MIB)
            if mode == "never":
                self.assertEqual(by_path["spliced"], (0, 0))
            self.assertEqual(seen["tusd_upload_first_byte_seconds_count"], 3)
            self.assertEqual(seen["tusd_upload_size_bytes_count"], 2)
            self.assertEqual(seen["tusd_upload_size_bytes_sum"], MIB + 100)
            self.assertEqual(lookup("tusd_upload_size_bytes_bucket", '{le="1024"}'), 1)
            self.assertEqual(seen["tusd_upload_duration_seconds_count"], 2)
            self.assertEqual(seen["tusd_uploads_taken_over_total"], 1)
            self.assertGreaterEqual(lookup("tusd_lock_wait_seconds_count", '{outcome="granted"}'), 4)
            for outcome in ("refused", "timed_out", "failed"):
                self.assertEqual(lookup("tusd_lock_wait_seconds_count", f'{{outcome="{outcome}"}}'), 0)

    def test_machine(self):
        """[METRIC-8] [METRIC-9] [METRIC-10] Syncs, loops, the pool, the process, room and readiness."""
        server = self.serve("-fsync=always", "-threads=2")
        before = scrape(server)
        self.work(server)
        wait_until(lambda: scrape(server)["tusd_event_loop_lag_seconds_count"] >= 2, 20, "loops are looked at once a second")
        seen = scrape(server)
        data, directory = (f'tusd_fsync_duration_seconds_count{{target="{target}"}}' for target in ("data", "directory"))
        self.assertGreater(seen[data], before[data])
        self.assertGreater(seen[directory], before[directory])
        self.assertEqual(seen["tusd_fsync_failures_total"], 0)
        self.assertEqual(seen["tusd_event_loops"], 2)
        self.assertEqual(seen["tusd_event_loop_threads_blocked"], 0)
        self.assertGreaterEqual(seen["tusd_pool_threads"], 4)
        self.assertEqual(seen["tusd_pool_queue_length"], 0)
        self.assertEqual(seen["tusd_ready"], 1)
        self.assertGreater(seen["tusd_storage_size_bytes"], seen["tusd_storage_free_bytes"])
        self.assertGreater(seen["tusd_storage_free_bytes"], 0)
        process = pathlib.Path(f"/proc/{server.pid}")
        descriptors = len(list((process / "fd").iterdir()))
        self.assertLessEqual(abs(seen["process_open_fds"] - descriptors), 4)
        threads = int(re.search(r"^Threads:\s+(\d+)", (process / "status").read_text(), re.M)[1])
        self.assertLessEqual(abs(seen["process_threads"] - threads), 4)
        self.assertAlmostEqual(seen["process_resident_memory_bytes"] / 1024 / server.rss_kib(), 1, delta=0.5)
        self.assertGreater(seen["process_cpu_seconds_total"], before["process_cpu_seconds_total"])
        version = subprocess.run([server.command[0], "-version"], capture_output=True, text=True, check=True, timeout=20).stdout
        label = next(key for key in seen if key.startswith("tusd_build_info"))
        self.assertIn(re.search(r'version="(.*)"', label)[1], version)

    def test_memory_store(self):
        """[METRIC-10] Uploads in memory have no file system that could be full."""
        server = self.serve("-store=memory")
        self.assertNotIn("tusd_storage_free_bytes", scrape(server))
        self.assertEqual(scrape(server)["tusd_ready"], 1)

    def test_promtool(self):
        """[METRIC-11] promtool has nothing to say but that names of tusd's are not as it likes them."""
        server = self.serve("-metrics-path=/figures", self.with_hooks())
        self.work_at = self.serve()
        self.work(self.work_at)
        for one, path in ((server, "/figures"), (self.work_at, "/metrics")):
            with one.wire() as wire:
                answer = wire.ask("GET", path)
                self.assertEqual(answer.get("Content-Type"), "text/plain; version=0.0.4; charset=utf-8")
                self.assertEqual(wire.ask("HEAD", path).status, 200)
                self.assertEqual(wire.ask("POST", path).status, 405)
            checked = promtool("check", "metrics", stdin=answer.body)
            said = checked.stdout + checked.stderr
            self.assertEqual({line for line in said.decode().splitlines() if line}, INHERITED)

    def test_prometheus(self):
        """[METRIC-11] [METRIC-12] A Prometheus stores these values, and every expression of ours means something to it."""
        server = self.serve(self.with_hooks())
        prometheus = Prometheus(self, [server.address])
        prometheus.wait_for("up", 1)
        prometheus.wait_for("tusd_uploads_finished", 0)
        prometheus.wait_for("tusd_bytes_received", 0)
        path = self.work(server)
        prometheus.wait_for("tusd_uploads_created", 4)
        prometheus.wait_for("tusd_uploads_finished", 2)
        prometheus.wait_for("tusd_uploads_terminated", 1)
        prometheus.wait_for("tusd_bytes_received", MIB + 103)
        prometheus.wait_for('tusd_requests_total{method="PATCH"}', 3)
        prometheus.wait_for('tusd_errors_total{code="ERR_MISMATCHED_OFFSET",status="409"}', 1)
        prometheus.wait_for('sum(tusd_upload_bytes_total)', MIB + 103)
        prometheus.wait_for('tusd_upload_size_bytes_bucket{le="1024"}', 1)
        prometheus.wait_for('tusd_upload_size_bytes_count', 2)
        # The histogram has no bucket above a MiB that holds anything.
        quantile = prometheus.value("histogram_quantile(1, tusd_upload_size_bytes_bucket)")
        self.assertEqual(quantile, MIB)
        prometheus.wait_for('tusd_request_duration_seconds_count{method="POST",status="201"}', 4)
        prometheus.wait_for("tusd_uploads_taken_over_total", 1)
        prometheus.wait_for("tusd_ready", 1)
        with server.wire() as wire:
            self.assertEqual(wire.ask("DELETE", path, TUS).status, 204)
        prometheus.wait_for("increase(tusd_uploads_terminated[1m]) > bool 0", 1)

        known = families(server) | families(self.with_bucket()) | {"up"}
        for where, expression in expressions():
            with self.subTest(where, expression=expression):
                for variable, value in (("$__rate_interval", "1m"), ("$job", "tusd"), ("$instance", ".*")):
                    expression = expression.replace(variable, value)
                names = set(re.findall(r"\b(?:tusd|process)_\w+|\bup\b", expression))
                self.assertTrue(names)
                self.assertLessEqual(names, known)
                prometheus.query(expression)
        server.stop()
        prometheus.wait_for("up", 0)

    def test_documented(self):
        """[METRIC-1] docs/monitoring.md explains what is there, and nothing else."""
        told = set()
        for server in (self.serve(self.with_hooks()), self.with_bucket()):
            with server.wire() as wire:
                told |= set(re.findall(r"^# TYPE (\S+)", wire.ask("GET", "/metrics").body.decode(), re.M))
        rows = re.findall(r"^\| (`(?:tusd|process)_.*?) \|", (ROOT / "docs" / "monitoring.md").read_text(), re.M)
        explained = {name for row in rows for name in re.findall(r"`([a-z0-9_]+)", row)}
        self.assertEqual(explained, told)

    def test_rules(self):
        """[METRIC-12] The alert rules are valid, and fire and are silent as their own tests say."""
        checks = (("check", "rules", "alerts.yml"), ("test", "rules", "alerts_test.yml"),
                  ("check", "config", "prometheus.yml"))
        for command in checks:
            done = promtool(*command, cwd=DEPLOY)
            self.assertEqual(done.returncode, 0, (done.stdout + done.stderr).decode())
            self.assertIn(b"SUCCESS", done.stdout)
        rules = (DEPLOY / "alerts.yml").read_text()
        tested = (DEPLOY / "alerts_test.yml").read_text()
        for alert in re.findall(r"- alert: (\w+)", rules):
            self.assertIn(f"alertname: {alert}\n", tested, "every rule is tested")


if __name__ == "__main__":
    main()
