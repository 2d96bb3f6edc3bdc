"""Imports every top-level module of the wheels in DIRECTORY, each in a process of its own. argv: DIRECTORY.

Exit code 0: all could be imported, or failed for another reason than that something is missing. 3: one could not; the last
line says which.
"""

import importlib.machinery
import os
import re
import subprocess
import sys
import zipfile

SUFFIXES = sorted(importlib.machinery.all_suffixes(), key=len, reverse=True)
# the interpreter says ImportError where a library or a symbol of one is missing, too
TEST = """
import importlib, sys
try:
    importlib.import_module(sys.argv[1])
except ImportError as e:
    print("piw-slave: bad wheel: its module %s cannot be imported: %s" % (sys.argv[1], ascii(str(e))))
    sys.exit(3)
except BaseException as e:
    print("importing %s ends with %s, which is let pass" % (sys.argv[1], type(e).__name__))
"""


def modules(path):
    found = set()
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            first, _, rest = re.sub(r"^[^/]+\.data/(purelib|platlib)/", "", name).partition("/")
            if rest and any(rest == "__init__" + suffix for suffix in SUFFIXES):
                found.add(first)
            elif not rest:
                found.update(first[: -len(suffix)] for suffix in SUFFIXES if first.endswith(suffix))
    return {name for name in found if name.isidentifier()}


def main():
    directory = sys.argv[1]
    for wheel in sorted(name for name in os.listdir(directory) if name.endswith(".whl")):
        for module in sorted(modules(os.path.join(directory, wheel))):
            done = subprocess.run([sys.executable, "-c", TEST, module])
            if done.returncode == 3:
                return 3
            if done.returncode < 0:
                print("piw-slave: bad wheel: importing its module %s is ended by signal %d" % (module, -done.returncode))
                return 3
            print("imported", module, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
