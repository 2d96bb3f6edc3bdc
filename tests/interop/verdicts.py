"""What the second codec says of frames that another one has judged: verdicts.py < LINES.

A line is a JSON object: `channel`, `direction` and `frame` (hexadecimal), and either `message` and `fields`, or, of a frame that
was refused, `refused`: the field that was at fault, or null where none was. Prints where the two differ, a line each, and a
summary; exit 1 where they do.
"""

import json
import sys

from piwire import frames, messages
from piwire.fields import BUILD, Number, Refused

CHANNELS = {channel.name: channel for channel in messages.CHANNELS}
MOST_SHOWN, MOST_CHARACTERS = 20, 4000


def by_type_alone():
    """What the tables ask of a number beyond its type is not every codec's to look at: SLEEP's seconds, FETCH's length."""
    for channel in messages.CHANNELS:
        for direction in (channel.to_master, channel.from_master):
            for message in direction.by_tag.values():
                for of in message.body.fields.values():
                    if isinstance(of, Number) and of is not BUILD:
                        of.least = of.most = None


def judge(channel, direction, frame):
    """As a line has it."""
    try:
        if frames.frame_length(channel, frame[:4]) != len(frame) - 4:
            raise Refused("not one whole frame")
        message, fields = frames.decode(direction, frame[4:])
        return {"message": message, "fields": fields}
    except Refused as refused:
        return {"refused": refused.field}


def difference(line):
    """What is wrong with a line, if anything is."""
    channel = CHANNELS[line.pop("channel")]
    direction = channel.direction(line.pop("direction"))
    frame = bytes.fromhex(line.pop("frame"))
    own = judge(channel, direction, frame)
    if own != line:
        return f"{own} here, {line} there"
    if "message" in own and frames.encode(direction, own["message"], own["fields"]) != frame:
        return f"{own} is written otherwise"
    return None


def main():
    by_type_alone()
    taken, refused, wrong = 0, 0, []
    for text in sys.stdin:
        line = json.loads(text)
        taken += "message" in line
        refused += "refused" in line
        what = f"{line['channel']}/{line['direction']} {line['frame']}"
        if (found := difference(line)) is not None:
            wrong.append(f"{what}: {found}")
    # whoever writes the lines may read nothing before the last one
    print(*(text[:MOST_CHARACTERS] for text in wrong[:MOST_SHOWN]), sep="\n")
    print(f"{taken} frames taken, {refused} refused, {len(wrong)} differences")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
