"""What hostile code tries, each once. A line for each: `probe NAME: refused: WHY`, `nothing`, or `GOT WHAT`.

To be refused is to get an error of the system; what fails in another way is broken, and says so.
"""

import ctypes
import glob
import os
import pwd
import signal
import socket
import subprocess
import sys
import termios

from evil import libc
from place import BUILD, MARK, OUT, PORT, RIG, WORK

NUMBERS = {
    "x86_64": {"mount": 165, "umount2": 166, "pivot_root": 155, "unshare": 272, "setns": 308, "ptrace": 101,
               "process_vm_readv": 310, "kcmp": 312, "bpf": 321, "perf_event_open": 298, "userfaultfd": 323,
               "add_key": 248, "request_key": 249, "keyctl": 250, "open_by_handle_at": 304, "clone": 56,
               "syslog": 103, "quotactl": 179},
    "aarch64": {"mount": 40, "umount2": 39, "pivot_root": 41, "unshare": 97, "setns": 268, "ptrace": 117,
                "process_vm_readv": 270, "kcmp": 272, "bpf": 280, "perf_event_open": 241, "userfaultfd": 282,
                "add_key": 217, "request_key": 218, "keyctl": 219, "open_by_handle_at": 265, "clone": 220,
                "syslog": 116, "quotactl": 60},
}.get(os.uname().machine, {})
NUMBERS.update({"io_uring_setup": 425, "open_tree": 428, "fsopen": 430, "pidfd_getfd": 438, "mount_setattr": 442})

NEWUSER, NEWNS, NEWNET = 0x10000000, 0x20000, 0x40000000
PROBES = []


def probe(function):
    PROBES.append((function.__name__.replace("_", "-"), function))
    return function


def call(name, *arguments):
    if name not in NUMBERS:
        raise OSError("its number is not known here")
    arguments = [argument if isinstance(argument, bytes) else ctypes.c_long(argument) for argument in arguments]
    ctypes.set_errno(0)
    answer = libc.syscall(ctypes.c_long(NUMBERS[name]), *arguments)
    if answer < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return name


def read(path):
    with open(path, "rb") as file:
        return file.read()


def create(path):
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_EXCL))
    os.unlink(path)
    return path


def in_processes(file, text):
    """The processes in whose file this text is."""
    found = []
    for path in glob.glob("/proc/[0-9]*/" + file):
        try:
            if text.encode() in read(path):
                found.append(path)
        except OSError:
            pass
    return found


def slave():
    return int(read(RIG + "/index/simple/slave-pid"))


def sleeper():
    return subprocess.Popen(["sleep", "1000"])


@probe
def environment_of_the_slave_and_its_neighbours():
    return in_processes("environ", MARK + "-secret")


@probe
def command_lines_outside():
    return in_processes("cmdline", MARK + "-neighbour")


@probe
def secret_in_a_home():
    return read(RIG + "/home/secret")


@probe
def secret_through_proc():
    return read("/proc/1/root" + RIG + "/home/secret")


@probe
def log_of_the_build():
    return read(BUILD + "/build.log")


@probe
def file_in_a_home():
    return create(RIG + "/home/" + MARK)


@probe
def file_in_the_home_of_the_account():
    return create(pwd.getpwuid(os.getuid()).pw_dir + "/" + MARK)


@probe
def file_in_the_slaves_directory():
    return create(WORK + "/" + MARK)


@probe
def file_beside_the_source_distribution():
    return create(BUILD + "/fetched/" + MARK)


@probe
def file_through_proc_self_root():
    return create("/proc/self/root" + RIG + "/" + MARK)


@probe
def file_through_proc_1_root():
    return create("/proc/1/root/tmp/" + MARK)


@probe
def files_of_the_system():
    for directory in ["/", "/etc", "/usr", "/usr/local", "/opt", "/dev", "/sys", "/sys/fs/cgroup", "/proc"]:
        try:
            return create(directory + "/" + MARK)
        except OSError as e:
            why = e
    raise why


@probe
def settings_of_the_kernel():
    for path in ["/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger", "/proc/sys/vm/overcommit_memory",
                 "/sys/kernel/uevent_helper", "/sys/power/state", "/proc/1/oom_score_adj"]:
        try:
            os.close(os.open(path, os.O_WRONLY))
            return path
        except OSError as e:
            why = e
    raise why


@probe
def other_peoples_directories():
    found = []
    for path in ["/home", "/root", "/run", "/srv", "/mnt", "/media", "/boot", "/var/lib", "/var/log"]:
        try:
            found += os.listdir(path)
        except OSError:
            pass
    return found


@probe
def other_devices():
    known = {"full", "null", "random", "tty", "urandom", "zero", "fd", "stdin", "stdout", "stderr", "shm", "pts", "ptmx"}
    found = []
    for name in sorted(set(os.listdir("/dev")) - known):
        if not os.path.isdir("/dev/" + name):
            try:
                os.close(os.open("/dev/" + name, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY))
                found.append(name)
            except OSError:
                pass
    return found


@probe
def device_of_its_own():
    os.mknod(os.environ["TMPDIR"] + "/disk", 0o60666, os.makedev(8, 0))
    return "a block device"


@probe
def terminal():
    return os.open("/dev/tty", os.O_RDWR)


@probe
def words_in_a_terminals_mouth():
    import fcntl

    near, far = os.openpty()
    fcntl.ioctl(far, termios.TIOCSTI, b"x")
    return "TIOCSTI"


@probe
def open_files_of_pip():
    """What the slave has left open to it: none of its sockets, nothing outside."""
    directory = "/proc/%d/fd/" % os.getppid()
    targets = [os.readlink(directory + name) for name in os.listdir(directory)]
    return [to for to in targets if not to.startswith(("pipe:", "/dev/null", BUILD + "/tmp", "/tmp/"))]


@probe
def signal_to_the_slave():
    os.kill(slave(), 0)
    return slave()


@probe
def memory_of_the_slave():
    return read("/proc/%d/maps" % slave())


@probe
def files_of_the_slave():
    return os.listdir("/proc/%d/fd" % slave())


@probe
def memory_of_the_first_process():
    return read("/proc/1/maps")


@probe
def trace_of_the_slave():
    return call("ptrace", 16, slave(), 0, 0)


@probe
def trace_of_a_sibling():
    sibling = sleeper()
    try:
        return call("ptrace", 16, sibling.pid, 0, 0)
    finally:
        sibling.kill()


@probe
def memory_of_a_sibling():
    sibling = sleeper()
    try:
        # no vectors to read: the rights are looked at nevertheless
        return call("process_vm_readv", sibling.pid, 0, 0, 0, 0, 0) if is_seen(sibling) else "no such sibling"
    finally:
        sibling.kill()


def is_seen(process):
    return os.path.exists("/proc/%d" % process.pid)


@probe
def mounts():
    return call("mount", b"x", b"/tmp", b"tmpfs", 0, 0)


@probe
def mounts_made_anew():
    return call("mount", b"none", b"/usr", b"none", 32 | 4096, 0)


@probe
def unmounts():
    return call("umount2", b"/proc", 2)


@probe
def new_mounts():
    return call("fsopen", b"tmpfs", 0)


@probe
def tree_of_mounts():
    return call("open_tree", -100, b"/", 1)


@probe
def another_root():
    os.chroot("/tmp")
    return "chroot"


@probe
def root_turned_round():
    return call("pivot_root", b".", b".")


@probe
def user_of_its_own():
    return call("unshare", NEWUSER)


@probe
def network_of_its_own():
    return call("unshare", NEWNET)


@probe
def child_with_a_user_of_its_own():
    here = os.getpid()
    if call("clone", NEWUSER | signal.SIGCHLD, 0, 0, 0, 0) and os.getpid() != here:
        os._exit(0)
    return "clone"


@probe
def namespaces_of_others():
    file = os.open("/proc/1/ns/mnt", os.O_RDONLY)
    return call("setns", file, 0)


@probe
def namespaces_of_ones_own():
    return call("setns", os.open("/proc/self/ns/net", os.O_RDONLY), 0)


@probe
def root_by_number():
    os.setuid(0)
    return os.getuid()


@probe
def root_by_programs():
    got = []
    for command in [["mount", "-t", "tmpfs", "x", "/tmp"], ["su", "-c", "id"], ["unshare", "-r", "id"], ["sudo", "-n", "id"],
                    ["chfn", "-f", "x"], ["newgrp", "root"]]:
        try:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        except OSError:
            continue
        if done.returncode == 0 and b"uid=0" in done.stdout or done.returncode == 0 and command[0] == "mount":
            got.append(command[0])
    return got


@probe
def privileges():
    status = read("/proc/self/status").decode()
    lines = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    return [name for name in ("CapPrm", "CapEff", "CapAmb") if int(lines[name], 16)] + (
        [] if lines["NoNewPrivs"] == "1" else ["NoNewPrivs"])


@probe
def keys():
    return call("add_key", b"user", b"x", b"x", 1, -4)


@probe
def keys_of_others():
    return call("keyctl", 0, -5, 0, 0, 0)


@probe
def programs_in_the_kernel():
    return call("bpf", 0, 0, 0)


@probe
def rings():
    return call("io_uring_setup", 1, bytes(120))


@probe
def faults():
    return call("userfaultfd", 1)


@probe
def counters():
    return call("perf_event_open", bytes(128), 0, -1, -1, 0)


@probe
def files_by_their_handles():
    return call("open_by_handle_at", -100, bytes(64), 0)


@probe
def files_of_others_by_number():
    return call("pidfd_getfd", os.pidfd_open(os.getppid()), 1, 0)


@probe
def words_of_the_kernel():
    return call("syslog", 10, 0, 0)


@probe
def hard_link_to_the_systems_files():
    os.link("/etc/passwd", os.path.join(OUT, "passwd"))
    return OUT


@probe
def abstract_socket():
    with socket.socket(socket.AF_UNIX) as s:
        s.connect("\0" + MARK)
        return s.recv(10)


@probe
def socket_in_a_directory():
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(RIG + "/socket")
        return s.recv(10)


@probe
def socket_of_the_machine():
    return socket.create_connection(("127.0.0.1", PORT), 10).recv(10)


@probe
def other_networks():
    return [kind for kind, name in socket.if_nameindex() if name != "lo"]


@probe
def sockets_past_the_network():
    """Of kinds that know no namespaces, or that much of the kernel is behind."""
    got = []
    # AF_AX25, AF_PACKET, AF_BLUETOOTH, AF_ALG, AF_NFC, AF_VSOCK
    for family in [3, 17, 31, 38, 39, 40]:
        for kind in [socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW, socket.SOCK_SEQPACKET]:
            try:
                socket.socket(family, kind).close()
                got.append(family)
            except OSError:
                pass
    return got


@probe
def socket_of_ones_own():
    """Not refused: tests of packages talk to themselves."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        with socket.create_connection(server.getsockname(), 10) as near:
            far, _ = server.accept()
            with far:
                far.sendall(b"hello")
                return near.recv(5)


@probe
def memory_to_share():
    """Not refused: multiprocessing needs it."""
    import multiprocessing

    return multiprocessing.Lock().acquire()


def run(say, *left_out, only=()):
    tried = [probe for probe in PROBES if probe[0] not in left_out and (not only or probe[0] in only)]
    for name, function in tried:
        try:
            got = function()
            text = "GOT %.200s" % ascii(got) if got else "nothing"
        except OSError as e:
            text = "refused: %s" % (e.strerror or e)
        except BaseException as e:
            text = "BROKEN %s: %s" % (type(e).__name__, e)
        say("probe %s: %s" % (name, text))
    say("probes: %d" % len(tried))
