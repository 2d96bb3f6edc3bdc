"""A connection: a socket that speaks one channel, from either end."""

import hmac
import os
import socket

from . import frames
from .auth import Derivation
from .fields import Refused

PATIENCE_SECS = 90


class Closed(Exception):
    """The other end is gone, between two frames or within one."""


class NotLetIn(Exception):
    """The proof of a key came to nothing."""


class Link:
    def __init__(self, sock, channel, says, hears):
        sock.settimeout(PATIENCE_SECS)
        if sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock, self.channel, self.says, self.hears = sock, channel, says, hears
        self.seals = self.opens = None
        self.input = bytearray()

    @classmethod
    def connect(cls, address, channel, key=None):
        """To a master: (host, port) or the path of a Unix socket. `key` is (name, 32 bytes) to be proved."""
        sock = socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET)
        sock.settimeout(PATIENCE_SECS)
        sock.connect(address)
        link = cls(sock, channel, channel.to_master, channel.from_master)
        try:
            link.greet()
            if key:
                link.prove(*key)
        except BaseException:
            link.close()
            raise
        return link

    @classmethod
    def accept(cls, listener, channel, keys=None):
        """A slave's connection to a master that has `keys` ({name: 32 bytes}); each must prove one, where there are some."""
        listener.settimeout(PATIENCE_SECS)
        sock, _ = listener.accept()
        link = cls(sock, channel, channel.from_master, channel.to_master)
        try:
            link.greet()
            if keys:
                link.demand(keys)
        except BaseException:
            link.close()
            raise
        return link

    def close(self):
        self.sock.close()

    def greet(self):
        self.sock.sendall(frames.preamble(self.channel))
        if frames.read_preamble(self.read(frames.PREAMBLE.size)) is not self.channel:
            raise Refused("another channel")

    # keys

    def prove(self, name, key):
        nonce = os.urandom(32)
        self.say("AUTH", name=name, nonce=nonce.hex())
        _, challenge = self.hear_to_be_let_in("CHALLENGE")
        derived = Derivation(key, self.channel, name, nonce, bytes.fromhex(challenge["nonce"]))
        if not hmac.compare_digest(derived.master_proof().hex(), challenge["proof"]):
            raise NotLetIn("who listens there does not have this key")
        self.say("PROOF", proof=derived.slave_proof().hex())
        self.seals, self.opens = frames.Seal(derived.to_master()), frames.Seal(derived.to_slave())

    def hear_to_be_let_in(self, name):
        heard = self.hear()
        if heard[0] == "REFUSED":
            raise NotLetIn(heard[1]["reason"])
        if heard[0] != name:
            raise Refused(f"{heard[0]} where {name} was due")
        return heard

    def demand(self, keys):
        _, auth = self.expect("AUTH")
        key = keys.get(auth["name"])
        if key is None:
            self.say("REFUSED", reason=f"{auth['name']} has no key here")
            raise NotLetIn(auth["name"])
        nonce = os.urandom(32)
        derived = Derivation(key, self.channel, auth["name"], bytes.fromhex(auth["nonce"]), nonce)
        self.say("CHALLENGE", nonce=nonce.hex(), proof=derived.master_proof().hex())
        _, answer = self.expect("PROOF")
        if not hmac.compare_digest(derived.slave_proof().hex(), answer["proof"]):
            self.say("REFUSED", reason="the proof is wrong")
            raise NotLetIn(auth["name"])
        self.seals, self.opens = frames.Seal(derived.to_slave()), frames.Seal(derived.to_master())

    # messages

    def say(self, name, /, **fields):
        self.sock.sendall(frames.encode(self.says, name, fields, self.seals))

    def hear(self, within=PATIENCE_SECS):
        """The next message: (name, fields). After socket.timeout it may be called again: nothing is lost."""
        self.sock.settimeout(within)
        self.fill(4)
        rest = frames.frame_length(self.channel, self.input[:4])
        self.fill(4 + rest)
        self.sock.settimeout(PATIENCE_SECS)
        return frames.decode(self.hears, self.read(4 + rest)[4:], self.opens)

    def expect(self, *names):
        name, fields = self.hear()
        if name not in names:
            raise AssertionError(f"{name} {fields} where {names} was due")
        return name, fields

    def expect_end(self, meanwhile=()):
        """The other end says no more but these."""
        try:
            while True:
                self.expect(*meanwhile)
        except Closed:
            self.close()

    def fill(self, length):
        while len(self.input) < length:
            try:
                piece = self.sock.recv(65536)
            except ConnectionResetError:
                piece = b""
            if not piece:
                raise Closed
            self.input += piece

    def read(self, length):
        self.fill(length)
        piece = bytes(self.input[:length])
        del self.input[:length]
        return piece
