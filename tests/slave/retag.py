"""Makes a directory for each kind of wheel that may be given a build tag. argv: DIRECTORY."""

import base64
import hashlib
import io
import os
import struct
import sys
import warnings
import zipfile

warnings.simplefilter("ignore")
INFO = "foo-1.0.dist-info/"
NAME = "foo-1.0-py3-none-any.whl"
WHEEL = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def place(case, name=NAME):
    directory = os.path.join(sys.argv[1], case)
    os.makedirs(directory, exist_ok=True)
    return os.path.join(directory, name)


def line(name, data):
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return "%s,sha256=%s,%d\n" % (name, digest, len(data))


class Pipe(io.RawIOBase):
    """A file that cannot be gone back in: zipfile then writes sizes behind the data."""

    def __init__(self, file):
        self.file = file

    def writable(self):
        return True

    def write(self, data):
        return self.file.write(data)


def files(wheel=WHEEL, record=None):
    found = {
        "foo/__init__.py": b"answer = 42\n",
        "foo/\u00fc.txt": b"ue" * 5000,
        INFO + "METADATA": b"Metadata-Version: 2.1\nName: foo\nVersion: 1.0\n",
        INFO + "WHEEL": wheel.encode(),
        INFO + "top_level.txt": b"foo\n",
    }
    lines = "".join(line(name, data) for name, data in found.items())
    found[INFO + "RECORD"] = (lines + INFO + "RECORD,,\n" if record is None else record).encode()
    # behind it, so that what follows has to move
    found["foo/last.bin"] = bytes(range(256)) * 8
    return found


def make(case, name=NAME, packing=zipfile.ZIP_DEFLATED, stream=False, long=False, comment=b"", more=(), **texts):
    path = place(case, name)
    with open(path, "wb") as file, zipfile.ZipFile(Pipe(file) if stream else file, "w", packing) as archive:
        archive.comment = comment
        for number, (key, data) in enumerate([*files(**texts).items(), *more]):
            entry = zipfile.ZipInfo(key, (2001, 2, 3, 4, 5, 2 * number))
            entry.external_attr = (0o100755 if number % 2 else 0o100640) << 16
            entry.extra = struct.pack("<2HBL", 0x5455, 5, 1, 981173106 + number)
            entry.compress_type = packing
            if long:
                with archive.open(entry, "w", force_zip64=True) as out:
                    out.write(data)
            else:
                archive.writestr(entry, data)
    return path


def without(case, key):
    path = make(case)
    with zipfile.ZipFile(path) as archive:
        kept = [(entry, archive.read(entry)) for entry in archive.infolist() if entry.filename != INFO + key]
    with zipfile.ZipFile(path, "w") as archive:
        for entry, data in kept:
            archive.writestr(entry, data)


def damage(path, change):
    with open(path, "rb") as file:
        data = change(file.read())
    with open(path, "wb") as file:
        file.write(data)


# what can have one
make("packed")
make("stored", packing=zipfile.ZIP_STORED)
make("streamed", stream=True)
make("long", long=True)
make("long-streamed", long=True, stream=True)
make("comment", comment=b"a comment")
make("windows", wheel=WHEEL.replace("\n", "\r\n"))
make("no-newline", wheel=WHEEL.rstrip())
make("had-one", "foo-1.0-7abc-py3-none-any.whl", wheel=WHEEL.replace("Tag", "BUILD: 7abc\nTag"))
make("had-two", wheel=WHEEL.replace("Tag", "Build: 8\nBuild: 9\nTag"))
make("had-this", "foo-1.0-3-py3-none-any.whl", wheel=WHEEL + "Build: 3\n")
make("behind-header", wheel=WHEEL + "\nBuild: 5\n")
make("two-wheels")
make("two-wheels", "foo-1.0-py2-none-any.whl", wheel=WHEEL.replace("py3", "py2"))
# what cannot
make("one-name")
make("one-name", "foo-1.0-1-py3-none-any.whl", wheel=WHEEL + "Build: 1\n")
without("no-wheel", "WHEEL")
without("no-record", "RECORD")
make("wheel-twice", more=[(INFO + "WHEEL", b"Tag: x\n")])
make("two-infos", more=[("bar-1.0.dist-info/METADATA", b"")])
make("signed", more=[(INFO + "RECORD.jws", b"{}")])
make("signed-too", more=[(INFO + "RECORD.p7s", b"x")])
make("record-without", record="foo/__init__.py,,\n")
make("record-twice", record=(INFO + "WHEEL,,\n") * 2)
make("folded", wheel=WHEEL + "Build: 1\n 2\n")
make("other-packing", packing=zipfile.ZIP_LZMA)
make("large-record", record="x" * (20 << 20))
damage(make("bomb", packing=zipfile.ZIP_DEFLATED, wheel=WHEEL + "x" * (40 << 20)), lambda data: data.replace(
    struct.pack("<L", len(WHEEL) + (40 << 20)), struct.pack("<L", 1000)))
make("two-ends", comment=b"PK\x05\x06 and more than enough for another end")
damage(make("text"), lambda data: b"not a wheel")
damage(make("cut"), lambda data: data[:-30])
damage(make("before"), lambda data: b"#!/bin/sh\n" + data)
damage(make("behind"), lambda data: data + b"more")
damage(make("encrypted"), lambda data: data.replace(
    b"PK\x01\x02\x14\x03\x14\0\0\0", b"PK\x01\x02\x14\x03\x14\0\1\0"))
damage(make("other-header", packing=zipfile.ZIP_STORED), lambda data: data.replace(
    (INFO + "WHEEL").encode(), (INFO + "WHEEK").encode(), 1))
