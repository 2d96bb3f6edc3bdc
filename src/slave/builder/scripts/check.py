"""Looks at the wheels in DIRECTORY: are they sound wheels of NAME VERSION for this interpreter? argv: DIRECTORY NAME VERSION.

Exit code 0: they are; the last lines name the packages that they need (needs.py). 3: one is not; the last line says what is
wrong.
"""

import email
import os
import re
import sys
import zipfile

from pip._vendor.packaging import tags
from pip._vendor.packaging.utils import canonicalize_name
from pip._vendor.packaging.version import InvalidVersion, Version

NAME = re.compile(r"(?P<name>[^-]+)-(?P<version>[^-]+)(-(?P<build>\d[^-]*))?-(?P<python>[^-]+)-(?P<abi>[^-]+)-(?P<platform>[^-]+)\.whl")
LARGEST_TEXT = 16 << 20
LARGEST_TOTAL = 32 << 30
PIECE = 1 << 20


class Bad(Exception):
    """What is wrong with a wheel."""


def text(archive, name):
    try:
        entry = archive.getinfo(name)
    except KeyError:
        raise Bad("has no " + name) from None
    if entry.file_size > LARGEST_TEXT:
        raise Bad("%s has %d bytes" % (name, entry.file_size))
    return archive.read(entry).decode("utf-8")


def check_entries(archive):
    """Every file can be unpacked, within the wheel's directory, to the bytes that the archive promises."""
    # all promises first: nothing is unpacked of an archive that promises too much
    total, names = 0, set()
    for entry in archive.infolist():
        total += entry.file_size
        if total > LARGEST_TOTAL:
            raise Bad("unpacks to more than %d bytes" % LARGEST_TOTAL)
        parts = entry.filename.replace("\\", "/").split("/")
        if entry.filename.startswith(("/", "\\")) or ".." in parts or ":" in parts[0]:
            raise Bad("has a file outside itself: " + ascii(entry.filename))
        if entry.filename in names:
            # one program would install the first, another the last
            raise Bad("has two files of one name: " + ascii(entry.filename))
        names.add(entry.filename)
    for entry in archive.infolist():
        with archive.open(entry) as file:
            while file.read(PIECE):
                pass


def check(path, project, version, libraries):
    name = os.path.basename(path)
    parts = NAME.fullmatch(name)
    if not parts:
        raise Bad("is no wheel's name")
    expanded = {
        tags.Tag(python, abi, platform)
        for python in parts["python"].split(".")
        for abi in parts["abi"].split(".")
        for platform in parts["platform"].split(".")
    }
    if expanded.isdisjoint(tags.sys_tags()):
        raise Bad("is not for this interpreter")
    with zipfile.ZipFile(path) as archive:
        check_entries(archive)
        infos = {entry.split("/")[0] for entry in archive.namelist() if ".dist-info/" in entry}
        infos = [info for info in infos if info.endswith(".dist-info")]
        if len(infos) != 1:
            raise Bad("has %d .dist-info directories" % len(infos))
        metadata = email.message_from_string(text(archive, infos[0] + "/METADATA"))
        if canonicalize_name(metadata["Name"] or "") != canonicalize_name(project):
            raise Bad("its METADATA says that it is %s" % ascii(metadata["Name"]))
        try:
            same = Version(metadata["Version"] or "") == Version(version)
        except InvalidVersion:
            same = False
        if not same:
            raise Bad("its METADATA says that it is version %s" % ascii(metadata["Version"]))
        if canonicalize_name(parts["name"]) != canonicalize_name(project) or Version(parts["version"]) != Version(version):
            raise Bad("is named as a wheel of something else than %s %s" % (project, version))
        wheel = email.message_from_string(text(archive, infos[0] + "/WHEEL"))
        said = {tag for line in wheel.get_all("Tag", []) for tag in tags.parse_tag(line.strip())}
        if not said & expanded:
            raise Bad("its WHEEL names other tags than its file name")
        build = [line.strip() for line in wheel.get_all("Build", [])]
        if build != ([parts["build"]] if parts["build"] else []):
            raise Bad("its WHEEL has build tag %s, its file name %s" % (ascii(", ".join(build)), ascii(parts["build"] or "")))
        text(archive, infos[0] + "/RECORD")
        libraries.update(needs(archive))


def main():
    directory, project, version = sys.argv[1:]
    try:
        names = sorted(os.listdir(directory))
    except OSError as e:
        print("piw-slave: bad wheel: what was built cannot be read: %s" % e.strerror, flush=True)
        return 3
    libraries = set()
    for name in names:
        if not name.endswith(".whl"):
            continue
        path = os.path.join(directory, name)
        try:
            # a link may point at anything, and a pipe has no end
            if os.path.islink(path) or not os.path.isfile(path):
                raise Bad("is not a regular file")
            check(path, project, version, libraries)
        except Bad as e:
            print("piw-slave: bad wheel: %s %s" % (ascii(name)[1:-1], e), flush=True)
            return 3
        except Exception as e:
            # whatever cannot be read is not a sound wheel
            print("piw-slave: bad wheel: %s cannot be read: %s: %s" % (ascii(name)[1:-1], type(e).__name__, ascii(str(e))), flush=True)
            return 3
    for package in packages(libraries):
        print("piw-slave: needs %s" % package, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
