"""Fetches the source distribution of NAME VERSION and, with "deps", everything that its build may install.

Nothing of any package is run: files are chosen as pip chooses them, and read. argv: DIRECTORY NAME VERSION MODE PIP-OPTION…
[-- REQUIREMENT…]. DIRECTORY/sdist gets the source distribution (unless it has it), DIRECTORY/deps the rest.
Exit code 0 done, 3 there is no source distribution, 4 the index or a file could not be fetched.
"""

import email
import hashlib
import logging
import os
import re
import sys
import tarfile
import zipfile

from pip._internal.commands import create_command
from pip._internal.exceptions import NetworkConnectionError
from pip._vendor import requests, urllib3
from pip._vendor.packaging.requirements import Requirement
from pip._vendor.packaging.specifiers import SpecifierSet
from pip._vendor.packaging.utils import canonicalize_name

NO_SDIST, NETWORK = 3, 4
# A backend that is not named is setuptools, and old ones ask for wheel.
DEFAULT = ["setuptools>=40.8.0", "wheel"]
LARGEST_TEXT = 4 << 20
PIECE = 256 << 10


class Pages(logging.Handler):
    """Tells what pip tells of its network, and keeps which pages nobody answered for."""

    unread = False

    def emit(self, record):
        text = record.getMessage()
        page = str(record.msg).startswith("Could not fetch URL")
        if record.levelno < logging.WARNING and not page:
            return
        print("WARNING:" if record.levelno < logging.ERROR or page else "ERROR:", text, flush=True)
        # "404 Client Error" is an answer; 408, 425 and 429 say "later"
        answer = re.search(r"\b4(?!08|25|29)\d\d Client Error", text)
        if page and not answer:
            self.unread = True


class Unreachable(Exception):
    """A file could not be fetched."""


def start(options):
    command = create_command("download")
    parsed, _ = command.parse_args(options + ["x"])
    session = command._build_session(parsed)
    return session, command._build_package_finder(options=parsed, session=session)


def best(finder, name, specifier):
    found = finder.find_best_candidate(name, specifier).best_candidate
    return found and found.link


def pieces(raw):
    """The bytes as they are on the index, also where a server says that they are packed; a file is read as one."""
    if hasattr(raw, "stream"):
        yield from raw.stream(PIECE, decode_content=False)
    else:
        yield from iter(lambda: raw.read(PIECE), b"")


def download(session, link, directory):
    os.makedirs(directory, exist_ok=True)
    # what an index names must not become a path
    path = os.path.join(directory, os.path.basename(link.filename))
    if os.path.exists(path):
        return path
    # beside the directory: there, everything is whole
    part = os.path.join(os.path.dirname(directory), "part")
    print("Downloading", link.filename, flush=True)
    digest = hashlib.new(link.hash_name) if link.hash_name else None
    try:
        answer = session.get(link.url.split("#", 1)[0], stream=True, headers={"Accept-Encoding": "identity"})
        if answer.status_code >= 400:
            raise Unreachable("ERROR: HTTP error %d while getting %s" % (answer.status_code, link.filename))
        with open(part, "wb") as out:
            for piece in pieces(answer.raw):
                out.write(piece)
                if digest:
                    digest.update(piece)
    except (requests.RequestException, NetworkConnectionError, urllib3.exceptions.HTTPError) as e:
        raise Unreachable("ERROR: %s could not be fetched: %s: %s" % (link.filename, type(e).__name__, e))
    if digest and digest.hexdigest() != link.hash:
        raise Unreachable("ERROR: %s does not have the %s that the index names" % (link.filename, link.hash_name))
    os.rename(part, path)
    return path


def toml(text):
    try:
        import tomllib
    except ImportError:
        try:
            from pip._vendor import tomli as tomllib
        except ImportError:
            from pip._vendor import toml as tomllib
    return tomllib.loads(text)


def text_in(path, wanted):
    """The text of a file directly in the top directory of a source distribution, or in a wheel's .dist-info."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for entry in archive.infolist():
                if wanted(entry.filename) and entry.file_size <= LARGEST_TEXT:
                    return archive.read(entry).decode("utf-8", "replace")
    elif tarfile.is_tarfile(path):
        with tarfile.open(path) as archive:
            for entry in archive:
                if entry.isfile() and wanted(entry.name) and entry.size <= LARGEST_TEXT:
                    return archive.extractfile(entry).read().decode("utf-8", "replace")
    return None


def top(name):
    return lambda path: re.fullmatch(r"(\./)?[^/]+/" + re.escape(name), path)


def wanted_by_sdist(path):
    project = text_in(path, top("pyproject.toml"))
    try:
        system = toml(project).get("build-system", {}) if project else {}
        asked = [str(line) for line in system.get("requires", DEFAULT)]
    except (ValueError, AttributeError, TypeError) as e:
        print("WARNING: pyproject.toml cannot be read:", e, flush=True)
        asked = DEFAULT
    return asked + DEFAULT


def requirements(lines, extras=()):
    """Those that hold here, with these extras."""
    for line in lines:
        try:
            requirement = Requirement(line)
            marker = requirement.marker
            holds = marker is None or any(marker.evaluate({"extra": extra}) for extra in ["", *extras])
        except Exception as e:
            print("WARNING: passed over:", line, e, flush=True)
            continue
        if holds and not requirement.url:
            yield requirement


def wanted_by(path, extras):
    if path.endswith(".whl"):
        metadata = text_in(path, lambda name: re.fullmatch(r"[^/]+\.dist-info/METADATA", name))
        lines = []
    else:
        metadata = text_in(path, top("PKG-INFO"))
        lines = wanted_by_sdist(path)
    lines += email.message_from_string(metadata or "").get_all("Requires-Dist", [])
    return list(requirements(lines, extras))


def fetch_dependencies(session, finder, queue, directory):
    seen = set()
    while queue:
        requirement = queue.pop(0)
        name = canonicalize_name(requirement.name)
        key = (name, str(requirement.specifier), frozenset(requirement.extras))
        if key in seen:
            continue
        seen.add(key)
        link = best(finder, requirement.name, requirement.specifier)
        if link is None:
            print("WARNING: nothing on the index satisfies", requirement, flush=True)
            continue
        queue += wanted_by(download(session, link, directory), requirement.extras)


def main():
    directory, name, version, mode, *rest = sys.argv[1:]
    at = rest.index("--") if "--" in rest else len(rest)
    options, more = rest[:at], rest[at + 1:]
    pages = Pages()
    for logger in ("pip", "pip._internal.index.collector"):
        logging.getLogger(logger).setLevel(logging.DEBUG)
    logging.getLogger("pip").addHandler(pages)
    sdists = os.path.join(directory, "sdist")
    found = [os.path.join(sdists, file) for file in os.listdir(sdists)] if os.path.isdir(sdists) else []
    try:
        if not found:
            session, finder = start(options + ["--no-binary", name])
            link = best(finder, name, SpecifierSet("==" + version))
            if link is None:
                if pages.unread:
                    return NETWORK
                print("ERROR: No matching distribution found for %s==%s" % (name, version), flush=True)
                return NO_SDIST
            found = [download(session, link, sdists)]
        if mode == "deps":
            session, finder = start(options + ["--prefer-binary"])
            lines = more or wanted_by_sdist(found[0])
            fetch_dependencies(session, finder, list(requirements(lines)), os.path.join(directory, "deps"))
            if pages.unread:
                return NETWORK
    except Unreachable as e:
        print(e, flush=True)
        return NETWORK
    return 0


if __name__ == "__main__":
    sys.exit(main())
