"""What a scrape says, and a real Prometheus that scrapes."""
import json
import re
import socket
import subprocess
import urllib.error
import urllib.parse
import urllib.request

from harness import die_with_parent, wait_until

SAMPLE = re.compile(r"^([a-zA-Z_:][a-zA-Z0-9_:]*(?:\{.*\})?) (\S+)$")


def scrape(server, path="/metrics"):
    """{series: value}; a histogram's are `name_count{...}` and so on, labels in the order of the page."""
    with server.wire() as wire:
        answer = wire.ask("GET", path)
    if answer.status != 200:
        raise AssertionError(f"no metrics: {answer}")
    values = {}
    for line in answer.body.decode().splitlines():
        if line.startswith("#"):
            continue
        name, value = SAMPLE.match(line).groups()
        if name in values:
            raise AssertionError(f"twice: {name}")
        values[name] = float(value)
    return values


def families(server):
    """The names that queries may use."""
    with server.wire() as wire:
        text = wire.ask("GET", "/metrics").body.decode()
    names = set()
    for name, kind in re.findall(r"^# TYPE (\S+) (\S+)$", text, re.M):
        if kind == "histogram":
            names |= {f"{name}_bucket", f"{name}_count", f"{name}_sum"}
        elif kind == "summary":
            names |= {name, f"{name}_count", f"{name}_sum"}
        else:
            names.add(name)
    return names


class Prometheus:
    """A Prometheus that scrapes these servers twice a second, on a port of its own. Stopped at the end of the test."""

    def __init__(self, test, targets):
        self.folder = test.scratch
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        addresses = ", ".join(f'"{host}:{port}"' for host, port in targets)
        config = self.folder / "prometheus.yml"
        config.write_text("global: {scrape_interval: 500ms, scrape_timeout: 400ms}\n"
                          "scrape_configs:\n"
                          f"  - {{job_name: tusd, static_configs: [{{targets: [{addresses}]}}]}}\n")
        self.log = self.folder / "prometheus.log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={self.folder / 'tsdb'}",
                 f"--web.listen-address=127.0.0.1:{self.port}", "--log.level=warn"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=die_with_parent)
        test.addCleanup(self.stop)
        wait_until(self._ready, 60, f"Prometheus is ready: {self.log}")

    def _ready(self):
        if self.process.poll() is not None:
            raise AssertionError(f"Prometheus ended at once: {self.log.read_text()}")
        try:
            return self._get("/-/ready")
        except (urllib.error.URLError, ConnectionError):
            return None

    def _get(self, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
            return answer.read()

    def query(self, expression):
        """[({label: value}, value)]; an expression that Prometheus refuses is a failure."""
        try:
            answer = json.loads(self._get("/api/v1/query?" + urllib.parse.urlencode({"query": expression})))
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{expression}: {error.read().decode()}") from None
        return [(one["metric"], float(one["value"][1])) for one in answer["data"]["result"]]

    def value(self, expression):
        """Of an expression with one result; None when there is none yet."""
        found = self.query(expression)
        return found[0][1] if len(found) == 1 else None

    def wait_for(self, expression, wanted):
        wait_until(lambda: self.value(expression) == wanted, 30,
                   f"{expression} is {wanted}, not {self.query(expression)}")

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
