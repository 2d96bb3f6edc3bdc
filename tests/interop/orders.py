"""Every request of the import channel to a real master: orders.py JSON.

Each answer must have the members that wire-spec/import.md names, no more and no fewer. JSON has run (the directory of the
Unix sockets), abi and platform; the farm has one package "wanted" on its index, which needs "other", and no slave.
"""

import hashlib
import json
import sys

from piwire.tools import Importer, NotDone
from piwire.wheel import wheel

VERSION = {"version", "yanked", "skip", "why_not", "checked", "builds"}
BUILD = {"abi", "state", "outcome", "build_id", "slave", "since", "built_at", "duration_ms", "log_bytes", "attempt", "place",
         "due", "reason", "report", "files"}
TREE_FILE = {"filename", "alias_of", "size", "sha256", "metadata_sha256", "requires_python", "yanked", "withheld"}
SHAPES = {
    "IMPORT": "state package version abi files build_id new_package new_version page trouble",
    "REMOVE": "package version what versions files builds skipped changed page trouble",
    "ADD": "added",
    "WHY": "package display skip refused versions",
    "ABI_ADD": "abi rank added",
    "ABI_LIST": "abis walk",
    "SKIP": "package version abi reason changed registered cancelled why_not",
    "UNSKIP": "package version abi reason changed registered cancelled why_not",
    "BLOCK": "pattern reason changed packages walk cancelled",
    "UNBLOCK": "pattern reason changed packages walk cancelled",
    "POLICY": "policy value default reason changed walk",
    "POLICIES": "policies blocks skips skips_count",
    "ABI_RETIRE": "abi reason changed",
    "REQUEUE": "changed versions attempts queued not_queued reasons built building",
    "REBUILD": "pages",
    "STATISTICS": "packages_count packages_built versions_count versions_tried builds_count builds_success builds_last_hour "
                  "builds_time builds_size files_count downloads_last_month queued unchecked delayed leased pages_due "
                  "pages_waiting pages_failing pages_trouble disk_size disk_free inodes inodes_free disk_floor disk_promised held "
                  "held_since_ms paused paused_since_ms tasks",
    "AUDIT": "found problems mended left left_problems",
    "TREE": "output spool device inode",
    "AUDIT_PROJECTS": "next projects",
    "AUDIT_ROOT": "root_due home_due next projects",
    "AUDIT_PROJECT": "name known shown builds due pending next files",
    "AUDIT_STRANGERS": "strangers",
    "AUDIT_BUILDS": "unknown",
    "WITHHOLD": "filename changed",
    "SWEEP": "removed kept directory",
    "UNPACK_METADATA": "unpacked",
    "FEED": "mode trouble serial settled heard_at lag_secs listed_at pages_due pages_later unchecked unreadable cooldown wishes "
            "requirements",
    "DOWNLOADS": "stored unknown outside",
}


class Checker:
    def __init__(self, path):
        self.tool, self.seen, self.wrong = Importer(path), set(), []

    def check(self, what, members, answer):
        found = set(answer)
        if found != set(members):
            self.wrong.append(f"{what}: missing {sorted(set(members) - found)}, not in the text {sorted(found - set(members))}")

    def ask(self, request, /, **fields):
        answer = self.tool.ask(request, **fields)
        return self.saw(request, answer)

    def saw(self, request, answer):
        self.seen.add(request)
        self.check(request, SHAPES[request].split(), answer)
        return answer

    def refused(self, request, /, **fields):
        """ERROR, with a reason at least."""
        try:
            raise AssertionError(f"{request}: {self.tool.ask(request, **fields)}")
        except NotDone as reasons:
            self.seen.add("ERROR")
            assert reasons.args, request


def main(given):
    abi = given["abi"]
    farm = Checker(f"{given['run']}/import")
    ask = farm.ask

    assert ask("ABI_ADD", abi=abi, rank=3, platforms=[])["rank"] == 3
    assert ask("ABI_ADD", abi="cp27", rank=None, platforms=["linux_armv7l"])["added"] is True
    for entry in ask("ABI_LIST")["abis"]:
        farm.check("ABI_LIST", {"abi", "rank", "skip", "platforms"}, entry)
    assert ask("ABI_RETIRE", abi="cp27", reason="old")["changed"] is True

    item = dict(package="Wanted", specifiers="", extras="")
    (added,) = ask("ADD", items=[item], with_deps=True)["added"]
    farm.check("ADD", {"package", "version", "state", "queued_for", "reason"}, added)
    assert (added["package"], added["state"], added["queued_for"]) == ("wanted", "new", abi), added
    farm.refused("ADD", items=[item, dict(item, package="nonesuch")], with_deps=False)
    why = ask("WHY", package="wanted", version="")
    for version in why["versions"]:
        farm.check("WHY, a version", VERSION, version)
        for build in version["builds"]:
            farm.check("WHY, a build", BUILD, build)
    assert why["versions"][0]["builds"], why

    order = dict(package="wanted", version="1.0", abi="")
    assert ask("SKIP", **order, reason="not now")["changed"] is True
    assert ask("SKIP", **order, reason="not now")["changed"] is False, "twice changes nothing"
    assert ask("BLOCK", pattern="bad-*", reason="bad")["changed"] is True
    ask("POLICY", name="cooldown", value="0", reason="none")
    shown = ask("POLICIES")
    for members, entries in (("name value default choices called reason set_at", "policies"), ("pattern reason set_at", "blocks"),
                             ("package version abi reason", "skips")):
        assert shown[entries], entries
        for entry in shown[entries]:
            farm.check(f"POLICIES, {entries}", members.split(), entry)
    assert ask("UNSKIP", **order)["changed"] is True
    assert ask("UNBLOCK", pattern="bad-*")["changed"] is True
    ask("POLICY", name="cooldown", value=None, reason="")
    ask("REQUEUE", package="wanted", version="", abi="", outcome="failed")

    # something that is published
    name, data = wheel("brought", "1.0", f"{abi}-{abi}-{given['platform']}")
    fields = dict(package="", version="", abi="", duration_ms=0)
    digest = hashlib.sha256(data).hexdigest()
    for create, state in ((False, "unknown-package"), (True, "imported"), (True, "unchanged")):
        said = farm.saw("IMPORT", farm.tool.bring({name: data}, b"x", create=create, **fields))
        assert said["state"] == state, said
    ask("STATISTICS")
    ask("AUDIT", mend=True)
    feed = ask("FEED")
    farm.check("FEED, requirements", {"waiting", "refused", "reasons"}, feed["requirements"])
    for entry in feed["requirements"]["reasons"]:
        farm.check("FEED, a reason", {"name", "specifiers", "of", "reason"}, entry)
    record = dict(filename=name, at=1_790_000_000, address="0" * 20 + "ffff7f000001", arch="armv7l", distro_name="",
                  distro_version="", os_name="", os_version="", py_name="", py_version="", installer_name="pip",
                  installer_version="", setuptools_version="")
    batch = "ab" * 16
    first = ask("DOWNLOADS", batch=batch, records=[record])
    assert first == ask("DOWNLOADS", batch=batch, records=[record]), "one batch is counted once"
    farm.refused("DOWNLOADS", batch="cd" * 16, records=[dict(record, filename="no wheel")])
    for what, names in (("home", []), ("project", ["brought"]), ("index", []), ("all", [])):
        ask("REBUILD", what=what, names=names)
    farm.refused("REBUILD", what="project", names=["nonesuch"])

    # the tree
    ask("TREE")
    assert "brought" in ask("AUDIT_PROJECTS", after="", limit=1000)["projects"]
    assert "brought" in ask("AUDIT_ROOT", after="", limit=10_000)["projects"]
    (entry,) = ask("AUDIT_PROJECT", project="brought", after="", limit=1000)["files"]
    farm.check("AUDIT_PROJECT, a file", TREE_FILE, entry)
    assert (entry["filename"], entry["sha256"]) == (name, digest), entry
    assert ask("AUDIT_STRANGERS", names=["brought", "nonesuch"])["strangers"] == ["nonesuch"]
    assert ask("AUDIT_BUILDS", builds=[1, 2**62])["unknown"] == [2**62]
    assert ask("WITHHOLD", filename=name, reason="a test")["changed"] is True
    assert ask("WITHHOLD", filename=name, reason=None)["changed"] is True
    ask("SWEEP", project="brought", names=["nonesuch"])
    assert ask("UNPACK_METADATA", filename=name, sha256=entry["metadata_sha256"])["unpacked"] is True
    farm.refused("UNPACK_METADATA", filename=name, sha256="00" * 32)

    for what in ("yank", "unyank", "files", "builds"):
        ask("REMOVE", package="brought", version="1.0", what=what, skip=None, reason="a test")

    requests = {message for message in farm.tool.link.says.by_name if message != "CHUNK"}
    assert farm.seen - {"ERROR"} == requests, requests - farm.seen
    print(*farm.wrong, sep="\n")
    return 1 if farm.wrong else 0


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))
