"""What hostile source distributions do. Lies beside their backends, with place.py, which says where they are.

Whatever takes room or memory ends by itself at BOUND: a limit that does not hold must not take the machine along.
"""

import ctypes
import glob
import mmap
import os
import signal
import subprocess
import sys
import threading
import time
import zipfile

from place import BUILD, MARK, OUT, RIG, WORK

BOUND = 512 << 20
MIB = 1 << 20

libc = ctypes.CDLL(None, use_errno=True)


def stay():
    while True:
        time.sleep(1000)


def deaf():
    """Hears no signal that can be ignored."""
    for number in range(1, signal.NSIG):
        try:
            signal.signal(number, signal.SIG_IGN)
        except (OSError, ValueError):
            pass


def quiet():
    """Lets go of what it could print on: pip waits for the end of that."""
    for number in range(3):
        os.dup2(os.open("/dev/null", os.O_RDWR), number)


def regicide():
    """The first process of a sandbox must not hear a signal from inside, whether it is refused or not."""
    for number in [9, 15, 19, 6]:
        try:
            os.kill(1, number)
        except PermissionError:
            pass


def flee(then=stay):
    """Does something in a process with a session of its own, deaf, whose parents are gone; returns when it is there."""
    reader, writer = os.pipe()
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            deaf()
            os.chdir("/")
            quiet()
            os.write(writer, b"x")
            then()
            os._exit(0)
        os._exit(0)
    os.wait()
    os.read(reader, 1)


def grandparent():
    with open("/proc/%d/stat" % os.getppid()) as file:
        return int(file.read().rsplit(")", 1)[1].split()[1])


def without_a_head(then=stay):
    """A process whose first thread has ended: it looks dead, and another thread goes on in it."""
    def go_on():
        os.write(writer, b"x")
        then()

    reader, writer = os.pipe()
    if os.fork() == 0:
        quiet()
        threading.Thread(target=go_on).start()
        # exit, not exit_group: of this thread alone
        libc.syscall({"x86_64": 60, "aarch64": 93}.get(os.uname().machine, 1), 0)
    os.read(reader, 1)


def hold_the_log():
    """Holds the pipe that the log is read from, under every number that there is, and nothing else."""
    log = os.open("/proc/%d/fd/1" % os.getppid(), os.O_WRONLY)

    def go_on():
        for number in range(64):
            if number != log:
                os.dup2(log, number)
        stay()

    flee(go_on)


def bomb():
    while True:
        try:
            os.fork()
        except OSError:
            pass


def threads():
    try:
        while True:
            threading.Thread(target=stay, daemon=True).start()
    except RuntimeError:
        stay()


def write(path, size, step=MIB):
    with open(path, "wb") as file:
        for _ in range(size // step):
            file.write(os.urandom(step))


def many_files():
    for number in range(BOUND // MIB):
        write(os.path.join(os.environ["TMPDIR"], "file%d" % number), MIB)
    stay()


def files_without_names():
    kept = []
    for number in range(BOUND // (16 * MIB)):
        path = os.path.join(os.environ["TMPDIR"], "file%d" % number)
        kept.append(open(path, "w+b"))
        os.unlink(path)
        kept[-1].write(os.urandom(16 * MIB))
        kept[-1].flush()
    stay()


def dig(depth, name="d" * 50):
    """Goes down a path that is longer than any path may be."""
    for _ in range(depth):
        os.mkdir(name)
        os.chdir(name)


def files_in_the_deep():
    os.chdir(os.environ["TMPDIR"])
    dig(400)
    for number in range(BOUND // (16 * MIB)):
        write("file%d" % number, 16 * MIB)
    stay()


def take(size):
    memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    for page in range(0, size, mmap.PAGESIZE):
        memory[page] = 1
    return memory


def take_and_stay(size=BOUND // 4):
    taken = take(size)
    stay()
    return taken


def take_bit_by_bit():
    taken = [take(16 * MIB) for _ in range(BOUND // (16 * MIB))]
    stay()
    return taken


def take_with_many():
    for _ in range(4):
        if os.fork() == 0:
            take_and_stay()
    stay()


def take_without_a_head():
    for _ in range(4):
        without_a_head(take_and_stay)
    stay()


def take_as_files():
    for number in range(BOUND // (64 * MIB)):
        file = os.memfd_create("x")
        for _ in range(64):
            os.write(file, os.urandom(MIB))
    stay()


def take_as_segments():
    """System V shared memory that nobody has mapped."""
    for _ in range(BOUND // (64 * MIB)):
        number = libc.shmget(0, 64 * MIB, 0o1600)
        libc.shmat.restype = ctypes.c_void_p
        libc.shmdt.argtypes = [ctypes.c_void_p]
        place = libc.shmat(number, None, 0)
        ctypes.memset(place, 1, 64 * MIB)
        libc.shmdt(place)
    stay()


def exchange(make):
    """Puts one wheel after the other in the place of the one that was built, each of them sound, as long as it lives."""
    def go_on():
        number = 0
        while True:
            for path in glob.glob(OUT + "/*.whl"):
                number += 1
                os.rename(os.path.join(aside, make(aside, number % 100)), path)

    aside = os.path.join(OUT, "aside")
    os.mkdir(aside)
    flee(go_on)


def litter(say):
    """Leaves files with the mark in their names everywhere it can."""
    places = ["/tmp", "/var/tmp", "/dev/shm", "/dev", "/", "/run", "/home", "/root", "/srv", "/etc", "/usr/local", RIG]
    places += [WORK, BUILD, RIG + "/home", os.path.expanduser("~nobody")]
    places += [os.environ["HOME"], os.environ["TMPDIR"], os.getcwd(), OUT]
    for place in places:
        try:
            open(os.path.join(place, MARK), "w").close()
            say("littered", place)
        except OSError as e:
            say("no litter in", place, e.strerror)
    libc.shmget(0x70697731, MIB, 0o1666)
    libc.semget(0x70697731, 1, 0o1666)
    libc.msgget(0x70697731, 0o1666)
    libc.mq_open(b"/" + MARK.encode(), os.O_CREAT | os.O_RDWR, 0o666, None)


def unlitter():
    """Takes back what is left where there is no file system of its own."""
    for place in ["/dev/shm", "/tmp", "/var/tmp"]:
        try:
            os.unlink(os.path.join(place, MARK))
        except OSError:
            pass
    libc.shmctl(libc.shmget(0x70697731, 0, 0), 0, None)
    libc.semctl(libc.semget(0x70697731, 0, 0), 0, 0)
    libc.msgctl(libc.msgget(0x70697731, 0), 0, None)
    libc.mq_unlink(b"/" + MARK.encode())


def bad_trees():
    """What is hard to remove: no rights, no end, no names."""
    os.chdir(os.environ["TMPDIR"])
    os.makedirs("sealed/a/b")
    open("sealed/a/b/file", "w").close()
    for name in [b"\n", b"\xff\xfe", b"-rf", b"x" * 255, b"\xc3\x28 ;*", b".\x01\x7f"]:
        os.mkdir(os.path.join(b"sealed", name))
        open(os.path.join(b"sealed", name, name), "w").close()
    os.symlink("/", "sealed/a/b/link")
    os.mkfifo("sealed/a/pipe")
    for path in ["sealed/a/b", "sealed/a", "sealed"]:
        os.chmod(path, 0)
    here = os.getcwd()
    dig(1200)
    open("bottom", "w").close()
    os.chmod(".", 0)
    os.chdir(here)
    for number in range(5000):
        open("file%d" % number, "w").close()
    os.chmod(os.environ["HOME"], 0)


def to_influence():
    """What interpreters and pips that look at its work might read."""
    text = "print('piw-slave: influenced', flush=True)\nimport os\nos._exit(0)\n"
    homes = [os.environ["HOME"], BUILD + "/check/home", "/tmp", BUILD + "/check/tmp"]
    version = "python%d.%d" % sys.version_info[:2]
    for home in homes:
        try:
            site = os.path.join(home, ".local/lib", version, "site-packages")
            os.makedirs(site, exist_ok=True)
            for place in [site, home]:
                for name in ["usercustomize.py", "sitecustomize.py", "zipfile.py", "email.py"]:
                    with open(os.path.join(place, name), "w") as file:
                        file.write(text)
            os.makedirs(os.path.join(home, ".config/pip"), exist_ok=True)
            for name in [".config/pip/pip.conf", ".pydistutils.cfg", ".pypirc"]:
                with open(os.path.join(home, name), "w") as file:
                    file.write("[global]\nno-index = true\n[install]\nprefix = /nowhere\n")
        except OSError:
            pass


def rubbish():
    """Every byte that there is, without an end of line, past pip."""
    with open("/proc/%d/fd/1" % os.getppid(), "wb") as file:
        file.write(bytes(range(256)) * 64 + b"\n")


def hand_on_much():
    """A command line and an environment as large as the kernel takes them."""
    variables = {"V%d" % number: "y" * 100000 for number in range(8)}
    nothing = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.Popen(["/bin/sh", "-c", "sleep 1000; true"] + ["x" * 100000] * 10, env=variables, **nothing)


def put(name, change=None, **texts):
    """Puts a wheel beside the one that pip makes; `texts` replaces what is in it."""
    project = sys.modules["backend"].NAME
    info = project + "-1.0.dist-info"
    files = {
        info + "/METADATA": "Metadata-Version: 2.1\nName: %s\nVersion: 1.0\n" % project,
        info + "/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        info + "/RECORD": "",
    }
    files.update({info + "/" + key if key.isupper() else key: text for key, text in texts.items()})
    with zipfile.ZipFile(os.path.join(OUT, name.replace("NAME", project)), "w") as archive:
        for key, text in files.items():
            archive.writestr(key, text)
        if change:
            change(archive)
