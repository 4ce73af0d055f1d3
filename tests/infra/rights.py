#!/usr/bin/env python3
"""What each deployed role may do, and what it must not, asked of the emulator with the role's own credentials.

    rights.py OUTPUTS        the file that `terraform output -json` wrote; AWS_ENDPOINT_URL says where the emulator is

Each role does everything that its program does, and is then denied at least ten things: each with what its program could
be made to do by somebody who owns it. A denial counts when it is one (AccessDenied), not when a call fails otherwise.
"""

import datetime
import json
import secrets
import sys

from botocore.exceptions import ClientError

from deployment import Session

DENIALS = {"AccessDenied", "AccessDeniedException", "AuthorizationError", "AuthorizationErrorException"}
# Of each run its own: nothing is written twice.
INCARNATION = secrets.token_hex(16)
DIGEST = bytes(32)


class Stack:
    """What was deployed, and some objects in it, put by an administrator."""

    def __init__(self, outputs):
        self.admin = Session()
        value = {name: output["value"] for name, output in outputs.items()}
        self.buckets, self.keys, self.roles = value["buckets"], value["keys"], value["roles"]
        self.functions, self.queues, self.table = value["functions"], value["queues"], value["table"]
        environments = value["relay_environment"]
        self.certifiers = {relay: environment["AFFIDAVIT_CERTIFIER"] for relay, environment in environments.items()}
        self.configurations = {relay: environment["AFFIDAVIT_CONFIG"] for relay, environment in environments.items()}
        one = environments["one"]
        self.keys = {**self.keys, "cookies": value["cookie_key"]}
        self.secrets, self.relay_log = value["relay_secrets"], value["relay_log_group"]
        self.tenant, self.environment = one["AFFIDAVIT_TENANT"], one["AFFIDAVIT_ENVIRONMENT"]
        self.mode, self.days = one["AFFIDAVIT_LOCK_MODE"].upper(), int(one["AFFIDAVIT_RETAIN_DAYS"])
        self.scope = f"{self.tenant}/{self.environment}"
        self.context = {"purpose": "affidavit/wrapped-key/v1", "tenant": self.tenant,
                        "environment": self.environment, "session": f"{INCARNATION}-0000000001"}
        self.used = 0
        self.versions = {place: self.seed(place) for place in self.seeded()}

    def seeded(self):
        life = self.life("one")
        return {
            "chunk": ("evidence", f"{life}/sessions/0000000001/chunk-00000001.zst", True),
            "certificate": ("evidence", f"{life}/certificate.json", True),
            "of_two": ("evidence", f"{self.life('two')}/certificate.json", True),
            "bundle": ("evidence", f"bundles/{self.scope}/{INCARNATION}/manifest.json", True),
            "trust": ("evidence", f"trust/{self.scope}/{INCARNATION}.json", True),
            "checkpoint": ("log", f"{self.log()}checkpoint/{INCARNATION}", True),
            "tile": ("log", f"{self.log()}tile/0/{INCARNATION}", True),
            "partial": ("log", f"{self.log()}tile/0/{INCARNATION}.p/7", False),
            "state": ("log", f"{self.log()}state/{INCARNATION}", False),
            "request": ("deletable", self.approval("one", "request"), False),
            "wrapped": ("deletable", f"keys/{self.scope}/one/{INCARNATION}/0000000001.json", False),
        }

    def life(self, relay):
        return f"evidence/{self.scope}/{relay}/{INCARNATION}"

    def log(self):
        return f"log/affidavit/{self.scope}/"

    def approval(self, relay, kind, statement=1):
        return f"approvals/{self.scope}/{relay}/{INCARNATION}/0000000001/{statement:06}.{kind}.json"

    def seed(self, place):
        bucket, key, locked = self.seeded()[place]
        put = self.put(self.admin, bucket, key, locked=locked)
        return bucket, key, put["VersionId"]

    def until(self, days):
        return datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=days)

    def put(self, who, bucket, key, locked=True, once=True, days=None, mode=None):
        more = {"IfNoneMatch": "*"} if once else {}
        if locked:
            days = self.days if days is None else days
            more |= {"ObjectLockMode": mode or self.mode, "ObjectLockRetainUntilDate": self.until(days)}
        return who.s3.put_object(Bucket=self.buckets[bucket], Key=key, Body=b"x", ChecksumAlgorithm="SHA256", **more)

    def fresh(self, prefix, suffix):
        """A key that nobody put to yet."""
        self.used += 1
        return f"{prefix}{INCARNATION}{self.used:08}{suffix}"

    def get(self, who, place):
        bucket, key, version = self.versions[place]
        who.s3.list_object_versions(Bucket=self.buckets[bucket], Prefix=key)
        return who.s3.get_object(Bucket=self.buckets[bucket], Key=key, VersionId=version)

    def delete(self, who, place, version=True, **more):
        bucket, key, id_ = self.versions[place]
        if version:
            more["VersionId"] = id_
        return who.s3.delete_object(Bucket=self.buckets[bucket], Key=key, **more)

    def retain(self, who, place, days, **more):
        bucket, key, version = self.versions[place]
        retention = {"Mode": self.mode, "RetainUntilDate": self.until(days)}
        return who.s3.put_object_retention(Bucket=self.buckets[bucket], Key=key, VersionId=version, Retention=retention, **more)

    def look(self, who):
        """What crate `aws` asks of a bucket before it uses it."""
        for bucket in ("evidence", "log", "deletable"):
            who.s3.get_bucket_versioning(Bucket=self.buckets[bucket])
            who.s3.get_object_lock_configuration(Bucket=self.buckets[bucket])

    def sign(self, who, key, algorithm="ECDSA_SHA_256"):
        return who.kms.sign(KeyId=self.keys[key], Message=DIGEST, MessageType="DIGEST", SigningAlgorithm=algorithm)

    def public(self, who, key):
        return who.kms.get_public_key(KeyId=self.keys[key])

    def wrap(self, who, **context):
        return who.kms.encrypt(KeyId=self.keys["data"], Plaintext=DIGEST, EncryptionContext={**self.context, **context})

    def unwrap(self, who):
        return who.kms.decrypt(KeyId=self.keys["data"], CiphertextBlob=self.wrapped_by_admin(), EncryptionContext=self.context)

    def wrapped_by_admin(self):
        return self.wrap(self.admin)["CiphertextBlob"]

    def row(self, who, pk="sessions"):
        return who.dynamodb.put_item(TableName=self.table, Item={"pk": {"S": pk}, "sk": {"S": INCARNATION}})

    def unrow(self, who, pk):
        return who.dynamodb.delete_item(TableName=self.table, Key={"pk": {"S": pk}, "sk": {"S": INCARNATION}})

    def rows(self, who):
        who.dynamodb.get_item(TableName=self.table, Key={"pk": {"S": "sessions"}, "sk": {"S": INCARNATION}}, ConsistentRead=True)
        return who.dynamodb.query(TableName=self.table, KeyConditionExpression="pk = :pk",
                                  ExpressionAttributeValues={":pk": {"S": "sessions"}}, ConsistentRead=True)

    def log_of(self, who, function):
        name = self.functions[function].rsplit(":", 1)[-1]
        return who.logs.create_log_stream(logGroupName=f"/affidavit/{name}", logStreamName=self.fresh("", ""))

    def mac(self, who):
        return who.kms.generate_mac(KeyId=self.keys["cookies"], Message=DIGEST, MacAlgorithm="HMAC_SHA_256")

    def invoke(self, who, function):
        return who.__getattr__("lambda").invoke(FunctionName=function, InvocationType="Event", Payload=b"{}")


def nobody_may(s):
    """Evidence stays, and so do the rules about it: said by denials, which hold whatever else a role is allowed."""
    evidence = s.buckets["evidence"]
    key = {"KeyId": s.keys["storage"]}
    return {
        "lay a delete marker over evidence": lambda who: s.delete(who, "chunk", version=False),
        "delete a version of evidence": lambda who: s.delete(who, "chunk"),
        "delete it by bypassing GOVERNANCE": lambda who: s.delete(who, "chunk", BypassGovernanceRetention=True),
        "delete a wrapped key": lambda who: s.delete(who, "wrapped"),
        "delete a checkpoint": lambda who: s.delete(who, "checkpoint"),
        "delete a full tile": lambda who: s.delete(who, "tile"),
        "shorten a retention": lambda who: s.retain(who, "chunk", 0, BypassGovernanceRetention=True),
        "hold an object by law": lambda who: who.s3.put_object_legal_hold(
            Bucket=evidence, Key=s.versions["chunk"][1], LegalHold={"Status": "ON"}),
        "suspend versioning": lambda who: who.s3.put_bucket_versioning(
            Bucket=evidence, VersioningConfiguration={"Status": "Suspended"}),
        "change the bucket's default retention": lambda who: who.s3.put_object_lock_configuration(
            Bucket=evidence, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled"}),
        "take the bucket's policy away": lambda who: who.s3.delete_bucket_policy(Bucket=evidence),
        "schedule a key's deletion": lambda who: who.kms.schedule_key_deletion(**key, PendingWindowInDays=7),
        "change a key's policy": lambda who: who.kms.put_key_policy(**key, PolicyName="default", Policy="{}"),
        "make a grant for itself": lambda who: who.kms.create_grant(
            **key, GranteePrincipal=s.roles["indexer"], Operations=["Decrypt"]),
    }


def everybody_must_not(s):
    """What no program needs, and none is allowed."""
    return {
        **nobody_may(s),
        "read a secret of others": lambda who: who.secretsmanager.get_secret_value(SecretId="other"),
        "change a role": lambda who: who.iam.delete_role_policy(RoleName="x", PolicyName="x"),
        "change the code of a function": lambda who: who.__getattr__("lambda").update_function_configuration(
            FunctionName=s.functions["console"], MemorySize=128),
        "make itself an administrator": lambda who: who.iam.attach_role_policy(
            RoleName=s.roles["indexer"].rsplit("/", 1)[-1], PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess"),
    }


def must_not_sign(s, *but):
    others = {
        f"sign with the {key} key": lambda who, key=key: s.sign(who, key)
        for key in ("certificates", "checkpoints", "approvals", "bundles") if key not in but
    }
    return others if "approvals" in but else {**others, "make a console's cookie": s.mac}


def no_results(s):
    return {"open a session's key": s.unwrap}


def roles(s):
    """Role → (what it must be able to do, what it must not besides what nobody may)."""
    life, log = s.life("one"), s.log()
    chunk = lambda: s.fresh(f"{life}/sessions/0000000002/chunk-", ".zst")
    checkpoint = lambda: s.fresh(f"{log}checkpoint/00", "")
    bundled = lambda: s.fresh(f"bundles/{s.scope}/b/", ".json")
    trusted = lambda: s.fresh(f"trust/{s.scope}/", ".json")
    decision = lambda who: s.put(who, "deletable", s.fresh(f"approvals/{s.scope}/one/{INCARNATION}/", ".decision.json"), locked=False)
    request = lambda who: s.put(who, "deletable", s.fresh(f"approvals/{s.scope}/one/{INCARNATION}/", ".request.json"), locked=False)
    abandoned = lambda who, **how: s.put(who, "evidence", s.fresh(f"evidence/{s.scope}/one/", "/abandoned.json"), **how)
    put_chunk = lambda who, **how: s.put(who, "evidence", chunk(), **how)
    put_checkpoint = lambda who, **how: s.put(who, "log", checkpoint(), **how)

    configuration, prefix = s.configurations["one"].removeprefix("s3://").split("/", 1)

    def puts(put):
        """What holds of each place where a program may put under retention."""
        return {
            "put without If-None-Match": lambda who: put(who, once=False),
            "put with a shorter retention": lambda who: put(who, days=1),
            "lock for a century": lambda who: put(who, days=36_500),
            "put with another mode": lambda who: put(who, mode={"GOVERNANCE": "COMPLIANCE", "COMPLIANCE": "GOVERNANCE"}[s.mode]),
        }

    relay = (
        {
            "look at its buckets": s.look,
            "store a chunk": put_chunk,
            "store a chunk and leave the retention to the bucket": lambda who: put_chunk(who, locked=False),
            "lengthen a retention": lambda who: s.retain(who, "chunk", s.days + 1),
            "store a wrapped key": lambda who: s.put(who, "deletable", s.fresh(f"keys/{s.scope}/one/{INCARNATION}/", ".json"), locked=False),
            "offer a request": request,
            "read its own chunk": lambda who: s.get(who, "chunk"),
            "look for a decision": lambda who: s.get(who, "request"),
            "wrap a session's key": s.wrap,
            "open a session's key": s.unwrap,
            "read the root's public key": lambda who: s.public(who, "certificates"),
            "read the approvals' public key": lambda who: s.public(who, "approvals"),
            "ask for a certificate": lambda who: s.invoke(who, s.certifiers["one"]),
            "read its configuration": lambda who: [
                who.s3.get_object(Bucket=configuration, Key=found["Key"])
                for found in who.s3.list_objects_v2(Bucket=configuration, Prefix=prefix)["Contents"]
            ],
            "read its certificate and its target's password": lambda who: [
                who.secretsmanager.get_secret_value(SecretId=secret) for secret in s.secrets
            ],
        },
        {
            **puts(put_chunk),
            **must_not_sign(s),
            "store evidence as another relay": lambda who: s.put(who, "evidence", s.fresh(f"{s.life('two')}/sessions/", ".zst")),
            "read another relay's evidence": lambda who: s.get(who, "of_two"),
            "ask for another relay's certificate": lambda who: s.invoke(who, s.certifiers["two"]),
            "ask the certifier past its alias": lambda who: s.invoke(who, s.functions["certifier"]),
            "decide on a request": decision,
            "certify a key": lambda who: s.put(who, "evidence", trusted()),
            "make a bundle": lambda who: s.put(who, "evidence", bundled()),
            "sign off a checkpoint": put_checkpoint,
            "wrap for another tenant": lambda who: s.wrap(who, tenant="other"),
            "write to the index": s.row,
            "change its configuration": lambda who: who.s3.put_object(Bucket=configuration, Key=prefix + "policies/x.cedar", Body=b""),
            "read another relay's configuration": lambda who: who.s3.list_objects_v2(Bucket=configuration, Prefix="two/"),
        },
    )
    indexer = (
        {
            "look at its buckets": s.look,
            "read a chunk": lambda who: s.get(who, "chunk"),
            "read a request": lambda who: s.get(who, "request"),
            "read the root's public key": lambda who: s.public(who, "certificates"),
            "read the approvals' public key": lambda who: s.public(who, "approvals"),
            "write a row": s.row,
            "read rows": s.rows,
            "take a pending request away": lambda who: s.unrow(who, "pending"),
            "receive what was stored": lambda who: who.sqs.receive_message(QueueUrl=s.queues["stored"]),
            "report a chunk that does not verify": lambda who: who.sqs.send_message(QueueUrl=s.queues["quarantine"], MessageBody="x"),
            "write a table of the lake": lambda who: who.s3.put_object(
                Bucket=s.buckets["lake"], Key="tables/1/sessions/day=2026-11-27/x.parquet", Body=b"x"),
        },
        {
            **must_not_sign(s),
            **no_results(s),
            "store evidence": put_chunk,
            "decide on a request": decision,
            "offer a request": request,
            "read a wrapped key": lambda who: s.get(who, "wrapped"),
            "sign off a checkpoint": put_checkpoint,
            "empty the quarantine": lambda who: who.sqs.purge_queue(QueueUrl=s.queues["quarantine"]),
        },
    )
    sealer = (
        {
            "look at its buckets": s.look,
            "read a chunk": lambda who: s.get(who, "chunk"),
            "read a certificate of keys": lambda who: s.get(who, "trust"),
            "read the log": lambda who: s.get(who, "checkpoint"),
            "sign": lambda who: s.sign(who, "checkpoints"),
            "read the root's public key": lambda who: s.public(who, "certificates"),
            "commit a checkpoint": put_checkpoint,
            "publish a full tile": lambda who: s.put(who, "log", s.fresh(f"{log}tile/0/x", "")),
            "publish a partial tile": lambda who: s.put(who, "log", s.fresh(f"{log}tile/0/002.p/", ""), locked=False),
            "prune a partial tile": lambda who: s.delete(who, "partial"),
            "discard a state": lambda who: s.delete(who, "state"),
            "say that a relay is abandoned": abandoned,
        },
        {
            **puts(put_checkpoint),
            **must_not_sign(s, "checkpoints"),
            **no_results(s),
            "commit a checkpoint without a lock": lambda who: put_checkpoint(who, locked=False),
            "lay a delete marker over a checkpoint": lambda who: s.delete(who, "checkpoint", version=False),
            "sign with another algorithm": lambda who: s.sign(who, "checkpoints", algorithm="ECDSA_SHA_384"),
            "store a chunk": put_chunk,
            "say that a relay is abandoned, deletably": lambda who: abandoned(who, days=1),
            "certify a key": lambda who: s.put(who, "evidence", trusted()),
            "decide on a request": decision,
            "write to the index": s.row,
        },
    )
    certifier = (
        {
            "look at its buckets": s.look,
            "sign": lambda who: s.sign(who, "certificates"),
            "read the other public keys": lambda who: [s.public(who, key) for key in ("checkpoints", "approvals", "bundles")],
            "look for certificates and revocations": lambda who: s.get(who, "trust"),
            "store a certificate of keys": lambda who: s.put(who, "evidence", trusted()),
        },
        {
            **puts(lambda who, **how: s.put(who, "evidence", trusted(), **how)),
            **must_not_sign(s, "certificates"),
            **no_results(s),
            "store a chunk": put_chunk,
            "read a chunk": lambda who: s.get(who, "chunk"),
            "sign off a checkpoint": put_checkpoint,
            "decide on a request": decision,
            "write to the index": s.row,
        },
    )
    bundler = (
        {
            "look at its buckets": s.look,
            "read a chunk": lambda who: s.get(who, "chunk"),
            "read the log": lambda who: s.get(who, "checkpoint"),
            "read certificates of keys": lambda who: s.get(who, "trust"),
            "read a bundle": lambda who: s.get(who, "bundle"),
            "sign": lambda who: s.sign(who, "bundles"),
            "store a file of a bundle": lambda who: s.put(who, "evidence", bundled()),
        },
        {
            **puts(lambda who, **how: s.put(who, "evidence", bundled(), **how)),
            **must_not_sign(s, "bundles"),
            **no_results(s),
            "store a chunk": put_chunk,
            "read a wrapped key": lambda who: s.get(who, "wrapped"),
            "read what approvers were shown": lambda who: s.get(who, "request"),
            "sign off a checkpoint": put_checkpoint,
            "write to the index": s.row,
        },
    )
    console = (
        {
            "look at its buckets": s.look,
            "read a request": lambda who: s.get(who, "request"),
            "read whose request it is": lambda who: s.get(who, "certificate"),
            "sign": lambda who: s.sign(who, "approvals"),
            "store a decision": decision,
            "read rows": s.rows,
            "hand out a bundle": lambda who: s.get(who, "bundle"),
            "begin a bundle": lambda who: s.invoke(who, s.functions["bundler"]),
            "seal a cookie": s.mac,
        },
        {
            **must_not_sign(s, "approvals"),
            **no_results(s),
            "replace a decision": lambda who: s.put(who, "deletable", s.approval("one", "decision"), locked=False, once=False),
            "store evidence": put_chunk,
            "offer a request": request,
            "read a chunk": lambda who: s.get(who, "chunk"),
            "write to the index": s.row,
            "take a row away": lambda who: s.unrow(who, "pending"),
            "make a bundle's file": lambda who: s.put(who, "evidence", bundled()),
            "have a key certified": lambda who: s.invoke(who, s.functions["certifier"]),
            "seal": lambda who: s.invoke(who, s.functions["sealer"]),
        },
    )
    # What AWS itself does in our name: no program ever has these.
    no_program = {
        **must_not_sign(s),
        **no_results(s),
        "store a chunk": put_chunk,
        "read a chunk": lambda who: s.get(who, "chunk"),
        "read what approvers were shown": lambda who: s.get(who, "request"),
        "begin a bundle": lambda who: s.invoke(who, s.functions["bundler"]),
        "write to the index": s.row,
    }
    schedules = (
        {
            "seal": lambda who: s.invoke(who, s.functions["sealer"]),
            "have the keys certified": lambda who: s.invoke(who, s.functions["certifier"]),
            "tell what failed": lambda who: who.sqs.send_message(QueueUrl=s.queues["dead_letters"], MessageBody="x"),
        },
        no_program,
    )
    execution = (
        {"open a task's log": lambda who: who.logs.create_log_stream(logGroupName=s.relay_log, logStreamName=INCARNATION)},
        {**no_program, "seal": lambda who: s.invoke(who, s.functions["sealer"])},
    )
    return {
        "relay-one": relay, "indexer": indexer, "sealer": sealer, "certifier": certifier, "bundler": bundler, "console": console,
        "schedules": schedules, "execution": execution,
    }


def administrator(s):
    """Somebody whose policy allows everything: what they must not all the same, for keys and buckets say so themselves."""
    put = lambda who, **how: s.put(who, "evidence", s.fresh(f"{s.life('one')}/sessions/", ".zst"), **how)
    return {
        **must_not_sign(s),
        **no_results(s),
        "wrap a session's key": s.wrap,
        "put without If-None-Match": lambda who: put(who, once=False),
        "put with a shorter retention": lambda who: put(who, days=1),
        "replace a decision": lambda who: s.put(who, "deletable", s.approval("one", "decision"), locked=False, once=False),
        "commit a checkpoint without a lock": lambda who: s.put(who, "log", s.fresh(f"{s.log()}checkpoint/", ""), locked=False),
        "shorten a retention": lambda who: s.retain(who, "chunk", 1),
        "make a grant for itself": lambda who: who.kms.create_grant(
            KeyId=s.keys["approvals"], GranteePrincipal=s.roles["indexer"], Operations=["Sign"]),
    }


SIGNS = {"sealer": ["checkpoints"], "certifier": ["certificates"], "bundler": ["bundles"], "console": ["approvals"]}
AWS_ITSELF = {"schedules", "execution"}
FUNCTIONS = {"indexer", "sealer", "certifier", "bundler", "console"}


class Allowed:
    """Allows a role everything, for as long as the block lasts."""

    def __init__(self, stack, role):
        self.iam, self.name = stack.admin.iam, role.rsplit("/", 1)[-1]

    def __enter__(self):
        allow = {"Effect": "Allow", "Action": "*", "Resource": "*"}
        self.iam.put_role_policy(RoleName=self.name, PolicyName="all", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [allow]}))

    def __exit__(self, *_):
        self.iam.delete_role_policy(RoleName=self.name, PolicyName="all")


def refusal(call, who):
    """The error's code; nothing when it was done."""
    try:
        call(who)
    except ClientError as error:
        return error.response["Error"]["Code"]
    return None


def an_administrator(stack):
    """How many things an administrator could do and must not."""
    iam, name = stack.admin.iam, f"administrator-{INCARNATION[:8]}"
    nobody = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [nobody]})
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    wrong = 0
    with Allowed(stack, role):
        who = stack.admin.assume(role)
        for what, call in administrator(stack).items():
            code = refusal(call, who)
            if code not in DENIALS:
                print(f"an administrator must not {what}: {code or 'it was done'}")
                wrong += 1
    iam.delete_role(RoleName=name)
    print(f"an administrator: {len(administrator(stack))} to be denied")
    return wrong


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        stack = Stack(json.load(file))
    wrong = 0
    for role, (may, must_not) in roles(stack).items():
        who = stack.admin.assume(stack.roles[role])
        must_not = {**everybody_must_not(stack), **must_not}
        if not may or len(must_not) < 10:
            raise SystemExit(f"{role}: too little is asked of it")
        if role in FUNCTIONS:
            may = {**may, "write its log": lambda who, role=role: stack.log_of(who, role),
                   "tell what failed": lambda who: who.sqs.send_message(QueueUrl=stack.queues["dead_letters"], MessageBody="x")}
            must_not = {**must_not, "write another one's log": lambda who, role=role: stack.log_of(who, "sealer" if role != "sealer" else "indexer")}
        for what, call in may.items():
            code = refusal(call, who)
            if code:
                print(f"{role} must be able to {what}: {code}")
                wrong += 1
        for what, call in must_not.items():
            code = refusal(call, who)
            if code not in DENIALS:
                print(f"{role} must not {what}: {code or 'it was done'}")
                wrong += 1
        # A policy that somebody adds by mistake or intent: what no program may stays denied, and keys are not for sale.
        with Allowed(stack, stack.roles[role]):
            still = must_not_sign(stack, *SIGNS.get(role, ()))
            if role not in AWS_ITSELF:
                still |= nobody_may(stack)
            for what, call in still.items():
                code = refusal(call, who)
                if code not in DENIALS:
                    print(f"{role}, allowed everything, must still not {what}: {code or 'it was done'}")
                    wrong += 1
        print(f"{role}: {len(may)} things to be done, {len(must_not)} to be denied, {len(still)} of them even when all is allowed")
    wrong += an_administrator(stack)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
