#!/usr/bin/env python3
"""Shows how the builds of some packages go on, a line for each change, until all have an outcome.

In:  the answer of `piw add --json` (--added), `piw why --json` once a second, the published build logs.
Out: lines on standard output, and --results: a JSON list with an object for each package, which install-check.py
     reads: package, version, abi, state, seconds, reason, files.
Exit: 0 when every package has an outcome (whichever), 1 when the time was up, 2 when the master does not answer.
It knows the JSON of wire-spec/import.md and nothing of processes. Standard library only, Python 3.9 and newer.
"""

import argparse
import gzip
import json
import os
import pathlib
import subprocess
import sys
import time

STARTED = float(os.environ.get("QUICKSTART_T0") or time.time())
# `settled`: another ABI's wheel serves this one too. `needless`: the index has a wheel for everybody.
FINAL = {"built", "settled", "failed", "skipped", "needless"}
REMINDER_S = 60
LOG_LINES = 60
LOG_COLUMNS = 200
WAITS = {"retry": "waiting for another attempt", "cooldown": "too new to be built", "page": "waiting for its page"}
# So many failed questions in a row and the master is not coming back.
PATIENCE = 30


def say(text):
    print(f"[{time.time() - STARTED:4.0f} s] {text}", flush=True)


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--piw", required=True)
    parser.add_argument("--import-queue", required=True)
    parser.add_argument("--www", required=True, type=pathlib.Path)
    parser.add_argument("--abi", required=True)
    parser.add_argument("--until", required=True, type=float)
    parser.add_argument("--added", required=True, type=pathlib.Path)
    parser.add_argument("--results", required=True, type=pathlib.Path)
    return parser.parse_args()


class Watched:
    """One package in one version, as last seen."""

    def __init__(self, www, package, version, abi):
        self.www, self.package, self.version, self.abi = www, package, version, abi
        self.state, self.shown, self.reason = "unknown", "", ""
        self.seconds = None
        self.build_id = None
        self.files = []
        self.since = time.monotonic()

    def done(self):
        return self.state in FINAL

    def learn(self, answer):
        """Takes over what `why` says; true when that is news."""
        version = next((v for v in answer["versions"] if v["version"] == self.version), None)
        if version is None:
            return self.change("unknown", "the master does not know this version")
        builds = {build["abi"]: build for build in version["builds"]}
        build = builds.get(self.abi)
        self.files = [file for b in builds.values() for file in b.get("files") or []]
        # A build that there is counts, even where the version was set to be skipped later.
        if build is not None and build["state"] in ("built", "failed", "settled"):
            return self.finish(build)
        if version.get("why_not"):
            self.reason = str(version["why_not"])
            state = "needless" if self.reason.startswith("the index has a wheel") else "skipped"
            return self.change(state, f"not built: {self.reason}")
        if build is None:
            return self.change("unknown", "not queued yet")
        texts = {
            "queued": f"queued, at place {build.get('place')}",
            "delayed": f"{WAITS.get(build.get('reason'), 'waiting')} until {clock(build.get('due'))}",
            "building": f"building on {build.get('slave')}",
            "waiting": "waiting for another ABI's build",
        }
        if build["state"] == "off":
            self.reason = str(build.get("reason"))
            return self.change("skipped", f"not built: {self.reason}")
        return self.change(build["state"], texts.get(build["state"], build["state"]))

    def finish(self, build):
        self.build_id = build.get("build_id")
        if build.get("duration_ms") is not None:
            self.seconds = build["duration_ms"] / 1000
        took = "" if self.seconds is None else f" in {self.seconds:.1f} s"
        if build["state"] == "failed":
            outcome = str(build.get("outcome") or "no reason given")
            self.reason = f"recorded as {outcome}; its log is {log_path(self.www, self.build_id)}"
            return self.change("failed", f"failed{took}, recorded as {outcome}")
        return self.change(build["state"], f"built{took}" if build["state"] == "built" else "served by another ABI's wheel")

    def change(self, state, text):
        self.state = state
        if text == self.shown:
            return False
        self.shown, self.since = text, time.monotonic()
        return True

    def result(self):
        keys = ("package", "version", "abi", "state", "seconds", "reason", "files", "build_id")
        return {key: getattr(self, key) for key in keys}


def ask(options, watched):
    """What `piw why` answers, or None when it does not."""
    command = [options.piw, "--import-queue", options.import_queue, "why", "--json"]
    command.append(f"{watched.package}=={watched.version}")
    try:
        answer = subprocess.run(command, capture_output=True, check=True, timeout=30, stdin=subprocess.DEVNULL)
        return json.loads(answer.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        return None


def clock(seconds):
    """A moment of the database in local time."""
    return time.strftime("%H:%M:%S", time.localtime(seconds or 0))


def log_path(www, build_id):
    """Where the log of a build is published: its id in twelve digits, split by fours."""
    digits = f"{int(build_id):012d}"
    return www / "logs" / digits[:4] / digits[4:8] / f"{digits[8:]}.txt.gz"


def show_log(www, build_id):
    if build_id is None:
        return
    path = log_path(www, build_id)
    try:
        with gzip.open(path, "rt", encoding="utf-8", errors="replace") as log:
            lines = log.read().splitlines()[-LOG_LINES:]
    except (OSError, EOFError):
        return
    print(f"    the end of {path}:")
    for line in lines:
        print(f"    | {line[:LOG_COLUMNS]}", flush=True)


def watch(options, packages):
    """Polls until all are done; false when the time is up."""
    unanswered = 0
    while not all(watched.done() for watched in packages):
        for watched in packages:
            if watched.done():
                continue
            answer = ask(options, watched)
            unanswered = 0 if answer is not None else unanswered + 1
            if unanswered >= PATIENCE:
                say("The master does not answer")
                sys.exit(2)
            if answer is not None:
                show(options, watched, watched.learn(answer))
        if time.time() >= options.until:
            return False
        time.sleep(0 if all(watched.done() for watched in packages) else 1)
    return True


def show(options, watched, news):
    if not news and time.monotonic() - watched.since < REMINDER_S:
        return
    watched.since = time.monotonic()
    say(f"{watched.package} {watched.version}: {'' if news else 'still '}{watched.shown}")
    if watched.state == "failed":
        show_log(options.www, watched.build_id)


def main():
    options = arguments()
    added = json.loads(options.added.read_text(encoding="utf-8"))["added"]
    # Two requirements may have chosen the same version.
    chosen = dict.fromkeys((entry["package"], entry["version"]) for entry in added)
    packages = [Watched(options.www, package, version, options.abi) for package, version in chosen]
    in_time = watch(options, packages)
    if not in_time:
        waiting = ", ".join(f"{w.package} {w.version}" for w in packages if not w.done())
        say(f"The time is up; without an outcome: {waiting}")
    options.results.write_text(json.dumps([watched.result() for watched in packages]), encoding="utf-8")
    return 0 if in_time else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
