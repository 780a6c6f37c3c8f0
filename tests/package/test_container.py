"""The Containerfile, where no engine runs it: it is read and checked, and the steps that can be done here are done."""
import fnmatch
import os
import pathlib
import re
import shlex
import signal
import subprocess
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = pathlib.Path(os.environ.get("BUILD_DIRECTORY") or ROOT / "build" / "release").resolve()
os.environ.setdefault("TUSD_BINARY", str(BUILD / "tusd"))
sys.path[:0] = [str(ROOT / "tests" / "e2e")]
import containerfile  # noqa: E402
import harness  # noqa: E402

FILE = ROOT / "deploy" / "container" / "Containerfile"
KNOWN = {"COPY", "RUN", "WORKDIR", "VOLUME", "EXPOSE", "USER", "STOPSIGNAL", "ENTRYPOINT"}


def ignored(path, patterns):
    """Whether .containerignore keeps a path, relative to the root of the sources, out of the build."""
    parts = path.split("/")
    return any(fnmatch.fnmatch("/".join(parts[:n]), pattern) or
               (pattern.startswith("**/") and fnmatch.fnmatch(parts[n - 1], pattern[3:]))
               for pattern in patterns for n in range(1, len(parts) + 1))


class ProcessOne(harness.Server):
    """The server as process 1 of a namespace of its own, as in a container: signals that it does not handle are not
    delivered to it."""

    def launch(self, **streams):
        return subprocess.Popen(["/usr/bin/unshare", *([] if os.geteuid() == 0 else ["--map-current-user"]), "--pid",
                                 "--fork", "--kill-child", "--", *self.command],
                                env=self.environment, preexec_fn=harness.die_with_parent, **streams)

    def server_pid(self):
        return int(pathlib.Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()[0])


class ContainerTest(harness.EndToEndTest):
    def setUp(self):
        super().setUp()
        self.stages = containerfile.stages_of(FILE.read_text())
        self.build, self.image = self.stages

    def commands(self, stage):
        """The commands of all RUN lines."""
        return [part.strip() for run in stage.all("RUN") for part in run.value.split("&&")]

    # [PKG-6]
    def test_form(self):
        for stage in self.stages:
            self.assertRegex(stage.image, r"^docker\.io/library/debian:12-slim$")
            self.assertLessEqual({instruction.name for instruction in stage.instructions}, KNOWN)
            for run in stage.all("RUN"):
                checked = subprocess.run(["bash", "-n", "-c", run.value], capture_output=True, text=True, timeout=30)
                self.assertEqual((checked.returncode, checked.stderr), (0, ""), run)
        self.assertEqual(self.build.name, "build")

    # [PKG-6] Everything comes from the one list of packages, and from what the package itself depends on.
    def test_packages(self):
        self.assertEqual(self.commands(self.build), ["tools/install_deps build package", "make deb"])
        listed = subprocess.run([ROOT / "tools/install_deps", "--list", "build", "package"], check=True, text=True,
                                capture_output=True, timeout=30).stdout.split()
        # What `make deb` runs has to be there: the slim image has little.
        self.assertLessEqual({"make", "cmake", "ninja-build", "clang-19", "dpkg-dev", "file", "gzip"}, set(listed))
        installs = [shlex.split(command) for command in self.commands(self.image) if "apt-get install" in command]
        self.assertEqual(len(installs), 1)
        installed = [word for word in installs[0][2:] if not word.startswith("-")]
        self.assertEqual(installed, ["/tmp/packages/tusd_*.deb"])
        made = re.search(r"^set\(CPACK_PACKAGE_DIRECTORY \"\$\{PROJECT_BINARY_DIR\}/(.*)\"\)",
                         (ROOT / "cmake/package.cmake").read_text(), re.M)[1]
        copy = self.image.only("COPY")
        self.assertEqual((copy.option("from"), copy.words()),
                         ("build", [f"/src/build/release/{made}/", "/tmp/packages/"]))

    # [PKG-6]
    def test_sources(self):
        patterns = [line for line in (ROOT / ".containerignore").read_text().splitlines()
                    if line and not line.startswith("#")]
        self.assertEqual(os.readlink(ROOT / ".dockerignore"), ".containerignore")
        for copy in self.build.all("COPY"):
            *sources, _ = copy.words()
            for source in sources:
                self.assertTrue((ROOT / source).exists(), copy)
                self.assertFalse(ignored(source, patterns), copy)
        for path in ("Makefile", "tools/build", "CMakePresets.json", "src/app/main.cpp", "deploy/debian/postinst",
                     "docs/operations.md", "include/tus/version.h", "cmake/package.cmake", "fuzz/CMakeLists.txt"):
            self.assertTrue((ROOT / path).exists(), path)
            self.assertFalse(ignored(path, patterns), path)
        for path in (".git/HEAD", "build/release/tusd", "data/x", "tests/e2e/node/node_modules/x"):
            self.assertTrue(ignored(path, patterns), path)

    # [PKG-6] Not root, the directory is the user's, flags are flags, and the documents say the same.
    def test_runtime(self):
        self.assertEqual(self.image.only("USER").value, "tusd")
        self.assertIn("groupadd --gid 1000 tusd", self.commands(self.image))
        self.assertTrue(any(command.startswith("useradd --uid 1000 --gid tusd ") and command.endswith(" tusd")
                            for command in self.commands(self.image)))
        self.assertEqual(self.image.only("VOLUME").value, "/srv/tusd-data")
        self.assertIn("install -d -o tusd -g tusd /srv/tusd-data", self.commands(self.image))
        self.assertEqual(self.image.only("WORKDIR").value, "/srv/tusd-data")
        self.assertEqual(self.image.only("ENTRYPOINT").value, '["/usr/bin/tusd"]')
        self.assertEqual(self.image.only("STOPSIGNAL").value, "SIGTERM")
        port = re.search(r"^\| `-port PORT` \|.*?\| `(\d+)` \|", (ROOT / "docs/configuration.md").read_text(), re.M)[1]
        self.assertEqual(self.image.only("EXPOSE").value, port)
        names = [instruction.name for instruction in self.image.instructions]
        self.assertLess(names.index("RUN"), names.index("USER"))

    # [PKG-7] Without any argument it serves from data/ in its working directory; the signal to stop reaches it.
    def test_process_one(self):
        server = ProcessOne(self.scratch / "data", self.scratch, ["-host=127.0.0.1", "-port=0"])
        self.addCleanup(server.kill)
        self.assertTrue((self.scratch / "data").is_dir())
        status = pathlib.Path(f"/proc/{server.server_pid()}/status").read_text()
        self.assertRegex(status, r"NSpid:\t\d+\t1\n")
        os.kill(server.server_pid(), signal.SIGTERM)
        self.assertEqual(server.wait_for_exit(), 0, server.tail())


if __name__ == "__main__":
    harness.main(120)
