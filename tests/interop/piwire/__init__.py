"""The protocol of the farm, a second time: written from wire-spec/ alone, for whoever wants to see what a peer takes.

    fields.py      field types: bytes <-> values in the JSON form of the vectors
    messages.py    what is in wire-spec's tables: every message of every channel
    frames.py      preamble, frames, seals: bytes <-> messages
    auth.py        proofs and keys
    link.py        a connection: a socket with all of the above
    slave.py, master.py, tools.py    peers; wheel.py what they bring
    spec.py        the tables of the text, and the vectors
    pcap.py        captures

Nothing but Python's own library, and nothing of the farm's programs.
"""
