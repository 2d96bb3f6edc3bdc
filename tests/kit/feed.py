"""The changelog of the tests' index, by Python's own XML-RPC server.

Prints its port and serves until its standard input ends. The file named by the first argument has the rows as JSON, or
instead of them a text, which is a fault.
"""

import json
import os
import sys
import threading
import xmlrpc.client
from xmlrpc.server import SimpleXMLRPCRequestHandler, SimpleXMLRPCServer


class Handler(SimpleXMLRPCRequestHandler):
    rpc_paths = ("/pypi",)


def changelog_since_serial(since):
    with open(sys.argv[1], encoding="utf-8") as file:
        rows = json.load(file)
    if isinstance(rows, str):
        raise xmlrpc.client.Fault(-32500, rows)
    return [row for row in rows if row[4] > since]


def main():
    server = SimpleXMLRPCServer(("127.0.0.1", 0), Handler, logRequests=False, allow_none=True)
    server.register_function(changelog_since_serial)
    print(server.server_address[1], flush=True)
    threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
    server.serve_forever()


main()
