"""What a program in a container tries: run inside by `python3 -c`, it prints each attempt's outcome as JSON.

Needs nothing but the standard library, so that any engine's container can run it. An outcome is the name of an errno,
or a value if the attempt had one, or "done".
"""

# ruff: noqa: PTH102, PTH112, PTH208
import ctypes
import errno
import fcntl
import json
import os
import resource
import signal
import socket
import stat
import struct
import sys

libc = ctypes.CDLL(None, use_errno=True)
X86_64 = os.uname().machine == "x86_64"
CGROUP = "/sys/fs/cgroup/memory" if os.path.isdir("/sys/fs/cgroup/memory") else "/sys/fs/cgroup"


def syscall(name, *arguments):
    numbers = {
        "ptrace": (101, 117),
        "mount": (165, 40),
        "unshare": (272, 97),
        "setns": (308, 268),
        "keyctl": (250, 219),
        "add_key": (248, 217),
        "request_key": (249, 218),
        "bpf": (321, 280),
        "perf_event_open": (298, 241),
        "userfaultfd": (323, 282),
        "open_by_handle_at": (304, 265),
        "process_vm_readv": (310, 270),
        "kcmp": (312, 272),
        "init_module": (175, 105),
        "reboot": (169, 142),
        "syslog": (103, 116),
        "swapon": (167, 224),
        "clone": (56, 220),
        "pivot_root": (155, 41),
        "fanotify_init": (300, 262),
        "acct": (163, 89),
        "settimeofday": (164, 170),
        "quotactl": (179, 60),
        "io_uring_setup": (425, 425),
        "open_tree": (428, 428),
        "move_mount": (429, 429),
        "fsopen": (430, 430),
        "clone3": (435, 435),
        "pidfd_getfd": (438, 438),
        "mount_setattr": (442, 442),
    }
    number = numbers[name][0 if X86_64 else 1]
    converted = [ctypes.c_long(value) if isinstance(value, int) else value for value in arguments]
    result = libc.syscall(ctypes.c_long(number), *converted)
    if result == -1:
        raise OSError(ctypes.get_errno(), name)
    if name in ("clone", "clone3") and result == 0:
        os._exit(0)
    return "done"


def read(path, size=64):
    with open(path, "rb") as file:
        return len(file.read(size))


def write(path, text=b"1"):
    fd = os.open(path, os.O_WRONLY)
    try:
        os.write(fd, text)
    finally:
        os.close(fd)
    return "done"


def opened(path, flags=os.O_RDONLY):
    os.close(os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY))
    return "done"


def node(kind, major, minor):
    path = f"/tmp/node-{major}-{minor}"
    os.mknod(path, kind | 0o600, os.makedev(major, minor))
    return opened(path)


def status(field):
    with open("/proc/self/status") as file:
        return next(line.split()[1] for line in file if line.startswith(field + ":"))


def mounted(path):
    """The file system and whether it can be written, of what is mounted last at `path`."""
    with open("/proc/self/mountinfo") as file:
        found = [line.split() for line in file if line.split()[4] == path]
    line = found[-1]
    return f"{line[line.index('-') + 1]} {line[5].split(',')[0]}"


def sockets_of_others():
    """Abstract sockets are of the network namespace: none of the host's may be seen."""
    with open("/proc/net/unix") as file:
        return sum("@" in line for line in file)


def inject():
    """TIOCSTI: a line for whoever reads the terminal next."""
    for letter in b"x":
        fcntl.ioctl(0, 0x5412, struct.pack("b", letter))
    return "done"


def clone3_with_user_namespace():
    return syscall("clone3", struct.pack("8Q", 0x10000000, 0, 0, 0, signal.SIGCHLD, 0, 0, 0), 64)


ATTEMPTS = {
    "capabilities": lambda: status("CapEff"),
    "bounding": lambda: status("CapBnd"),
    "inheritable": lambda: status("CapInh"),
    "ambient": lambda: status("CapAmb"),
    "seccomp": lambda: status("Seccomp"),
    "no new privileges": lambda: status("NoNewPrivs"),
    "descriptors limit": lambda: resource.getrlimit(resource.RLIMIT_NOFILE)[0] >= 1024,
    "shm size": lambda: os.statvfs("/dev/shm").f_blocks * os.statvfs("/dev/shm").f_frsize,
    "mount of /sys": lambda: mounted("/sys"),
    "mount of /sys/fs/cgroup": lambda: mounted("/sys/fs/cgroup"),
    "mount of /proc/sys": lambda: mounted("/proc/sys"),
    "mount of /proc/kcore": lambda: mounted("/proc/kcore"),
    "mount of /proc/keys": lambda: mounted("/proc/keys"),
    "mount of /sys/firmware": lambda: mounted("/sys/firmware"),
    "read /proc/kcore": lambda: read("/proc/kcore"),
    "read /proc/keys": lambda: read("/proc/keys"),
    "read /proc/timer_list": lambda: read("/proc/timer_list"),
    "read /proc/sysrq-trigger": lambda: write("/proc/sysrq-trigger", b"h"),
    "write core_pattern": lambda: write("/proc/sys/kernel/core_pattern", b"|/bin/false"),
    "write modprobe": lambda: write("/proc/sys/kernel/modprobe", b"/bin/false"),
    "write host's sysctl": lambda: write("/proc/sys/vm/overcommit_memory"),
    "write own net sysctl": lambda: write("/proc/sys/net/ipv4/ip_forward"),
    "write uevent_helper": lambda: write("/sys/kernel/uevent_helper"),
    "make a cgroup": lambda: os.mkdir(CGROUP + "/x") or "done",
    "write oom_score_adj": lambda: write("/proc/self/oom_score_adj", b"-900"),
    "open kmsg node": lambda: node(stat.S_IFCHR, 1, 11),
    "open mem node": lambda: node(stat.S_IFCHR, 1, 1),
    "open disk node": lambda: node(stat.S_IFBLK, 8, 0),
    "open loop node": lambda: node(stat.S_IFCHR, 10, 237),
    "open fuse node": lambda: node(stat.S_IFCHR, 10, 229),
    "open null node": lambda: node(stat.S_IFCHR, 1, 3),
    "devices": lambda: sorted(os.listdir("/dev")),
    "mount": lambda: syscall("mount", b"none", b"/tmp", b"tmpfs", 0, 0),
    "fsopen": lambda: syscall("fsopen", b"tmpfs", 0),
    "open_tree": lambda: syscall("open_tree", -100, b"/", 1),
    "move_mount": lambda: syscall("move_mount", 0, b"", 0, b"", 0),
    "mount_setattr": lambda: syscall("mount_setattr", -100, b"/proc", 0, b"\0" * 32, 32),
    "pivot_root": lambda: syscall("pivot_root", b"/", b"/"),
    "unshare user": lambda: syscall("unshare", 0x10000000),
    "unshare mount": lambda: syscall("unshare", 0x20000),
    "unshare network": lambda: syscall("unshare", 0x40000000),
    "clone user": lambda: syscall("clone", 0x10000000 | signal.SIGCHLD, 0, 0, 0, 0),
    "clone3 user": clone3_with_user_namespace,
    "setns": lambda: syscall("setns", os.open("/proc/1/ns/mnt", os.O_RDONLY), 0),
    "keyctl": lambda: syscall("keyctl", 0, -3, 0, 0, 0),
    "add_key": lambda: syscall("add_key", b"user", b"x", b"y", 1, -3),
    "request_key": lambda: syscall("request_key", b"user", b"x", 0, -3),
    "bpf": lambda: syscall("bpf", 0, 0, 0),
    "perf": lambda: syscall("perf_event_open", 0, 0, -1, -1, 0),
    "userfaultfd": lambda: syscall("userfaultfd", 0),
    "io_uring": lambda: syscall("io_uring_setup", 1, b"\0" * 120),
    "open by handle": lambda: syscall("open_by_handle_at", -100, b"\0" * 64, 0),
    "read another's memory": lambda: syscall("process_vm_readv", 1, 0, 0, 0, 0, 0),
    "pidfd_getfd": lambda: syscall("pidfd_getfd", os.pidfd_open(os.getppid() or 1), 0, 0),
    "kcmp": lambda: syscall("kcmp", 1, 1, 0, 0, 0),
    "load a module": lambda: syscall("init_module", b"", 0, b""),
    "reboot": lambda: syscall("reboot", 0xFEE1DEAD - (1 << 32), 672274793, 0),
    "kernel's log": lambda: syscall("syslog", 10, 0, 0),
    "swapon": lambda: syscall("swapon", b"/x", 0),
    "fanotify": lambda: syscall("fanotify_init", 0, 0),
    "acct": lambda: syscall("acct", b"/x"),
    "set the time": lambda: syscall("settimeofday", b"\0" * 16, 0),
    "quotactl": lambda: syscall("quotactl", 0x80000700, b"/x", 0, 0),
    "vsock": lambda: socket.socket(40, socket.SOCK_STREAM).close() or "done",
    "raw socket": lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1).close() or "done",
    "name the host": lambda: socket.sethostname("x") or "done",
    "open port node": lambda: node(stat.S_IFCHR, 1, 4),
    "abstract sockets": sockets_of_others,
    "lower nice": lambda: os.setpriority(os.PRIO_PROCESS, 0, -5) or "done",
    "processes seen": lambda: sum(name.isdigit() for name in os.listdir("/proc")) < 4,
    "type for the terminal": inject,
    "memory of process 1": lambda: opened("/proc/1/mem", os.O_RDWR),
    "root of process 1": lambda: sorted(os.listdir("/proc/1/root"))[:1] != ["bin"],
    "chroot and out": lambda: os.chroot("/tmp") or sorted(os.listdir("/" + "../" * 40))[:1] != ["bin"],
}


def outcome(attempt):
    try:
        return attempt()
    except OSError as error:
        return errno.errorcode.get(error.errno, error.errno)
    except StopIteration:
        return "nothing"
    except IndexError:
        return "nothing"


wanted = sys.argv[1:] or list(ATTEMPTS)
print(json.dumps({name: outcome(ATTEMPTS[name]) for name in wanted}))
