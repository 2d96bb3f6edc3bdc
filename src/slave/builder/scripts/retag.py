"""Gives the wheels in DIRECTORY a build tag (binary distribution format). argv: DIRECTORY NUMBER.

Each is written anew under its new name, and the old one removed: WHEEL has the tag as its one `Build` line, RECORD the new
hash and size of WHEEL. Everything else stays as it is, byte for byte and in its order: entries are copied packed, with
their headers, and only the places at which they stand are written anew. So two runs make the same file.
Exit code 0: done. 3: one cannot have it; the last line says why. 1: this machine cannot write it.
"""

import base64
import hashlib
import os
import re
import struct
import sys
import zlib

NAME = re.compile(r"(?P<name>[^-]+-[^-]+)(-\d[^-]*)?(?P<tags>-[^-]+-[^-]+-[^-]+\.whl)")
LARGEST_TEXT = 16 << 20
LARGEST_DIRECTORY = 32 << 20
MOST_ENTRIES = 200000
PIECE = 1 << 20
# APPNOTE 4.3.7, 4.3.12, 4.3.14 to 4.3.16, without their signatures
LOCAL, CENTRAL, END = struct.Struct("<4s5H3L2H"), struct.Struct("<4s6H3L5H2L"), struct.Struct("<4s4H2LH")
LOCATOR, END_64 = struct.Struct("<4sLQL"), struct.Struct("<4sQ2H2L4Q")
FULL, FULL_16 = 0xFFFFFFFF, 0xFFFF
ENCRYPTED, DESCRIPTOR = 1 << 0, 1 << 3
STORED, DEFLATED = 0, 8


class Bad(Exception):
    """Why a wheel cannot have a build tag."""


class Entry:
    """One file of the archive as its central directory has it."""

    def __init__(self, data, at):
        fields = list(CENTRAL.unpack_from(data, at))
        if fields[0] != b"PK\x01\x02":
            raise Bad("has a directory that is not one")
        self.fields = fields
        at += CENTRAL.size
        self.name, self.extra, self.comment = (
            data[at : at + fields[10]],
            data[at + fields[10] : at + fields[10] + fields[11]],
            data[at + fields[10] + fields[11] : at + sum(fields[10:13])],
        )
        self.bytes = CENTRAL.size + sum(fields[10:13])
        # those of size, packed size and place that do not fit into their own fields are in here, in this order
        self.long = b"".join(body for key, body in parts(self.extra) if key == 1)
        fits = [fields[9] != FULL, fields[8] != FULL, fields[16] != FULL]
        wanted = list(struct.unpack_from("<%dQ" % fits.count(False), self.long))
        self.size, self.packed, self.place = (
            fields[number] if fit else wanted.pop(0) for number, fit in zip((9, 8, 16), fits)
        )

    def header(self, place):
        """It, standing at another place."""
        fields, extra = list(self.fields), self.extra
        if self.fields[16] == FULL or place >= FULL:
            long = [n for n, field in ((self.size, 9), (self.packed, 8)) if fields[field] == FULL] + [place]
            extra = without_long(extra) + struct.pack("<2H%dQ" % len(long), 1, 8 * len(long), *long)
            fields[16] = FULL
            fields[2] = max(fields[2], 45)
        else:
            fields[16] = place
        fields[11] = len(extra)
        if len(extra) > FULL_16:
            raise Bad("has an entry with too many extras")
        return CENTRAL.pack(*fields) + self.name + extra + self.comment

    def replace(self, checksum, packed, size):
        """Makes it the entry of other bytes, whose sizes stand before them."""
        self.fields[3] &= ~DESCRIPTOR
        self.fields[7:10] = checksum, packed, size
        self.extra = without_long(self.extra)
        self.packed, self.size = packed, size
        if self.fields[16] == FULL:
            self.fields[16] = 0


def parts(extra):
    """The fields of an extra, as far as they are whole."""
    at = 0
    while at + 4 <= len(extra):
        key, length = struct.unpack_from("<2H", extra, at)
        yield key, extra[at + 4 : at + 4 + length]
        at += 4 + length


def without_long(extra):
    return b"".join(struct.pack("<2H", key, len(body)) + body for key, body in parts(extra) if key != 1)


class Archive:
    """A zip that is nothing but its entries, its directory and its end."""

    def __init__(self, file):
        self.file = file
        length = file.seek(0, os.SEEK_END)
        tail_at = max(0, length - END.size - FULL_16)
        tail = self.read(tail_at, length - tail_at)
        at = tail.rfind(b"PK\x05\x06")
        if at < 0 or at + END.size > len(tail):
            raise Bad("is no zip archive")
        _, disk, start_disk, here, self.entries, size, start, comment = END.unpack_from(tail, at)
        self.comment = tail[at + END.size :]
        if len(self.comment) != comment or disk or start_disk or here != self.entries:
            raise Bad("is no zip archive of one part that ends where it should")
        end = tail_at + at
        self.long = None
        if end >= LOCATOR.size + END_64.size:
            records = self.read(end - LOCATOR.size - END_64.size, END_64.size + LOCATOR.size)
            if records[END_64.size :].startswith(b"PK\x06\x07"):
                end -= len(records)
                self.long = list(END_64.unpack_from(records))
                if self.long[0] != b"PK\x06\x06" or self.long[1] != END_64.size - 12:
                    raise Bad("has two ends that differ")
                self.entries, size, start = self.long[7:10]
        if size > LARGEST_DIRECTORY or self.entries > MOST_ENTRIES:
            raise Bad("has %d entries, whose directory has %d bytes" % (self.entries, size))
        if start + size != end:
            raise Bad("has a directory that is not at its end")
        self.start = start
        data = self.read(start, size)
        self.directory, at = [], 0
        while at < len(data):
            entry = Entry(data, at)
            at += entry.bytes
            self.directory.append(entry)
        if at != len(data) or len(self.directory) != self.entries:
            raise Bad("has other entries than its end says")

    def read(self, at, length):
        self.file.seek(at)
        data = self.file.read(length)
        if len(data) != length:
            raise Bad("is cut off")
        return data

    def find(self, name):
        found = [entry for entry in self.directory if entry.name == name]
        if len(found) != 1:
            raise Bad("has %d files %s" % (len(found), shown(name)))
        return found[0]

    def local(self, entry):
        """An entry's own header, which must be the one that its directory names; its name and extra; where its data begins."""
        fields = list(LOCAL.unpack(self.read(entry.place, LOCAL.size)))
        rest = self.read(entry.place + LOCAL.size, fields[9] + fields[10])
        name, extra = rest[: fields[9]], rest[fields[9] :]
        if fields[0] != b"PK\x03\x04" or name != entry.name or fields[3] != entry.fields[4]:
            raise Bad("has an entry that is not what its directory says: " + shown(entry.name))
        if (fields[2] | entry.fields[3]) & ENCRYPTED or fields[3] not in (STORED, DEFLATED):
            raise Bad("has %s encrypted, or packed in a way that is not known here" % shown(entry.name))
        return fields, name, extra, entry.place + LOCAL.size + len(rest)

    def text(self, entry):
        if entry.size > LARGEST_TEXT or entry.packed > LARGEST_TEXT:
            raise Bad("%s has %d bytes" % (shown(entry.name), max(entry.size, entry.packed)))
        fields, _, _, at = self.local(entry)
        data = self.read(at, entry.packed)
        if fields[3] == DEFLATED:
            data = zlib.decompressobj(-15).decompress(data, LARGEST_TEXT)
        if len(data) != entry.size or zlib.crc32(data) != entry.fields[7]:
            raise Bad("has %s with other bytes than it promises" % shown(entry.name))
        return data

    def copy(self, begin, end, out):
        self.file.seek(begin)
        while begin < end:
            piece = self.file.read(min(PIECE, end - begin))
            if not piece:
                raise Bad("is cut off")
            out.write(piece)
            begin += len(piece)

    def packed(self, entry, text):
        """An entry's header and data with another text in it. It is packed as it was."""
        fields, name, extra, _ = self.local(entry)
        data, extra = text, without_long(extra)
        if fields[3] == DEFLATED:
            packer = zlib.compressobj(9, zlib.DEFLATED, -15)
            data = packer.compress(text) + packer.flush()
        entry.replace(zlib.crc32(text), len(data), len(text))
        fields[2] &= ~DESCRIPTOR
        fields[6:9] = entry.fields[7:10]
        fields[10] = len(extra)
        return LOCAL.pack(*fields) + name + extra + data

    def write(self, texts, out):
        """Writes it to `out`, with these texts in the place of some entries'."""
        places = sorted({entry.place for entry in self.directory} | {self.start})
        if places[0] != 0 or places[-1] != self.start:
            raise Bad("has something before its first entry, or entries behind its directory")
        ends = dict(zip(places, places[1:]))
        new = {entry.place: self.packed(entry, text) for entry, text in texts}
        if len(new) != len(texts) or any(self.shares(entry) for entry, _ in texts):
            raise Bad("has entries that are in one place")
        moved = {}
        for place in places[:-1]:
            moved[place] = out.tell()
            if place in new:
                out.write(new[place])
            else:
                self.copy(place, ends[place], out)
        start = out.tell()
        for entry in self.directory:
            out.write(entry.header(moved[entry.place]))
        self.write_end(start, out.tell() - start, out)

    def shares(self, entry):
        return sum(other.place == entry.place for other in self.directory) > 1

    def write_end(self, start, size, out):
        end = out.tell()
        if self.long or start >= FULL:
            long = self.long or [b"PK\x06\x06", END_64.size - 12, 45, 45, 0, 0, self.entries, self.entries, 0, 0]
            out.write(END_64.pack(*long[:8], size, start) + LOCATOR.pack(b"PK\x06\x07", 0, end, 1))
        entries = min(self.entries, FULL_16)
        short = [b"PK\x05\x06", 0, 0, entries, entries, size, min(start, FULL), len(self.comment)]
        out.write(END.pack(*short) + self.comment)


def shown(name):
    return ascii(name.decode("utf-8", "surrogateescape"))[1:-1]


def with_build(wheel, number):
    """WHEEL with this one `Build` line: in the place of the one that it had, or as the last line of its header."""
    lines = wheel.splitlines(keepends=True)
    header = next((at for at, line in enumerate(lines) if not line.strip()), len(lines))
    had = [at for at, line in enumerate(lines[:header]) if line.lower().startswith(b"build:")]
    if any(line[:1] in b" \t" for line in lines[:header]):
        raise Bad("its WHEEL has lines that go on")
    end = b"\r\n" if lines and lines[0].endswith(b"\r\n") else b"\n"
    if header and not lines[header - 1].endswith(b"\n"):
        lines[header - 1] += end
    new = b"Build: %d" % number + end
    kept = [line for at, line in enumerate(lines) if at not in had]
    kept.insert(had[0] if had else header, new)
    return b"".join(kept)


def with_record(record, path, wheel):
    """RECORD with the hash and size of this WHEEL; its other lines as they are."""
    lines = record.splitlines(keepends=True)
    found = [at for at, line in enumerate(lines) if line.startswith((path + b",", b'"' + path + b'",'))]
    if len(found) != 1:
        raise Bad("its RECORD has %d lines for %s" % (len(found), shown(path)))
    line = lines[found[0]]
    digest = base64.urlsafe_b64encode(hashlib.sha256(wheel).digest()).rstrip(b"=")
    end = line[len(line.rstrip(b"\r\n")) :]
    lines[found[0]] = path + b",sha256=" + digest + b",%d" % len(wheel) + end
    return b"".join(lines)


def retag(path, target, number):
    with open(path, "rb") as file:
        archive = Archive(file)
        names = {entry.name for entry in archive.directory}
        infos = {name.split(b"/")[0] for name in names if re.match(rb"[^/]+\.dist-info/", name)}
        if len(infos) != 1:
            raise Bad("has %d .dist-info directories" % len(infos))
        info = infos.pop()
        for signature in (info + b"/RECORD.jws", info + b"/RECORD.p7s"):
            if signature in names:
                raise Bad("is signed, and would not be with a build tag: it has " + shown(signature))
        wheel, record = archive.find(info + b"/WHEEL"), archive.find(info + b"/RECORD")
        new_wheel = with_build(archive.text(wheel), number)
        new_record = with_record(archive.text(record), wheel.name, new_wheel)
        with open(target + ".part", "xb") as out:
            archive.write([(wheel, new_wheel), (record, new_record)], out)
    os.remove(path)
    os.rename(target + ".part", target)


def main():
    directory, number = sys.argv[1], int(sys.argv[2])
    names = sorted(name for name in os.listdir(directory) if name.endswith(".whl"))
    name, targets = "", {}
    try:
        for name in names:
            parts = NAME.fullmatch(name)
            if not parts:
                raise Bad("is no wheel's name")
            target = "%s-%d%s" % (parts["name"], number, parts["tags"])
            if target in targets.values():
                raise Bad("would have the name of another wheel beside it with build tag %d" % number)
            targets[name] = target
        for name in names:
            retag(os.path.join(directory, name), os.path.join(directory, targets[name]), number)
    except Bad as e:
        print("piw-slave: bad wheel: %s %s" % (ascii(name)[1:-1], e), flush=True)
        return 3
    except OSError as e:
        print("piw-slave: %s: %s" % (ascii(name)[1:-1], e), flush=True)
        return 1
    except Exception as e:
        # whatever cannot be read cannot be written anew
        print("piw-slave: bad wheel: %s cannot be read: %s: %s" % (ascii(name)[1:-1], type(e).__name__, ascii(str(e))), flush=True)
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
