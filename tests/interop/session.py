"""A farm's day against a real master, all of whose peers are of piwire: session.py JSON.

JSON has slaves and files (host, port), run (the directory of the Unix sockets), software, abi, python and platform (what a
slave says of itself), key (a line of --add-slave, or null), and packages "claimed", "skipped" and "returned" on the index.
Prints, as JSON, what the test is to find in the database and on the pages.
"""

import hashlib
import json
import sys

from piwire import frames
from piwire.link import Link, NotLetIn
from piwire.messages import SLAVE
from piwire.slave import Slave
from piwire.tools import Importer, Monitor, NotDone, Orders
from piwire.wheel import wheel

REPORT = {"python", "platform", "machine", "os", "walls", "interpreter", "pip", "pip_arguments", "compiler", "sdist",
          "requirements", "peak_memory", "cpu_ms", "apt"}
BALLAST = b"".join(hashlib.sha256(b"%d" % n).digest() for n in range(20_000))


def main(given):
    run = given["run"]
    tags = f"{given['abi']}-{given['abi']}-{given['platform']}"
    key = None
    if given["key"]:
        name, secret = given["key"].split()
        key = name, bytes.fromhex(secret)
    who = dict(software=given["software"], label="snake", python_tag=given["python"], abi_tag=given["abi"],
               platform_tag=given["platform"])
    slave = Slave(tuple(given["slaves"]), tuple(given["files"]), who, key)
    tool, orders, monitor = (kind(f"{run}/{queue}") for kind, queue in
                             ((Importer, "import"), (Orders, "control"), (Monitor, "status")))
    label = key[0] if key else who["label"]
    if key:
        not_let_in(slave, key)

    # a paused farm hands nothing out
    hello = slave.connect()
    assert hello["resume"] == "none" and hello["log_from"] == 0, hello
    number = hello["slave_id"]
    slave.busy()
    assert monitor.wait_slave(slave_id=number, label=label, doing="idle")["board"]["machine"] == "a program"
    assert orders.order("PAUSE") == 1
    monitor.wait("STATS", mode="paused", connected=1)
    added = tool.ask("ADD", items=[dict(package="claimed", specifiers="==1.0", extras="")], with_deps=False)["added"]
    assert [item["state"] for item in added] == ["new"], added
    assert not slave.ask()
    monitor.wait_slave(slave_id=number, doing="asleep")
    orders.order("RESUME")
    slave.hear("WAKE")
    job = slave.claim()
    assert (job["package"], job["version"], job["build_tag"]) == ("claimed", "1.0", 0), job
    monitor.wait_slave(slave_id=number, doing="building", job=dict(build=job["token"]["build"], package="claimed", version="1.0"))

    # what it prints reaches who asked for it
    monitor.follow(number)
    slave.print(b"a first line\n")
    assert bytes.fromhex(monitor.wait("LOG", slave_id=number, offset=0)["data"]) == b"a first line\n"
    slave.print(b"\xff a line that is not UTF-8, \x1b[31mred\x1b[0m\n" + b"." * 40_000 + b"\n")

    # it loses its connection, and comes back with its job
    slave.lose_connection()
    monitor.wait("GONE", slave_id=number)
    hello = slave.connect()
    assert hello["resume"] == "go-on", hello
    slave.send_log()
    slave.print(b"a line after the return\n")

    # it is done, and its connections break in the midst of the delivery
    name, data = wheel("claimed", "1.0", tags, BALLAST)
    slave.end("built", {name: data})
    _, send = slave.hear("SEND")
    slave.begin_transfer(send["transfer"])
    asked = []
    assert slave.serve_chunk(0, asked)
    slave.lose_connection()
    assert slave.connect()["resume"] == "go-on"
    slave.offer()
    slave.deliver(asked)
    covers(asked, len(data))
    monitor.wait("RECORDED", build=job["token"]["build"], package="claimed", outcome="built", slave=label)
    assert dict(outcome="built", count=1) in monitor.wait("OUTCOMES")["counts"]

    report = next(build["report"] for build in tool.ask("WHY", package="claimed", version="1.0")["versions"][0]["builds"]
                  if build["abi"] == given["abi"])
    assert set(report) == REPORT, f"the text has other members than {report}"
    assert (report["python"], report["machine"], report["sdist"]) == (who["python_tag"], "a program", None), report

    # a token is taken once: who comes back with a recorded build is told to drop it
    slave.lose_connection()
    slave.job = job
    assert slave.connect()["resume"] == "drop" and slave.job is None

    # a build that people do not want any more
    tool.ask("ADD", items=[dict(package="skipped", specifiers="", extras="")], with_deps=False)
    job = slave.claim()
    number = monitor.wait_slave(doing="building", label=label)["slave_id"]
    slave.print(b"a long build\n")
    assert orders.order("SKIP", slave=number) == 1
    _, cancel = slave.hear("CANCEL")
    assert cancel["build"] == job["token"]["build"]
    slave.end("cancelled", {})
    slave.deliver()
    monitor.wait("RECORDED", build=job["token"]["build"], outcome="cancelled")

    # a slave that rests, and one that gives its job back
    assert orders.order("SLEEP", slave=number) == 1
    tool.ask("ADD", items=[dict(package="returned", specifiers="", extras="")], with_deps=False)
    assert not slave.ask()
    assert orders.order("WAKE", slave=None) == 1
    slave.hear("WAKE")
    assert slave.claim()["package"] == "returned"
    assert orders.order("KILL", slave=number, when="now") == 1
    slave.hear("BYE")
    slave.bye("I was told to go")
    slave.drop_job()
    monitor.wait("GONE", slave_id=number)
    try:
        raise AssertionError(orders.order("SKIP", slave=number))
    except NotDone as reason:
        assert str(number) in str(reason), reason
    orders.order("KEYS")

    # wheels that somebody has
    files = dict([wheel("brought", "2.0", tags, BALLAST), wheel("brought", "2.0", "py3-none-any")])
    said = tool.bring(files, b"made elsewhere\n", package="brought", version="", abi="", duration_ms=7, create=True)
    assert (said["state"], said["version"], said["page"], set(said["files"])) == ("imported", "2.0", "written", set(files)), said
    for version in ("1.0", "1.1"):
        files = dict([wheel("gone", version, tags)])
        said = tool.bring(files, b"soon gone\n", package="", version="", abi=given["abi"], duration_ms=0, create=True)
        assert said["state"] == "imported", said
    said = tool.ask("REMOVE", package="gone", version="1.0", what="builds", skip="not wanted", reason="a test")
    assert (said["files"], said["builds"], said["page"]) == (1, 1, "written"), said

    orders.order("QUIT", how="drain")
    monitor.link.expect_end(meanwhile=monitor.link.hears.by_name)
    print(json.dumps({"wheel": hashlib.sha256(data).hexdigest(), "label": label, "asked": len(asked)}))


def not_let_in(slave, key):
    """Who has no key, or another one, or says a frame twice."""
    for name, secret, word in (("nobody", key[1], "no key"), (key[0], b"\0" * 32, "does not have this key")):
        try:
            Link.connect(slave.address, SLAVE, (name, secret))
            raise AssertionError(f"{name} was let in")
        except NotLetIn as why:
            assert word in str(why), why
    slave.connect()
    sign = frames.encode(SLAVE.to_master, "BUSY", slave.vitals(), slave.link.seals)
    slave.link.sock.sendall(sign + sign)
    slave.link.expect_end()


def covers(asked, size):
    """What was asked for, over all connections, is the file; and no more than a window of it twice."""
    at = 0
    for offset, length in sorted(asked):
        assert offset <= at, f"a gap at {at}"
        at = max(at, offset + length)
    assert at == size, f"{at} bytes of {size}"


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
