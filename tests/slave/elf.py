"""Small ELF files that ask for libraries, of each class and byte order."""

import struct


def elf(needed, wide=True, order="<"):
    strings, names = b"\0", []
    for name in needed:
        names.append(len(strings))
        strings += name.encode() + b"\0"
    head, entry = (64, 56) if wide else (52, 32)
    # program headers behind the head, then the strings, then what is dynamic, at an address of its own
    table = head + 2 * entry
    place = table + len(strings)
    base = 0x10000
    pair = order + ("qQ" if wide else "iI")
    tags = [(1, name) for name in names] + [(5, base + table), (10, len(strings)), (0, 0)]
    dynamic = b"".join(struct.pack(pair, *tag) for tag in tags)
    size = place + len(dynamic)
    ident = b"\x7fELF" + bytes([2 if wide else 1, 1 if order == "<" else 2, 1]) + bytes(9)
    if wide:
        headers = struct.pack(order + "IIQQQQQQ", 1, 5, 0, base, base, size, size, 4096)
        headers += struct.pack(order + "IIQQQQQQ", 2, 6, place, base + place, 0, len(dynamic), len(dynamic), 8)
        start = ident + struct.pack(order + "HHIQQQIHHHHHH", 3, 62, 1, 0, head, 0, 0, head, entry, 2, 0, 0, 0)
    else:
        headers = struct.pack(order + "IIIIIIII", 1, 0, base, base, size, size, 5, 4096)
        headers += struct.pack(order + "IIIIIIII", 2, place, base + place, 0, len(dynamic), len(dynamic), 6, 4)
        start = ident + struct.pack(order + "HHIIIIIHHHHHH", 3, 40, 1, 0, head, 0, 0, head, entry, 2, 0, 0, 0)
    return start + headers + strings + dynamic
