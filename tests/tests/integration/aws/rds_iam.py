"""Judges tokens as RDS does, by signatures version 4 computed anew, and speaks as much LDAP as PostgreSQL needs to ask.

Its argument: access key, secret key, host:port and region. Prints its port, then a line for each token.
"""
import datetime
import hashlib
import hmac
import socketserver
import sys
from urllib.parse import parse_qsl, quote

KEY, SECRET, PLACE, REGION = sys.argv[1].split(" ")


def problem(user, token):
    place, _, query = token.partition("/?")
    given = dict(parse_qsl(query, strict_parsing=True))
    signature = given.pop("X-Amz-Signature")
    made = datetime.datetime.strptime(given["X-Amz-Date"] + "+0000", "%Y%m%dT%H%M%SZ%z")
    age = (datetime.datetime.now(datetime.timezone.utc) - made).total_seconds()
    day = given["X-Amz-Date"][:8]
    scope = f"{day}/{REGION}/rds-db/aws4_request"
    if place != PLACE:
        return "another place"
    if (given["Action"], given["DBUser"]) != ("connect", user):
        return "another role"
    if given["X-Amz-Expires"] != "900" or not -60 < age < 900:
        return "another time"
    if given["X-Amz-Credential"] != f"{KEY}/{scope}" or given["X-Amz-SignedHeaders"] != "host":
        return "another caller"
    encoded = [f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}" for name, value in sorted(given.items())]
    empty = hashlib.sha256(b"").hexdigest()
    request = "\n".join(["GET", "/", "&".join(encoded), f"host:{PLACE}", "", "host", empty])
    digest = hashlib.sha256(request.encode()).hexdigest()
    key = b"AWS4" + SECRET.encode()
    for part in [day, REGION, "rds-db", "aws4_request"]:
        key = hmac.digest(key, part.encode(), "sha256")
    signed = "\n".join(["AWS4-HMAC-SHA256", given["X-Amz-Date"], scope, digest])
    expected = hmac.digest(key, signed.encode(), "sha256").hex()
    return None if hmac.compare_digest(expected, signature) else "another signature"


def element(data, at=0):
    """A BER element's tag, content and end (X.690, definite lengths)."""
    tag, length, at = data[at], data[at + 1], at + 2
    if length & 0x80:
        octets = length & 0x7F
        length, at = int.from_bytes(data[at : at + octets], "big"), at + octets
    if at + length > len(data):
        raise IndexError
    return tag, data[at : at + length], at + length


class Judge(socketserver.BaseRequestHandler):
    def handle(self):
        data = b""
        while piece := self.request.recv(65536):
            data += piece
            try:
                _, message, _ = element(data)
            except IndexError:
                continue
            data = b""
            _, number, at = element(message)
            operation, bind, _ = element(message, at)
            if operation != 0x60:  # Anything but a bind request is the unbind request behind it.
                return
            _, _, at = element(bind)
            _, name, at = element(bind, at)
            _, token, _ = element(bind, at)
            user = name.decode().removeprefix("cn=")
            found = problem(user, token.decode())
            print(f"refused {user}: {found}" if found else f"accepted {user}", flush=True)
            result = bytes([0x61, 7, 0x0A, 1, 49 if found else 0, 4, 0, 4, 0])
            answer = bytes([2, len(number)]) + number + result
            self.request.sendall(bytes([0x30, len(answer)]) + answer)


with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Judge) as server:
    server.daemon_threads = True
    print(server.server_address[1], flush=True)
    server.serve_forever()
