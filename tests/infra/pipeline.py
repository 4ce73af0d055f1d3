#!/usr/bin/env python3
"""What becomes of what a relay stores, looked at from outside: through the console's API, and in the buckets.

    pipeline.py OUTPUTS pending REQUEST        waits until approvers see the request
    pipeline.py OUTPUTS decided REQUEST        whether the decision is stored, by the console's function
    pipeline.py OUTPUTS indexed SUBJECT        waits until the index has SUBJECT's session whole
    pipeline.py OUTPUTS sealed                 waits until the sealer's schedule has logged all that is stored
    pipeline.py OUTPUTS bundle FOLDER          asks for a bundle, and downloads it by presigned URLs
    pipeline.py OUTPUTS bound                  a function without a right that its role had does not do what it did
    pipeline.py OUTPUTS quiet                  nothing is quarantined, unindexed or among the dead letters

TOKEN in the environment is a reviewer's token. It is never printed.
"""

import json
import os
import pathlib
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

from deployment import Deployment, FunctionFailed

# A function's first call may unpack a large program that was built in haste; schedules have minutes.
PATIENCE_SECONDS = 120
BEFORE_ALL, AFTER_ALL = "2020-01-01", "2100-01-01"


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}), NoRedirect())


def ask(url, token=None, body=None):
    """Status, headers and body."""
    headers = {"Content-Type": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    request = urllib.request.Request(url, json.dumps(body).encode() if body else None, headers)
    try:
        with OPENER.open(request, timeout=60) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


def wait_for(what, look):
    """What `look` finds, once it finds something."""
    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > until:
            sys.exit(f"within {PATIENCE_SECONDS} s there was no {what}")
        time.sleep(0.5)


class Console:
    """Its JSON API, with a reviewer's token."""

    def __init__(self, deployment):
        self.url, self.token = deployment.value["console"], os.environ["TOKEN"]

    def get(self, path, expected=200):
        status, headers, body = ask(f"{self.url}/api/v1/{path}", self.token)
        if status != expected:
            sys.exit(f"GET {path}: status {status}: {body[:300].decode(errors='replace')}")
        return headers if expected != 200 else json.loads(body)

    def refuses_strangers(self):
        """Nobody without a token, nobody with one that was tampered with: API Gateway's authorizer already, with no word of ours."""
        head, signature = self.token.rsplit(".", 1)
        for token in [None, f"{head}.{signature[::-1]}"]:
            status, _, body = ask(f"{self.url}/api/v1/sessions", token)
            if (status, json.loads(body)) != (401, {"message": "Unauthorized"}):
                sys.exit(f"expected API Gateway to refuse, and got status {status}: {body[:300]}")


def pending(deployment, request):
    console = Console(deployment)
    console.refuses_strangers()
    listed = lambda: any(row["id"] == request for row in console.get("approvals?state=pending")["approvals"])
    wait_for("request among the pending ones", listed)


def decided(deployment, request):
    shown = Console(deployment).get(f"approvals/{request}")["decision"]
    stored = deployment.admin.s3.list_object_versions(
        Bucket=deployment.value["buckets"]["deletable"], Prefix=f"approvals/{deployment.scope}/one/")["Versions"]
    names = [version["Key"] for version in stored if version["Key"].endswith(".decision.json")]
    print(f"{len(names)} decisions in S3; shown: {shown['verdict']} by {shown['approver']['subject']}")
    if not names or shown["approver"]["subject"] != "bob":
        sys.exit("the decision is not as it should be")


def indexed(deployment, subject):
    console = Console(deployment)

    def whole():
        """Closed, and each of its chunks is there."""
        rows = [row for row in console.get("sessions")["sessions"] if row.get("subject") == subject and row.get("closed_us")]
        return [row for row in rows if len(console.get(f"sessions/{row['session']}")["chunks"]) == row["chunks"]]

    rows = wait_for(f"whole session of {subject} in the index", whole)
    table = deployment.admin.dynamodb.scan(TableName=deployment.value["table"])["Count"]
    print(f"{len(rows)} session of {subject}, of {rows[0]['chunks']} chunks; {table} rows in DynamoDB")


def sealed(deployment):
    """The schedule runs by itself; that it left nothing is asked afterwards, by one run more."""
    s3, buckets = deployment.admin.s3, deployment.value["buckets"]
    newest = lambda bucket, prefix: max(
        (version["LastModified"] for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix)
         for version in page.get("Versions", [])), default=None)
    stored = newest(buckets["evidence"], f"evidence/{deployment.scope}/")
    checkpoints = f"log/affidavit/{deployment.scope}/checkpoint/"
    wait_for("checkpoint of the schedule's", lambda: (at := newest(buckets["log"], checkpoints)) and at >= stored)
    told = deployment.schedule("sealer", {})
    print(f"the log has {told['size']} entries; a run of ours found {told['entries']} left")
    if told["rejected"] or not told["size"] > told["entries"]:
        sys.exit(f"the schedule did not seal as it should: {told}")


def bundle(deployment, folder):
    console = Console(deployment)
    status, _, body = ask(f"{console.url}/api/v1/bundles", console.token, {"from": BEFORE_ALL, "to": AFTER_ALL})
    if status != 202:
        sys.exit(f"POST bundles: status {status}: {body[:300]}")
    [id_] = wait_for("bundle", lambda: console.get("bundles")["bundles"])
    files = console.get(f"bundles/{id_}")["files"]
    for file in files:
        link = console.get(f"bundles/{id_}/{urllib.parse.quote(file)}", expected=307)["Location"]
        tampered = link.replace("X-Amz-Signature=", "X-Amz-Signature=0")
        if ask(tampered)[0] != 403:
            sys.exit("a link whose signature was changed is good for something")
        status, _, body = ask(link)
        if status != 200:
            sys.exit(f"{file}: status {status}")
        path = pathlib.Path(folder) / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    print(f"{len(files)} files by presigned URL")


def bound(deployment):
    """That roles' rights suffice would mean nothing if functions had others."""
    iam, name = deployment.admin.iam, deployment.value["roles"]["sealer"].rsplit("/", 1)[-1]
    policy = iam.get_role_policy(RoleName=name, PolicyName="function")["PolicyDocument"]
    less = {**policy, "Statement": [statement for statement in policy["Statement"] if statement["Sid"] != "ListLog"]}
    put = lambda policy: iam.put_role_policy(RoleName=name, PolicyName="function", PolicyDocument=json.dumps(policy))
    put(less)
    try:
        told = deployment.schedule("sealer", {})
    except FunctionFailed as error:
        print(f"the sealer, not allowed to list the log: {error.told['errorMessage']}")
    else:
        sys.exit(f"the sealer lists the log and is not allowed to: {told}")
    finally:
        put(policy)
    deployment.schedule("sealer", {})


def quiet(deployment):
    queues = deployment.value["queues"]
    for name in ["quarantine", "unindexed", "dead_letters"]:
        messages = deployment.admin.sqs.receive_message(QueueUrl=queues[name]).get("Messages", [])
        if messages:
            sys.exit(f"{name}: {messages[0]['Body'][:500]}")


def main():
    match sys.argv[1:]:
        case [outputs, "pending", request]:
            pending(Deployment(outputs), request)
        case [outputs, "decided", request]:
            decided(Deployment(outputs), request)
        case [outputs, "indexed", subject]:
            indexed(Deployment(outputs), subject)
        case [outputs, "sealed"]:
            sealed(Deployment(outputs))
        case [outputs, "bundle", folder]:
            bundle(Deployment(outputs), folder)
        case [outputs, "bound"]:
            bound(Deployment(outputs))
        case [outputs, "quiet"]:
            quiet(Deployment(outputs))
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()
