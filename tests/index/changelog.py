"""A changelog behind Python's own XML-RPC server: what the gazer speaks with must not be ours alone.

Prints its port and serves until its standard input ends. What it answers depends on the serial it is asked about.
"""

import os
import sys
import threading
import xmlrpc.client
from xmlrpc.server import SimpleXMLRPCRequestHandler, SimpleXMLRPCServer

BIG = 2**31


class Handler(SimpleXMLRPCRequestHandler):
    rpc_paths = ("/pypi",)


def row(serial, name="Foo.Bar", version="1.0", action="add source file foo_bar-1.0.tar.gz", at=1700000000):
    return (name, version, at, action, serial)


def changelog_since_serial(since):
    if since == 1:
        raise xmlrpc.client.Fault(
            -32500, "HTTPTooManyRequests: too many requests by the client. Limit may reset in 59 seconds."
        )
    if since == 2:
        raise RuntimeError("it is <broken> & done")
    if since == 3:
        return [row(n) for n in range(4, 50004)]
    if since >= BIG:
        # as large as what it was asked with, and larger: Python itself refuses to write such numbers as <int>
        return [row(str(since + 1)), row(since + 2), row(2**62)]
    return [
        row(10),
        row(11, version=None, action="remove project", at=1700000001),
        row(13, version=None, action="create"),
        row(12, version="2.0", action="yank release: <&> ]]> \u20ac"),
        row(12, version="2.0", action="yank release: <&> ]]> \u20ac"),
        row(14, name="b\u00e4d", action="remove release"),
        row(15, name="", version="", action=""),
    ]


def big_int(_, value, write):
    write("<value><i8>%d</i8></value>" % value if value % 2 else "<value><int>%d</int></value>" % value)


def main():
    xmlrpc.client.Marshaller.dispatch[int] = lambda m, v, w: (
        xmlrpc.client.Marshaller.dump_long(m, v, w) if -BIG <= v < BIG else big_int(m, v, w)
    )
    server = SimpleXMLRPCServer(("127.0.0.1", 0), Handler, logRequests=False, allow_none=True)
    server.register_function(changelog_since_serial)
    print(server.server_address[1], flush=True)
    threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
    server.serve_forever()


main()
