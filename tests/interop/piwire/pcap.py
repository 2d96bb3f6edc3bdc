"""Captures (pcap, raw IPv4) of bytes that went over sockets: each connection as TCP between two addresses."""

import ipaddress
import struct
import threading
import time

RAW_IPV4 = 228
SYN, ACK, PSH, FIN = 2, 16, 8, 1
SEGMENT = 1448


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


class Capture:
    """A file that packets are added to, from any thread."""

    def __init__(self, path):
        self.file, self.lock = open(path, "wb"), threading.Lock()
        self.file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262_144, RAW_IPV4))

    def close(self):
        with self.lock:
            self.file.close()

    def packet(self, source, target, seq, ack, flags, data):
        addresses = b"".join(ipaddress.IPv4Address(address).packed for address, _ in (source, target))
        tcp = struct.pack(">HHIIBBHHH", source[1], target[1], seq, ack, 5 << 4, flags, 65535, 0, 0)
        pseudo = addresses + struct.pack(">BBH", 0, 6, len(tcp) + len(data))
        tcp = tcp[:16] + struct.pack(">H", checksum(pseudo + tcp + data)) + tcp[18:]
        ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(tcp) + len(data), 0, 0x4000, 64, 6, 0)
        ip = ip[:10] + struct.pack(">H", checksum(ip + addresses)) + addresses
        whole = ip + tcp + data
        now = time.time_ns()
        if not self.file.closed:
            self.file.write(struct.pack("<IIII", now // 10**9, now // 1000 % 10**6, len(whole), len(whole)))
            self.file.write(whole)


class Connection:
    """One connection of it; `client` and `server` are (address, port)."""

    def __init__(self, capture, client, server):
        self.capture, self.ends, self.seqs = capture, (client, server), [1000, 2000]
        self.put(0, SYN)
        self.put(1, SYN | ACK)
        self.put(0, ACK)

    def put(self, end, flags, data=b""):
        with self.capture.lock:
            ack = self.seqs[1 - end] if flags & ACK else 0
            self.capture.packet(self.ends[end], self.ends[1 - end], self.seqs[end], ack, flags, data)
            self.seqs[end] = (self.seqs[end] + len(data) + (flags & (SYN | FIN) != 0)) % 2**32

    def send(self, end, data, sizes=(SEGMENT,)):
        """Bytes of the client (0) or the server (1), in segments of these sizes, over and over."""
        at, turn = 0, 0
        while at < len(data):
            size = sizes[turn % len(sizes)]
            self.put(end, PSH | ACK, data[at : at + size])
            at, turn = at + size, turn + 1

    def finish(self, end):
        self.put(end, FIN | ACK)


def streams(path):
    """{(client, server): (bytes of the client, bytes of the server)} of such a file, in the order of the SYNs."""
    found = {}
    with open(path, "rb") as file:
        file.read(24)
        while head := file.read(16):
            packet = file.read(struct.unpack("<IIII", head)[2])
            source, target = (str(ipaddress.IPv4Address(packet[at : at + 4])) for at in (12, 16))
            ports = struct.unpack(">HH", packet[20:24])
            source, target, flags, data = (source, ports[0]), (target, ports[1]), packet[33], packet[40:]
            if flags & SYN and not flags & ACK:
                found[source, target] = (bytearray(), bytearray())
            if (source, target) in found:
                found[source, target][0].extend(data)
            else:
                found[target, source][1].extend(data)
    return found
