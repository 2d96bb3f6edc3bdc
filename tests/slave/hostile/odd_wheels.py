"""Makes a directory for each way in which a wheel of foo 1.0 can be odd. argv: DIRECTORY."""

import copy
import os
import sys
import warnings
import zipfile

warnings.simplefilter("ignore")
INFO = "foo-1.0.dist-info/"
TEXTS = {
    INFO + "METADATA": "Metadata-Version: 2.1\nName: Foo\nVersion: 1.0.0\n",
    INFO + "WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    INFO + "RECORD": "",
    "foo.bin": "x" * 1000,
}


def place(case, name="foo-1.0-py3-none-any.whl"):
    directory = os.path.join(os.fsencode(sys.argv[1]), os.fsencode(case))
    os.makedirs(directory, exist_ok=True)
    return os.path.join(directory, os.fsencode(name))


def wheel(case, name="foo-1.0-py3-none-any.whl", leave_out=(), compression=zipfile.ZIP_STORED, change=None, **texts):
    names = {"metadata": INFO + "METADATA", "wheel": INFO + "WHEEL"}
    files = {key: text for key, text in TEXTS.items() if key not in leave_out}
    files.update({names.get(key, key): text for key, text in texts.items()})
    path = place(case, name)
    with open(path, "wb") as file, zipfile.ZipFile(file, "w", compression) as archive:
        for key, text in files.items():
            archive.writestr(key, text)
        if change:
            change(archive)
    return path


def adding(name, text="x"):
    return lambda archive: archive.writestr(name, text)


def promising(archive):
    """Twenty names of one small file, each of which is said to be large."""
    first = archive.infolist()[-1]
    for number in range(20):
        entry = copy.copy(first)
        entry.filename = "foo%d.bin" % number
        entry.file_size = 0xFFFFFFF0
        archive.filelist.append(entry)
        archive.NameToInfo[entry.filename] = entry


def damage(path, change):
    with open(path, "r+b") as file:
        data = file.read()
        file.seek(0)
        file.truncate()
        file.write(change(data))


wheel("good")
wheel("compressed", compression=zipfile.ZIP_DEFLATED)
path = wheel("other-files")
for name in ["notes.txt", "no\nwheel", "x" * 255]:
    open(os.path.join(os.path.dirname(path), os.fsencode(name)), "w").close()
os.mkfifo(place("fifo"))
open(place("empty"), "w").close()
damage(wheel("text"), lambda data: b"not a wheel")
damage(wheel("cut"), lambda data: data[:-30])
damage(wheel("changed"), lambda data: data.replace(b"x" * 1000, b"y" * 1000))
wheel("other-name", metadata="Name: bar\nVersion: 1.0\n")
wheel("no-name", metadata="Version: 1.0\n")
wheel("other-version", metadata="Name: foo\nVersion: 2.0\n")
wheel("no-version", metadata="Name: foo\nVersion: x y\n")
wheel("other-tags", wheel="Tag: py3-none-win32\n")
wheel("other-python", "foo-1.0-cp27-cp27m-win32.whl")
wheel("other-project", "bar-1.0-py3-none-any.whl")
wheel("above", change=adding("../../escaped"))
wheel("absolute", change=adding("/etc/escaped"))
wheel("drive", change=adding("C:/escaped"))
wheel("backslashes", change=adding("a\\..\\..\\escaped"))
wheel("twice", change=adding(INFO + "METADATA", "Name: bar\nVersion: 1.0\n"))
wheel("two-infos", change=adding("bar-1.0.dist-info/METADATA"))
wheel("no-info", leave_out=[key for key in TEXTS if key.startswith(INFO)])
wheel("no-record", leave_out=[INFO + "RECORD"])
wheel("large-text", compression=zipfile.ZIP_DEFLATED, metadata="x" * (20 << 20))
wheel("bomb", change=promising)
wheel("no-text", metadata=b"Name: foo\nVersion: 1.0\n\n\xff")
wheel("newline", "foo-1.0-py3-none-any\n.whl")
wheel("bytes", b"foo-1.0-\xff-none-any.whl")
wheel("long", "foo-1.0-py3-none-%s.whl" % ("x" * (255 - len("foo-1.0-py3-none-.whl"))))
wheel("no-wheels-name", "foo.whl")
