import base64
import hashlib
import os
import sys
import sysconfig
import time
import zipfile

INFO = f"{NAME}-{VERSION}.dist-info"
METADATA = f"Metadata-Version: 2.1\nName: {NAME}\nVersion: {VERSION}\nRequires-Python: >=3.7\n"
METADATA += "".join(f"Requires-Dist: {line}\n" for line in REQUIRES)


def get_requires_for_build_wheel(config_settings=None):
    return []


def tag():
    if not NATIVE:
        return "py3-none-any"
    python = "cp%d%d" % sys.version_info[:2]
    platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
    return f"{python}-{python}-{platform}"


def wheel_file():
    return f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: false\nTag: {tag()}\n"


def prepare_metadata_for_build_wheel(directory, config_settings=None):
    os.mkdir(os.path.join(directory, INFO))
    for name, text in (("METADATA", METADATA), ("WHEEL", wheel_file())):
        with open(os.path.join(directory, INFO, name), "w") as out:
            out.write(text)
    return INFO


def build_wheel(directory, config_settings=None, metadata_directory=None):
    print("the backend begins", flush=True)
    while GATE and not os.path.exists(GATE):
        time.sleep(0.02)
    if FAILS:
        sys.exit("this package cannot be built")
    contents = {
        f"{NAME}/__init__.py": b"answer = 42\n",
        f"{NAME}/noise": os.urandom(BYTES),
        f"{INFO}/METADATA": METADATA.encode(),
        f"{INFO}/WHEEL": wheel_file().encode(),
    }
    record = ""
    for path, data in contents.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        record += f"{path},sha256={digest},{len(data)}\n"
    contents[f"{INFO}/RECORD"] = (record + f"{INFO}/RECORD,,\n").encode()
    name = f"{NAME}-{VERSION}-{tag()}.whl"
    with zipfile.ZipFile(os.path.join(directory, name), "w") as wheel:
        for path, data in contents.items():
            wheel.writestr(path, data)
    return name
