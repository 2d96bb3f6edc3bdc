"""A wheel (binary distribution format), made of nothing."""

import base64
import hashlib
import io
import zipfile


def wheel(name, version, tags, ballast=b""):
    """(file name, bytes) of one whose module says its version."""
    info = f"{name}-{version}.dist-info"
    parts = {
        f"{name}.py": f"VERSION = {version!r}\n".encode(),
        f"{name}.bin": ballast,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode(),
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: a peer\nRoot-Is-Purelib: false\nTag: {tags}\n".encode(),
    }
    record = ""
    for path, data in parts.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        record += f"{path},sha256={digest},{len(data)}\n"
    parts[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for path, data in parts.items():
            archive.writestr(path, data)
    return f"{name}-{version}-{tags}.whl", packed.getvalue()
