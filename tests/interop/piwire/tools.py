"""What people's tools do: the import, the status and the control channel."""

import hashlib
import json

from .link import Link
from .messages import CONTROL, IMPORT, STATUS


class NotDone(Exception):
    """ERROR: the reasons."""


class Orders:
    """The control channel: one command, one answer."""

    def __init__(self, path):
        self.link = Link.connect(path, CONTROL)

    def order(self, command, /, **fields):
        """How many slaves it concerns."""
        self.link.say(command, **fields)
        name, answer = self.link.expect("DONE", "ERROR")
        if name == "ERROR":
            raise NotDone(answer["reason"])
        return answer["affected"]


class Importer:
    """The import channel: one request, one answer in JSON."""

    def __init__(self, path):
        self.link = Link.connect(path, IMPORT)

    def ask(self, request, /, **fields):
        self.link.say(request, **fields)
        return self.answer(*self.link.expect("DONE", "ERROR"))

    @staticmethod
    def answer(name, fields):
        if name == "ERROR":
            raise NotDone(*fields["reasons"])
        return json.loads(fields["json"])

    def bring(self, files, output, **fields):
        """IMPORT of {name: bytes}; the bytes go as they are asked for."""
        self.link.say("IMPORT", output=output.hex(), files=[
            dict(filename=name, size=len(data), sha256=hashlib.sha256(data).hexdigest()) for name, data in files.items()],
            **fields)
        data = None
        turn = iter(range(len(files)))
        while True:
            name, said = self.link.expect("SEND", "FETCH", "DONE", "ERROR")
            if name == "SEND":
                assert said["index"] == next(turn), said
                data = list(files.values())[said["index"]]
            elif name == "FETCH":
                piece = data[said["offset"] : said["offset"] + said["length"]]
                assert len(piece) == said["length"], said
                self.link.say("CHUNK", offset=said["offset"], data=piece.hex())
            else:
                return self.answer(name, said)


class Monitor:
    """The status channel: the whole picture, and then what changes."""

    def __init__(self, path):
        self.link = Link.connect(path, STATUS)
        self.link.say("HELLO")
        self.first = self.read_picture()

    def read_picture(self):
        """The first picture, which must come in the order of the text."""
        order = ["HELLO", "SLAVE", "STATS", "TREND", "RECORDED", "OUTCOMES", "HEALTH", "FARM"]
        picture, at = [], 0
        while not picture or picture[-1][0] != "FARM":
            name, fields = self.link.hear()
            assert order.index(name) >= at, f"{name} behind {order[at]}"
            at = order.index(name)
            picture.append((name, fields))
        names = [name for name, _ in picture]
        assert all(names.count(name) == 1 for name in ("HELLO", "STATS", "OUTCOMES", "HEALTH", "FARM")), names
        return picture

    def wait(self, name, /, **wanted):
        """The next message of this name in which these fields are so; what comes meanwhile is passed over."""
        while True:
            heard, fields = self.link.hear()
            if heard == name and all(fields[field] == value for field, value in wanted.items()):
                return fields

    def wait_slave(self, **wanted):
        while True:
            slave = self.wait("SLAVE")["slave"]
            if all(slave[field] == value for field, value in wanted.items()):
                return slave

    def follow(self, slave_id):
        self.link.say("SUBSCRIBE", slave=slave_id)
