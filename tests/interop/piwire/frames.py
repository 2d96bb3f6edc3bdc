"""Preamble, frames and seals: bytes <-> (message, fields). No sockets."""

import hmac
import struct
import zlib

from .fields import Reader, Refused
from .messages import CHANNELS, VERSION

PREAMBLE = struct.Struct(">4sHBB")
MAGIC = b"PIWH"
LENGTH = struct.Struct(">I")
SEQ = struct.Struct(">Q")
MAC_BYTES = 16
NEVER_SEALED = {"AUTH", "PROOF", "CHALLENGE", "REFUSED"}


def preamble(channel):
    return PREAMBLE.pack(MAGIC, VERSION, channel.number, 0)


def read_preamble(data):
    """The channel of a preamble."""
    magic, version, number, zero = PREAMBLE.unpack(data)
    if magic != MAGIC or zero:
        raise Refused("not this protocol")
    if version != VERSION:
        raise Refused(f"version {version} of the protocol")
    for channel in CHANNELS:
        if channel.number == number:
            return channel
    raise Refused(f"no channel {number}")


class Seal:
    """The sealed frames of one direction, in their order."""

    def __init__(self, key):
        self.key, self.seq = key, 0

    def mac(self, seq, inside):
        return hmac.new(self.key, SEQ.pack(seq) + inside, "sha256").digest()[:MAC_BYTES]

    def close(self, inside):
        """Tag and fields, sealed."""
        seq = self.seq
        self.seq += 1
        return inside + SEQ.pack(seq) + self.mac(seq, inside)

    def open(self, sealed):
        end = len(sealed) - SEQ.size - MAC_BYTES
        if end < 1:
            raise Refused("no seal")
        inside, (seq,), mac = sealed[:end], SEQ.unpack(sealed[end:-MAC_BYTES]), sealed[-MAC_BYTES:]
        if not hmac.compare_digest(mac, self.mac(seq, inside)):
            raise Refused("a MAC that does not fit")
        if seq != self.seq:
            raise Refused("a frame that was sent before" if seq < self.seq else "frames are missing before this one")
        self.seq += 1
        return inside


def is_sealed(name):
    return name not in NEVER_SEALED and name != "CHUNK"


def encode(direction, name, fields, seal=None):
    message = direction.by_name[name]
    inside = bytes([message.tag]) + message.body.write(fields)
    if seal and is_sealed(name):
        inside = seal.close(inside)
    return LENGTH.pack(len(inside)) + inside + LENGTH.pack(zlib.crc32(inside))


def frame_length(channel, head):
    """How many bytes follow the four of the length."""
    (length,) = LENGTH.unpack(head)
    if length == 0:
        raise Refused("a frame without a tag")
    if length > channel.limit:
        raise Refused(f"a frame of {length} bytes, over the limit of {channel.limit}")
    return length + LENGTH.size


def decode(direction, rest, seal=None):
    """What stands behind a frame's length: (name, fields)."""
    inside, (crc,) = rest[: -LENGTH.size], LENGTH.unpack(rest[-LENGTH.size :])
    if zlib.crc32(inside) != crc:
        raise Refused("a checksum that does not fit")
    message = direction.by_tag.get(inside[0])
    if message is None:
        raise Refused(f"unknown tag {inside[0]:#04x}")
    if seal and is_sealed(message.name):
        inside = seal.open(inside)
    reader, fields = Reader(inside[1:]), {}
    for name, of in message.body.fields.items():
        try:
            fields[name] = of.read(reader)
        except Refused as refused:
            raise Refused(f"{message.name}: {name} {refused.what}", name) from None
    if reader.left():
        raise Refused(f"{message.name}: {reader.left()} bytes are left over")
    return message.name, fields
