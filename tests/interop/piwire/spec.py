"""What wire-spec's files name: every row of their tables of messages, and every vector."""

import json
import re

from .messages import CHANNELS

ROW = re.compile(r"^\| 0x([0-9a-f]{2}) \| ([A-Z_]+) \|")
TABLES = re.compile(r"^## Messages to the (master|slave|tool|monitor)$")


def tables(spec):
    """{(channel, direction): {tag: name}} of the text; auth.md as a channel of its own."""
    found = {}
    for name in [channel.name for channel in CHANNELS] + ["auth"]:
        direction = None
        for line in (spec / f"{name}.md").read_text(encoding="utf-8").splitlines():
            if line.startswith("## "):
                heading = TABLES.match(line)
                direction = f"to-{heading.group(1)}" if heading else None
            row = ROW.match(line)
            if row:
                tag = int(row.group(1), 16)
                where = direction or ("to-master" if tag < 0x80 else "to-slave")
                rows = found.setdefault((name, where), {})
                if tag in rows:
                    raise ValueError(f"{name}.md: {tag:#04x} is there twice")
                rows[tag] = row.group(2)
    return found


def vectors(spec):
    """[(path, channel, direction, vector)] of all that are one message."""
    found = []
    for path in sorted((spec / "vectors").glob("*/to-*/*.json")):
        channel, direction = path.parent.parent.name, path.parent.name
        found.append((path, channel, direction, json.loads(path.read_text(encoding="utf-8"))))
    return found
