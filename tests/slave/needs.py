"""Tries needs.py, which stands before this: odd files, a dpkg of its own. Ends with an assertion where something is wrong."""

import io
import random
import tempfile
import zipfile


def wheel(**files):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr("x/" + name.replace("_so", ".so"), data)
    return zipfile.ZipFile(out)


# every class and byte order; what the wheel brings and what every system has is not asked for
for wide in (True, False):
    for order in "<>":
        asked = elf(["libone.so.1", "libc.so.6", "libstdc++.so.6", "ld-linux-armhf.so.3", "libpython3.11.so.1.0", "libown.so"], wide, order)
        found = needs(wheel(a_so=asked, b_so=elf(["libtwo-3.so"], wide, order), libown_so=b"", text=b"\x7fELF"))
        assert found == {"libone.so.1", "libtwo-3.so"}, found

# names that are none, and more than anybody needs
assert needs(wheel(a_so=elf(["../libx.so", "a b", "-x", "$(reboot)", "libé.so", "x" * 300, ""]))) == set()
assert len(needs(wheel(a_so=elf(["lib%d.so" % n for n in range(1000)])))) == MOST_NEEDED

# every kind of damage
chance = random.Random(7)
sound = [elf(["libone.so.1", "libtwo.so.2"], wide, order) for wide in (True, False) for order in "<>"]
for n in range(4000):
    data = bytearray(chance.choice(sound))
    for _ in range(chance.randrange(1, 12)):
        data[chance.randrange(16, len(data))] = chance.choice((0, 1, 255, chance.randrange(256)))
    if n % 3 == 0:
        data = data[: chance.randrange(64, len(data) + 1)]
    found = needs(wheel(a_so=bytes(data)))
    assert len(found) <= MOST_NEEDED

# the packages, as dpkg lists them
with tempfile.TemporaryDirectory() as place:
    real = os.path.join(place, "usr/lib/arm-linux-gnueabihf")
    os.makedirs(os.path.join(real, "blas"))
    open(os.path.join(real, "libone.so.1"), "w").close()
    open(os.path.join(real, "blas/libblas.so.3"), "w").close()
    os.symlink("blas/libblas.so.3", os.path.join(real, "libblas.so.3"))
    open(os.path.join(real, "libnobody.so.1"), "w").close()
    INFO = os.path.join(place, "info")
    os.mkdir(INFO)

    def says(package, *paths):
        with open(os.path.join(INFO, package + ".list"), "w") as out:
            out.write("".join(path + "\n" for path in ("/.",) + paths))

    inside = real[len(place):]
    # the paths that dpkg would say: those of this place, as if it were the root
    says("libone1:armhf", inside[4:] + "/libone.so.1")
    says("libblas3:armhf", inside + "/blas/libblas.so.3")
    says("libone-dev", inside + "/libone.so.1")
    says("Odd$(reboot)", inside + "/libone.so.1")
    glob.glob = lambda pattern: [real] if pattern == "/usr/lib/*-linux-*" else []
    keep, os.path.realpath = os.path.realpath, lambda path: keep(path)[len(keep(place)):]
    places_of = places

    def places(names):
        return {path.replace(place, ""): name for path, name in places_of(names).items()} | {
            path.replace(place + "/usr", ""): name for path, name in places_of(names).items()}

    got = packages({"libone.so.1", "libblas.so.3", "libnobody.so.1", "libnowhere.so.1"})
    assert got == ["libblas3", "libone1"], got
    for n in range(100):
        says("libmany%d" % n, inside + "/libone.so.1")
    assert len(packages({"libone.so.1"})) == MOST_PACKAGES
    INFO = os.path.join(place, "nowhere")
    assert packages({"libone.so.1"}) == []
print("done")
