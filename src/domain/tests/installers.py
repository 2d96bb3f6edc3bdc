"""What pip's own reading of names, versions, specifiers, markers and wheels is: installers.py < LINES.

A line is a JSON object with what the farm says; see installers.rs for the kinds. Prints where pip says otherwise, a line each, and
a summary; exit 1 where it does.
"""

import json
import sys

from pip._vendor.packaging.markers import Marker
from pip._vendor.packaging.requirements import Requirement
from pip._vendor.packaging.specifiers import InvalidSpecifier, SpecifierSet
from pip._vendor.packaging.utils import canonicalize_name, parse_wheel_filename
from pip._vendor.packaging.version import InvalidVersion, Version

MOST_SHOWN = 20


def version(text):
    try:
        return str(Version(text))
    except InvalidVersion:
        return None


def order(one, other):
    one, other = Version(one), Version(other)
    return (one > other) - (one < other)


def name(text):
    return str(canonicalize_name(text))


def contains(specifiers, version):
    try:
        return SpecifierSet(specifiers).contains(Version(version), prereleases=True)
    except InvalidSpecifier:
        return None


def marker(text, environment):
    return Marker(text).evaluate(environment)


def requirement(text):
    read = Requirement(text)
    extras = sorted({canonicalize_name(extra) for extra in read.extras})
    return [canonicalize_name(read.name), extras, str(read.specifier)]


def specifiers(text):
    return str(SpecifierSet(text))


def wheel(filename):
    name, version, build, tags = parse_wheel_filename(filename)
    return [str(name), str(version), "".join(map(str, build)) or None, sorted(map(str, tags))]


KINDS = {function.__name__: function for function in (version, order, name, contains, marker, wheel)}


def answer(line):
    kind = line["kind"]
    if kind == "requirement":
        # how specifiers are spelt is no matter
        line["says"][2] = specifiers(line["says"][2])
        return requirement(*line["asked"])
    return KINDS[kind](*line["asked"])


def main():
    asked, wrong = 0, []
    for text in sys.stdin:
        line = json.loads(text)
        asked += 1
        try:
            own = answer(line)
        except Exception as error:
            own = f"{type(error).__name__}: {error}"
        if own != line["says"]:
            wrong.append(f"{line}: pip says {own!r}")
    # whoever writes the lines may read nothing before the last one
    print(*wrong[:MOST_SHOWN], sep="\n")
    print(f"{asked} asked, {len(wrong)} differences")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
