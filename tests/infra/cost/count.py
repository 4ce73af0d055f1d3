#!/usr/bin/env python3
"""Counts what a deployment asks of AWS for what a relay stored: the functions' own programs on the emulator, behind a proxy
that counts.

    count.py BIN MIX=OBJECTS...     BIN: folder of the functions' programs; OBJECTS: the evidence that relay.sh left

Each mix begins with nothing. Its objects are put as a relay stores them, without being counted; S3 notifies, the indexer
indexes and draws, the sealer runs once a minute's worth of objects and once with nothing to do. Prints JSON: per mix the
requests of each function by service, operation and bucket, with the bytes that DynamoDB bills by. DELAY_MS makes each
request of theirs wait so long, as one to AWS would: then the seconds are of interest.
"""

import base64
import collections
import hashlib
import http.client
import http.server
import json
import math
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

import boto3
from botocore.config import Config

ROOT = pathlib.Path(__file__).resolve().parents[3]
REGION, ACCOUNT = "us-east-1", "000000000000"
TENANT, ENVIRONMENT = "demo", "local"
DELAY_S = float(os.environ.get("DELAY_MS", "0")) / 1000
KEYS = ("certificates", "checkpoints", "approvals", "bundles")
CERTIFICATE = "application/vnd.affidavit.certificate.v1+json"


class Proxy(http.server.ThreadingHTTPServer):
    """Hands requests on and counts them under `self.phase`."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.upstream, self.phase, self.counts = None, None, collections.defaultdict(collections.Counter)
        self.lock = threading.Lock()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"

    def count(self, name, amount=1):
        with self.lock:
            self.counts[self.phase][name] += amount


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def hand_on(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        time.sleep(DELAY_S)
        upstream = http.client.HTTPConnection(self.server.upstream)
        headers = {name: value for name, value in self.headers.items() if name.lower() not in ("connection", "expect")}
        upstream.request(self.command, self.path, body, headers)
        answer = upstream.getresponse()
        content = answer.read()
        name = operation(self.command, self.path, self.headers)
        self.server.count(name)
        self.bill(name, body, content)
        self.send_response(answer.status)
        for header, value in answer.getheaders():
            if header.lower() not in ("connection", "transfer-encoding", "date", "server"):
                self.send_header(header, value)
        if answer.getheader("content-length") is None:
            self.send_header("content-length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def bill(self, name, body, content):
        """What DynamoDB bills by: 1 kB written (twice in a transaction), 4 kB read consistently."""
        if name == "dynamodb.PutItem":
            self.server.count("dynamodb:WRU", math.ceil(len(body) / 1024))
        elif name == "dynamodb.TransactWriteItems":
            writes = json.loads(body)["TransactItems"]
            self.server.count("dynamodb:WRU", sum(2 * math.ceil(len(json.dumps(write)) / 1024) for write in writes))
        elif name in ("dynamodb.GetItem", "dynamodb.Query"):
            self.server.count("dynamodb:RRU", max(1, math.ceil(len(content) / 4096)))
        elif name.startswith("s3.PutObject"):
            self.server.count(name.replace("s3.", "s3:") + ":bytes", len(body))

    def log_message(self, *_):
        pass

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = hand_on


def operation(method, path, headers):
    target = headers.get("x-amz-target")
    if target:
        service, call = target.split(".")
        service = {"TrentService": "kms", "AmazonSQS": "sqs"}.get(service, service.split("_")[0].lower())
        return f"{service}.{call}"
    url = urllib.parse.urlsplit(path)
    query = urllib.parse.parse_qs(url.query, keep_blank_values=True)
    _, bucket, *key = url.path.split("/", 2)
    kind = bucket.split("-")[0]
    for flag, call in (("versions", "ListObjectVersions"), ("versioning", "GetBucketVersioning"),
                       ("object-lock", "GetObjectLockConfiguration"), ("retention", "ObjectRetention"),
                       ("list-type", "ListObjectsV2")):
        if flag in query:
            return f"s3.{call} {kind}"
    call = {"GET": "GetObject", "PUT": "PutObject", "HEAD": "HeadObject", "DELETE": "DeleteObject"}[method]
    return f"s3.{call if key and key[0] else call.replace('Object', 'Bucket')} {kind}"


class World:
    """A deployment without its roles. Whatever is done through `aws` here is not counted."""

    def __init__(self, url, programs):
        self.url, self.programs = url, programs
        config = Config(s3={"addressing_style": "path"})
        self.aws = lambda service: boto3.client(
            service, region_name=REGION, endpoint_url=url, config=config,
            aws_access_key_id="test", aws_secret_access_key="test")
        self.s3, self.sqs, self.kms, self.functions = (self.aws(name) for name in ("s3", "sqs", "kms", "lambda"))

    def make(self, run):
        self.run = run
        self.buckets = {kind: f"{kind}-{run}" for kind in ("evidence", "log", "deletable", "lake")}
        for kind, bucket in self.buckets.items():
            self.s3.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=kind != "lake")
        self.keys = {}
        for key in KEYS:
            made = self.kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
            self.keys[key] = made["KeyMetadata"]["Arn"]
        self.quarantine = self.sqs.create_queue(QueueName=f"quarantine-{run}")["QueueUrl"]
        self.stored = self.sqs.create_queue(
            QueueName=f"stored-{run}", Attributes={"VisibilityTimeout": "30"})["QueueUrl"]
        self.aws("dynamodb").create_table(
            TableName=f"index-{run}", BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")],
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}])
        self.deploy("indexer", "approvals", AFFIDAVIT_QUARANTINE=self.quarantine, AFFIDAVIT_TABLE=f"index-{run}",
                    AFFIDAVIT_BUCKET_LAKE=self.buckets["lake"])
        self.deploy("sealer", "checkpoints")
        arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:stored-{run}"
        self.s3.put_bucket_notification_configuration(
            Bucket=self.buckets["evidence"],
            NotificationConfiguration={"QueueConfigurations": [{"QueueArn": arn, "Events": ["s3:ObjectCreated:*"]}]})
        self.mapping = self.functions.create_event_source_mapping(
            FunctionName=f"indexer-{run}", EventSourceArn=arn, BatchSize=10,
            FunctionResponseTypes=["ReportBatchItemFailures"])["UUID"]

    def deploy(self, function, key, **more):
        with tempfile.TemporaryDirectory() as folder:
            zipped = pathlib.Path(folder) / "zip"
            pack = [str(ROOT / "infra/lambdas.sh"), "pack", str(self.programs / function), str(zipped)]
            subprocess.run(pack, check=True, env={"PATH": "/usr/bin:/bin", "LEVEL": "1"})
            code = zipped.read_bytes()
        variables = {
            "AFFIDAVIT_TENANT": TENANT, "AFFIDAVIT_ENVIRONMENT": ENVIRONMENT, "AFFIDAVIT_BUCKET_OWNER": ACCOUNT,
            "AFFIDAVIT_LOCK_MODE": "governance", "AFFIDAVIT_RETAIN_DAYS": "1", "AFFIDAVIT_METRICS": "Affidavit/cost",
            "AFFIDAVIT_KEY_CERTIFICATES": self.keys["certificates"], f"AFFIDAVIT_KEY_{key.upper()}": self.keys[key],
            **{f"AFFIDAVIT_BUCKET_{kind.upper()}": self.buckets[kind] for kind in ("evidence", "log", "deletable")}, **more,
        }
        self.functions.create_function(
            FunctionName=f"{function}-{self.run}", Runtime="provided.al2023", Handler="bootstrap", Timeout=60,
            MemorySize=1024, Role=f"arn:aws:iam::{ACCOUNT}:role/{function}", Code={"ZipFile": code},
            Environment={"Variables": variables})

    def put(self, key, content):
        kind = "evidence" if key.startswith(("evidence/", "trust/")) else "deletable"
        if key.endswith("/certificate.json"):
            content = self.certify(content)
        self.s3.put_object(Bucket=self.buckets[kind], Key=key, Body=content)

    def certify(self, content):
        """The relay's certificate, signed by this deployment's root instead of the demo's: it says the same."""
        envelope = json.loads(content)
        kind, payload = envelope["payloadType"], base64.b64decode(envelope["payload"])
        message = b"DSSEv1 %d %s %d %s" % (len(kind), kind.encode(), len(payload), payload)
        signed = self.kms.sign(KeyId=self.keys["certificates"], MessageType="DIGEST", SigningAlgorithm="ECDSA_SHA_256",
                               Message=hashlib.sha256(message).digest())
        key = self.kms.get_public_key(KeyId=self.keys["certificates"])["PublicKey"]
        [signature] = envelope["signatures"]
        signature.update(keyid=hashlib.sha256(key).hexdigest(), sig=base64.b64encode(signed["Signature"]).decode())
        return json.dumps(envelope, separators=(",", ":"), sort_keys=True).encode()

    def waiting(self):
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        told = self.sqs.get_queue_attributes(QueueUrl=self.stored, AttributeNames=names)["Attributes"]
        return sum(int(told[name]) for name in names)

    def settle(self):
        quiet = 0
        while quiet < 4:
            quiet = quiet + 1 if self.waiting() == 0 else 0
            time.sleep(0.5)

    def seal(self):
        answer = self.functions.invoke(FunctionName=f"sealer-{self.run}", Payload=b"{}")
        told = json.loads(answer["Payload"].read())
        assert "FunctionError" not in answer and told["rejected"] == 0, told
        return told


def objects(folder):
    """What a relay stored, oldest first: not the log nor what certifies the demo's keys."""
    files = [file for file in folder.rglob("*") if file.is_file()]
    found = [(file.stat().st_mtime_ns, file.relative_to(folder).as_posix(), file.read_bytes()) for file in files]
    return [(key, content) for _, key, content in sorted(found) if key.startswith(("evidence/", "keys/"))]


def kind_of(key):
    name = key.rsplit("/", 1)[-1]
    if key.startswith("keys/"):
        return "key"
    if "/heartbeats/" in key:
        return "heartbeat"
    return "chunk" if name.startswith("chunk-") else name.removesuffix(".json")


def stored(found):
    kinds = collections.defaultdict(lambda: [0, 0])
    for key, content in found:
        kinds[kind_of(key)][0] += 1
        kinds[kind_of(key)][1] += len(content)
    return {kind: {"objects": count, "bytes": size} for kind, (count, size) in sorted(kinds.items())}


def measure(proxy, world, name, found):
    world.make(name)
    proxy.phase = f"{name} starting"
    world.settle()
    # Starts of both programs: what they ask before the first event.
    world.seal()
    (beginning, rest) = ([item for item in found if kind_of(item[0]) in ("certificate", "relay-start")],
                         [item for item in found if kind_of(item[0]) not in ("certificate", "relay-start")])
    for key, content in beginning:
        world.put(key, content)
    world.settle()
    world.seal()
    proxy.phase = f"{name} indexer"
    for key, content in rest:
        world.put(key, content)
    world.settle()
    proxy.phase = f"{name} sealer"
    began = time.monotonic()
    told = world.seal()
    seconds = time.monotonic() - began
    proxy.phase = f"{name} sealer idle"
    world.seal()
    proxy.phase = None
    lake = world.s3.list_objects_v2(Bucket=world.buckets["lake"])
    index = world.aws("dynamodb").scan(TableName=f"index-{name}")["Items"]
    world.functions.delete_event_source_mapping(UUID=world.mapping)
    return {
        "stored": stored(found),
        "entries": told["entries"],
        "seconds": {"sealer": round(seconds, 1)} if DELAY_S else {},
        "lake": {"files": lake["KeyCount"], "bytes": sum(file["Size"] for file in lake.get("Contents", []))},
        "index": {"items": len(index), "bytes": sum(len(json.dumps(item)) for item in index)},
        "requests": {phase: dict(sorted(proxy.counts[f"{name} {phase}"].items()))
                     for phase in ("starting", "indexer", "sealer", "sealer idle")},
    }


def main():
    programs, mixes = pathlib.Path(sys.argv[1]), [mix.split("=") for mix in sys.argv[2:]]
    proxy = Proxy()
    scratch = tempfile.mkdtemp()
    hold = subprocess.Popen(
        [str(ROOT / "tests/emulator.sh"), "hold", f"{scratch}/emulator"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        env={**os.environ, "FUNCTIONS_URL": proxy.url})
    try:
        url = hold.stdout.readline().decode().strip()
        proxy.upstream = url.removeprefix("http://")
        world = World(url, programs)
        told = {name: measure(proxy, world, name, objects(pathlib.Path(folder))) for name, folder in mixes}
        json.dump(told, sys.stdout, indent=1)
        print()
    finally:
        hold.stdin.close()
        hold.wait()


main()
