"""A slave: what it holds outlives its connections (wire-spec/slave.md, file.md)."""

import hashlib
import os
import socket
import time

from .link import Link
from .messages import FILES, SLAVE

BUSY_SECS = 5
PIECE = 32_768
NO_REPORT = dict(interpreter="", pip="", pip_arguments="", compiler="", sdist=None, requirements=[], peak_memory=0,
                 cpu_ms=0, apt=[])


class Slave:
    """`who` has software, label, python_tag, abi_tag and platform_tag for HELLO."""

    def __init__(self, address, file_address, who, key=None):
        self.address, self.file_address, self.who, self.key = address, file_address, who, key
        self.link = self.files_link = None
        self.drop_job()

    def drop_job(self):
        self.job, self.log, self.logged, self.result = None, b"", 0, None

    # the slave channel

    def connect(self):
        """HELLO, with what is held; the master's answer."""
        held = self.job and {"token": self.job["token"], "state": "built" if self.result else "building"}
        self.link = Link.connect(self.address, SLAVE, self.key)
        self.link.say("HELLO", timeout_secs=3600, board={"machine": "a program", "os": "", "walls": []}, held=held, **self.who)
        _, hello = self.link.expect("HELLO")
        assert (hello["resume"] == "none") == (held is None), hello
        if hello["resume"] == "drop":
            self.drop_job()
        assert hello["log_from"] <= self.logged, hello
        self.logged = hello["log_from"]
        return hello

    def lose_connection(self):
        for link in (self.link, self.files_link):
            if link:
                link.close()
        self.link = self.files_link = None

    def vitals(self):
        """BUSY's fields."""
        disk = os.statvfs("/")
        return dict(holds_back=None, vitals=dict(
            load1_centi=int(os.getloadavg()[0] * 100), cpus=os.cpu_count(), memory_total=1 << 30, memory_free=1 << 29,
            disk_total=disk.f_frsize * disk.f_blocks, disk_free=disk.f_frsize * disk.f_bavail, temperature=None,
            clock_ms=int(time.time() * 1000), throttled=None))

    def busy(self):
        self.link.say("BUSY", **self.vitals())

    def hear(self, *names):
        """The next of these, with signs of life meanwhile; CANCEL of what is not held is passed over (rule 11)."""
        while True:
            try:
                name, fields = self.link.hear(within=BUSY_SECS)
            except socket.timeout:
                self.busy()
                continue
            if name == "CANCEL" and not (self.job and fields["build"] == self.job["token"]["build"]):
                continue
            assert name in names, f"{name} {fields} where {names} was due"
            return name, fields

    def ask(self):
        """IDLE; True when there is a job, False when it is to sleep."""
        assert self.job is None
        self.link.say("IDLE")
        name, fields = self.hear("BUILD", "SLEEP", "WAKE")
        if name == "WAKE":  # it crossed our IDLE (rule 9)
            name, fields = self.hear("BUILD", "SLEEP")
        if name == "BUILD":
            self.job = fields
        return name == "BUILD"

    def claim(self):
        """Asks until there is a job; sleeps until woken."""
        while not self.ask():
            self.hear("WAKE")
        return self.job

    def print(self, data):
        """The build prints this."""
        self.log += data
        self.send_log()

    def send_log(self):
        while self.logged < len(self.log):
            piece = self.log[self.logged : self.logged + PIECE]
            self.link.say("LOG", offset=self.logged, data=piece.hex())
            self.logged += len(piece)

    def end(self, end, files):
        """The build is over; `files` is {name: bytes}."""
        self.result = end, files
        self.offer()

    def offer(self):
        """The rest of the log, and BUILT; after each return, too (rule 3)."""
        self.send_log()
        end, files = self.result
        self.link.say("BUILT", token=self.job["token"], end=end, duration_ms=1234, log_bytes=len(self.log), report=NO_REPORT,
                      files=[dict(filename=name, size=len(data), sha256=hashlib.sha256(data).hexdigest())
                             for name, data in files.items()])

    def deliver(self, asked=None):
        """Serves SEND after SEND until DONE."""
        while True:
            name, fields = self.hear("SEND", "DONE")
            if name == "DONE":
                assert fields["build"] == self.job["token"]["build"], fields
                return self.drop_job()
            index = fields["index"]
            self.begin_transfer(fields["transfer"])
            while self.serve_chunk(index, asked):
                pass
            self.link.say("SENT", index=index)

    def bye(self, reason):
        self.link.say("BYE", reason=reason)
        self.link.expect_end()
        if self.files_link:
            self.files_link.close()

    # the file channel

    def begin_transfer(self, transfer):
        if self.files_link is None:
            self.files_link = Link.connect(self.file_address, FILES, self.key)
        self.files_link.say("HELLO", transfer=transfer)

    def serve_chunk(self, index, asked=None):
        """Answers one FETCH; False after DONE. `asked` gets what was asked for."""
        name, fields = self.files_link.expect("FETCH", "DONE")
        if name == "DONE":
            return False
        offset, length = fields["offset"], fields["length"]
        data = list(self.result[1].values())[index]
        assert offset + length <= len(data), fields
        self.files_link.say("CHUNK", offset=offset, data=data[offset : offset + length].hex())
        if asked is not None:
            asked.append((offset, length))
        return True
