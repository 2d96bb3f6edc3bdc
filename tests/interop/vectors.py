"""All golden vectors through the second codec, both ways: vectors.py SPEC [--names].

Prints what is wrong, a line each, and a summary; exit 1 where anything is. --names: only every message of the text's tables,
CHANNEL/DIRECTION NAME.
"""

import json
import pathlib
import sys

from piwire import auth, frames, messages, spec
from piwire.fields import Refused

CHANNELS = {channel.name: channel for channel in messages.CHANNELS}


def find(name, direction):
    """Channel and direction of a vector; the messages of auth.md are the slave channel's, too."""
    channel = CHANNELS["slave" if name == "auth" else name]
    return channel, channel.direction(direction)


def decode(channel, direction, data, seal=None):
    if frames.frame_length(channel, data[:4]) != len(data) - 4:
        raise Refused("not one whole frame")
    return frames.decode(direction, data[4:], seal)


def both_ways(found):
    for path, name, where, vector in found:
        channel, direction = find(name, where)
        data, fields = bytes.fromhex(vector["frame"]), vector["fields"]
        try:
            if decode(channel, direction, data) != (vector["message"], fields):
                yield f"{path}: decoded to {decode(channel, direction, data)}"
        except Refused as refused:
            yield f"{path}: refused: {refused}"
        if frames.encode(direction, vector["message"], fields) != data:
            yield f"{path}: encoded to {frames.encode(direction, vector['message'], fields).hex()}"


def refused(root):
    """Each frame of bad/ is refused, and for the field that the vector names."""
    for path in sorted((root / "vectors/bad").glob("*.json")):
        vector = json.loads(path.read_text(encoding="utf-8"))
        channel, direction = find(*vector["direction"].split("/"))
        try:
            yield f"{path}: taken as {decode(channel, direction, bytes.fromhex(vector['frame']))}"
        except Refused as refused:
            # "BYE: reason is too long" is about a field, "IDLE: 1 bytes too many" is not
            words = vector["refusal"].partition(": ")[2].split(" ")
            if refused.field != (words[0] if words[1:2] in (["is"], ["has"]) else None):
                yield f"{path}: refused for {refused}"


def sealed(root):
    """The connection of auth/: proofs, keys and seals."""
    by_name = {path.stem: json.loads(path.read_text(encoding="utf-8"))["fields"]
               for path in (root / "vectors/auth").glob("to-*/*.json")}
    derived = auth.Derivation(b"\1" * 32, messages.SLAVE, "pi-1", b"\2" * 32, b"\3" * 32)
    if derived.master_proof().hex() != by_name["challenge"]["proof"]:
        yield "auth: the master's proof is another"
    if derived.slave_proof().hex() != by_name["proof"]["proof"]:
        yield "auth: the slave's proof is another"
    for vector in json.loads((root / "vectors/auth/sealed.json").read_text(encoding="utf-8"))["sealed"]:
        direction = messages.SLAVE.direction(vector["direction"])
        key = derived.to_master() if vector["direction"] == "to-master" else derived.to_slave()
        data, name = bytes.fromhex(vector["frame"]), vector["opened"]
        seal = frames.Seal(key)
        seal.seq = vector["seq"]
        if decode(messages.SLAVE, direction, data, seal) != (name, {}):
            yield f"auth: {name} does not open"
        seal.seq = vector["seq"]
        if frames.encode(direction, name, {}, seal) != data:
            yield f"auth: {name} is sealed otherwise"
        for other, word in ((vector["seq"] + 1, "sent before"), (vector["seq"] - 1, "missing")):
            seal.seq = other
            try:
                decode(messages.SLAVE, direction, data, seal)
                yield f"auth: {name} is taken out of its turn"
            except Refused as refused:
                if word not in str(refused):
                    yield f"auth: {name} out of its turn: {refused}"
        forged = frames.Seal(b"\0" * 32)
        forged.seq = vector["seq"]
        try:
            decode(messages.SLAVE, direction, data, forged)
            yield f"auth: {name} is taken with any MAC"
        except Refused:
            pass


def complete(root, found):
    """Text, vectors and codec name the same messages."""
    tables = spec.tables(root)
    shown = {}
    for _, name, where, vector in found:
        shown.setdefault((name, where), set()).add(vector["message"])
    for (name, where), rows in tables.items():
        for message in sorted(set(rows.values()) - shown.get((name, where), set())):
            yield f"{name}/{where}: no vector of {message}"
        known = {message.tag: message.name for message in find(name, where)[1].by_tag.values()}
        is_auth = {"AUTH", "PROOF", "CHALLENGE", "REFUSED"}.__contains__
        known = {tag: message for tag, message in known.items() if is_auth(message) == (name == "auth")}
        if known != rows:
            yield f"{name}/{where}: the text has {rows}, the codec {known}"
    for key in shown.keys() - tables.keys():
        yield f"{key}: vectors of a direction that the text does not have"


def main(root, names=None):
    if names:
        for (name, where), rows in spec.tables(root).items():
            print(*(f"{name}/{where} {message}" for message in rows.values()), sep="\n")
        return 0
    found = spec.vectors(root)
    wrong = [*both_ways(found), *refused(root), *sealed(root), *complete(root, found)]
    print(*wrong, sep="\n")
    rows = sum(len(rows) for rows in spec.tables(root).values())
    print(f"{len(found)} vectors of {rows} messages, {len(wrong)} defects")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1]), *sys.argv[2:]))
