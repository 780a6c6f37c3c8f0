"""What tusd.service shuts its process into, as far as that can be had without systemd running: the filter of system
calls and of address families, applied to a child by libseccomp. A call outside of it kills the child (SIGSYS), so
that no call is refused unnoticed."""
import ctypes
import errno
import re
import socket
import subprocess

ALLOW, KILL = 0x7FFF0000, 0x80000000  # SCMP_ACT_...
COMPARE_EQUAL = 4


class Comparison(ctypes.Structure):
    _fields_ = [("argument", ctypes.c_uint), ("operator", ctypes.c_int), ("a", ctypes.c_uint64),
                ("b", ctypes.c_uint64)]


def settings(unit):
    """key -> list of values, in the order of the unit's lines."""
    found = {}
    for line in unit.splitlines():
        if match := re.fullmatch(r"([A-Z]\w+)=(.*)", line):
            found.setdefault(match[1], []).append(match[2])
    return found


def expand(name):
    """The system calls that a name in SystemCallFilter= stands for."""
    if not name.startswith("@"):
        return {name}
    text = subprocess.run(["systemd-analyze", "syscall-filter", name], check=True, capture_output=True, text=True,
                          timeout=30).stdout
    members = [line.strip() for line in text.splitlines()[1:] if line.strip() and not line.strip().startswith("#")]
    return set().union(*(expand(member) for member in members))


def allowed_calls(lines):
    """As systemd reads the lines: the first is a list of what is allowed, others with ~ take away from it."""
    allowed = set()
    for line in lines:
        calls = set().union(*(expand(name) for name in line.removeprefix("~").split()))
        allowed = allowed - calls if line.startswith("~") else allowed | calls
    return allowed


class Filter:
    """Made in the parent; load() is called in the child."""

    def __init__(self, unit):
        values = settings(unit)
        self.library = ctypes.CDLL("libseccomp.so.2", use_errno=True)
        self.library.seccomp_init.restype = ctypes.c_void_p
        self.library.seccomp_load.argtypes = [ctypes.c_void_p]
        self.library.seccomp_rule_add_array.argtypes = [ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint,
                                                        ctypes.POINTER(Comparison)]
        self.context = self.library.seccomp_init(KILL)
        self.calls = allowed_calls(values["SystemCallFilter"])
        self.families = values["RestrictAddressFamilies"][0].split()
        for name in sorted(self.calls - {"socket"}):
            number = self.library.seccomp_syscall_resolve_name(name.encode())
            if number >= 0:  # others exist on other machines only
                self.add(number)
        for family in self.families:
            self.add(self.library.seccomp_syscall_resolve_name(b"socket"),
                     Comparison(0, COMPARE_EQUAL, getattr(socket, family), 0))

    def add(self, number, *comparisons):
        array = (Comparison * len(comparisons))(*comparisons)
        code = self.library.seccomp_rule_add_array(self.context, ALLOW, number, len(comparisons), array)
        if code not in (0, -errno.EEXIST):
            raise OSError(-code, f"seccomp_rule_add_array({number})")

    def load(self):
        if code := self.library.seccomp_load(self.context):
            raise OSError(-code, "seccomp_load")
