"""Starts the functions' programs as Lambda does, over and over, and tells what that takes.

    lambdas.py ZIPS EMULATOR ROUNDS

Ours is the runtime API that they poll. Each has the variables that infra/modules gives it, over buckets, keys, a table and
queues of the emulator's. Measured are the time from exec (the spawning of the process included) to the first poll, and from
there to the answer to a first event, in which what was left for later is paid. Files are in the page cache, as they are not
where Lambda starts a function for the first time.
"""

import json
import os
import pathlib
import select
import signal
import socket
import statistics
import sys
import tempfile
import time
import zipfile

import botocore.session

# Milliseconds from exec to first poll, and bytes of a zip.
BUDGET_MS = 25
BUDGET_ZIP = 10_000_000
# For one start, in seconds.
PATIENCE = 30
REGION, ACCOUNT = "us-east-1", "000000000000"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": REGION}
# What the first event asks for, as whoever calls the function does.
EVENTS = {
    "indexer": {"Records": []},
    "sealer": {},
    "certifier": {"certify": "keys"},
    "bundler": {"from_us": 0, "to_us": 1},
    "console": {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": "/api/v1/login",
        "rawQueryString": "",
        "headers": {"host": "console.example"},
        "requestContext": {
            "accountId": ACCOUNT, "apiId": "api", "domainName": "console.example", "domainPrefix": "console", "routeKey": "$default",
            "requestId": "1", "stage": "$default", "time": "27/Nov/2026:00:00:00 +0000", "timeEpoch": 0,
            "http": {"method": "GET", "path": "/api/v1/login", "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1", "userAgent": "bench"},
        },
        "isBase64Encoded": False,
    },
}


def main():
    zips, emulator, rounds = pathlib.Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    variables = deploy(emulator)
    with tempfile.TemporaryDirectory() as folder:
        programs = {name: unpacked(zips / f"{name}.zip", pathlib.Path(folder, name)) for name in EVENTS}
        took = {name: [] for name in EVENTS}
        for number in range(rounds + 1):
            for name, program in programs.items():
                measured = start(program, variables[name], EVENTS[name])
                # The first round fills caches, the emulator's too.
                if number > 0:
                    took[name].append(measured)
        sys.exit(tell(zips, programs, took))


def tell(zips, programs, took):
    failed = 0
    print(f"\n{len(next(iter(took.values())))} starts of each, one after the other, on {os.cpu_count()} cores; milliseconds, median (least to most).")
    print(f"Load average at the end: {open('/proc/loadavg', encoding='ascii').read()[:14]}\n")
    print("| function  | zip kB | program kB | exec to first poll | of it CPU | then to first answer | memory MB |")
    print("|-----------|-------:|-----------:|-------------------:|----------:|---------------------:|----------:|")
    for name, rows in took.items():
        polls, cpus, answers, memory = zip(*rows)
        zipped = (zips / f"{name}.zip").stat().st_size
        print(
            f"| {name:9} | {zipped // 1000:6} | {programs[name].stat().st_size // 1000:10} | {spread(polls):>18} "
            f"| {statistics.median(cpus):9.1f} | {spread(answers):>20} | {max(memory):9.0f} |"
        )
        if statistics.median(polls) > BUDGET_MS:
            print(f"  FAILED: {name} polls later than after {BUDGET_MS} ms")
            failed = 1
        if zipped > BUDGET_ZIP:
            print(f"  FAILED: {name}.zip has more than {BUDGET_ZIP // 1000} kB")
            failed = 1
    return failed


def spread(values):
    return f"{statistics.median(values):.1f} ({min(values):.1f} to {max(values):.1f})"


# One start ------------------------------------------------------------------------------------------------------------


def start(program, variables, event):
    """Milliseconds to the first poll, of CPU till then, and on to the first answer; megabytes resident at most."""
    with socket.create_server(("127.0.0.1", 0)) as server, open(os.devnull, "r+b") as null, tempfile.TemporaryFile() as log:
        host, port = server.getsockname()
        environment = variables | CREDENTIALS | {
            "AWS_LAMBDA_RUNTIME_API": f"{host}:{port}",
            "AWS_LAMBDA_FUNCTION_NAME": program.parent.name,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1024",
            "AWS_LAMBDA_LOG_GROUP_NAME": "log",
            "AWS_LAMBDA_LOG_STREAM_NAME": "stream",
            "_HANDLER": "bootstrap",
        }
        files = [(os.POSIX_SPAWN_DUP2, null.fileno(), 0), (os.POSIX_SPAWN_DUP2, null.fileno(), 1), (os.POSIX_SPAWN_DUP2, log.fileno(), 2)]
        began = time.monotonic()
        process = os.posix_spawn(program, [str(program)], environment, file_actions=files)
        try:
            api = Api(server, process)
            request = api.request()
            polled = time.monotonic()
            cpu = cpu_of(process)
            if not request.startswith(b"GET /2018-06-01/runtime/invocation/next "):
                raise Unexpected(f"expected the first poll, and not {request[:100]!r}")
            api.give(event, program.parent.name)
            request = api.request()
            done = time.monotonic()
            if b"/response " not in request.split(b"\r\n")[0]:
                raise Unexpected(f"expected the answer to the first event, and not {request[:2000]!r}")
            memory = int(next(line for line in open(f"/proc/{process}/status", encoding="ascii") if line.startswith("VmHWM")).split()[1])
        except Unexpected as problem:
            log.seek(0)
            sys.exit(f"{program.parent.name}: {problem}\n{log.read().decode()}")
        finally:
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)
    return (polled - began) * 1e3, cpu, (done - polled) * 1e3, memory * 1024 / 1e6


class Unexpected(Exception):
    pass


class Api:
    """Lambda's runtime API, as much as one event needs, over one connection or several."""

    def __init__(self, server, process):
        self.server, self.process, self.connections = server, process, []

    def request(self):
        """The next request, whole."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            ready, _, _ = select.select([self.server, *self.connections], [], [], 0.5)
            for one in ready:
                if one is self.server:
                    self.connections.append(self.server.accept()[0])
                    continue
                request = self.read(one)
                if request:
                    self.last = one
                    return request
                self.connections.remove(one)
            if not ready and os.waitid(os.P_PID, self.process, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                raise Unexpected("it ended")
        raise Unexpected(f"nothing came within {PATIENCE} s")

    @staticmethod
    def read(connection):
        data = b""
        while b"\r\n\r\n" not in data:
            part = connection.recv(65536)
            if not part:
                return data
            data += part
        head, body = data.split(b"\r\n\r\n", 1)
        fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
        while len(body) < int(fields.get(b"content-length", 0)):
            body += connection.recv(65536)
        return head + b"\r\n\r\n" + body

    def give(self, event, function):
        body = json.dumps(event).encode()
        deadline = int((time.time() + PATIENCE) * 1000)
        head = (
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nLambda-Runtime-Aws-Request-Id: 8476a536-e9f4-11e8-9739-2dfe598c3fcd\r\n"
            f"Lambda-Runtime-Deadline-Ms: {deadline}\r\nLambda-Runtime-Trace-Id: Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700\r\n"
            f"Lambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:{REGION}:{ACCOUNT}:function:{function}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        self.last.sendall(head.encode() + body)


def cpu_of(process):
    """Milliseconds of CPU that it has used."""
    # Of schedstat, which counts in nanoseconds; each thread has its own.
    threads = pathlib.Path(f"/proc/{process}/task").iterdir()
    return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e6


# What they are started with -------------------------------------------------------------------------------------------


def unpacked(zipped, folder):
    with zipfile.ZipFile(zipped) as file:
        file.extract("bootstrap", folder)
    program = folder / "bootstrap"
    program.chmod(0o755)
    return program


def deploy(emulator):
    """Makes what infra/modules does, as far as programs look at it; each function's variables."""
    session = botocore.session.get_session()
    session.set_credentials("test", "test")

    def client(service):
        return session.create_client(service, region_name=REGION, endpoint_url=emulator)

    s3, kms, sqs, tables = client("s3"), client("kms"), client("sqs"), client("dynamodb")
    for bucket in ("evidence", "log", "deletable", "lake"):
        s3.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True)
    sign = {"KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY"}

    def key(**spec):
        return kms.create_key(**spec)["KeyMetadata"]["Arn"]

    keys = {f"AFFIDAVIT_KEY_{name}": key(**sign) for name in ("CERTIFICATES", "CHECKPOINTS", "APPROVALS", "BUNDLES")}
    keys["AFFIDAVIT_KEY_COOKIES"] = key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")
    attributes = [{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")]
    schema = [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}]
    tables.create_table(TableName="index", AttributeDefinitions=attributes, KeySchema=schema, BillingMode="PAY_PER_REQUEST")
    common = {
        "AFFIDAVIT_TENANT": "clinic", "AFFIDAVIT_ENVIRONMENT": "test", "AFFIDAVIT_METRICS": "Affidavit/bench",
        "AFFIDAVIT_BUCKET_EVIDENCE": "evidence", "AFFIDAVIT_BUCKET_LOG": "log", "AFFIDAVIT_BUCKET_DELETABLE": "deletable",
        "AFFIDAVIT_BUCKET_OWNER": ACCOUNT, "AFFIDAVIT_LOCK_MODE": "governance", "AFFIDAVIT_RETAIN_DAYS": "2",
        "AWS_ENDPOINT_URL": emulator, "RUST_LOG": "info",
    }
    own = {
        "indexer": {
            "AFFIDAVIT_TABLE": "index", "AFFIDAVIT_BUCKET_LAKE": "lake",
            "AFFIDAVIT_QUARANTINE": sqs.create_queue(QueueName="quarantine")["QueueUrl"],
        },
        "sealer": {},
        "certifier": {"AFFIDAVIT_RELAYS": "r1,r2", "AFFIDAVIT_CERTIFICATE_HOURS": "24"},
        "bundler": {"AFFIDAVIT_WORK": "/tmp"},
        "console": {
            "AFFIDAVIT_TABLE": "index", "AFFIDAVIT_BUNDLER": "bundler", "AFFIDAVIT_CONSOLE_URL": "https://console.example",
            "AFFIDAVIT_ISSUER": "https://issuer.example", "AFFIDAVIT_CLIENT_ID": "affidavit-console", "AFFIDAVIT_GROUPS_CLAIM": "groups",
            "AFFIDAVIT_APPROVERS": "approvers", "AFFIDAVIT_REVIEWERS": "reviewers",
        },
    }
    named = {
        "indexer": ["CERTIFICATES", "APPROVALS"], "sealer": ["CERTIFICATES", "CHECKPOINTS"], "bundler": ["CERTIFICATES", "CHECKPOINTS", "BUNDLES"],
        "certifier": ["CERTIFICATES", "CHECKPOINTS", "APPROVALS", "BUNDLES"], "console": ["CERTIFICATES", "APPROVALS", "COOKIES"],
    }
    return {name: common | own[name] | {f"AFFIDAVIT_KEY_{key}": keys[f"AFFIDAVIT_KEY_{key}"] for key in named[name]} for name in own}


main()
