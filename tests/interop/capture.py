"""The golden vectors as a capture, for the dissector: capture.py SPEC CAPTURE.

Connections to port 5555: each channel's vectors, AUTH and its like apart; every value of every code; a sealed one; one whose
preambles are missing; one for each of vectors/bad, in the order of their names.
"""

import json
import pathlib
import sys

from piwire import fields, frames, messages, pcap, spec

# so short that nearly every frame is in several segments
SIZES = (8, 3, 50, 1, 11)
MASTER, FIRST_PORT = ("10.0.0.1", 5555), 20_000
PLAIN, CODES, SEALED, LATE, BAD = (f"10.0.1.{place}" for place in range(5))
CHANNELS = {channel.name: channel for channel in messages.CHANNELS}


class Writer:
    def __init__(self, root, path):
        self.root, self.capture = root / "vectors", pcap.Capture(path)
        self.vectors = {}
        for _, name, where, vector in spec.vectors(root):
            self.vectors.setdefault((name, where), []).append(vector)

    def read(self, name):
        return json.loads((self.root / name).read_text(encoding="utf-8"))

    def say(self, client, channel, sides, preamble=True, sizes=SIZES):
        """A connection; `sides` are the frames of both, in hexadecimal."""
        connection = pcap.Connection(self.capture, client, MASTER)
        for end, data in enumerate(sides):
            data = b"".join(map(bytes.fromhex, data))
            connection.send(end, (frames.preamble(channel) if preamble else b"") + data, sizes)

    def plain(self):
        for place, name in enumerate(dict.fromkeys(name for name, _ in self.vectors)):
            sides = {where == "to-master": [vector["frame"] for vector in found]
                     for (of, where), found in self.vectors.items() if of == name}
            self.say((PLAIN, FIRST_PORT + place), CHANNELS["slave" if name == "auth" else name], (sides[True], sides[False]))

    def codes(self):
        for place, channel in enumerate(messages.CHANNELS):
            sides = [[frames.encode(direction, name, other).hex()
                      for name, value in self.fullest(channel.name, where) for other in variants(direction.by_name[name].body, value)]
                     for direction, where in ((channel.to_master, "to-master"), (channel.from_master, f"to-{channel.peer}"))]
            self.say((CODES, FIRST_PORT + place), channel, sides, sizes=(pcap.SEGMENT,))

    def fullest(self, name, where):
        """Of each message the vector that has most in it."""
        found = sorted(self.vectors[name, where], key=lambda vector: len(vector["frame"]))
        return {vector["message"]: vector["fields"] for vector in found}.items()

    def sealed(self):
        sealed = self.read("auth/sealed.json")["sealed"]
        sides = [[self.read(f"auth/{where}/{name}.json")["frame"] for name in names] +
                 [vector["frame"] for vector in sealed if vector["direction"] == where]
                 for where, names in (("to-master", ("auth", "proof")), ("to-slave", ("challenge",)))]
        self.say((SEALED, FIRST_PORT), messages.SLAVE, sides)

    def late(self):
        sides = [[self.read(f"slave/{name}.json")["frame"]] for name in ("to-master/busy", "to-slave/build")]
        self.say((LATE, FIRST_PORT), messages.SLAVE, sides, preamble=False)

    def bad(self):
        for place, name in enumerate(bad_names(self.root.parent)):
            vector = self.read(f"bad/{name}.json")
            self.say((BAD, FIRST_PORT + place), CHANNELS[vector["direction"].split("/")[0]], ([vector["frame"]], []))


def bad_names(root):
    return sorted(path.stem for path in (root / "vectors/bad").glob("*.json"))


def variants(of, value):
    """The value with another value of one of its codes, for each of these."""
    if value is None:
        return
    if isinstance(of, fields.Code):
        yield from of.names
    elif isinstance(of, fields.Option):
        yield from variants(of.of, value)
    elif isinstance(of, fields.Struct):
        for name, inner in of.fields.items():
            yield from ({**value, name: other} for other in variants(inner, value[name]))
    elif isinstance(of, fields.List):
        for place, entry in enumerate(value):
            yield from (value[:place] + [other] + value[place + 1 :] for other in variants(of.of, entry))


def main(root, path):
    writer = Writer(pathlib.Path(root), path)
    for part in (writer.plain, writer.codes, writer.sealed, writer.late, writer.bad):
        part()
    writer.capture.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
