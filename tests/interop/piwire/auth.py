"""Proofs and keys (wire-spec/auth.md)."""

import hmac
import struct

from .messages import VERSION

LABEL_BYTES = 16


def hmac256(key, data):
    return hmac.new(key, data, "sha256").digest()


class Derivation:
    """All that follows from one key on one connection."""

    def __init__(self, key, channel, name, slaves_nonce, masters_nonce):
        self.key, name = key, name.encode()
        self.rest = struct.pack(">HBBH", VERSION, channel.number, 0, len(name)) + name + slaves_nonce + masters_nonce

    def derive(self, label):
        return hmac256(self.key, label.encode().ljust(LABEL_BYTES) + self.rest)

    def master_proof(self):
        return self.derive("piw master proof")

    def slave_proof(self):
        return self.derive("piw slave proof")

    def to_master(self):
        return self.derive("piw to master")

    def to_slave(self):
        return self.derive("piw to slave")
