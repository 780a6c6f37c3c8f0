"""The Debian package: made from the release build, looked into, installed into a root of its own and run from there.

As root dpkg installs it with its scripts; as anybody else it is only unpacked. BUILD_DIRECTORY is the release build."""
import hashlib
import http.client
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = pathlib.Path(os.environ.get("BUILD_DIRECTORY") or ROOT / "build" / "release").resolve()
os.environ.setdefault("TUSD_BINARY", str(BUILD / "tusd"))
sys.path[:0] = [str(ROOT / "tests" / "e2e")]
import harness  # noqa: E402
import sandbox  # noqa: E402

IS_ROOT = os.geteuid() == 0
TUS = {"Tus-Resumable": "1.0.0"}
UPLOAD = {**TUS, "Content-Type": "application/offset+octet-stream", "Upload-Offset": "0"}
EXPECTED = {
    "etc/tusd/tusd.toml", "lib/systemd/system/tusd.service", "usr/bin/tusd", "usr/lib/sysusers.d/tusd.conf",
    "usr/share/bash-completion/completions/tusd", "usr/share/doc/tusd/changelog.gz",
    "usr/share/doc/tusd/browser.md", "usr/share/doc/tusd/configuration.md", "usr/share/doc/tusd/copyright",
    "usr/share/doc/tusd/hooks.md",
    "usr/share/doc/tusd/examples/Caddyfile", "usr/share/doc/tusd/examples/apache2.conf",
    "usr/share/doc/tusd/examples/haproxy.cfg", "usr/share/doc/tusd/examples/nginx.conf",
    "usr/share/doc/tusd/examples/tusd.socket", "usr/share/doc/tusd/migrating-from-tusd.md",
    "usr/share/doc/tusd/examples/alerts.yml", "usr/share/doc/tusd/examples/dashboard.json",
    "usr/share/doc/tusd/examples/prometheus.yml", "usr/share/doc/tusd/monitoring.md",
    "usr/share/doc/tusd/operations.md", "usr/share/doc/tusd/proxies.md",
    "usr/share/doc/tusd/security.md", "usr/share/fish/vendor_completions.d/tusd.fish",
    "usr/share/lintian/overrides/tusd", "usr/share/man/man1/tusd.1.gz", "usr/share/zsh/vendor-completions/_tusd",
}


def run(*command, **options):
    result = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=60,
                            stdin=subprocess.DEVNULL, **{"env": harness.clean_environment(), **options})
    if result.returncode != 0:
        raise AssertionError(f"{command}: code {result.returncode}\n{result.stdout}\n{result.stderr}")
    return result.stdout


def private_folder(prefix):
    """Below /tmp, since the user of the package has to get there, which a home directory may not allow."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix=prefix))
    folder.chmod(0o755)
    return folder


class Installed(harness.Server):
    """The installed binary with the installed configuration, as the user of the package."""

    def __init__(self, root, scratch, seccomp=None):
        self.root, self.seccomp, self.ids = root, seccomp, owner_of(root)
        super().__init__(root / "var/lib/tusd", scratch, ())

    def launch(self, **streams):
        self.command = [str(self.root / "usr/bin/tusd"), "-config", str(self.root / "etc/tusd/tusd.toml"),
                        "-upload-dir", str(self.root / "var/lib/tusd"), "-port", "0"]
        return subprocess.Popen(self.command, env=self.environment, preexec_fn=self.enter, umask=0o027, **streams)

    def enter(self):
        if IS_ROOT:
            os.setgroups([])
            os.setgid(self.ids[1])
            os.setuid(self.ids[0])
        harness.die_with_parent()  # setuid(2) would undo it
        if self.seccomp:
            self.seccomp.load()


def owner_of(root):
    """uid, gid of the user tusd in that root; where dpkg did not install, whoever we are."""
    if not IS_ROOT:
        return os.getuid(), os.getgid()
    match = re.search(r"^tusd:[^:]*:(\d+):(\d+):", (root / "etc/passwd").read_text(), re.M)
    return int(match[1]), int(match[2])


class PackageTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = private_folder("tusd-package-")
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        run("cpack", "--config", BUILD / "CPackConfig.cmake", "-B", cls.folder / "made", cwd=cls.folder,
            umask=0o077)
        cls.deb, = (cls.folder / "made").glob("*.deb")

    def setUp(self):
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="root-", dir=self.folder))
        self.root.chmod(0o755)
        self.scratch = pathlib.Path(tempfile.mkdtemp(prefix="run-", dir=self.folder))
        self.scratch.chmod(0o755)

    def field(self, name):
        return run("dpkg-deb", "-f", self.deb, name).strip()

    def dpkg(self, *arguments):
        """In the root: without the dependencies of the package, and with its scripts run outside of the root."""
        return run("dpkg", f"--root={self.root}", "--force-depends", "--force-script-chrootless",
                   f"--log={self.folder}/dpkg.log", *arguments,
                   env={"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"})

    def install(self):
        if IS_ROOT:
            for folder in ("var/lib/dpkg/info", "var/lib/dpkg/updates", "etc"):
                (self.root / folder).mkdir(parents=True, exist_ok=True)
            (self.root / "var/lib/dpkg/status").touch()
            (self.root / "var/lib/dpkg/available").touch()
            self.dpkg("--install", self.deb)
        else:
            run("dpkg-deb", "-x", self.deb, self.root)
            (self.root / "var/lib/tusd").mkdir(parents=True, mode=0o750)

    def serve(self, **options):
        server = Installed(self.root, self.scratch, **options)
        self.addCleanup(server.finish)
        return server

    def upload(self, server, data):
        """Creates and fills an upload; the path of its data."""
        connection = http.client.HTTPConnection(*server.address, timeout=30)
        self.addCleanup(connection.close)
        connection.request("POST", server.base_path, headers={**TUS, "Upload-Length": str(len(data))})
        answer = connection.getresponse()
        answer.read()
        self.assertEqual(answer.status, 201)
        path = "/" + answer.getheader("Location").split("/", 3)[3]
        connection.request("PATCH", path, data, UPLOAD)
        answer = connection.getresponse()
        answer.read()
        self.assertEqual((answer.status, answer.getheader("Upload-Offset")), (204, str(len(data))))
        return self.root / "var/lib/tusd" / path.rsplit("/", 1)[1]

    # [PKG-1]
    def test_contents(self):
        files = {}
        for line in run("dpkg-deb", "-c", self.deb).splitlines():
            mode, owner, _, _, _, name = line.split(None, 5)
            files[name.removeprefix("./")] = mode
            self.assertEqual(owner, "root/root", line)
            wanted = "drwxr-xr-x" if name.endswith("/") else "-rwxr-xr-x" if name.endswith("/bin/tusd") else "-rw-r--r--"
            self.assertEqual(mode, wanted, line)
        self.assertEqual({name for name in files if not name.endswith("/")}, EXPECTED)
        run("dpkg-deb", "-x", self.deb, self.root)
        with (self.root / "usr/bin/tusd").open("rb") as file:
            self.assertNotIn(b".debug_line", file.read())
        for name in ("share/man/man1/tusd.1.gz", "share/doc/tusd/changelog.gz"):
            run("gzip", "-t", self.root / "usr" / name)
        self.assertIn("Copyright: 2026 The tusd-cpp authors", (self.root / "usr/share/doc/tusd/copyright").read_text())

    # [PKG-1]
    def test_control(self):
        version = re.fullmatch(r"Version: (\S+)\n", run(BUILD / "tusd", "-version"))[1]
        self.assertEqual(self.field("Version"), version)
        self.assertEqual(self.field("Package"), "tusd")
        self.assertEqual(self.field("Architecture"), run("dpkg", "--print-architecture").strip())
        run("dpkg-deb", "-e", self.deb, self.root / "control")
        self.assertEqual((self.root / "control/conffiles").read_text(), "/etc/tusd/tusd.toml\n")
        for script in ("postinst", "prerm", "postrm"):
            self.assertEqual((self.root / "control" / script).stat().st_mode & 0o777, 0o755)
            run("sh", "-n", self.root / "control" / script)
        run("dpkg-deb", "-x", self.deb, self.root)
        changelog = run("gzip", "-dc", self.root / "usr/share/doc/tusd/changelog.gz")
        self.assertTrue(changelog.startswith(f"tusd ({version}) "), changelog)

    # [PKG-1] Every library of the binary comes from a package that it depends on, and nothing else is depended on but what it
    # runs, and reads.
    def test_dependencies(self):
        packages = set()
        # Those that it names itself; what they need in turn is the business of their packages.
        needed = re.findall(r"NEEDED +(\S+)", run("objdump", "-p", BUILD / "tusd"))
        found_at = dict(re.findall(r"(\S+) => (/\S+) \(0x", run("ldd", BUILD / "tusd")))
        for path in (found_at[name] for name in needed if name in found_at):
            # dpkg knows a file by one of its names, with /usr or without.
            for name in (os.path.realpath(path), os.path.realpath(path).removeprefix("/usr")):
                found = subprocess.run(["dpkg", "-S", name], capture_output=True, text=True, timeout=60)
                packages |= {line.split(":")[0] for line in found.stdout.splitlines()}
        self.assertIn("libc6", packages)
        named = {part.split()[0] for part in self.field("Depends").split(",")}
        self.assertEqual(named - {"passwd", "ca-certificates"}, packages)

    # [PKG-2] [PKG-3]
    def test_run(self):
        self.install()
        uid, gid = owner_of(self.root)
        state = (self.root / "var/lib/tusd").stat()
        self.assertEqual((state.st_uid, state.st_gid, state.st_mode & 0o7777), (uid, gid, 0o750))
        self.assertNotEqual(uid if IS_ROOT else 1, 0)
        server = self.serve()
        self.assertIn("Using 127.0.0.1:", server.output())  # the package opens nothing to the network by itself
        status = pathlib.Path(f"/proc/{server.pid}/status").read_text()
        self.assertEqual(re.search(r"^Uid:\s+(\d+)\s+(\d+)", status, re.M).groups(), (str(uid), str(uid)))
        data = os.urandom(3_000_000)
        path = self.upload(server, data)
        self.assertEqual(hashlib.sha256(path.read_bytes()).digest(), hashlib.sha256(data).digest())
        self.assertEqual((path.stat().st_uid, path.stat().st_mode & 0o777), (uid, 0o640))
        self.assertEqual(server.stop(), 0)

    # [PKG-2] The default configuration is one that the server accepts, with the places that the unit allows.
    def test_configuration(self):
        run("dpkg-deb", "-x", self.deb, self.root)
        config = self.root / "etc/tusd/tusd.toml"
        accepted = run(self.root / "usr/bin/tusd", "-check-config", "-config", config, "-upload-dir", self.root)
        self.assertEqual(accepted, "configuration is valid\n")
        unit = sandbox.settings((self.root / "lib/systemd/system/tusd.service").read_text())
        directory = re.search(r'^upload-dir = "(.*)"$', config.read_text(), re.M)[1]
        self.assertEqual(unit["ReadWritePaths"], [directory])
        self.assertEqual(unit["StateDirectory"], [directory.removeprefix("/var/lib/")])
        config.write_text(config.read_text().replace("port = 1080", "prot = 1080"))
        with self.assertRaisesRegex(AssertionError, "prot"):
            run(self.root / "usr/bin/tusd", "-check-config", "-config", config)

    # [PKG-4] What belongs to the operator stays: a changed configuration, and uploads for good.
    @unittest.skipUnless(IS_ROOT, "dpkg installs only as root")
    def test_life_of_the_package(self):
        self.install()
        config, data = self.root / "etc/tusd/tusd.toml", self.root / "var/lib/tusd/upload"
        config.write_text("port = 1234\n")
        data.write_bytes(b"precious")
        (self.root / "var/lib/tusd").chmod(0o770)
        self.dpkg("--force-confold", "--install", self.deb)
        self.assertEqual(config.read_text(), "port = 1234\n")
        self.assertEqual((self.root / "var/lib/tusd").stat().st_mode & 0o7777, 0o770)
        self.dpkg("--remove", "tusd")
        self.assertFalse((self.root / "usr/bin/tusd").exists())
        self.assertTrue(config.exists())
        self.dpkg("--purge", "tusd")
        self.assertFalse(config.parent.exists())
        self.assertEqual(data.read_bytes(), b"precious")
        data.unlink()
        self.dpkg("--install", self.deb)
        self.dpkg("--purge", "tusd")
        self.assertFalse(data.parent.exists())

    # [PKG-5]
    def test_unit(self):
        run("dpkg-deb", "-x", self.deb, self.root)
        unit = self.root / "lib/systemd/system/tusd.service"
        values = sandbox.settings(unit.read_text())
        self.assertEqual(values["ExecStart"], ["/usr/bin/tusd -config /etc/tusd/tusd.toml"])
        self.assertEqual((values["User"], values["Type"]), (["tusd"], ["notify"]))
        defaults = dict(re.findall(r"^\| `-(\S+) DURATION` \|.*?\| `(\d+)s` \|", (ROOT / "docs/configuration.md")
                                   .read_text(), re.M))
        patience = int(defaults["shutdown-timeout"]) + int(defaults["request-completion-timeout"])
        self.assertGreater(int(values["TimeoutStopSec"][0]), patience)
        # verify looks for the program where the unit says, so it gets units that name the one in this root.
        checked = self.root / "checked"
        checked.mkdir()
        for source in (unit, self.root / "usr/share/doc/tusd/examples/tusd.socket"):
            text = source.read_text().replace("/usr/bin/tusd", f"{self.root}/usr/bin/tusd")
            (checked / source.name).write_text(text)
        for name in ("tusd.service", "tusd.socket"):
            result = subprocess.run(["systemd-analyze", "verify", "--man=no", f"./{name}"], cwd=checked, timeout=60,
                                    capture_output=True, text=True)
            complaints = [line for line in result.stderr.splitlines() if "tusd" in line]
            self.assertEqual((result.returncode, complaints), (0, []), result.stderr)
        # Exposure in tenths: the unit has 15. The rest is the network, and what its comments explain.
        run("systemd-analyze", "security", "--offline=true", "--threshold=20", unit)

    # [PKG-5] The filters of the unit let everything through that the server does.
    def test_sandbox(self):
        self.install()
        unit = (self.root / "lib/systemd/system/tusd.service").read_text()
        filter_ = sandbox.Filter(unit)
        for forbidden in ("import os; os.chroot('/')", "import socket; socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)"):
            ended = subprocess.run([sys.executable, "-c", forbidden], preexec_fn=filter_.load, timeout=30)
            self.assertEqual(ended.returncode, -signal.SIGSYS, forbidden)
        server = self.serve(seccomp=filter_)
        self.assertIn("Seccomp:\t2", pathlib.Path(f"/proc/{server.pid}/status").read_text())
        data = os.urandom(3_000_000)
        self.assertEqual(self.upload(server, data).read_bytes(), data)
        server.process.send_signal(signal.SIGHUP)
        harness.wait_until(lambda: "event=ConfigReloaded" in server.errors(), 30, "the reload")
        server.process.send_signal(signal.SIGUSR2)
        self.assertEqual(server.wait_for_exit(), 0, server.tail())
        harness.wait_until(lambda: server.output().count("as the base path") == 2, 30, "the new process")
        pid = int(re.findall(r"event=UpgradeHandsOver pid=(\d+)", server.errors())[-1])
        try:
            server.address = (server.address[0], int(re.findall(r"to: http://[^:]+:(\d+)/", server.output())[-1]))
            self.assertEqual(self.upload(server, data).read_bytes(), data)
        finally:
            os.kill(pid, signal.SIGTERM)
            os.waitpid(pid, 0)


if __name__ == "__main__":
    harness.LIBC.prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER: what an upgrade leaves is ours to wait for
    harness.main(120)
