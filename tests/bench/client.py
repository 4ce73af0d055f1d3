#!/usr/bin/env python3
"""A PostgreSQL client that costs next to nothing, so that what is measured is what it talks to. Standard library alone.

    client.py bulk HOST PORT DATABASE USER CA SQL    runs SQL, throws the rows away, prints `bytes seconds`
    client.py idle HOST PORT DATABASE USER CA COUNT  opens COUNT sessions, prints `open`, keeps them until its
                                                     standard input ends

TLS is checked against CA. The password is PGPASSWORD's; cleartext and SCRAM-SHA-256 are spoken.
"""

import base64
import hashlib
import hmac
import os
import socket
import ssl
import struct
import sys
import time


def message(kind, body):
    return kind + struct.pack("!I", len(body) + 4) + body


class Session:
    def __init__(self, host, port, database, user, ca):
        plain = socket.create_connection((host, int(port)))
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        plain.sendall(struct.pack("!II", 8, 80877103))
        if plain.recv(1) != b"S":
            sys.exit("no TLS")
        self.socket = ssl.create_default_context(cafile=ca).wrap_socket(plain, server_hostname=host)
        body = struct.pack("!I", 196608) + b"".join(
            part.encode() + b"\0" for part in ("user", user, "database", database, "")
        )
        self.socket.sendall(struct.pack("!I", len(body) + 4) + body)
        self.log_in()

    def exactly(self, count):
        data = b""
        while len(data) < count:
            more = self.socket.recv(count - len(data))
            if not more:
                sys.exit("the connection ended")
            data += more
        return data

    def read(self):
        kind, length = struct.unpack("!cI", self.exactly(5))
        body = self.exactly(length - 4)
        if kind == b"E":
            sys.exit(body.replace(b"\0", b" ").decode(errors="replace"))
        return kind, body

    def log_in(self):
        password = os.environ["PGPASSWORD"]
        while True:
            kind, body = self.read()
            if kind == b"Z":
                return
            code = struct.unpack("!I", body[:4])[0] if kind == b"R" else None
            if code == 3:
                self.socket.sendall(message(b"p", password.encode() + b"\0"))
            elif code == 10:
                self.scram(password)

    def scram(self, password):
        """RFC 5802 and 7677, without channel binding. The server's signature is not checked: nothing here is secret."""
        nonce = base64.b64encode(os.urandom(18)).decode()
        bare = f"n=,r={nonce}"
        first = ("n,," + bare).encode()
        self.socket.sendall(message(b"p", b"SCRAM-SHA-256\0" + struct.pack("!I", len(first)) + first))
        _, body = self.read()
        server = body[4:].decode()
        fields = dict(part.split("=", 1) for part in server.split(","))
        salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(fields["s"]), int(fields["i"]))
        key = hmac.digest(salted, b"Client Key", "sha256")
        final = f"c=biws,r={fields['r']}"
        signature = hmac.digest(hashlib.sha256(key).digest(), f"{bare},{server},{final}".encode(), "sha256")
        proof = base64.b64encode(bytes(a ^ b for a, b in zip(key, signature))).decode()
        self.socket.sendall(message(b"p", f"{final},p={proof}".encode()))

    def bulk(self, sql):
        """Everything up to ReadyForQuery, of which only the end is looked at: the rows must not hold its bytes."""
        buffer, total, end = bytearray(1 << 20), 0, b""
        view = memoryview(buffer)
        self.socket.sendall(message(b"Q", sql.encode() + b"\0"))
        while end != b"Z\0\0\0\5I":
            count = self.socket.recv_into(buffer)
            if count == 0:
                sys.exit("the connection ended")
            total += count
            end = (end + bytes(view[max(0, count - 6) : count]))[-6:]
        return total


def main():
    command, *where, what = sys.argv[1:]
    if command == "bulk":
        session = Session(*where)
        start = time.perf_counter()
        total = session.bulk(what)
        print(total, time.perf_counter() - start)
    elif command == "idle":
        sessions = [Session(*where) for _ in range(int(what))]
        print("open", flush=True)
        sys.stdin.read()
        del sessions
    else:
        sys.exit(__doc__)


main()
