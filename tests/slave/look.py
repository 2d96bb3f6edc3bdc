"""Says what a wheel is made of, a line each, as JSON: its entries without their bytes, then those. argv: WHEEL."""

import base64
import hashlib
import json
import sys
import zipfile

with open(sys.argv[1], "rb") as file, zipfile.ZipFile(file) as archive:
    for entry in archive.infolist():
        # the header of its own has another length than the directory's copy
        file.seek(entry.header_offset + 26)
        name, extra = (int.from_bytes(file.read(2), "little") for _ in range(2))
        file.seek(entry.header_offset)
        header = file.read(30 + name + extra)
        packed = file.read(entry.compress_size)
        kept = [entry.filename, list(entry.date_time), entry.external_attr, entry.compress_type, entry.create_system]
        text = archive.read(entry)
        changed = [header.hex(), hashlib.sha256(packed).hexdigest(), entry.extra.hex(), entry.flag_bits]
        print(json.dumps([kept, changed, text.decode("latin-1") if "dist-info" in entry.filename else len(text)]))
    info = next(name for name in archive.namelist() if name.endswith(".dist-info/RECORD"))
    for line in archive.read(info).decode().splitlines():
        name, digest, size = line.rsplit(",", 2)
        if name != info:
            data = archive.read(name)
            found = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
            assert (digest, size) == ("sha256=" + found, str(len(data))), line
    assert archive.testzip() is None
