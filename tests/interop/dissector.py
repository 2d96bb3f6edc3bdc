"""What tshark makes of a capture against what piwire makes of it: dissector.py SPEC CAPTURE PDML.

Every frame of the capture must be shown by its name, with all its fields and values, its seal and a good checksum, and nothing
called malformed. Frames of capture.py's bad connections must be, and nothing else may. Prints the messages it saw, a line
each (CHANNEL/DIRECTION NAME); what differs on standard error, and exit 1.
"""

import pathlib
import sys
import xml.etree.ElementTree

import capture
from piwire import fields, frames, messages, pcap

# Bad for who stands at the master's end; it is a message as it should be from the other.
SEEN_AS_GOOD = {"master-tag-from-slave"}


class Differs(Exception):
    pass


class Stripper:
    """In place of a seal: takes it off, and keeps its number."""

    def open(self, inside):
        self.seq = frames.SEQ.unpack(inside[-24:-16])[0]
        return inside[:-24]


class Frame:
    def __init__(self, channel, direction, name, values, seq):
        self.channel, self.direction, self.name, self.values, self.seq = channel, direction, name, values, seq
        self.group = "auth" if name in frames.NEVER_SEALED else channel.name

    def __str__(self):
        where = "to-master" if self.direction is self.channel.to_master else f"to-{self.channel.peer}"
        return f"{self.group}/{where} {self.name}"


def read_side(data, channel, direction, sealed_behind):
    """The whole frames of one side of a connection, which are sealed behind the message of that name."""
    at, stripper, found = 0, None, []
    while at + 4 <= len(data):
        end = at + 4 + frames.frame_length(channel, data[at : at + 4])
        if end > len(data):
            break
        name, values = frames.decode(direction, bytes(data[at + 4 : end]), stripper)
        found.append(Frame(channel, direction, name, values, stripper.seq if stripper and frames.is_sealed(name) else None))
        if name == sealed_behind:
            stripper = Stripper()
        at = end
    return found


def read_connection(client, server):
    """The frames of both sides; without a preamble they are the slave channel's."""
    if client[:4] == frames.MAGIC:
        channel = frames.read_preamble(bytes(client[:8]))
        client, server = client[8:], server[8:]
    else:
        channel = messages.SLAVE
    said = read_side(client, channel, channel.to_master, "PROOF")
    proved = any(frame.name == "PROOF" for frame in said)
    return said, read_side(server, channel, channel.from_master, "CHALLENGE" if proved else None)


def child(parent, *names):
    found = [node for node in parent if node.get("name") in names]
    if len(found) != 1:
        raise Differs(f"{len(found)} of {names} under {parent.get('name')}")
    return found[0]


def shown(of, path, parent):
    """A value in the vectors' form, out of tshark's tree."""
    if isinstance(of, fields.Option):
        of, node = of.of, child(parent, path, path + ".absent")
        if node.get("name") != path:
            return None
    else:
        node = child(parent, path)
    return shown_node(of, path, node)


def shown_fields(of, path, node):
    return {name: shown(inner, f"{path}.{name}", node) for name, inner in of.fields.items()}


def shown_node(of, path, node):
    raw = bytes.fromhex(node.get("value", ""))
    if isinstance(of, fields.Struct):
        return shown_fields(of, path, node)
    if isinstance(of, fields.List):
        entries = [entry for entry in node if entry.get("name") == path + ".entry"]
        if int(node.get("show")) != len(entries):
            raise Differs(f"{path} says {node.get('show')} and has {len(entries)}")
        # an entry's fields are called as the list's
        read = shown_fields if isinstance(of.of, fields.Struct) else lambda inner, _, entry: shown_node(inner, path + ".entry", entry)
        return [read(of.of, path, entry) for entry in entries]
    if isinstance(of, fields.Number):
        return int(node.get("show"))
    if isinstance(of, fields.Code):
        value = of.read(fields.Reader(raw))
        if not isinstance(of, fields.Bool) and f": {value} (" not in node.get("showname"):
            raise Differs(f"{path}: {node.get('showname')!r} does not name {value}")
        return value
    if isinstance(of, fields.Text):
        return raw.decode() if node.get("show") else ""
    if isinstance(of, fields.Blob) and "no bytes" in node.get("show", "") + node.get("showname", ""):
        return ""
    return raw.hex()


def compare(frame, proto):
    if child(proto, "piwheels.message").get("show") != frame.name:
        raise Differs(f"called {child(proto, 'piwheels.message').get('show')}")
    if int(child(proto, "piwheels.channel").get("show")) != frame.channel.number:
        raise Differs("another channel")
    found = shown_fields(frame.direction.by_name[frame.name].body, f"piwheels.{frame.group}.{frame.name.lower()}", proto)
    if found != frame.values:
        raise Differs(f"{found} instead of {frame.values}")
    if int(child(child(proto, "piwheels.crc"), "piwheels.crc.status").get("show")) != 1:
        raise Differs("its checksum is not called good")
    seals = [int(child(seal, "piwheels.seal.seq").get("show")) for seal in proto if seal.get("name") == "piwheels.seal"]
    if seals != ([] if frame.seq is None else [frame.seq]):
        raise Differs(f"seals {seals}, and should be {frame.seq}")


def complaints(node):
    return [found.get("show") for found in node.iter("field") if found.get("name") == "_ws.expert.message"]


def protos_of(pdml):
    """{(source, target): [what is shown of each frame and preamble]}, and what tshark itself calls malformed."""
    found, wrong = {}, []
    for _, packet in xml.etree.ElementTree.iterparse(pdml):
        if packet.tag != "packet":
            continue
        ip, tcp = packet.find("proto[@name='ip']"), packet.find("proto[@name='tcp']")
        ends = tuple((ip.find(f"field[@name='ip.{end}']").get("show"), int(tcp.find(f"field[@name='tcp.{end}port']").get("show")))
                     for end in ("src", "dst"))
        found.setdefault(ends, []).extend(packet.findall("proto[@name='piwheels']"))
        wrong += [f"{ends}: {proto.get('name')}" for proto in packet.findall("proto") if "malformed" in proto.get("name")]
        packet.clear()
    return found, wrong


def compare_side(protos, said):
    """What is wrong with one side of a connection."""
    for proto in protos:
        yield from complaints(proto)
    protos = [proto for proto in protos if proto.find("field[@name='piwheels.length']") is not None]
    if len(protos) != len(said):
        yield f"{len(protos)} frames shown of {len(said)}"
    for frame, proto in zip(said, protos):
        try:
            compare(frame, proto)
        except Differs as why:
            yield f"{frame}: {why}"


def main(root, path, pdml):
    found, wrong = protos_of(pdml)
    bad, seen = capture.bad_names(pathlib.Path(root)), set()
    for (client, server), (said, answered) in pcap.streams(path).items():
        if client[0] == capture.BAD:
            name = bad[client[1] - capture.FIRST_PORT]
            said = [text for proto in found[client, server] for text in complaints(proto)]
            if bool(said) == (name in SEEN_AS_GOOD):
                wrong.append(f"bad/{name}: {said}")
            continue
        for ends, side in zip(((client, server), (server, client)), read_connection(said, answered)):
            seen.update(map(str, side))
            wrong += [f"{ends}: {what}" for what in compare_side(found.get(ends, []), side)]
    print(*sorted(seen), sep="\n")
    print(*wrong, sep="\n", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
