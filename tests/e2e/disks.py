"""File systems of a test alone: small, read-only, or with operations that go wrong.

They are mounted in a mount namespace of the test's process, so that nothing is left behind. Root makes one directly,
anybody else inside a user namespace; where neither is allowed the tests fail, because then they would not have tested
anything.
"""
import os
import pathlib
import subprocess
import sys
import tempfile

from harness import BINARY, ROOT, EndToEndTest, clean_environment, die_with_parent, wait_until

INSIDE = "E2E_INSIDE_NAMESPACE"


def enter_namespace():
    """Runs this script again inside a mount namespace of its own."""
    if os.environ.get(INSIDE):
        return
    flags = ["--mount"] if os.geteuid() == 0 else ["--user", "--map-root-user", "--mount"]
    command = ["unshare", *flags, sys.executable, "-B", *sys.argv]
    os.execvpe(command[0], command, {**os.environ, INSIDE: "1"})


class DiskTest(EndToEndTest):
    def small_disk(self, mib, *options):
        """A mounted tmpfs of its own."""
        folder = pathlib.Path(tempfile.mkdtemp(prefix="disk-", dir=self.scratch))
        self.mount_tmpfs(folder, f"size={mib}m", *options)
        self.addCleanup(subprocess.run, ["umount", "--lazy", folder], check=False, timeout=10,
                        stderr=subprocess.DEVNULL)
        return folder

    def mount_tmpfs(self, folder, *options):
        subprocess.run(["mount", "-t", "tmpfs", "-o", ",".join(options), "tmpfs", folder], check=True, timeout=10)

    def fill(self, folder, leave):
        """Fills a disk up to `leave` bytes, in a file whose removal frees it again."""
        filler = folder.parent / (folder.name + ".filler")  # never inside the directory of the uploads
        with open(filler, "wb") as file:
            free = os.statvfs(folder).f_bavail * os.statvfs(folder).f_frsize
            os.posix_fallocate(file.fileno(), 0, free - leave)
        return filler

    def remount(self, folder, mode):
        """Waits for writers: the kernel refuses to make a file system read-only while a file is open for writing."""
        wait_until(lambda: subprocess.run(["mount", "-o", f"remount,bind,{mode}", folder], stderr=subprocess.DEVNULL,
                                          timeout=10).returncode == 0, 20, f"remounted {mode}")

    def stored(self, server, path):
        return server.directory / path[len(server.base_path):]

    def assert_unavailable(self, answer):
        self.assert_error(answer, 503, "ERR_")
        self.assertRegex(answer.get("Retry-After") or "", r"^\d+$")

    def descriptors(self, server):
        """What the server has open: files by name, sockets as kinds. Pipes are pooled, and no leak."""
        found = []
        for link in pathlib.Path(f"/proc/{server.pid}/fd").iterdir():
            try:
                target = os.readlink(link)
            except FileNotFoundError:
                continue
            if not target.startswith("pipe:"):
                found.append(target.split(":[")[0])
        return sorted(found)

    def assert_no_leak(self, server, before):
        wait_until(lambda: len(self.descriptors(server)) <= len(before), 10,
                   f"as few descriptors as before: {before} and then {self.descriptors(server)}")

    def assert_tidy(self, directory, names):
        """Nothing is in the directory but these uploads, and no temporary file."""
        self.wait_for_no_locks(directory)
        found = {str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file()}
        found = {name for name in found if not name.startswith(".tusd/") or name.startswith(".tusd/tmp/")}
        self.assertEqual(found, {name + suffix for name in names for suffix in ("", ".info")})


def faultfs_program():
    for build in (BINARY.parent, ROOT / "build" / "dev"):
        path = build / "tests" / "faultfs" / "faultfs"
        if path.is_file():
            return path
    raise AssertionError("there is no faultfs: tools/build dev faultfs")


class FaultFs:
    """A directory seen through tests/faultfs."""

    def __init__(self, test):
        self.behind = pathlib.Path(tempfile.mkdtemp(prefix="behind-", dir=test.scratch))
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="faults-", dir=test.scratch))
        self.log = test.scratch / f"{self.folder.name}.log"
        self.start()
        test.addCleanup(self.stop)

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([faultfs_program(), self.behind, self.folder], stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, preexec_fn=die_with_parent,
                                            env=clean_environment({"ASAN_OPTIONS": "detect_leaks=0"}))
        wait_until(self._is_mounted, 20, "the file system is mounted")
        # Open all the time: a look-up could wait for what hangs.
        self.control = os.open(self.folder / ".faults", os.O_RDWR | os.O_CLOEXEC)

    def _is_mounted(self):
        if self.process.poll() is not None:
            raise AssertionError(f"faultfs ended at once, which needs /dev/fuse and the right to mount: "
                                 f"{self.log.read_text(errors='replace')}")
        return os.path.ismount(self.folder)

    def rules(self, *lines):
        os.pwrite(self.control, "\n".join(lines or ("",)).encode() or b"\n", 0)

    def clear(self):
        self.rules()

    def counts(self):
        """{"faults": n, "write": n, ...} since the last rules."""
        lines = os.pread(self.control, 65536, 0).decode().splitlines()
        return {name: int(count) for name, count in (line.split() for line in lines)}

    def wait_for_faults(self, count=1):
        wait_until(lambda: self.counts()["faults"] >= count, 10, f"{count} faults")

    def stop(self):
        died = self.process.poll() is not None
        if not died:
            self.clear()
            os.close(self.control)
        self.unmount()
        self.process.terminate()
        self.process.wait(20)
        if died:
            raise AssertionError(f"faultfs died: {self.log.read_text(errors='replace')[-8000:]}")

    def unmount(self):
        subprocess.run(["umount", "--lazy", self.folder], check=False, timeout=10, stderr=subprocess.DEVNULL)

    def kill(self):
        """As when a network file system dies: everything on it fails from now on."""
        os.close(self.control)
        self.process.kill()
        self.process.wait()
