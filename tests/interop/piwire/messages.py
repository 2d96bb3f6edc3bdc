"""Every message of every channel, as the tables of wire-spec have them, in their order."""

from .fields import BOOL, BUILD, BYTES32, I16, I64, ID, TOKEN, U8, U16, U32, U64
from .fields import Blob, Code, List, Number, Option, Struct, Text

VERSION = 2
MIB = 1 << 20


class Message:
    """A message: its tag, its name, its fields."""

    def __init__(self, tag, name, /, **fields):
        self.tag, self.name, self.body = tag, name, Struct(**fields)


class Channel:
    """A channel: its number in the preamble, how long a frame may be, what is said in each direction."""

    def __init__(self, number, name, peer, limit, to_master, from_master):
        self.number, self.name, self.peer, self.limit = number, name, peer, limit
        self.to_master, self.from_master = Direction(to_master), Direction(from_master)

    def direction(self, name):
        """By the vectors' name of it: to-master, to-slave, to-tool, to-monitor."""
        return {"to-master": self.to_master, f"to-{self.peer}": self.from_master}[name]


class Direction:
    def __init__(self, messages):
        self.by_tag = {message.tag: message for message in messages}
        self.by_name = {message.name: message for message in messages}
        assert len(self.by_tag) == len(self.by_name) == len(messages)


# auth.md; on the slave and the file channel

AUTH_TO_MASTER = [
    Message(0x71, "AUTH", name=Text(64), nonce=BYTES32),
    Message(0x72, "PROOF", proof=BYTES32),
]
AUTH_FROM_MASTER = [
    Message(0xF1, "CHALLENGE", nonce=BYTES32, proof=BYTES32),
    Message(0xF2, "REFUSED", reason=Text(1000)),
]

# slave.md

WALLS = Code("namespaces", "read-only", "net-off", "no-new-privileges", "seccomp", "landlock", "cgroup-memory",
             "cgroup-pids", "cgroup-cpu", "rlimits", "tree-kill")
BOARD = Struct(machine=Text(100), os=Text(200), walls=List(WALLS, 32))
VITALS = Struct(load1_centi=U32, cpus=U16, memory_total=U64, memory_free=U64, disk_total=U64, disk_free=U64,
                temperature=Option(I16), clock_ms=U64, throttled=Option(BOOL))
FILE = Struct(filename=Text(240), size=U64, sha256=BYTES32)
END = Code("built", "failed", "timeout", "no-sdist", "bad-wheel", "cancelled", "silence", "network", "out-of-memory",
           "disk", "log-limit", "wheel-limit", "disk-limit", "process-limit")
REPORT = Struct(interpreter=Text(200), pip=Text(64), pip_arguments=Text(1000), compiler=Text(200), sdist=Option(FILE),
                requirements=List(Text(200), 100), peak_memory=U64, cpu_ms=U64, apt=List(Text(100), 64))

SLAVE = Channel(
    1, "slave", "slave", 65_536,
    [
        Message(0x01, "HELLO", software=Text(64), label=Text(64), timeout_secs=U32, python_tag=Text(64), abi_tag=Text(64),
                platform_tag=Text(64), board=BOARD, held=Option(Struct(token=TOKEN, state=Code("building", "built")))),
        Message(0x02, "IDLE"),
        Message(0x03, "BUSY", vitals=VITALS, holds_back=Option(Text(200))),
        Message(0x04, "LOG", offset=U64, data=Blob(32_768)),
        Message(0x05, "BUILT", token=TOKEN, end=END, duration_ms=U64, log_bytes=U64, files=List(FILE, 64), report=REPORT),
        Message(0x06, "SENT", index=U16),
        Message(0x07, "BYE", reason=Text(1000)),
        *AUTH_TO_MASTER,
    ],
    [
        Message(0x81, "HELLO", slave_id=U32, index_url=Text(2000), resume=Code("none", "go-on", "drop"), log_from=U64,
                log_limit=U64),
        Message(0x82, "SLEEP", seconds=Number("H", 1, 3600)),
        Message(0x83, "WAKE"),
        Message(0x84, "BUILD", token=TOKEN, package=Text(200), version=Text(200), build_tag=Number("Q", 0, 10**18 - 1)),
        Message(0x85, "SEND", index=U16, transfer=ID),
        Message(0x86, "DONE", build=BUILD),
        Message(0x87, "BYE", reason=Text(1000)),
        Message(0x88, "CANCEL", build=BUILD),
        *AUTH_FROM_MASTER,
    ],
)

# file.md

CHUNK = dict(offset=U64, data=Blob(262_144))
FETCH = dict(offset=U64, length=Number("I", 1, 262_144))

FILES = Channel(
    2, "file", "slave", 262_208,
    [Message(0x01, "HELLO", transfer=ID), Message(0x02, "CHUNK", **CHUNK), *AUTH_TO_MASTER],
    [Message(0x81, "FETCH", **FETCH), Message(0x82, "DONE"), *AUTH_FROM_MASTER],
)

# import.md

SKIPPED = dict(package=Text(200), version=Text(200), abi=Text(64))
DOWNLOAD = Struct(filename=Text(240), at=I64, address=Option(ID), **{
    name: Text(100) for name in ("arch", "distro_name", "distro_version", "os_name", "os_version", "py_name", "py_version",
                                 "installer_name", "installer_version", "setuptools_version")})
NAMES = List(Text(255), 500)

IMPORT = Channel(
    3, "import", "tool", 16 * MIB,
    [
        Message(0x01, "ADD", items=List(Struct(package=Text(200), specifiers=Text(200), extras=Text(200)), 5000),
                with_deps=BOOL),
        Message(0x02, "WHY", package=Text(200), version=Text(200)),
        Message(0x03, "ABI_ADD", abi=Text(64), rank=Option(I16), platforms=List(Text(64), 16)),
        Message(0x04, "ABI_LIST"),
        Message(0x05, "SKIP", **SKIPPED, reason=Text(1000)),
        Message(0x06, "UNSKIP", **SKIPPED),
        Message(0x07, "BLOCK", pattern=Text(200), reason=Text(1000)),
        Message(0x08, "UNBLOCK", pattern=Text(200)),
        Message(0x09, "POLICY", name=Text(64), value=Option(Text(1000)), reason=Text(1000)),
        Message(0x0A, "POLICIES"),
        Message(0x0B, "ABI_RETIRE", abi=Text(64), reason=Text(1000)),
        Message(0x0C, "REQUEUE", **SKIPPED, outcome=Text(64)),
        Message(0x0D, "STATISTICS"),
        Message(0x0E, "AUDIT", mend=BOOL),
        Message(0x0F, "FEED"),
        Message(0x10, "DOWNLOADS", batch=ID, records=List(DOWNLOAD, 500)),
        Message(0x11, "REBUILD", what=Code("home", "project", "index", "all", first=1), names=List(Text(200), 5000)),
        Message(0x14, "TREE"),
        Message(0x15, "AUDIT_PROJECTS", after=Text(200), limit=U16),
        Message(0x16, "AUDIT_PROJECT", project=Text(200), after=Text(255), limit=U16),
        Message(0x17, "AUDIT_STRANGERS", names=NAMES),
        Message(0x18, "AUDIT_BUILDS", builds=List(BUILD, 500)),
        Message(0x19, "WITHHOLD", filename=Text(255), reason=Option(Text(1000))),
        Message(0x1A, "SWEEP", project=Text(200), names=NAMES),
        Message(0x1B, "UNPACK_METADATA", filename=Text(240), sha256=BYTES32),
        Message(0x1C, "AUDIT_ROOT", after=Text(200), limit=U16),
        Message(0x20, "IMPORT", **SKIPPED, duration_ms=U64, output=Blob(8 * MIB), files=List(FILE, 64),
                create=BOOL),
        Message(0x21, "CHUNK", **CHUNK),
        Message(0x22, "REMOVE", package=Text(200), version=Text(200),
                what=Code("files", "builds", "yank", "unyank", first=1), skip=Option(Text(1000)), reason=Text(1000)),
    ],
    [
        Message(0x81, "DONE", json=Text(16_777_152)),
        Message(0x82, "ERROR", reasons=List(Text(1000), 5000)),
        Message(0xA0, "SEND", index=U16),
        Message(0xA1, "FETCH", **FETCH),
    ],
)

# status.md

MODE = Code("running", "paused", "draining", "stopping", "held")
DOING = Code("greeting", "returning", "idle", "asking", "asleep", "building", "delivering", "leaving")
JOB = Struct(build=BUILD, package=Text(200), version=Text(200))
SHOWN = Struct(slave_id=U32, label=Text(64), peer=Text(100), abi=Text(64), platform=Text(64), python=Text(64),
               board=Option(BOARD), doing=DOING, since_ms=U64, heard_ms=U64, connected_ms=U64, job=Option(JOB),
               vitals=Option(VITALS), clock_offset_ms=Option(I64), holds_back=Option(Text(200)), resting=BOOL,
               kill_pending=BOOL, skipping=BOOL)
SAMPLE = Struct(load_percent=U16, memory_percent=U16, temperature=Option(I16))
NUMBERS = Struct(at_ms=U64, queued=U64, unchecked=U64, delayed=U64, pages_due=U64, pages_waiting_secs=U64,
                 builds_last_hour=U64, builds=U64, builds_ok=U64, published=U64, files=U64)
FOLLOW = Struct(mode=Text(64), lag_secs=Option(U64), trouble=Option(Text(1000)))
DISK = Struct(path=Text(4096), size=U64, free=U64, inodes=Option(U64), inodes_free=Option(U64))
REASON = Struct(since_ms=U64, text=Text(1000))
HEALTH = Struct(schema=U32, disks=List(DISK, 2), disk_floor=U64, disk_promised=U64, disk_trouble=Option(Text(1000)),
                held=Option(REASON), paused=Option(REASON), unseated_ms=Option(U64), absent=U32, expired=U64,
                expired_last_hour=U32, tasks=List(Struct(name=Text(64), well_ms=Option(U64)), 32),
                errors=List(Struct(at_ms=U64, text=Text(1000)), 10))

STATUS = Channel(
    4, "status", "monitor", 65_536,
    [Message(0x01, "HELLO"), Message(0x02, "SUBSCRIBE", slave=Option(U32))],
    [
        Message(0x81, "HELLO", software=Text(64), started_ms=U64, wall_ms=U64, mode=MODE),
        Message(0x82, "SLAVE", slave=SHOWN),
        Message(0x83, "STATS", mode=MODE, connected=U32, building=U32, idle=U32, queued=U64, transfers=U32,
                bytes_in_flight=U64, builds_ok=U64, builds_failed=U64, refusals=U64, log_bytes=U64),
        Message(0x84, "GONE", slave_id=U32),
        Message(0x85, "TREND", slave_id=U32, samples=List(SAMPLE, 60)),
        Message(0x86, "RECORDED", build=BUILD, package=Text(200), version=Text(200), abi=Text(64), slave=Text(64),
                outcome=Text(64), duration_ms=U64, at_ms=U64),
        Message(0x87, "OUTCOMES", counts=List(Struct(outcome=Text(64), count=U64), 32)),
        Message(0x88, "FARM", numbers=Option(NUMBERS), database_silent_ms=Option(U64), machine=Option(VITALS),
                pages_failing=U32, pages_trouble=Option(Text(1000)), follow=FOLLOW),
        Message(0x89, "LOG", slave_id=U32, build=BUILD, offset=U64, data=Blob(32_768)),
        Message(0x8A, "HEALTH", health=HEALTH),
    ],
)

# control.md

CONTROL = Channel(
    5, "control", "tool", 65_536,
    [
        Message(0x01, "PAUSE"),
        Message(0x02, "RESUME"),
        Message(0x03, "KILL", slave=Option(U32), when=Code("next-idle", "now")),
        Message(0x04, "SKIP", slave=U32),
        Message(0x05, "SLEEP", slave=Option(U32)),
        Message(0x06, "WAKE", slave=Option(U32)),
        Message(0x07, "QUIT", how=Code("drain", "now")),
        Message(0x08, "KEYS"),
    ],
    [Message(0x81, "DONE", affected=U32), Message(0x82, "ERROR", reason=Text(1000))],
)

CHANNELS = [SLAVE, FILES, IMPORT, STATUS, CONTROL]
