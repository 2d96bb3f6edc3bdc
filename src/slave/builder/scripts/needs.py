"""Which Debian packages of this system a wheel needs: its ELF files' DT_NEEDED, less what it brings and what every system has.

Runs nothing of the wheel and loads nothing of it. Whoever made the files may have made them odd: each read is bounded, and
what cannot be read needs nothing. Stands before check.py, which calls it.
"""

import glob
import os
import re
import struct

# What python3 and dpkg stand on, so that no Debian is without: libc's parts, the compiler's run-time, the interpreter, zlib.
EVERYWHERE = re.compile(r"(ld-linux.*|libc|libm|libdl|librt|libpthread|libutil|libresolv|libnsl|libanl|libgcc_s|libstdc\+\+|libz|libpython[0-9.]+[a-z]*)\.so(\.[0-9.]+)?")
SONAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+~-]{0,199}")
PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.-]{1,99}")
INFO = "/var/lib/dpkg/info"
MOST_FILES = 500
MOST_NEEDED = 100
MOST_PACKAGES = 64
LARGEST_ELF = 1 << 30
LARGEST_TABLE = 1 << 20


def at(file, offset, length):
    file.seek(offset)
    return file.read(length)


def needed_by(file, size):
    """The libraries that an ELF file asks for, by the segments that the loader reads; sections are for linkers."""
    head = at(file, 0, 64)
    if head[:4] != b"\x7fELF" or head[4] not in (1, 2) or head[5] not in (1, 2):
        return []
    wide, order = head[4] == 2, "<" if head[5] == 1 else ">"
    place = struct.unpack_from(order + ("Q" if wide else "I"), head, 32 if wide else 28)[0]
    entry, count = struct.unpack_from(order + "HH", head, 54 if wide else 42)
    if entry != (56 if wide else 32) or count > 64 or place > size:
        return []
    loads, dynamic = [], None
    table = at(file, place, entry * count)
    for n in range(count):
        if wide:
            kind, _, offset, address, _, length = struct.unpack_from(order + "IIQQQQ", table, n * entry)
        else:
            kind, offset, address, _, length = struct.unpack_from(order + "IIIII", table, n * entry)
        if kind == 1:
            loads.append((address, offset, length))
        elif kind == 2 and dynamic is None:
            dynamic = (offset, min(length, LARGEST_TABLE))
    if dynamic is None or dynamic[0] > size:
        return []
    names, strings = [], {}
    for tag, value in struct.iter_unpack(order + ("qQ" if wide else "iI"), whole(at(file, *dynamic), 16 if wide else 8)):
        if tag == 0:
            break
        if tag == 1 and len(names) < MOST_NEEDED:
            names.append(value)
        elif tag in (5, 10):
            strings[tag] = value
    for address, offset, length in loads:
        if names and address <= strings.get(5, -1) < address + length:
            begin = offset + strings[5] - address
            if begin > size:
                return []
            table = at(file, begin, min(strings.get(10, 0), LARGEST_TABLE))
            found = [table[name:table.find(b"\0", name)] for name in names if name < len(table)]
            return [text.decode("ascii", "replace") for text in found]
    return []


def whole(data, unit):
    return data[:len(data) // unit * unit]


def needs(archive):
    """The libraries that a wheel's ELF files ask for and the wheel does not bring."""
    brings, asked = set(), set()
    elves = 0
    for entry in archive.infolist():
        brings.add(entry.filename.rsplit("/", 1)[-1])
        if elves >= MOST_FILES or not 64 <= entry.file_size <= LARGEST_ELF:
            continue
        try:
            with archive.open(entry) as file:
                if file.read(4) == b"\x7fELF":
                    elves += 1
                    asked.update(needed_by(file, entry.file_size))
        except Exception:
            # odd, or damaged: the check says what is to be said of it
            continue
    return {name for name in asked - brings if SONAME.fullmatch(name) and not EVERYWHERE.fullmatch(name)}


def places(names):
    """Under which paths dpkg may know these libraries, and what they are called."""
    known = {}
    for top in ("/lib", "/usr/lib", "/lib/*-linux-*", "/usr/lib/*-linux-*"):
        for directory in glob.glob(top):
            for name in names:
                path = directory + "/" + name
                if not os.path.exists(path):
                    continue
                # the name itself, and behind alternatives the file; either may be listed from before /lib was a link
                for one in (path, os.path.realpath(path)):
                    one = one[4:] if one.startswith("/usr/lib") else one
                    known[one] = name
                    known["/usr" + one] = name
    return known


def packages(names):
    """The packages of this system that these libraries are in; none where there is no dpkg."""
    found = set()
    known = places(names) if names else {}
    try:
        lists = sorted(name for name in os.listdir(INFO) if name.endswith(".list")) if known else []
    except OSError:
        return []
    for name in lists:
        package = name[:-5].split(":")[0]
        try:
            with open(os.path.join(INFO, name), encoding="utf-8", errors="replace") as file:
                here = known.keys() & set(file.read().split("\n"))
        except OSError:
            continue
        if here and PACKAGE.fullmatch(package) and not package.endswith(("-dev", "-")):
            found.add(package)
    return sorted(found)[:MOST_PACKAGES]
