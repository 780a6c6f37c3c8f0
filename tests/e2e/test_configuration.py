#!/usr/bin/env python3
"""Options from everywhere, and what is written about them: with the real binary."""
import re
import signal
import socket
import subprocess

from harness import BINARY, ROOT, EndToEndTest, Server, clean_environment, main, wait_until
from wire import Wire

# Flags of Go's tusd as its documentation shows them, of all groups but cloud stores, hooks and TLS.
GOS_COMMAND_LINE = [
    "-host", "127.0.0.1", "-port=0", "-base-path", "/api/uploads", "-behind-proxy=false",
    "-max-size", "1000000000", "-disable-download", "-disable-concatenation=true",
    "-enable-experimental-protocol=false", "-disable-cors", "--cors-allow-credentials=false",
    "-upload-dir=./data", "-dir-perms", "0750", "-file-perms=0640",
    "-filelock-holder-poll-interval=5s", "-filelock-acquirer-poll-interval", "2s",
    "-expose-metrics", "-metrics-path=/m", "-expose-pprof=false", "-pprof-path", "/debug/pprof/",
    "-show-greeting=true", "--show-startup-logs", "-verbose=false", "-log-format", "text",
    "-network-timeout=1m", "-shutdown-timeout", "10s", "-acquire-lock-timeout=20s",
    "-request-completion-timeout", "10s",
]


class Configured(EndToEndTest):
    def run_to_end(self, *flags, environment=None):
        return subprocess.run([BINARY, *flags], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=30, cwd=self.scratch, env=clean_environment(environment))

    def serve_with(self, *flags, environment=None, directory="data"):
        server = Server(self.scratch / directory, self.scratch, flags, environment)
        self.addCleanup(server.finish)
        return server

    def assert_refused(self, done, *named):
        self.assertEqual(done.returncode, 2, done)
        self.assertEqual(done.stdout, "")
        first = done.stderr.splitlines()[0]
        for text in named:
            self.assertIn(text, first)


class Sources(Configured):
    def test_command_line_of_go(self):
        """[FLAG-6] A command line of Go's tusd runs unchanged and does what it says."""
        server = self.serve_with(*GOS_COMMAND_LINE)
        self.assertEqual(server.base_path, "/api/uploads/")
        with server.wire() as wire:
            self.assertEqual(wire.ask("OPTIONS", "/api/uploads").get("Tus-Max-Size"), "1000000000")
            path = wire.create(server.base_path, 5)
            self.assertEqual(wire.patch(path, 0, b"01234").offset, 5)
            self.assertEqual(wire.ask("GET", "/m").status, 200)
        self.assertEqual((self.scratch / "data" / path.rpartition("/")[2]).read_bytes(), b"01234")
        self.assertEqual(server.errors().count("level=WARN"), 0, server.errors())

    def test_precedence(self):
        """[FLAG-9] Flags come before the environment, the environment before the file, the file before the default."""
        (self.scratch / "tusd.toml").write_text(
            'metrics-path = "/file"\nmax-size = 1\n[listening]\nhost = "127.0.0.1"\nport = 0\nbase-path = "/file/"\n')
        server = self.serve_with("-config=tusd.toml", "-max-size", "3",
                                 environment={"TUSD_MAX_SIZE": "2", "TUSD_BASE_PATH": "/environment/", "TUSD_DIR": "data"})
        self.assertEqual(server.base_path, "/environment/")
        with server.wire() as wire:
            self.assertEqual(wire.ask("OPTIONS", "/environment/").get("Tus-Max-Size"), "3")
            self.assertEqual(wire.ask("GET", "/file").status, 200)
        self.assertTrue((self.scratch / "data").is_dir())

    def test_environment_alone(self):
        """[FLAG-7] Everything from the environment, the file's name too."""
        (self.scratch / "tusd.toml").write_text("show-greeting = false\n")
        server = self.serve_with(environment={
            "TUSD_HOST": "127.0.0.1", "TUSD_PORT": "0", "TUSD_UPLOAD_DIR": "elsewhere", "TUSD_EXPOSE_METRICS": "false",
            "TUSD_CONFIG": str(self.scratch / "tusd.toml"), "TUSD_HOME": "/opt"})
        with server.wire() as wire:
            self.assertEqual(wire.ask("GET", "/metrics").status, 404)
            self.assertEqual(wire.ask("GET", "/").status, 404)
        self.assertTrue((self.scratch / "elsewhere").is_dir())
        server.stop()
        self.assertRegex(server.errors(), r'level=WARN event=ConfigurationWarning cause=".*TUSD_HOME is no option')

    def test_what_is_wrong_is_named(self):
        """[FLAG-7] [FLAG-9] The variable, or the file and the line; exit code 2, and nothing is started."""
        self.assert_refused(self.run_to_end(environment={"TUSD_PORT": "x"}), '"x"', "TUSD_PORT")
        (self.scratch / "bad.toml").write_text("# a comment\nprot = 1\n")
        self.assert_refused(self.run_to_end("-config", "bad.toml"), "bad.toml:2: ", "prot", "did you mean port?")
        (self.scratch / "bad.toml").write_text("port = 1\nhost =\n")
        self.assert_refused(self.run_to_end("-config", "bad.toml"), "bad.toml:2: ")
        self.assert_refused(self.run_to_end("-config", "missing.toml"), "missing.toml", "No such file")
        self.assert_refused(self.run_to_end("-up-load-dir=x"), "-up-load-dir", "did you mean -upload-dir?")
        self.assertFalse((self.scratch / "data").exists())

    def test_secret_in_a_file(self):
        """[FLAG-8] A secret is read from a file and not repeated."""
        (self.scratch / "secret").write_text("ftp://user:s3cr3t@localhost/\n")
        for flags, environment, named in (
                (["-hooks-http-file=secret"], {}, "-hooks-http-file"),
                ([], {"TUSD_HOOKS_HTTP_FILE": "secret"}, "TUSD_HOOKS_HTTP_FILE")):
            done = self.run_to_end(*flags, environment=environment)
            self.assert_refused(done, named, "want a URL that begins with http")
            self.assertNotIn("s3cr3t", done.stderr)
        self.assert_refused(self.run_to_end("-hooks-http-file=none"), "cannot read none")
        self.assert_refused(self.run_to_end("-host-file=secret"), "not defined: -host-file")

    def test_refused_flags(self):
        """[FLAG-5] What is not built is refused in one sentence that names the flag."""
        for flag in ("-gcs-bucket=b", "-azure-storage=c", "-hooks-grpc=a:1",
                     "-hooks-plugin=p", "-tls-key=k", "-enable-h2c"):
            with self.subTest(flag):
                self.assert_refused(self.run_to_end(flag), f"flag {flag.partition('=')[0]}: this build of tusd cannot ")

    def test_pprof(self):
        """[FLAG-5] Go's profiles are accepted, with a warning in the log."""
        server = self.serve_with("-host=127.0.0.1", "-port=0", "-dir=data", "-expose-pprof")
        server.stop()
        self.assertRegex(server.errors(), r"level=WARN .*-expose-pprof")

    def test_check_config(self):
        """[FLAG-11] -check-config: valid is 0, everything else 2 with a sentence, and nothing is made or started."""
        done = self.run_to_end("-check-config", "-upload-dir=new/below", *GOS_COMMAND_LINE[:12])
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "configuration is valid\n", ""))
        self.assertEqual(list(self.scratch.iterdir()), [])
        (self.scratch / "file").write_text("")
        for flags, named in ((["-dir=file"], "not a directory"), (["-dir=file/below"], "not a directory"),
                             (["-port=x"], "-port"), (["-dir-perms=0111"], "-dir-perms"),
                             (["-base-path=/a?b"], "-base-path"), (["-config=none"], "none"),
                             (["-gcs-bucket=b"], "-gcs-bucket"), (["-store=s3"], "-s3-bucket"),
                             (["-s3-bucket=b", "-s3-part-size=1"], "-s3-part-size"), (["-unix-sock=no/sock"], "-unix-sock")):
            with self.subTest(flags):
                self.assert_refused(self.run_to_end("-check-config", *flags), named)
        done = self.run_to_end("-check-config", environment={"TUSD_HOME": "/opt"})
        self.assertEqual(done.returncode, 0)
        self.assertIn("TUSD_HOME", done.stdout)


class Documents(Configured):
    def test_configuration_document(self):
        """[FLAG-12] docs/configuration.md is what the binary writes."""
        done = self.run_to_end("-generate=markdown")
        self.assertEqual(done.returncode, 0)
        self.assertEqual(done.stdout, (ROOT / "docs" / "configuration.md").read_text())

    def test_manual_page(self):
        """[FLAG-12] The manual page is one: mandoc has nothing to say against it, and shows every flag."""
        page = self.scratch / "tusd.1"
        page.write_text(self.run_to_end("-generate=man").stdout)
        lint = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", page], capture_output=True, text=True, timeout=30)
        # It is made by every build, so it has no date.
        complaints = [line for line in lint.stdout.splitlines() if "missing date" not in line]
        self.assertEqual((complaints, lint.stderr), ([], ""))
        shown = subprocess.run(["mandoc", "-T", "ascii", page], capture_output=True, text=True, timeout=30).stdout
        shown = re.sub(".\b", "", shown)
        for flag in re.findall(r"(?m)^  (-[a-z0-9-]+)", self.run_to_end("-help").stdout):
            self.assertIn(flag, shown)

    def complete_with_bash(self, *words):
        script = ('source "$1"; shift; COMP_WORDS=(tusd "$@"); COMP_CWORD=$#; _tusd; '
                  'printf "%s\\n" "${COMPREPLY[@]}"')
        path = self.scratch / "tusd.bash"
        path.write_text(self.run_to_end("-generate=bash").stdout)
        done = subprocess.run(["bash", "-c", script, "bash", path, *words], capture_output=True, text=True, timeout=30,
                              cwd=self.scratch)
        self.assertEqual(done.stderr, "")
        return done.stdout.split()

    def test_completion_for_bash(self):
        """[FLAG-12] Completion knows flags, choices and directories."""
        self.assertEqual(self.complete_with_bash("-upload"), ["-upload-dir"])
        self.assertIn("-fsync", self.complete_with_bash("-"))
        self.assertNotIn("-generate", self.complete_with_bash("-"))
        self.assertEqual(self.complete_with_bash("-fsync", "f"), ["finish"])
        self.assertEqual(self.complete_with_bash("-fsync", "=", "al"), ["always"])
        self.assertEqual(self.complete_with_bash("-verbose", "-por"), ["-port"])
        (self.scratch / "uploads").mkdir()
        self.assertEqual(self.complete_with_bash("-dir", "up"), ["uploads"])
        self.assertEqual(self.complete_with_bash("-port", ""), [])

    def test_completion_for_zsh_and_fish(self):
        """[FLAG-12] The shells take the files they are given, and offer flags from them."""
        zsh = self.scratch / "_tusd"
        zsh.write_text(self.run_to_end("-generate=zsh").stdout)
        script = ('compdef() { :; }; _arguments() { print -rl -- "$@" }; source $1; _tusd')
        done = subprocess.run(["zsh", "-f", "-c", script, "zsh", zsh], capture_output=True, text=True, timeout=30)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertRegex(done.stdout, r"(?m)^-fsync=\[.*\]:off|finish|always:\(off finish always\)$")
        fish = self.scratch / "tusd.fish"
        fish.write_text(self.run_to_end("-generate=fish").stdout)
        done = subprocess.run(["fish", "--no-config", "-c", "source $argv[1]; complete -C 'tusd -fsync '; "
                               "complete -C 'tusd -upload'", fish],
                              capture_output=True, text=True, timeout=30, cwd=self.scratch,
                              env=clean_environment({"HOME": str(self.scratch)}))
        self.assertEqual(done.stderr, "")
        self.assertEqual([line.split("\t")[0] for line in done.stdout.splitlines()],
                         ["always", "finish", "off", "-upload-dir"])


class Pages(Configured):
    def test_greeting(self):
        """[FLAG-14] GET / says what runs here; 404 when it is switched off."""
        server = self.serve("-base-path=/up/")
        version = self.run_to_end("-version").stdout.split()[1]
        with server.wire() as wire:
            answer = wire.ask("GET", "/")
            self.assertEqual(answer.status, 200)
            self.assertTrue(answer.body.startswith(b"Welcome to tusd\n"))
            self.assertIn(b" /up/ ", answer.body)
            self.assertIn(version.encode(), answer.body)
            self.assertEqual(wire.ask("POST", "/").status, 405)
            self.assertEqual(wire.ask("GET", "/other").status, 404)
        with self.serve("-show-greeting=false").wire() as wire:
            self.assertEqual(wire.ask("GET", "/").status, 404)

    def test_uploads_at_the_root(self):
        """[FLAG-14] With -base-path / there are uploads at the root, and still metrics."""
        server = self.serve("-base-path", "/")
        with server.wire() as wire:
            path = wire.create("/", 3)
            self.assertEqual(wire.patch(path, 0, b"abc").offset, 3)
            self.assertEqual(wire.ask("OPTIONS", "/").status, 200)
            self.assertIn(b"tusd_uploads_created 1", wire.ask("GET", "/metrics").body)

    def test_no_startup_lines(self):
        """[FLAG-13] -show-startup-logs=false: no lines at the start."""
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        with open(self.scratch / "out", "wb") as out:
            process = subprocess.Popen([BINARY, "-host=127.0.0.1", f"-port={port}", "-dir=data",
                                        "-show-startup-logs=false"], stdout=out, cwd=self.scratch, env=clean_environment())
        self.addCleanup(process.wait, 30)
        self.addCleanup(process.kill)

        def answers():
            try:
                with Wire(("127.0.0.1", port), 10) as wire:
                    return wire.ask("OPTIONS", "/files/").status == 200
            except OSError:
                return False

        wait_until(answers, 30, "an answer")
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(30), 0)
        # What tusd says of the stop is no start-up line.
        self.assertNotRegex((self.scratch / "out").read_text(), "Using|Supported|You can now")


if __name__ == "__main__":
    main()
