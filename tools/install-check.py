#!/usr/bin/env python3
"""Installs what a farm has built from the farm's own index, imports it, and prints a table.

In:  --www, the published tree; --results, what watch-builds.py wrote; pip's ordinary configuration, for what the
     packages depend on.
Out: the table on standard output, and the reasons of what went wrong below it.
Exit: 0 when every package was built, installed, imported and has the right hash, or needed no build because the index has
a wheel for everybody; else 1.
The tree is served by Python's http.server on a free loopback port to a throw-away virtual environment. With
`--imports NAME` it is the part that runs inside that environment. Standard library only, Python 3.9 and newer.
"""

import argparse
import functools
import hashlib
import html.parser
import http.server
import importlib.metadata
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request

STARTED = float(os.environ.get("QUICKSTART_T0") or time.time())
STEP_TIMEOUT_S = 900
WIDTH = 120
# Everything that would let pip look elsewhere than at the farm, or keep it from the loopback interface.
PIP_ELSEWHERE = re.compile(r"PIP_(INDEX_URL|EXTRA_INDEX_URL|FIND_LINKS|NO_INDEX|CONSTRAINT|CONFIG_FILE|PROXY|REQUIRE_.*)")
PROXIES = re.compile(r"(https?|all|no)_proxy", re.IGNORECASE)


class CheckFailed(Exception):
    """One package's failure: the word for the table and the reason."""

    def __init__(self, word, reason):
        super().__init__(reason)
        self.word, self.reason = word, reason


def say(text):
    print(f"[{time.time() - STARTED:4.0f} s] {text}", flush=True)


class Index:
    """The published tree, served; remembers which wheels were asked for."""

    def __init__(self, www):
        self.wheels = []
        wheels = self.wheels

        class Handler(http.server.SimpleHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def log_request(self, code="-", _size="-"):
                name = urllib.parse.unquote(urllib.parse.urlsplit(self.path).path.rpartition("/")[2])
                if name.endswith(".whl") and self.command == "GET" and int(code) == 200:
                    wheels.append((name, self.path))

        self.server = http.server.ThreadingHTTPServer(
            ("127.0.0.1", 0), functools.partial(Handler, directory=str(www))
        )
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def read(self, path):
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(urllib.parse.urljoin(self.url, path), timeout=60) as answer:
            return answer.read()


class Links(html.parser.HTMLParser):
    """The targets of a page's links."""

    def __init__(self):
        super().__init__()
        self.targets = []

    def handle_starttag(self, tag, attrs):
        if tag == "a":
            self.targets += [value for key, value in attrs if key == "href" and value]


def run(command, environment, word, timeout=STEP_TIMEOUT_S):
    """Runs it in an empty place; its last lines are the reason when it fails."""
    with tempfile.TemporaryDirectory() as empty:
        try:
            done = subprocess.run(
                command, env=environment, cwd=empty, timeout=timeout, stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", errors="replace",
            )
        except subprocess.TimeoutExpired:
            raise CheckFailed(word, f"{command[0]} took longer than {timeout} s") from None
    if done.returncode != 0:
        raise CheckFailed(word, "\n".join(done.stdout.splitlines()[-12:]) or f"exit code {done.returncode}")
    return done.stdout


def farm_environment():
    """The caller's environment, but nothing that leads pip away from the farm. The empty configuration file matters:
    Raspberry Pi OS names another index of wheels in /etc/pip.conf."""
    kept = {k: v for k, v in os.environ.items() if not PIP_ELSEWHERE.fullmatch(k) and not PROXIES.fullmatch(k)}
    return {**kept, "PIP_CONFIG_FILE": os.devnull, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1"}


def install(python, index, result):
    """Installs the package from the farm alone, then what it depends on from wherever pip ordinarily looks; gives the
    wheel's name and the path it was served from."""
    requirement = f"{result['package']}=={result['version']}"
    pip = [python, "-m", "pip", "install"]
    index.wheels.clear()
    run(
        [*pip, "--no-deps", "--only-binary=:all:", "--no-cache-dir", "--force-reinstall",
         "--index-url", f"{index.url}/simple", requirement],
        farm_environment(), "install failed",
    )
    if not index.wheels:
        raise CheckFailed("install failed", "pip did not ask the farm's index for a wheel")
    wheel = index.wheels[-1]
    # The package itself is there already: pip adds only what is missing.
    if needs_others(python, result["package"]):
        run([*pip, requirement], {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}, "dependencies failed")
    return wheel


def needs_others(python, package):
    code = (
        "import importlib.metadata as m, sys; "
        "sys.exit(not [r for r in m.requires(sys.argv[1]) or [] if 'extra' not in r.partition(';')[2]])"
    )
    return subprocess.run([python, "-I", "-c", code, package], check=False, timeout=60).returncode == 0


def check_hash(index, result, wheel):
    """The bytes as served, the page's fragment and the database must agree; gives the SHA-256."""
    name, path = wheel
    served = hashlib.sha256(index.read(path)).hexdigest()
    known = {file["filename"]: file["sha256"] for file in result["files"]}
    if known.get(name) != served:
        raise CheckFailed("hash differs", f"{name}: served {served}, the database says {known.get(name)}")
    links = Links()
    project = re.sub(r"[-_.]+", "-", result["package"]).lower()
    links.feed(index.read(f"/simple/{project}/").decode("utf-8"))
    for target in links.targets:
        target = urllib.parse.urlsplit(target)
        if urllib.parse.unquote(target.path.rpartition("/")[2]) == name:
            if target.fragment != f"sha256={served}":
                raise CheckFailed("hash differs", f"{name}: served {served}, the page says {target.fragment}")
            return served
    raise CheckFailed("hash differs", f"the project's page has no link to {name}")


def top_level(package):
    """The modules that a distribution brings, by its files; by its own word those of them that are meant. Some say
    names there that no file has."""
    distribution = importlib.metadata.distribution(package)
    names = set()
    for file in distribution.files or []:
        first = file.parts[0]
        if len(file.parts) > 1 and file.suffix in (".py", ".so"):
            names.add(first)
        elif len(file.parts) == 1 and file.suffix in (".py", ".so"):
            names.add(first.partition(".")[0])
    names = names & set((distribution.read_text("top_level.txt") or "").split()) or names
    # Test suites that were packaged by mistake need what nobody installed.
    return sorted(name for name in names if name.isidentifier() and name not in ("test", "tests"))


def import_all(package):
    """Inside the environment: imports each module in a process of its own, so that one cannot help another."""
    for name in top_level(package):
        done = subprocess.run(
            [sys.executable, "-I", "-c", f"import {name}"], stdin=subprocess.DEVNULL, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", errors="replace",
        )
        if done.returncode != 0:
            print(done.stdout)
            return f"import {name} failed with exit code {done.returncode}"
    return None


def check(python, index, result):
    """Adds `word`, `why`, `wheel` and `sha256` to one package's result."""
    result.update(word="", why="", wheel="", sha256="")
    if result["state"] not in ("built", "settled"):
        words = {"failed": "build failed", "skipped": "skipped", "needless": "not needed"}
        word = words.get(result["state"], "not built in time")
        result.update(word=word, why=result["reason"])
        return
    say(f"Installing {result['package']} {result['version']} from the farm's index")
    try:
        wheel = install(python, index, result)
        result["wheel"] = wheel[0]
        result["sha256"] = check_hash(index, result, wheel)
        run([python, "-I", os.path.abspath(__file__), "--imports", result["package"]], dict(os.environ), "import failed", 300)
        result["word"] = "installed"
    except CheckFailed as failure:
        result.update(word=failure.word, why=failure.reason)
    except (OSError, subprocess.SubprocessError) as failure:
        result.update(word="check failed", why=str(failure))


def print_table(results):
    """Aligned, with a line of its own for the hash, and for the wheel's name where it would pass the width."""
    head = ("package", "version", "abi", "result", "seconds")
    rows = [
        (r["package"], r["version"], r["abi"], r["word"], "-" if r["seconds"] is None else f"{r['seconds']:.1f}")
        for r in results
    ]
    widths = [max(map(len, column)) for column in zip(head, *rows)]

    def line(cells):
        padded = [f"{cell:{width}}" for cell, width in zip(cells[:4], widths)]
        return "  ".join([*padded, f"{cells[4]:>{widths[4]}}"])

    print(f"\n{line(head)}  wheel, SHA-256")
    for row, result in zip(rows, results):
        text = f"{line(row)}  {result['wheel'] or '-'}"
        print(text if len(text) <= WIDTH else f"{line(row)}\n    {result['wheel']}")
        if result["sha256"]:
            print(f"    {result['sha256']}")
    for result in results:
        if result["why"]:
            print(f"\n{result['package']} {result['version']}, {result['word']}:")
            print("\n".join(f"    {line}" for line in result["why"].splitlines()))
    print(flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--www", type=pathlib.Path)
    parser.add_argument("--results", type=pathlib.Path)
    parser.add_argument("--imports", metavar="NAME")
    options = parser.parse_args()
    if options.imports:
        return import_all(options.imports)
    results = json.loads(options.results.read_text(encoding="utf-8"))
    index = Index(options.www)
    with tempfile.TemporaryDirectory(prefix="piw-check-", dir=options.results.parent) as directory:
        python = os.path.join(directory, "venv", "bin", "python")
        if any(result["state"] in ("built", "settled") for result in results):
            say("Making a throw-away virtual environment")
            run([sys.executable, "-m", "venv", os.path.join(directory, "venv")], dict(os.environ), "venv failed")
        for result in results:
            check(python, index, result)
    print_table(results)
    return 0 if all(result["word"] in ("installed", "not needed") for result in results) else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
    except CheckFailed as failed:
        sys.exit(f"the check cannot be made: {failed.reason}")
