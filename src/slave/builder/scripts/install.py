"""Installs the wheels in DIRECTORY, with what they require, into a fresh environment in TARGET. Nothing of them is run.

argv: DIRECTORY TARGET PIP-OPTION…. Exit code 0 done, 3 it cannot be done, which says nothing against the wheels.
"""

import os
import subprocess
import sys
import venv


def main():
    directory, target, *options = sys.argv[1:]
    wheels = sorted(os.path.join(directory, name) for name in os.listdir(directory) if name.endswith(".whl"))
    venv.create(target, with_pip=False, clear=True, symlinks=True)
    python = os.path.join(target, "bin", "python")
    site = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        stdout=subprocess.PIPE, universal_newlines=True, check=True,
    ).stdout.strip()
    # wheels only: a source distribution would have to be built, and that runs it
    command = [sys.executable, "-m", "pip", "install", "--no-cache-dir", "--no-compile", "--only-binary", ":all:"]
    command += ["--disable-pip-version-check", "--no-input", "--progress-bar", "off", "--no-warn-script-location"]
    done = subprocess.run(command + ["--target", site] + options + wheels)
    return 0 if done.returncode == 0 else 3


if __name__ == "__main__":
    sys.exit(main())
