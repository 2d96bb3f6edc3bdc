"""A master of piwire's for one real piw-slave: master.py JSON.

JSON has software and abi (what the slave must say of itself), index_url with packages "trivial" (a native wheel) and "slow"
(which never ends), and key (a line of a key file that the slave has, or null). Prints the two ports, and then what came.
"""

import io
import json
import sys
import zipfile

from piwire.link import Closed
from piwire.master import Master


def main(given):
    keys = None
    if given["key"]:
        name, secret = given["key"].split()
        keys = {name: b"\0" * 32}
    master = Master(given["index_url"], keys)
    print(json.dumps(master.ports()), flush=True)
    if keys:
        # a master that only says that it knows the name
        try:
            raise AssertionError(f"the slave speaks to whoever listens: {master.greet()}")
        except Closed:
            keys[name] = bytes.fromhex(secret)

    hello = master.greet()
    assert hello["held"] is None and hello["software"] == given["software"], hello
    assert (hello["abi_tag"], "cp" + hello["python_tag"]) == (given["abi"], given["abi"]), hello
    master.answer("none")
    master.hear("IDLE")
    master.link.say("SLEEP", seconds=3600)
    _, busy = master.hear("BUSY")
    assert busy["holds_back"] is None and busy["vitals"]["cpus"] > 0, busy
    master.link.say("WAKE")

    # the job outlives its connection, and the log comes again from where we say
    master.hand_out("trivial", "1.0", build_tag=3)
    master.hear("LOG")
    master.lose_slave()
    hello = master.greet()
    assert hello["held"]["token"] == master.token, hello
    master.answer("go-on")
    built = master.built()
    assert built["end"] == "built" and b"trivial" in master.log, (built, master.log)
    (file,) = built["files"]
    assert file["filename"].startswith(f"trivial-1.0-3-{given['abi']}-"), file
    assert built["report"]["sdist"]["filename"] == "trivial-1.0.tar.gz", built
    data = master.fetch(0, file, break_after=file["size"] // 3)
    master.done()
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        assert b"Build: 3\n" in archive.read("trivial-1.0.dist-info/WHEEL")

    # the next one is not wanted any more while it is built
    master.hand_out("slow", "1.0")
    master.hear("LOG")
    master.cancel()
    built = master.built()
    assert (built["end"], built["files"]) == ("cancelled", []), built
    master.done()
    master.hear("IDLE")
    master.bye("that was all")
    print(json.dumps({"file": file, "log": master.log.decode(errors="replace")}))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
