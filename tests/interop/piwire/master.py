"""Enough of a master for one slave at a time: it hands out jobs, takes what comes of them, and keeps no database."""

import hashlib
import os
import socket

from .link import Link
from .messages import FILES, SLAVE

LOG_LIMIT = 8 << 20
PIECE = 1 << 14


class Master:
    """Listens on loopback; `keys` is {name: 32 bytes} where slaves must prove one."""

    def __init__(self, index_url, keys=None):
        self.index_url, self.keys = index_url, keys
        self.slaves, self.files = (socket.create_server(("127.0.0.1", 0)) for _ in range(2))
        self.greeted, self.builds = 0, 0
        self.link = self.files_link = None
        self.token, self.log = None, b""

    def ports(self):
        return [listener.getsockname()[1] for listener in (self.slaves, self.files)]

    # the slave channel

    def greet(self):
        """The next connection of a slave that gets as far as HELLO, and what it says there."""
        self.link = Link.accept(self.slaves, SLAVE, self.keys)
        _, hello = self.link.expect("HELLO")
        return hello

    def answer(self, resume):
        """Lets it in; what it has of a log comes from its beginning again."""
        self.greeted += 1
        self.log = b""
        self.link.say("HELLO", slave_id=self.greeted, index_url=self.index_url, resume=resume, log_from=0, log_limit=LOG_LIMIT)

    def hear(self, *names):
        """The next message that is one of these; signs of life and pieces of the log are taken meanwhile."""
        while True:
            name, fields = self.link.hear()
            if name == "LOG":
                assert fields["offset"] == len(self.log), f"a gap in the log: {fields['offset']} behind {len(self.log)}"
                self.log += bytes.fromhex(fields["data"])
            if name in names:
                return name, fields
            assert name in ("BUSY", "LOG"), f"{name} {fields} where {names} was due"

    def hand_out(self, package, version, build_tag=0):
        """Answers IDLE with a job."""
        self.hear("IDLE")
        self.builds += 1
        self.token, self.log = {"build": self.builds, "secret": os.urandom(16).hex()}, b""
        self.link.say("BUILD", token=self.token, package=package, version=version, build_tag=build_tag)

    def built(self):
        _, built = self.hear("BUILT")
        assert built["token"] == self.token, built
        assert built["log_bytes"] == len(self.log), f"{built['log_bytes']} bytes of log, of which {len(self.log)} came"
        return built

    def fetch(self, index, file, break_after=None):
        """SEND, and the file over the file channel; `break_after` bytes have come, the connection breaks once."""
        transfer = os.urandom(16).hex()
        self.link.say("SEND", index=index, transfer=transfer)
        data = bytearray(file["size"])
        missing = [(at, min(PIECE, file["size"] - at)) for at in range(0, file["size"], PIECE)]
        while missing:
            if self.files_link is None:
                self.files_link = Link.accept(self.files, FILES, self.keys)
            # what a slave says first on a connection, and again on the next
            _, hello = self.files_link.expect("HELLO")
            assert hello["transfer"] == transfer, hello
            missing = self.fetch_some(data, missing, break_after)
            break_after = None
        self.files_link.say("DONE")
        _, sent = self.hear("SENT")
        assert sent["index"] == index, sent
        assert hashlib.sha256(data).hexdigest() == file["sha256"], "other bytes than BUILT said"
        return bytes(data)

    def fetch_some(self, data, missing, break_after):
        """Asks for all that is missing at once; what is missing then."""
        for offset, length in missing:
            self.files_link.say("FETCH", offset=offset, length=length)
        for place, (offset, length) in enumerate(missing):
            if break_after is not None and place * PIECE >= break_after:
                self.files_link.close()
                self.files_link = None
                return missing[place:]
            _, chunk = self.files_link.expect("CHUNK")
            piece = bytes.fromhex(chunk["data"])
            assert (chunk["offset"], len(piece)) == (offset, length), "another piece than was asked for"
            data[offset : offset + length] = piece
        return []

    def done(self):
        self.link.say("DONE", build=self.token["build"])

    def cancel(self):
        self.link.say("CANCEL", build=self.token["build"])

    def lose_slave(self):
        self.link.close()

    def bye(self, reason):
        """The slave says BYE, too, and hangs up."""
        self.link.say("BYE", reason=reason)
        self.hear("BYE")
        self.link.expect_end()
        if self.files_link:
            self.files_link.expect_end()
