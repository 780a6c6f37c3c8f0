"""Starts the proxies with the files of deploy/proxies, in which nothing is changed but ports and paths.

They run without privileges: as root, this makes them somebody who may do nothing. Each is one process, so that none is
left when a test is killed.
"""
import os
import pathlib
import pwd
import random
import shutil
import socket
import ssl
import subprocess
import tempfile

from harness import ROOT, clean_environment, die_with_parent, wait_until
from wire import Wire

HOST = "uploads.example.org"
DEPLOY = ROOT / "deploy" / "proxies"
CERTIFICATE = "/etc/ssl/certs/uploads.example.org.pem"
KEY = "/etc/ssl/private/uploads.example.org.key"
BOTH = "/etc/ssl/private/uploads.example.org.pem"
START_SECONDS = 30
APACHE_MODULES = "mpm_event authz_core alias headers proxy proxy_http ssl http2 reqtimeout".split()


def free_ports(count):
    """All of them different, and below those that the system gives to connections: they stay free until they are used."""
    end = int(pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    listeners = []
    while len(listeners) < count:
        try:
            listeners.append(socket.create_server(("127.0.0.1", random.randrange(5000, end))))
        except OSError:
            pass  # somebody listens there
    ports = [listener.getsockname()[1] for listener in listeners]
    for listener in listeners:
        listener.close()
    return ports


def program(name):
    """Debian has some of them where only root looks for programs."""
    path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    if not path:
        raise AssertionError(f"there is no {name}: tools/install_deps test")
    return path


class Proxy:
    """In front of a server that listens on a port of this machine or on a socket at a path; `ports` are three for the
    proxy."""

    source = None  # a name in deploy/proxies
    # Makes it lose patience after 2 s without a byte, where the file has a time for that.
    impatient = []
    # How its file says a Unix socket, as the comments in it tell.
    tcp, unix = "127.0.0.1:1080", "{}"

    def __init__(self, backend, ports, more_changes=()):
        self.more_changes = more_changes
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="tusd-proxy-"))
        self.http_port, self.https_port, self.admin_port = ports
        self.backend = backend
        self.process = None
        try:
            self._make_certificate()
            self._write_site()
            self._start()
        except BaseException:
            self.stop()
            raise

    # ---- of each proxy

    def changes(self):
        """(what stands in the file of deploy/, what it is here)"""
        return []

    def command(self):
        raise NotImplementedError

    # ----

    def _make_certificate(self):
        self.certificate, self.key = self.folder / "cert.pem", self.folder / "key.pem"
        subprocess.run([program("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                        "-nodes", "-days", "2", "-subj", f"/CN={HOST}", "-addext", f"subjectAltName=DNS:{HOST}",
                        "-keyout", self.key, "-out", self.certificate], check=True, capture_output=True, timeout=60)
        self.both = self.folder / "both.pem"
        self.both.write_bytes(self.certificate.read_bytes() + self.key.read_bytes())

    def backend_changes(self):
        if isinstance(self.backend, int):
            return [("127.0.0.1:1080", f"127.0.0.1:{self.backend}")]
        return [(self.tcp, self.unix.format(self.backend))]

    def _write_site(self):
        text = (DEPLOY / self.source).read_text()
        changes = [(CERTIFICATE, self.certificate), (KEY, self.key), (BOTH, self.both),
                   *self.backend_changes(), *self.changes(), *self.more_changes]
        for old, new in changes:
            if old in (CERTIFICATE, KEY, BOTH) and old not in text:
                continue  # which of them is there is the proxy's business
            if old not in text:
                raise AssertionError(f"deploy/proxies/{self.source} has no {old!r} any more")
            text = text.replace(old, str(new))
        if "/etc/" in "".join(line for line in text.splitlines() if not line.lstrip().startswith("#")):
            raise AssertionError(f"not all paths of {self.source} are replaced:\n{text}")
        self.site = self.folder / "site"
        self.site.write_text(text)

    def _start(self):
        owner = {}
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            owner = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        environment = clean_environment({"HOME": str(self.folder), "XDG_DATA_HOME": str(self.folder),
                                         "XDG_CONFIG_HOME": str(self.folder)})
        command = self.command()
        for path in (self.folder, *self.folder.rglob("*")):
            os.chown(path, owner.get("user", -1), owner.get("group", -1))
        with open(self.folder / "output", "wb") as output:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                                            cwd=self.folder, env=environment, preexec_fn=die_with_parent, **owner)
        wait_until(self._answers, START_SECONDS, f"{self.source} listens")

    def _answers(self):
        if self.process.poll() is not None:
            raise AssertionError(f"{self.source} ended, code {self.process.returncode}\n{self.log()}")
        try:
            for port in (self.http_port, self.https_port):
                socket.create_connection(("127.0.0.1", port), 5).close()
            return True
        except ConnectionRefusedError:
            return False

    def log(self):
        files = [path for path in self.folder.iterdir() if path.name in ("output", "error.log")]
        return "\n".join(f"--- {path.name}\n{path.read_text(errors='replace')[-4000:]}" for path in files)

    def connect(self):
        return SecureWire(self)

    def stop(self):
        if self.process:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:  # it waits for clients that a test has left
                self.process.kill()
                self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


class SecureWire(Wire):
    """HTTP/1.1 by hand over TLS, to the name that the proxies are configured for."""

    def __init__(self, proxy, timeout=30):
        super().__init__(("127.0.0.1", proxy.https_port), timeout)
        context = ssl.create_default_context(cafile=proxy.certificate)
        self.socket = context.wrap_socket(self.socket, server_hostname=HOST)
        self.host = HOST


class Nginx(Proxy):
    source = "nginx.conf"
    impatient = [(" 90s;", " 2s;")]
    unix = "unix:{}"

    def changes(self):
        return [("listen 80;", f"listen 127.0.0.1:{self.http_port};"),
                ("listen 443 ", f"listen 127.0.0.1:{self.https_port} ")]

    def command(self):
        for name in ("body", "proxy", "fastcgi", "uwsgi", "scgi"):
            (self.folder / name).mkdir()
        temporary = "".join(f"{kind}_temp_path {self.folder}/{folder};\n" for kind, folder in (
            ("client_body", "body"), ("proxy", "proxy"), ("fastcgi", "fastcgi"), ("uwsgi", "uwsgi"), ("scgi", "scgi")))
        main = self.folder / "main"
        main.write_text(f"daemon off; master_process off; pid {self.folder}/pid;\n"
                        f"events {{ worker_connections 512; }}\n"
                        f"http {{ access_log off;\n{temporary}include {self.site};\n}}\n")
        return [program("nginx"), "-e", self.folder / "error.log", "-c", main]


class Haproxy(Proxy):
    source = "haproxy.cfg"
    impatient = [("client 90s", "client 2s"), ("server 90s", "server 2s")]

    def changes(self):
        return [("bind :80\n", f"bind 127.0.0.1:{self.http_port}\n"),
                ("bind :443 ", f"bind 127.0.0.1:{self.https_port} ")]

    def command(self):
        return [program("haproxy"), "-db", "-f", self.site]


class Caddy(Proxy):
    source = "Caddyfile"
    unix = "unix/{}"

    def changes(self):
        return [("http_port 80\n", f"default_bind 127.0.0.1\n\thttp_port {self.http_port}\n"),
                ("https_port 443\n", f"https_port {self.https_port}\n"),
                ("localhost:2019", f"127.0.0.1:{self.admin_port}")]

    def command(self):
        return [program("caddy"), "run", "--adapter", "caddyfile", "--config", self.site]


class Apache(Proxy):
    source = "apache2.conf"
    impatient = [("Timeout 90\n", "Timeout 2\n")]
    tcp, unix = "http://127.0.0.1:1080/files", "unix:{}|http://localhost/files"

    def changes(self):
        return [("<VirtualHost *:80>", f"<VirtualHost *:{self.http_port}>"),
                ("<VirtualHost *:443>", f"<VirtualHost *:{self.https_port}>")]

    def command(self):
        modules = "".join(f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n"
                          for name in APACHE_MODULES)
        main = self.folder / "main"
        main.write_text(f"ServerRoot {self.folder}\nServerName localhost\nDefaultRuntimeDir {self.folder}\n"
                        f"PidFile {self.folder}/pid\nErrorLog {self.folder}/error.log\n{modules}"
                        f"Listen 127.0.0.1:{self.http_port}\nListen 127.0.0.1:{self.https_port}\n"
                        f"Include {self.site}\n")
        return [program("apache2"), "-X", "-f", main]
