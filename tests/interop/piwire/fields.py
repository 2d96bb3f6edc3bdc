"""Field types (wire-spec/README.md, "Field types"): how a value stands on the wire, and its JSON form."""

import struct
import unicodedata


class Refused(Exception):
    """Bytes that the receiver must refuse: the field, where it is one of a message, and what is wrong with it."""

    def __init__(self, what, field=None):
        super().__init__(f"{field} {what}" if field else what)
        self.what, self.field = what, field


class Reader:
    """What is left of a message's fields."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, length):
        if length > self.left():
            raise Refused("is cut off")
        self.at += length
        return self.data[self.at - length : self.at]

    def left(self):
        return len(self.data) - self.at


class Number:
    """An integer, big-endian, within its bounds."""

    def __init__(self, code, least=None, most=None):
        self.form = struct.Struct(">" + code)
        self.least, self.most = least, most

    def check(self, value):
        if self.least is not None and value < self.least or self.most is not None and value > self.most:
            raise Refused("is out of its bounds")
        return value

    def read(self, reader):
        return self.check(self.form.unpack(reader.take(self.form.size))[0])

    def write(self, value):
        return self.form.pack(self.check(value))


class Code:
    """u8 with stated values; the names' places are the numbers, unless they begin at another."""

    def __init__(self, *names, first=0):
        self.names, self.first = names, first

    def read(self, reader):
        number = reader.take(1)[0] - self.first
        if not 0 <= number < len(self.names):
            raise Refused("has no such value")
        return self.names[number]

    def write(self, value):
        return bytes([self.names.index(value) + self.first])


class Bool(Code):
    def __init__(self):
        super().__init__(False, True)


class Bytes:
    """So many bytes; hexadecimal in JSON."""

    def __init__(self, length):
        self.length = length

    def read(self, reader):
        return reader.take(self.length).hex()

    def write(self, value):
        data = bytes.fromhex(value)
        if len(data) != self.length:
            raise Refused(f"is not {self.length} bytes")
        return data


class Text:
    def __init__(self, limit):
        self.limit = limit
        self.count = Number("H" if limit <= 65535 else "I")

    def check(self, data):
        try:
            text = data.decode()
        except UnicodeDecodeError:
            raise Refused("is not UTF-8") from None
        if any(unicodedata.category(c) == "Cc" and c not in "\t\n" for c in text):
            raise Refused("has control characters")
        return text

    def read(self, reader):
        length = self.count.read(reader)
        if length > self.limit:
            raise Refused("is too long")
        return self.check(reader.take(length))

    def write(self, value):
        data = value.encode()
        if len(data) > self.limit:
            raise Refused("is too long")
        self.check(data)
        return self.count.write(len(data)) + data


class Blob:
    def __init__(self, limit):
        self.limit = limit

    def read(self, reader):
        length = U32.read(reader)
        if length > self.limit:
            raise Refused("is too long")
        return reader.take(length).hex()

    def write(self, value):
        data = bytes.fromhex(value)
        if len(data) > self.limit:
            raise Refused("is too long")
        return U32.write(len(data)) + data


class List:
    def __init__(self, of, limit):
        self.of, self.limit = of, limit

    def check(self, count):
        if count > self.limit:
            raise Refused("has too many entries")
        return count

    def read(self, reader):
        return [self.of.read(reader) for _ in range(self.check(U16.read(reader)))]

    def write(self, value):
        return U16.write(self.check(len(value))) + b"".join(map(self.of.write, value))


class Option:
    def __init__(self, of):
        self.of = of

    def read(self, reader):
        there = reader.take(1)[0]
        if there > 1:
            raise Refused("is neither 0 nor 1")
        return self.of.read(reader) if there else None

    def write(self, value):
        return b"\0" if value is None else b"\1" + self.of.write(value)


class Struct:
    """Fields one after the other; an object in JSON."""

    def __init__(self, **fields):
        self.fields = fields

    def read(self, reader):
        return {name: of.read(reader) for name, of in self.fields.items()}

    def write(self, value):
        if set(value) != set(self.fields):
            raise ValueError(f"fields {sorted(value)} where {sorted(self.fields)} are wanted")
        return b"".join(of.write(value[name]) for name, of in self.fields.items())


U8, U16, U32, U64, I16, I64 = map(Number, "BHIQhq")
BOOL = Bool()
BUILD = Number("Q", 1, 2**63 - 1)
ID = Bytes(16)
BYTES32 = Bytes(32)
TOKEN = Struct(build=BUILD, secret=ID)
