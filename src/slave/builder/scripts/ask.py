"""Tells what an interpreter is and what it builds for, a line each (python.rs reads them)."""

import os
import platform
import shlex
import subprocess
import sys
import sysconfig

try:
    import pip
    from pip._vendor.packaging import tags
except ImportError as e:
    sys.exit("it has no usable pip: %s" % e)


def known():
    """Whether sdists can be fetched with this pip as fetch.py does."""
    try:
        from pip._internal.commands import create_command

        command = create_command("download")
        parsed, _ = command.parse_args(["--no-binary", "x", "--prefer-binary", "x"])
        finder = command._build_package_finder(options=parsed, session=command._build_session(parsed))
        return hasattr(finder, "find_best_candidate")
    except Exception:
        return False


def compiler():
    words = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")[:1]
    for program in words + ["cc"]:
        try:
            said = subprocess.run(
                [program, "--version"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL
            ).stdout.decode("utf-8", "replace")
            return (said.strip().splitlines() or [""])[0]
        except OSError:
            pass
    return "none"


if not known():
    sys.exit("its pip %s is not one that can be worked with: 20.2 to 26 are known to" % pip.__version__)
best = next(tags.sys_tags())
places = {sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix, os.path.dirname(pip.__path__[0])}
places.add(os.path.dirname(os.path.realpath(sys.executable)))
for path in sysconfig.get_paths().values():
    places.add(path)
print("\n".join([
    "piw-slave",
    sys.executable,
    "%d%d" % sys.version_info[:2],
    best.abi,
    next(tag for tag in tags.platform_tags() if tag.startswith("linux_")),
    pip.__version__,
    "%s %s" % (platform.python_implementation(), platform.python_version()),
    compiler(),
    "headers" if os.path.exists(os.path.join(sysconfig.get_paths()["include"], "Python.h")) else "no headers",
    *sorted(place for place in places if os.path.isdir(place)),
]))
