"""Carries connections on, and keeps what went over them as a capture: relay.py CAPTURE NEAR=FAR…

NEAR is a port of 127.0.0.1 (0: any) or the path of a Unix socket to be made, of mode 0600; FAR is HOST:PORT or the path of
one that is there. In the capture Unix sockets are TCP on ports from 5557 on, in the order of the command line. Prints the
ports that it listens on, one a line, or "ready" where there is none; ends when its standard input does.
"""

import atexit
import contextlib
import os
import socket
import sys
import threading

from piwire.pcap import Capture, Connection

FIRST_PORT = 5557


class Relay:
    def __init__(self, capture):
        self.capture, self.clients = capture, 40_000
        self.lock = threading.Lock()

    def listen(self, near, far, shown):
        """Returns the port, where it is one."""
        if near.isdigit():
            listener = socket.create_server(("127.0.0.1", int(near)))
            shown = ("127.0.0.1", listener.getsockname()[1])
        else:
            # whoever may connect here may do at the other end what we may
            os.umask(0o177)
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(near)
            atexit.register(os.unlink, near)
            listener.listen()
        threading.Thread(target=self.serve, args=(listener, far, shown), daemon=True).start()
        return shown[1] if near.isdigit() else None

    def serve(self, listener, far, shown):
        while True:
            near, _ = listener.accept()
            try:
                ahead = connect(far)
            except OSError:
                near.close()
                continue
            with self.lock:
                self.clients += 1
                connection = Connection(self.capture, ("127.0.0.1", self.clients), shown)
            for end, (source, target) in enumerate(((near, ahead), (ahead, near))):
                threading.Thread(target=carry, args=(connection, end, source, target), daemon=True).start()


def connect(far):
    if "/" in far:
        ahead = socket.socket(socket.AF_UNIX)
        ahead.connect(far)
        return ahead
    host, port = far.rsplit(":", 1)
    return socket.create_connection((host, int(port)))


def carry(connection, end, source, target):
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            # before it goes on: what answers it comes later in the capture, too
            connection.send(end, data)
            target.sendall(data)
    connection.finish(end)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def main(path, *pairs):
    relay = Relay(Capture(path))
    ports = [relay.listen(*pair.split("=", 1), ("127.0.0.1", FIRST_PORT + place)) for place, pair in enumerate(pairs)]
    print(*(port for port in ports if port), sep="\n") if any(ports) else print("ready")
    sys.stdout.flush()
    sys.stdin.read()
    relay.capture.close()


if __name__ == "__main__":
    if len(sys.argv) < 3 or not all("=" in pair for pair in sys.argv[2:]):
        print(__doc__.strip(), file=sys.stderr)
        sys.exit(2)
    try:
        main(*sys.argv[1:])
    except KeyboardInterrupt:
        sys.exit(130)
    except OSError as error:
        sys.exit(f"relay.py: {error}")
