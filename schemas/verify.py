#!/usr/bin/env python3
"""Verifies Affidavit evidence, or a bundle of it, offline, by SPEC.md and by nothing of Affidavit's own code.

    python3 -m pip install cryptography zstandard
    python3 verify.py FOLDER --root root.pub.pem [--checkpoint FILE]... [--checkpoints-key FILE]
                                             [--witness FILE]... [--json]

Checks recordings, manifests, chains, counters, approvals, certificates and logs, and of a bundle its signature and
every file's digest. Not whether tables, counts and answers to safeguards are those of the evidence: `auditor verify`
does. Exit codes: 0 it holds, 1 findings, 2 wrong usage or unreadable."""
import argparse, base64, bisect, collections, functools, hashlib, io, json, os, re, sys
import zstandard
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

GRACE_US, ABANDONED_US, LATE_US = 300_000_000, 3_600_000_000, 600_000_000
ENVELOPE_MAX, FRAME_MAX, DECODED_MAX, STORED_MAX = 65_535, 16 << 20, 96 << 20, 100 << 20
MANIFEST_MAX, NOTE_MAX, BUNDLE_MAX, STAGED_MAX, WINDOW_MAX = 64 << 20, 128 << 10, 256 * 65_537, 128 << 20, 8 << 20
WARNINGS = {"incarnation.recovered", "session.recovered", "outcome.unknown", "log.absent", "log.key",
            "approval.details", "approval.decision", "heartbeat.silence", "incarnation.abandoned", "log.late", "shredding.key", "session.key"}
NOTICES = {"incarnation.unretired", "log.pending", "session.shredded"}

class Malformed(ValueError):
    """Bytes that are not what SPEC.md says."""

class Broken(Exception):
    """A rule of a chunk that does not hold: (rule, message)."""

# Forms -----------------------------------------------------------------------------------------------------------
# A form is: a dict of members (a name with `?` is optional), a list of one form, a tuple of forms, a set of texts, or a
# function that tells whether a value fits.

def pattern(expression):
    return lambda value: isinstance(value, str) and re.fullmatch(expression, value) is not None

def fits(value, form, depth=1):
    if isinstance(form, dict):
        return (type(value) is dict and depth < 128 and value.keys() <= {name.rstrip("?") for name in form} and all(
            fits(value[name.rstrip("?")], inner, depth + 1) if name.rstrip("?") in value else name.endswith("?")
            for name, inner in form.items()))
    if isinstance(form, list):
        return type(value) is list and depth < 128 and all(fits(item, form[0], depth + 1) for item in value)
    if isinstance(form, tuple):
        return type(value) is list and len(value) == len(form) and all(map(fits, value, form))
    return isinstance(value, str) and value in form if isinstance(form, set) else form(value)

def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()

def read_json(data, form):
    try:
        value = json.loads(data.decode())
        if canonical(value) == data and fits(value, form):
            return value
    except (ValueError, RecursionError):
        pass
    raise Malformed("expected canonical JSON with exactly the members of SPEC.md")

def unbase64(text):
    data = base64.b64decode(text, validate=True)
    if base64.b64encode(data).decode() != text:
        raise Malformed("expected Base64 with padding and zero trailing bits")
    return data

def is_base64(value):
    try:
        return isinstance(value, str) and unbase64(value) is not None
    except ValueError:
        return False

@functools.lru_cache(4096)
def key_of(text):
    return Key(unbase64(text))

def is_key(value):
    try:
        return isinstance(value, str) and key_of(value) is not None
    except ValueError:
        return False

def is_ed25519(value):
    return is_base64(value) and len(unbase64(value)) == 32

def number(value):
    return type(value) is int and 0 <= value < 1 << 53

def positive(value):
    return number(value) and value > 0

def settings(value):
    return type(value) is dict and len(value) > 0 and all(map(string, value.values()))

def string(value):
    return isinstance(value, str)

def flag(value):
    return type(value) is bool

def counts(value):
    return type(value) is dict and all(re.fullmatch(r"[ !#-\[\]-~]*", name) and number(n) for name, n in value.items())

NAME, LIFE, HASH = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", "[0-9a-f]{32}", "[0-9a-f]{64}"
COUNTER, STATEMENT = r"(?!0{10})[0-9]{10}", r"(?:(?!0{6})[0-9]{6}|[1-9][0-9]{6,18})"
SEGMENT = r"[a-z0-9_-][a-z0-9._-]*"
name, life, digest, session = map(pattern, (NAME, LIFE, HASH, f"{LIFE}-{COUNTER}"))
request = pattern(f"{LIFE}-{COUNTER}-{STATEMENT}")
REASONS = {"client-terminated", "client-disconnected", "target-disconnected", "expired", "idle", "relay-stopping",
           "protocol-violation", "masking-violation", "evidence-failure", "aborted"}
VERDICTS = {"approved", "denied", "expired", "cancelled", "invalid"}
ACTOR = {"kind": {"user", "service", "agent"}, "issuer": string, "subject": string, "name": string, "groups": [string]}
ACTOR["acts_for?"] = ACTOR
TOKEN = {"kind": string, "length?": number, "token?": string}
EXTENT = {"length": number, "sha256": digest}
PLACE = {"tenant": name, "environment": name, "relay": name}
SEALED = PLACE | {"sealed_by": life, "recovered": flag}
TYPE = "application/vnd.affidavit.{}.v1+json"
STATEMENTS = {
    "certificate": PLACE | {"incarnation": life, "spki": is_key, "not_before_us": number, "not_after_us": number, "build": string},
    "relay-start": PLACE | {"incarnation": life, "certificate": digest, "log_origin": string, "heartbeat_seconds": number,
                            "time_us": number},
    "heartbeat": PLACE | {"incarnation": life, "unstored": [number], "time_us": number, **dict.fromkeys(
        ["sequence", "opened", "closed", "voided", "last_counter", "backlog_sessions", "backlog_bytes"], number)},
    "revocation": PLACE | {"incarnation": life, "log_origin": string, "log_size": number, "time_us": number,
                           "reason": {"compromised", "withdrawn"}},
    "abandoned": PLACE | {"incarnation": life, "not_after_us": number, "log_size": number, "time_us": number},
    "relay-retired": SEALED | {"incarnation": life, "last_counter": number, "last_heartbeat": number, "time_us": number},
    "session-open": PLACE | {"session": session, "connection": name, "time_us": number, "policy_sha256": digest,
                             "details_commitment": digest, "data_key_id": string},
    "session-close": SEALED | {"session": session, "reason": REASONS, "chunks": number, "events": number, "last_manifest": digest,
                               "time_us": number},
    "session-void": SEALED | {"session": session, "time_us": number},
    "chunk": SEALED | {"format": number, "log_origin": string, "session": session, "connection": name, "sequence": number,
                       "prev": digest, "stored": EXTENT, "decoded": EXTENT, "events": number, "data_blocks": number,
                       "first_event": number, "last_event": number, "first_time_us": number, "last_time_us": number,
                       "sealed_time_us": number, "last": flag},
    "approval-requested": PLACE | {"request": request, "commitment": digest, "expires_us": number, "time_us": number},
    "approval-decided": PLACE | {"request": request, "commitment": digest, "verdict": VERDICTS, "decision_sha256?": digest, "time_us": number},
    "session-shredded": PLACE | {"session": session, "wrapped_key_sha256": digest, "time_us": number},
    "approval-request": PLACE | {
        "request": request, "commitment": digest, "actor": ACTOR, "connection": name, "target": string, "target_role": string,
        "text": string, "parameters": [{"type_oid": number, "value?": string}], "reason?": string, "policy_sha256": digest, "settings?": settings,
        "objects": [{"object": string, "oid": number, "verb": string, "held": flag}], "requested_us": number, "expires_us": number},
    "key-certificate": {"tenant": name, "environment": name, "checkpoints": is_key, "checkpoints_ed25519?": is_ed25519, "approvals": is_key, "bundles": is_key,
                        "not_before_us": number, "not_after_us": number},
}
LOGGED = [kind for kind in STATEMENTS if kind not in ("approval-request", "key-certificate", "session-shredded")]
IN_TOTO = "application/vnd.in-toto+json"
ENVELOPE = {"payload": is_base64, "payloadType": {TYPE.format(kind) for kind in [*STATEMENTS, "approval-decision"]} | {IN_TOTO},
            "signatures": ({"keyid": digest, "sig": is_base64},)}
OBJECT = {"object": string, "action": string, "masked": [{"column": string, "style": string}], "revealed": [string]}
EVENTS = {
    "session-open": {
        **dict.fromkeys(["salt", "client_address", "client_application", "client_tls", "protocol", "connection", "target",
                         "target_role", "target_version", "target_tls", "policy_sha256"], string),
        "actor": ACTOR, "expires_at": number, "durability": {"process", "disk"},
        "scope": [{"object": string, "permitted": [string], "held": [string], "revealed": [string]}]},
    "statement": {
        "statement": number, "path": {"simple", "extended"}, "class": string, "text?": string, "text_length": number,
        "text_token": string, "literals": [TOKEN], "upstream_text?": string, "objects": [OBJECT],
        "decision": {"outcome": {"permitted", "held", "refused"}, "policies": [string], "sqlstate?": string, "reason?": string}},
    "bind": {"statement": number, "parameters": [TOKEN]},
    "execute": {"execution": number, "statement": number, "row_limit": number, "rows_kept?": number},
    "outcome": {
        "execution": number, "statement": number, "command?": string, "rows_returned": number, "rows_affected": number,
        "outcome": {"completed", "failed", "suspended", "skipped", "refused", "unknown"}, "bytes_returned": number, "sqlstate?": string,
        "bytes_received?": positive, "rows_recorded?": number, "result_hmac?": digest},
    "rolled-back": {"first_execution": number, "last_execution": number},
    "cancel": {},
    "approval-requested": {"statement": number, "request": request, "commitment": digest, "expires_us": number, "reason?": string},
    "approval-decided": {"statement": number, "request": request, "verdict": VERDICTS, "approver?": ACTOR, "rationale?": string,
                         "decided_us": number, "decision_sha256?": digest, "problem?": string},
    "session-close": {"reason": REASONS, "statements": number, "executions": number},
    "recovered": {"by_incarnation": string, "discarded_bytes": number, "outcome_unknown": [number]},
}
EVENTS = {kind: members | {"event": {kind}, "number": number, "time_us": number} for kind, members in EVENTS.items()}
MANIFEST = {
    "_type": {"https://in-toto.io/Statement/v1"}, "predicateType": {"urn:affidavit:bundle:v1"},
    "subject": [{"name": string, "digest": {"sha256": digest}}],
    "predicate": {"format": number, "tenant": name, "environment": name, "created_us": number, "counts": counts,
                  "period": {"from_us": number, "to_us": number}, "keys": {"certificates": digest, "bundles": digest}}}

# Signatures --------------------------------------------------------------------------------------------------------

def sha256(data):
    return hashlib.sha256(data).digest()

class Key:
    PREFIX = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200")

    def __init__(self, spki):
        if len(spki) != 91 or not spki.startswith(self.PREFIX + b"\x04"):
            raise Malformed("expected a P-256 key with an uncompressed point")
        self.key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), spki[26:])
        self.id = sha256(spki).hex()

    def verifies(self, data, signature):
        try:
            self.key.verify(signature, data, ec.ECDSA(hashes.SHA256()))
            return True
        except InvalidSignature:
            return False

class Envelope:
    def __init__(self, data, limit=ENVELOPE_MAX):
        if len(data) > limit:
            raise Malformed(f"longer than {limit} bytes")
        envelope = read_json(data, ENVELOPE)
        self.type, self.payload = envelope["payloadType"], unbase64(envelope["payload"])
        self.key_id, self.signature = envelope["signatures"][0]["keyid"], unbase64(envelope["signatures"][0]["sig"])
        self.pae = b"DSSEv1 %d %s %d %s" % (len(self.type), self.type.encode(), len(self.payload), self.payload)
        self.digest = sha256(self.pae).hex()

    def statement(self, kind):
        if self.type != TYPE.format(kind):
            raise Malformed(f"expected a statement of kind {kind}")
        return read_json(self.payload, STATEMENTS[kind])

    def is_signed_by(self, key):
        return self.key_id == key.id and key.verifies(self.pae, self.signature)

# Objects -----------------------------------------------------------------------------------------------------------

SHREDDED = re.compile(rf"shredded/(?P<relay>{NAME}/{NAME}/{NAME})/(?P<life>{LIFE})/(?P<counter>{COUNTER})\.json")
SESSION_OBJECT = (rf"sessions/(?P<counter>{COUNTER})/(?:(?P<own>open|close|void)\.json|chunk-(?P<chunk>(?!0{{8}})[0-9]{{8}}|"
                  rf"[1-9][0-9]{{8,18}})\.zst|approval-(?P<statement>{STATEMENT})\.(?P<approval>requested|decided)\.json)")
EVIDENCE = re.compile(rf"evidence/(?P<relay>{NAME}/{NAME}/{NAME})/(?P<life>{LIFE})/"
                      rf"(?:(?P<single>certificate|relay-start|relay-retired|abandoned)\.json|"
                      rf"heartbeats/(?P<heartbeat>(?!0{{10}})[0-9]{{10}}|[1-9][0-9]{{10,18}})\.json|{SESSION_OBJECT})")
REVOCATION = re.compile(rf"trust/(?P<relay>{NAME}/{NAME}/{NAME})/(?P<life>{LIFE})/revocation-(?:[0-9]{{10}}|[1-9][0-9]{{10,18}})\.json")
DETAILS = re.compile(rf"approvals/{NAME}/{NAME}/{NAME}/{LIFE}/{COUNTER}/{STATEMENT}\.(?:request|decision)\.json")
WRAPPED = re.compile(rf"keys/{NAME}/{NAME}/{NAME}/{LIFE}/{COUNTER}\.json")
TRUST = re.compile(rf"trust/({NAME})/({NAME})/({HASH})\.json")
NUMBERED = r"(?!0{10})[0-9]{10}|[1-9][0-9]{10,18}"
LOG = re.compile(rf"log/(?P<origin>{SEGMENT}(?:/{SEGMENT})*)/(?:checkpoint/(?P<checkpoint>{NUMBERED})|state/(?:{NUMBERED})|"
                 rf"staging/(?P<staged>(?:{NUMBERED}|0{{10}})-{HASH})|(?P<tile>tile/(?P<level>entries|[0-7])/"
                 r"(?P<index>(?!x000)(?:x[0-9]{3}/){0,6}[0-9]{3})(?:\.p/(?P<width>[1-9][0-9]{0,2}))?))")
RANKS = {"abandoned": -1, "certificate": 0, "relay-start": 1, "heartbeat": 2, "open": 3, "chunk": 4, "approval": 4, "close": 5,
         "void": 5, "relay-retired": 6}

def parse(key):
    """What a statement's key names: relay, life, counter and rank, with the sequence of a chunk or heartbeat."""
    if found := REVOCATION.fullmatch(key):
        return found["relay"], found["life"], None, -1, 0
    found = EVIDENCE.fullmatch(key)
    if not found:
        return None
    kind = found["single"] or found["own"] or ("chunk" if found["chunk"] else "heartbeat" if found["heartbeat"] else "approval")
    return found["relay"], found["life"], found["counter"], RANKS[kind], int(found["chunk"] or found["heartbeat"] or 0)

def parse_log(key):
    found = LOG.fullmatch(key)
    if not found or len(found["origin"]) > 255 or found["width"] and int(found["width"]) > 255:
        return None
    return found

def tile_path(level, index, width):
    groups = [f"{index % 1000:03}"]
    while index >= 1000:
        index //= 1000
        groups.insert(0, f"x{index % 1000:03}")
    return f"tile/{level}/{'/'.join(groups)}" + (f".p/{width}" if width < 256 else "")

def own_life(said):
    return said.get("incarnation") or (said.get("session") or said["request"])[:32]

def place_of(kind, said):
    """The key of the object that a statement says it is."""
    prefix = f"evidence/{said['tenant']}/{said['environment']}/{said['relay']}/{own_life(said)}/"
    if kind == "revocation":
        return f"trust/{prefix[9:]}revocation-{said['log_size']:010}.json"
    if "incarnation" in said:
        return prefix + (f"heartbeats/{said['sequence']:010}.json" if kind == "heartbeat" else f"{kind}.json")
    parts = (said.get("session") or said["request"]).split("-")
    files = {"chunk": f"chunk-{said.get('sequence', 0):08}.zst"}
    file = files.get(kind) or (f"approval-{parts[2]}.{kind[9:]}.json" if len(parts) > 2 else f"{kind[8:]}.json")
    return f"{prefix}sessions/{parts[1]}/{file}"

class Folder:
    def __init__(self, path, areas=None):
        self.path, self.areas = path, areas

    def keys(self):
        found = []
        for area in filter(lambda area: os.path.isdir(os.path.join(self.path, area)), self.areas or [""]):
            for folder, _, files in os.walk(os.path.join(self.path, area), onerror=fail):
                for file in files:
                    path = os.path.join(folder, file)
                    if os.path.islink(path) or not os.path.isfile(path):
                        raise OSError(f"{path}: expected a file or folder")
                    found.append(os.path.relpath(path, self.path))
                if any(os.path.islink(os.path.join(folder, inner)) for inner in os.listdir(folder)):
                    raise OSError(f"{folder}: expected no links")
        return found

    def get(self, key, limit):
        with open(os.path.join(self.path, key), "rb") as file:
            data = file.read(limit + 1)
        if len(data) > limit:
            raise OSError(f"longer than {limit} bytes")
        return data

    def digest(self, key):
        found = hashlib.sha256()
        with open(os.path.join(self.path, key), "rb") as file:
            while block := file.read(1 << 20):
                found.update(block)
        return found.hexdigest()

def fail(error):
    raise error

# Chunks ------------------------------------------------------------------------------------------------------------

def check_zstd(stored):
    """Walks the headers of standard zstd frames, before anything is decompressed."""
    view, at = io.BytesIO(stored), 0
    def take(count):
        data = view.read(count)
        if len(data) < count:
            raise Broken("chunk.container", "expected whole zstd frames, at least one")
        return int.from_bytes(data, "little")
    while at < len(stored) or at == 0:
        magic, descriptor = take(4), take(1)
        if magic != 0xFD2FB528 or descriptor & 0x1B:
            raise Broken("chunk.container", "expected standard zstd frames without dictionary and reserved bits")
        single, flag = descriptor & 0x20, descriptor >> 6
        window = 0 if single else take(1)
        size = take([1 if single else 0, 2, 4, 8][flag]) + (256 if flag == 1 else 0)
        base = 1 << (10 + (window >> 3))
        if (size if single else base + base // 8 * (window & 7)) > WINDOW_MAX:
            raise Broken("chunk.container", "expected a window of at most 8 MiB")
        last = False
        while not last:
            header = take(3)
            last, kind, length = header & 1, header >> 1 & 3, header >> 3
            if kind == 3 or length > 128 << 10:
                raise Broken("chunk.container", "expected blocks of a known type, of at most 128 KiB")
            take(1 if kind == 1 else length)
        take(4 if descriptor & 4 else 0)
        at = view.tell()

def open_container(data):
    """The stored bytes before the skippable frame, its envelope, and the manifest."""
    magic = bytes.fromhex("5a2a4d18")
    length = int.from_bytes(data[-8:-4], "little")
    stored, envelope = data[:max(0, len(data) - length - 8)], data[len(data) - length:-8] if 8 <= length else b""
    if not 8 <= length <= len(data) - 8 or data[-4:] != magic or data[len(stored):len(stored) + 8] != magic + data[-8:-4]:
        raise Broken("chunk.container", "expected one skippable frame with the magic 0x184D2A5A at the end")
    check_zstd(stored)
    try:
        envelope = Envelope(envelope)
        said = envelope.statement("chunk")
    except Malformed as problem:
        raise Broken("chunk.manifest", str(problem))
    if said["format"] != 1 or said["decoded"]["length"] > DECODED_MAX or said["first_time_us"] > said["last_time_us"] or (
            said["first_event"] == 0 or said["first_event"] + said["events"] - 1 != said["last_event"]):
        raise Broken("chunk.manifest", "format, lengths, numbers or times do not fit each other or the limits")
    return stored, envelope, said

def decode(stored, said):
    def is_extent(data, extent):
        return extent == {"length": len(data), "sha256": sha256(data).hex()}
    try:
        reader = zstandard.ZstdDecompressor().stream_reader(stored, read_across_frames=True)
        content = b"" if not is_extent(stored, said["stored"]) else reader.read(said["decoded"]["length"] + 1)
    except zstandard.ZstdError:
        content = b""
    if not is_extent(stored, said["stored"]) or not is_extent(content, said["decoded"]):
        raise Broken("chunk.digest", "stored or decoded bytes are not those that the manifest names")
    return content

def frames(content):
    at = 0
    while at < len(content):
        length, kind = int.from_bytes(content[at:at + 4], "big"), content[at + 4:at + 5]
        payload, at = content[at + 5:at + 5 + length], at + 5 + length
        if length > FRAME_MAX or kind not in (b"\1", b"\2") or at > len(content):
            raise Broken("chunk.frames", "expected whole frames of known kinds")
        yield kind, payload

class Ledger:
    """The order of a session's events."""
    def __init__(self):
        self.events = self.statements = self.executions = 0
        self.unanswered, self.said_unknown, self.done = {}, [], set()
        self.rolled_back_to, self.held, self.closed, self.recovered = 0, {}, None, False

    def require(self, condition, rule, event):
        if not condition:
            raise Broken("event." + rule, f"event {event['number']} ({event['event']}) does not fit those before it")

    def observe(self, event):
        kind, statement, execution = event["event"], event.get("statement"), event.get("execution")
        self.require(event["number"] == self.events + 1, "number", event)
        self.require(not self.recovered and (self.closed is None or kind == "recovered"), "order", event)
        self.require((self.events == 0) == (kind == "session-open"), "order", event)
        if kind == "statement":
            self.require(statement == self.statements + 1, "reference", event)
            self.statements += 1
            if event["decision"]["outcome"] == "held":
                self.held[statement] = {"requested": None, "decided": None, "executed": False}
        elif kind in ("bind", "execute") or kind == "outcome" and execution == 0:
            self.require(1 <= statement <= self.statements, "reference", event)
        hold = self.held.get(statement)
        if kind == "execute":
            self.require(execution == self.executions + 1, "reference", event)
            if hold:
                self.require((hold["decided"] or [0])[0] == "approved" and not hold["executed"], "approval", event)
                hold["executed"] = True
            self.executions, self.unanswered[execution] = execution, (statement, event.get("rows_kept"))
        elif kind == "outcome":
            started = self.unanswered.pop(execution, (None, None)) if execution else (statement, None)
            self.require(started[0] == statement, "reference", event)
            self.check_result(event, started[1])
            self.said_unknown += [execution] if execution and event["outcome"] == "unknown" else []
            self.done |= {execution} if execution and event["outcome"] in ("completed", "suspended") else set()
        elif kind == "rolled-back":
            first, last = event["first_execution"], event["last_execution"]
            self.require(self.rolled_back_to < first <= last and {first, last} <= self.done, "reference", event)
            self.rolled_back_to = last
        elif kind.startswith("approval-"):
            asked = hold and int(event["request"].split("-")[2]) == statement and hold["decided"] is None
            self.require(asked and (hold["requested"] is None) == (kind == "approval-requested"), "approval", event)
            if kind == "approval-requested":
                hold["requested"] = (event["commitment"], event["expires_us"])
            else:
                hold["decided"] = (event["verdict"], event.get("decision_sha256"))
        elif kind == "session-close":
            self.require((event["statements"], event["executions"]) == (self.statements, self.executions), "totals", event)
            self.closed = event["reason"]
        elif kind == "recovered":
            self.require(event["outcome_unknown"] == sorted(self.unanswered), "recovered", event)
            self.recovered = True
        self.events += 1

    def check_result(self, event, kept):
        recorded, both = event.get("rows_recorded"), ("rows_recorded" in event) + ("result_hmac" in event)
        if kept is None:
            self.require(both == 0, "result", event)
        else:
            self.require(both == 2 and recorded <= kept or both == 0 and event["outcome"] not in ("completed", "suspended"),
                         "result", event)

# The verifier ------------------------------------------------------------------------------------------------------

class Verifier:
    def __init__(self, source, root, period=None, checkpoints_key=None, earlier=(), witnesses=()):
        self.source, self.root, self.period, self.earlier, self.witnesses = source, root, period, earlier, witnesses
        self.checkpoints_key, self.findings, self.checked = checkpoints_key, [], collections.Counter()
        self.statements, self.origins, self.sessions, self.retired = [], {}, [], None
        self.beats, self.running, self.latest = [], [], collections.Counter()

    def find(self, key, rule, message):
        severity = "warning" if rule in WARNINGS else "notice" if rule in NOTICES else "error"
        self.findings.append({"object": key, "rule": rule, "severity": severity, "message": str(message)})

    def peek(self, key, limit):
        try:
            return self.source.get(key, limit)
        except OSError:
            return None

    def read(self, key, limit):
        try:
            return self.source.get(key, limit)
        except OSError as problem:
            self.find(key, "object.read", f"cannot be read: {problem}")

    def note(self, key, envelope):
        self.statements.append({"place": parse(key), "key": key, "hash": sha256(b"\0" + envelope.pae), "index": None,
                                "signer": envelope.key_id[:32], "time": None})

    def hold(self, time):
        """What was noted last was signed by a relay at this time."""
        self.statements[-1]["time"] = time
        self.latest[self.relay[:2]] = max(self.latest[self.relay[:2]], time)

    def envelope(self, key, kind):
        """Envelope and statement, or a finding."""
        data = self.read(key, ENVELOPE_MAX)
        try:
            if data is not None:
                envelope = Envelope(data)
                self.note(key, envelope)
                return envelope, envelope.statement(kind)
        except Malformed as problem:
            self.find(key, "envelope.form", problem)
        return None, None

    def run(self):
        relays, trust, logs = collections.defaultdict(lambda: collections.defaultdict(list)), [], collections.defaultdict(list)
        shreddings, wrapped = [], set()
        keys = sorted(self.source.keys())
        self.details = {key for key in keys if DETAILS.fullmatch(key)}
        revocations = []
        for key in keys:
            if REVOCATION.fullmatch(key):
                revocations.append(key)
            elif place := parse(key):
                relays[tuple(place[0].split("/"))][place[1]].append(key)
            elif found := parse_log(key):
                logs[found["origin"]].append(found)
            elif TRUST.fullmatch(key):
                trust.append(key)
            elif SHREDDED.fullmatch(key):
                shreddings.append(key)
            elif WRAPPED.fullmatch(key):
                wrapped.add(key)
            elif key.startswith(("evidence/", "keys/", "log/", "shredded/", "trust/")):
                self.find(key, "object.layout", "expected a key of the layout")
        self.trusted = [said for said in (self.key_certificate(key) for key in trust) if said]
        self.revoked = collections.defaultdict(list)
        for key in sorted(revocations, key=lambda key: (*parse(key)[0].split("/"), parse(key)[1], int(key.split("-")[-1][:-5]))):
            self.check_revocation(key)
        self.lives = [(relay, own) for relay in sorted(relays) for own in sorted(relays[relay])]
        for relay, lives in sorted(relays.items()):
            self.relay, self.certified = relay, {}
            for own in sorted(lives):
                self.check_certificate(own, lives[own])
            for own in sorted(lives):
                self.check_life(own, set(lives[own]))
        for relay, own, heard, end, interval in self.running:
            latest = min(self.latest[relay[:2]], end)
            if latest > heard + (2 * interval + 60) * 1_000_000:
                self.find(f"evidence/{'/'.join(relay)}/{own}/", "heartbeat.silence", f"no heartbeat from {heard} to {latest} us")
        self.check_shreddings(shreddings, wrapped)
        check_logs(self, logs)
        return self.checked["certificates"] > 0 and not any(found["severity"] == "error" for found in self.findings)

    def check_certificate(self, own, keys):
        key = f"evidence/{'/'.join(self.relay)}/{own}/certificate.json"
        if key not in keys:
            return self.find(key, "certificate.missing", "expected the certificate of this incarnation")
        envelope, said = self.envelope(key, "certificate")
        if not said:
            return
        if not envelope.is_signed_by(self.root):
            return self.find(key, "certificate.signature", "the signature does not verify under the certificates root")
        if place_of("certificate", said) != key or key_of(said["spki"]).id[:32] != own:
            return self.find(key, "certificate.identity", "names something else than the place it stands in")
        self.checked["certificates"] += 1
        self.certified[own] = said | {"key": key_of(said["spki"]), "digest": envelope.digest}

    def check_revocation(self, key):
        envelope, said = self.envelope(key, "revocation")
        if said and not envelope.is_signed_by(self.root):
            self.find(key, "revocation.signature", "the signature does not verify under the certificates root")
        elif said and place_of("revocation", said) != key:
            self.find(key, "revocation.identity", "names something else than the place it stands in")
        elif said:
            self.revoked[parse(key)[:2]].append(said)

    def is_abandoned(self, key, own):
        envelope, said = self.envelope(key, "abandoned")
        if not said:
            return False
        keys = [self.checkpoints_key] if self.checkpoints_key else [
            key_of(trusted["checkpoints"]) for trusted in self.trusted if (trusted["tenant"], trusted["environment"]) == self.relay[:2]]
        certified = self.certified.get(own)
        if not keys:
            self.find(key, "log.key", "no key is known that signs for the log")
        elif not any(map(envelope.is_signed_by, keys)):
            self.find(key, "abandoned.signature", "the signature does not verify under the checkpoints key")
        elif place_of("abandoned", said) != key:
            self.find(key, "abandoned.identity", "names something else than the place it stands in")
        elif certified:
            if said["not_after_us"] == certified["not_after_us"] and said["time_us"] >= said["not_after_us"] + ABANDONED_US:
                return True
            self.find(key, "abandoned.early", "was signed less than an hour after the end of the certificate, or names another end")
        return False

    def check_heartbeats(self, own, keys, retired):
        """Of an incarnation, in order; the newest that holds."""
        prefix, start, newest = f"{self.prefix}heartbeats/", self.start, None
        sequences = sorted(parse(key)[4] for key in keys if key.startswith(prefix))
        expected = sequences[0] if self.period and sequences else 1
        heard = start["time_us"] if start and expected == 1 else None
        for sequence in sequences:
            key = f"{prefix}{sequence:010}.json"
            said = self.statement(key, "heartbeat")
            unbroken, time = sequence == expected, said and said["time_us"]
            if not unbroken:
                self.find(f"{prefix}{expected:010}.json", "heartbeat.sequence", f"heartbeats {expected} to {sequence - 1} "
                          f"are missing: gap from {heard} to {time} us")
            expected = sequence + 1
            if not said:
                continue
            unstored, last = said["unstored"], said["last_counter"]
            if (start and time < start["time_us"] or said["opened"] + said["voided"] + len(unstored) != last
                    or said["closed"] > said["opened"] or len(unstored) > 1024 or unstored != sorted(set(unstored))
                    or unstored and not 0 < unstored[0] <= unstored[-1] <= last
                    or newest and (any(said[part] < newest[part] for part in ("opened", "closed", "voided", "last_counter", "time_us"))
                                   or any(n <= newest["last_counter"] and n not in newest["unstored"] for n in unstored))):
                self.find(key, "heartbeat.order", "does not fit, or goes back behind the one before")
            if unbroken:
                self.check_silence(key, heard, time)
            heard, newest = time, said
            self.beats.append((self.statements[-1], said))
        last = retired["last_heartbeat"] if retired else expected - 1
        if expected > last + 1 or not self.period and expected <= last:
            self.find(f"{prefix}{min(expected, last + 1):010}.json", "heartbeat.sequence", f"the relay-retired says that {last} was the last "
                      f"one: gap from {heard} to {retired['time_us']} us")
        elif not self.period and self.retired:
            self.check_silence(self.prefix + "relay-retired.json", heard, retired["time_us"])
        return newest

    def check_silence(self, key, before, after):
        if before and self.start and after > before + (2 * self.start["heartbeat_seconds"] + 60) * 1_000_000:
            self.find(key, "heartbeat.silence", f"no heartbeat from {before} to {after} us")

    def check_stored(self, newest, sessions, retired):
        """What the newest heartbeat says against what there is."""
        key, last = f"{self.prefix}heartbeats/{newest['sequence']:010}.json", newest["last_counter"]
        if retired and retired["last_counter"] < last:
            self.find(key, "heartbeat.counter", f"says that counter {last} was taken, and the relay-retired names a smaller one")
        at = max(map(int, sessions), default=0) + 1
        for counter in [*(n for n in newest["unstored"] if n >= at), last + 1]:
            if counter > at:
                self.find(key, "heartbeat.counter", f"says that sessions {at} to {counter - 1} are stored")
            at = counter + 1
        for file, part in (("open", "opened"), ("close", "closed"), ("void", "voided")):
            there = sum(key.endswith(f"/{file}.json") for counter, keys in sessions.items() if int(counter) <= last for key in keys)
            if there < newest[part]:
                self.find(key, "heartbeat.counter", f"says that {newest[part]} are {part}, and there are {there}")

    def signer(self, key, said):
        """The key of the statement's signer, if that is one who may sign it."""
        own = own_life(said)
        by = said.get("sealed_by", own)
        certified = self.certified.get(by)
        if not certified:
            return self.find(key, "signer.certified", f"signer {by} is no certified incarnation of this relay")
        if said.get("recovered", False) != (by != own):
            self.find(key, "signer.recovered", "recovered is not what the signer says")
        if by != own and own == self.retired:
            self.find(key, "signer.retired", f"{by} signed it, and {own} had retired by itself")
        time = said.get("sealed_time_us", said.get("time_us"))
        if not certified["not_before_us"] - GRACE_US <= time <= certified["not_after_us"] + GRACE_US:
            self.find(key, "certificate.validity", f"signed at {time} us, outside the signer's certificate")
        return certified["key"]

    def statement(self, key, kind):
        """The statement that must stand here, or a finding."""
        envelope, said = self.envelope(key, kind)
        signer = said and self.signer(key, said)
        if not signer:
            return None
        self.checked["signatures"] += envelope.is_signed_by(signer)
        if not envelope.is_signed_by(signer):
            return self.find(key, kind + ".signature", "the signature does not verify under the signer's key")
        if place_of(kind, said) != key or (
                kind == "relay-start" and (said["certificate"] != self.certified[said["incarnation"]]["digest"]
                                           or not 1 <= said["heartbeat_seconds"] <= 3600)):
            return self.find(key, kind + ".identity", "names something else than the place it stands in")
        self.hold(said["time_us"])
        return said | {"digest": envelope.digest}

    def check_life(self, own, keys):
        prefix = f"evidence/{'/'.join(self.relay)}/{own}/"
        self.prefix, self.retired = prefix, None
        sessions = collections.defaultdict(set)
        for key in keys:
            if counter := parse(key)[2]:
                sessions[counter].add(key)
        start, end = prefix + "relay-start.json", prefix + "relay-retired.json"
        self.start = self.statement(start, "relay-start") if start in keys else None
        if start not in keys and (end in keys or sessions):
            self.find(start, "relay-start.missing", "expected the relay-start of this incarnation")
        retired = self.statement(end, "relay-retired") if end in keys else None
        self.retired = own if retired and not retired["recovered"] else None
        abandoned = prefix + "abandoned.json" in keys and self.is_abandoned(prefix + "abandoned.json", own)
        newest = self.check_heartbeats(own, keys, retired)
        if self.start:
            self.origins[self.relay, own] = self.start["log_origin"]
        for counter in sorted(sessions):
            self.check_session(f"{own}-{counter}", sessions[counter], end in keys)
        numbers = [int(counter) for counter in sorted(sessions)]
        last = retired["last_counter"] if retired else max(numbers, default=0)
        if numbers != list(range(1, len(numbers) + 1)) or len(numbers) != last:
            self.find(prefix, "incarnation.counter", f"counters are not 1 to {last} without gaps")
        if newest:
            self.check_stored(newest, sessions, retired)
        if retired and retired["recovered"]:
            self.find(end, "incarnation.recovered", "retired by the incarnation that recovered its spool")
        if not retired and abandoned:
            self.find(prefix + "abandoned.json", "incarnation.abandoned", "never retired, and its certificate ended")
        elif end not in keys:
            self.find(prefix, "incarnation.unretired", "not retired: later sessions could be missing unnoticed")
        if not retired and not abandoned and not self.period and self.start and own in self.certified:
            heard = (newest or self.start)["time_us"]
            self.running.append((self.relay, own, heard, self.certified[own]["not_after_us"], self.start["heartbeat_seconds"]))

    def check_session(self, own, keys, retired):
        prefix = f"{self.prefix}sessions/{own[33:]}/"
        void, others = prefix + "void.json", keys - {prefix + "void.json"}
        state = {"key": prefix, "own": own, "open": None, "close": None, "outside": False}
        if void in keys:
            self.statement(void, "session-void")
            if others:
                self.find(void, "session-void.alone", "the counter is void, and has other objects")
        if others:
            self.checked["sessions"] += 1
            self.check_served(state, keys, retired)
            self.sessions.append(state)

    def check_served(self, state, keys, retired):
        prefix, own = state["key"], state["own"]
        at, end = prefix + "open.json", prefix + "close.json"
        if at not in keys:
            self.find(at, "session-open.missing", "expected the session's open")
        state["open"] = opened = self.statement(at, "session-open") if at in keys else None
        state["close"] = close = self.statement(end, "session-close") if end in keys else None
        chunks = sorted(parse(key)[4] for key in keys if parse(key)[4])
        walk = Walk(self, own, prefix, opened)
        for sequence in chunks:
            walk.step(sequence)
        if self.period and opened and not chunks and (close or end not in keys):
            closed = close["time_us"] if close else None
            state["outside"] = not touches(self.period, opened["time_us"], closed)
        last = max(close["chunks"] if close else 0, max(chunks, default=0))
        missing = next((number for number in range(1, last + 1) if number not in set(chunks)), None)
        if missing and not state["outside"]:
            self.find(f"{prefix}chunk-{missing:08}.zst", "session.sequence", f"chunks of 1 to {last} are missing")
        if close:
            walk.check_close(close, end)
        elif end not in keys and (retired or walk.last):
            self.find(end, "session.close", "expected the session's close")
        recovered = walk.recovered or bool(close and close["recovered"])
        held = walk.ledger.held if walk.ledger and not state["outside"] else None
        numbers = {int(EVIDENCE.fullmatch(key)["statement"]) for key in keys if "/approval-" in key} | set(held or {})
        for statement in sorted(numbers):
            hold = None if held is None else held.get(statement) or {"requested": None, "decided": None, "executed": False}
            in_order = bool(close) and close["reason"] != "aborted" and not recovered
            self.check_approval(prefix, own, statement, keys, hold, in_order)
        if recovered:
            self.find(prefix, "session.recovered", "a part was sealed by another incarnation than the session's own")
        if close and walk.ledger and (walk.ledger.unanswered or walk.ledger.said_unknown):
            self.find(prefix, "outcome.unknown", "executions whose outcome is not known")

    def check_approval(self, prefix, own, statement, keys, hold, ended):
        at, end = (f"{prefix}approval-{statement:06}.{kind}.json" for kind in ("requested", "decided"))
        asked = self.statement(at, "approval-requested") if at in keys else None
        if hold:
            said, decision = hold["requested"], hold["decided"]
            due = ended or bool(decision and decision[0] in ("approved", "denied"))
            if said and at not in keys and due or asked and (
                    said and said != (asked["commitment"], asked["expires_us"]) or ended and not said):
                self.find(at, "approval.requested", "is not there, or not what the events say")
        decided = self.statement(end, "approval-decided") if end in keys else None
        if decided and asked and asked["commitment"] != decided["commitment"]:
            self.find(end, "approval.decided", "the commitment is not that of the approval-requested")
        elif hold:
            due = ended or bool(decision and decision[0] == "approved" and hold["executed"])
            if decision and end not in keys and due or decided and (
                    decision and decision != (decided["verdict"], decided.get("decision_sha256")) or ended and not decision):
                self.find(end, "approval.decided", "is not there, or not what the events say")
        stem = f"approvals/{self.prefix[9:]}{own[33:]}/{statement:06}."
        if asked and stem + "request.json" in self.details:
            self.check_details(stem + "request.json", own, asked)
        if decided and "decision_sha256" in decided and stem + "decision.json" in self.details:
            if sha256(self.peek(stem + "decision.json", ENVELOPE_MAX) or b"").hex() != decided["decision_sha256"]:
                self.find(stem + "decision.json", "approval.decision", "is not the decision that was read")

    def check_details(self, key, own, asked):
        try:
            envelope = Envelope(self.peek(key, ENVELOPE_MAX) or b"")
            said = envelope.statement("approval-request")
            same = all(said[member] == asked[member] for member in (*PLACE, "request", "commitment", "expires_us"))
            if not same or own[:32] not in self.certified or not envelope.is_signed_by(self.certified[own[:32]]["key"]):
                raise Malformed("are not the details that were signed for this request")
        except Malformed as problem:
            self.find(key, "approval.details", problem)

    def check_shreddings(self, keys, wrapped):
        shredded = set()
        for key in keys:
            place, data = SHREDDED.fullmatch(key), self.read(key, ENVELOPE_MAX)
            own = f"keys/{place['relay']}/{place['life']}/{place['counter']}.json"
            try:
                if data is None:
                    continue
                envelope = Envelope(data)
                said = envelope.statement("session-shredded")
            except Malformed as problem:
                self.find(key, "envelope.form", problem)
                continue
            if not any(c["not_before_us"] <= said["time_us"] <= c["not_after_us"] and envelope.is_signed_by(key_of(c["approvals"]))
                       for c in self.trusted if all(c[part] == said[part] for part in ("tenant", "environment"))):
                self.find(key, "shredding.signature", "is not signed by an approvals key that the root certified for it")
            elif ("/".join(said[part] for part in PLACE), said["session"]) != (place["relay"], f"{place['life']}-{place['counter']}"):
                self.find(key, "shredding.identity", "names something else than the place it stands in")
            else:
                shredded.add(own)
                if own in wrapped:
                    self.find(key, "shredding.key", "the session's wrapped key is still there")
        for state in self.sessions:
            own = f"keys/{state['key'][9:].replace('/sessions/', '/')[:-1]}.json"
            if own in shredded:
                self.find(state["key"], "session.shredded", "its key was destroyed, and nobody reads its data")
            elif wrapped and own not in wrapped:
                self.find(state["key"], "session.key", "its wrapped key is gone, and nobody says that it was destroyed")

    def key_certificate(self, key, limit=ENVELOPE_MAX):
        data = self.read(key, limit)
        try:
            if data is None:
                return None
            envelope = Envelope(data)
            said = envelope.statement("key-certificate")
            if not envelope.is_signed_by(self.root) or key != f"trust/{said['tenant']}/{said['environment']}/{envelope.digest}.json":
                raise Malformed("is not signed by the root, or names something else than the place it stands in")
            return said
        except Malformed as problem:
            self.find(key, "key-certificate", problem)

def touches(period, opened, closed):
    return opened < period["to_us"] and (closed is None or closed >= period["from_us"])

class Walk:
    """A session's chunks in order."""
    def __init__(self, verifier, own, prefix, opened):
        self.verifier, self.own, self.prefix, self.open = verifier, own, prefix, opened
        self.prev, self.sequence, self.ledger, self.last, self.recovered = opened and opened["digest"], 0, Ledger(), None, False

    def step(self, sequence):
        key = f"{self.prefix}chunk-{sequence:08}.zst"
        if sequence != self.sequence + 1:
            self.prev = self.ledger = None
        if self.last:
            self.verifier.find(key, "session.last", "the chunk before says it is the session's last")
        self.sequence, prev, self.prev, self.last = sequence, self.prev, None, None
        data = self.verifier.read(key, STORED_MAX)
        try:
            if data is None or not self.check(key, data, prev):
                self.ledger = None
        except Broken as broken:
            self.verifier.find(key, *broken.args)
            self.ledger = None

    def check(self, key, data, prev):
        stored, envelope, said = open_container(data)
        self.verifier.note(key, envelope)
        signer = self.verifier.signer(key, said)
        if not signer:
            return False
        if not envelope.is_signed_by(signer):
            raise Broken("chunk.signature", "the signature does not verify under the signer's key")
        start = self.verifier.start
        if place_of("chunk", said) != key or self.open and self.open["connection"] != said["connection"] or (
                start and start["log_origin"] != said["log_origin"]):
            raise Broken("chunk.identity", "names another place, connection or log")
        if prev and prev != said["prev"]:
            self.verifier.find(key, "session.chain", "prev is not the digest of the statement before")
        self.verifier.hold(said["sealed_time_us"])
        self.prev, self.last, self.recovered = envelope.digest, said["last"], self.recovered or said["recovered"]
        content = decode(stored, said)
        if self.ledger and self.ledger.events + 1 != said["first_event"]:
            raise Broken("event.number", f"first_event is {said['first_event']}, expected {self.ledger.events + 1}")
        found = collections.Counter()
        for kind, payload in frames(content):
            found[kind] += 1
            if kind == b"\1":
                self.check_event(key, said, said["first_event"] + found[kind] - 1, payload)
        if (found[b"\1"], found[b"\2"]) != (said["events"], said["data_blocks"]):
            raise Broken("chunk.counts", "numbers of events and data blocks are not those of the manifest")
        self.verifier.checked["chunks"] += 1
        self.verifier.checked["events"] += found[b"\1"]
        return True

    def check_event(self, key, said, expected, payload):
        try:
            event = read_json(payload, lambda value: type(value) is dict and isinstance(value.get("event"), str)
                              and fits(value, EVENTS.get(value["event"], {})))
        except Malformed as problem:
            raise Broken("event.form", str(problem))
        if event["number"] != expected or not said["first_time_us"] <= event["time_us"] <= said["last_time_us"]:
            raise Broken("chunk.counts", f"event {event['number']}: number or time are not within the manifest's")
        if self.ledger:
            self.ledger.observe(event)
        if event["event"] == "session-open" and self.open:
            details = {name: value for name, value in event.items() if name not in ("event", "number", "time_us")}
            commitment = sha256(b"affidavit/session-open/v1\0" + canonical(details)).hex()
            expected = tuple(self.open[name] for name in ("details_commitment", "connection", "policy_sha256"))
            if (commitment, event["connection"], event["policy_sha256"]) != expected:
                self.verifier.find(key, "session-open.commitment", "is not the event that the session-open committed to")
        if event["event"] == "recovered" and not (said["recovered"] and event["by_incarnation"] == said["sealed_by"]):
            raise Broken("event.recovered", "expected a recovered chunk that this incarnation signed")
        if "request" in event and event["request"][:43] != self.own:
            raise Broken("event.reference", "names a request of another session")

    def check_close(self, close, key):
        find, whole = self.verifier.find, close["chunks"] == self.sequence
        if self.last is False and whole:
            find(f"{self.prefix}chunk-{self.sequence:08}.zst", "session.last", "is the last chunk and does not say so")
        if close["chunks"] < self.sequence or whole and self.prev and self.prev != close["last_manifest"]:
            find(key, "session-close.totals", "chunks or last_manifest are not those of the session")
        if whole and self.ledger:
            if close["events"] != self.ledger.events:
                find(key, "session-close.totals", f"says {close['events']} events, expected {self.ledger.events}")
            if self.ledger.events == 0 and not close["recovered"]:
                find(key, "event.order", "a session that its own relay closed has a first event")
            if close["reason"] != (self.ledger.closed or "aborted"):
                find(key, "session-close.totals", "the reason is not that of the session's last event")

# Logs --------------------------------------------------------------------------------------------------------------

def inner(left, right):
    return sha256(b"\1" + left + right)

def open_note(data):
    """Text, origin, size, root and signature lines of a checkpoint."""
    try:
        note = data.decode()
        text, lines = note.rsplit("\n\n", 1)
        found = re.fullmatch(rf"({SEGMENT}(?:/{SEGMENT})*)\n(0|[1-9][0-9]{{0,18}})\n([A-Za-z0-9+/]{{43}}=)\n", text + "\n")
        lines = [re.fullmatch(r"\u2014 ([^\s+]+) (\S+)", line) for line in lines.removesuffix("\n").split("\n")]
        signatures = [(line[1], unbase64(line[2])) for line in lines]
        if len(data) <= NOTE_MAX and note[-1] == "\n" and len(found[1]) <= 255 and not re.search(r"[\0-\x09\x0b-\x1f]", note) and (
                all(len(signature) > 4 for _, signature in signatures)):
            return text + "\n", found[1], int(found[2]), unbase64(found[3]), signatures
    except (ValueError, TypeError):
        pass
    raise Malformed("expected a signed note of three lines: origin, size and root")

def read_witness(vkey):
    """Name, key id and Ed25519 key of a witness."""
    name, key_id, material = vkey.strip().split("+", 2)
    material = unbase64(material)
    if len(material) != 33 or material[0] != 4 or not re.fullmatch(r"[^\s+]+", name) or (
            sha256(name.encode() + b"\n" + material)[:4].hex() != key_id):
        raise Malformed("expected a vkey of signature type 0x04 with an Ed25519 key")
    return name, bytes.fromhex(key_id), ed25519.Ed25519PublicKey.from_public_bytes(material[1:])

def saw(witness, data):
    """Whether this witness cosigned the note: all its lines verify, and there is one."""
    text, _, _, _, signatures = open_note(data)
    own = [line[4:] for name, line in signatures if (name, line[:4]) == witness[:2]]
    try:
        for line in own:
            witness[2].verify(line[8:], f"cosignature/v1\ntime {int.from_bytes(line[:8], 'big')}\n{text}".encode())
    except (InvalidSignature, ValueError):
        return False
    return bool(own)

class Log:
    """Builds one log's tree again from its entries."""
    def __init__(self, verifier, origin, stored):
        self.verifier, self.origin, self.prefix = verifier, origin, f"log/{origin}/"
        self.numbers = sorted(int(found["checkpoint"]) for found in stored if found["checkpoint"])
        self.tiles = {found["tile"]: found for found in stored if found["tile"]}
        self.staged = {found["staged"] for found in stored if found["staged"]}
        given = verifier.checkpoints_key
        own = [] if given else [said for said in verifier.trusted if self.is_of(said)]
        self.keys = [given] if given else [key_of(said["checkpoints"]) for said in own]
        self.second = [unbase64(said["checkpoints_ed25519"]) for said in own if "checkpoints_ed25519" in said]
        self.levels, self.size, self.newest, self.claims, self.compared = [[]], 0, None, collections.defaultdict(list), set()
        self.entries, self.unpublished, self.missing = [], None, []

    def is_of(self, said):
        place = (said["tenant"], said["environment"])
        named = any(relay[:2] == place and origin == self.origin for (relay, _), origin in self.verifier.origins.items())
        return named or self.origin == "affidavit/" + "/".join(place)

    def open(self, name, data):
        try:
            text, origin, size, root, signatures = open_note(data)
        except Malformed as problem:
            return self.verifier.find(name, "checkpoint.form", problem)
        if origin != self.origin:
            return self.verifier.find(name, "checkpoint.form", "names another log than the place it stands in")
        def is_signed(key):
            own = [line[4:] for name, line in signatures if name == origin and line[:4].hex() == key.id[:8]]
            return own and all(key.verifies(text.encode(), signature) for signature in own)
        seconds = [self.signed_second(key, text, signatures) for key in self.second]
        if self.keys and (False in seconds or not any(map(is_signed, self.keys)) and True not in seconds):
            return self.verifier.find(name, "checkpoint.signature", "does not verify under the checkpoints key")
        return size, root

    def signed_second(self, key, text, signatures):
        """None without a line of this Ed25519 key, else whether all of them verify."""
        key_id = sha256(self.origin.encode() + b"\n\1" + key)[:4]
        own = [line[4:] for name, line in signatures if name == self.origin and line[:4] == key_id]
        try:
            for line in own:
                ed25519.Ed25519PublicKey.from_public_bytes(key).verify(line, text.encode())
        except (InvalidSignature, ValueError):
            return False
        return True if own else None

    def read_checkpoints(self):
        expected = 1
        for number in self.numbers:
            key = f"{self.prefix}checkpoint/{number:010}"
            if number != expected:
                self.verifier.find(f"{self.prefix}checkpoint/{expected:010}", "checkpoint.sequence", "is missing")
            expected, data = number + 1, self.verifier.read(key, NOTE_MAX)
            found = self.open(key, data) if data is not None else None
            if found and self.newest and found[0] <= self.newest[0]:
                self.verifier.find(key, "checkpoint.sequence", "does not have more entries than the one before")
            elif found:
                self.claims[found[0]].append((found[1], key, "log.root"))
                self.newest = (*found, number)
        if not self.numbers:
            self.verifier.find(f"{self.prefix}checkpoint/{1:010}", "checkpoint.sequence", "a log has a checkpoint")
        kept = 0
        for name, data in self.verifier.earlier:
            try:
                found = self.open(name, data) if open_note(data)[1] == self.origin else None
            except Malformed:
                continue
            kept += found is not None
            if found and self.verifier.witnesses and not any(saw(witness, data) for witness in self.verifier.witnesses):
                self.verifier.find(name, "checkpoint.witness", "bears no cosignature of a witness that was named")
            if found and found[0] > (self.newest or [0])[0]:
                self.verifier.find(name, "checkpoint.earlier", f"the log had {found[0]} entries, and has fewer here")
            elif found:
                self.claims[found[0]].append((found[1], name, "checkpoint.earlier"))

        if self.verifier.witnesses and not kept:
            self.verifier.find(self.prefix, "checkpoint.witness", "no checkpoint of this log that a witness saw is given")

    def read_tile(self, level, index, width):
        path, limit = tile_path(level, index, width), BUNDLE_MAX if level == "entries" else 256 * 32
        self.compared.add(path)
        for candidate in (path, tile_path(level, index, 256)):
            data = self.verifier.peek(self.prefix + candidate, limit)
            if data is not None:
                return data
        return self.read_staged().get(path)

    def read_staged(self):
        if self.unpublished is None:
            name, self.unpublished = f"{self.newest[2]:010}-{self.newest[1].hex()}", {}
            data = (self.verifier.peek(f"{self.prefix}staging/{name}", STAGED_MAX) if name in self.staged else None) or b""
            parts, at, path = {}, 0, None
            while at < len(data) and path != "state":
                length = int.from_bytes(data[at:at + 2], "big")
                path, at = data[at + 2:at + 2 + length].decode(errors="replace"), at + 2 + length
                length = int.from_bytes(data[at:at + 4], "big")
                parts[path], at = data[at + 4:at + 4 + length], at + 4 + length
            if path == "state" and at == len(data) and all(parse_log(self.prefix + part) for part in parts if part != "state"):
                self.unpublished = parts
        return self.unpublished

    def compare(self, level, index, hashes):
        data, expected = self.read_tile(level, index, len(hashes)), b"".join(hashes)
        if data is None or not data.startswith(expected) or len(hashes) == 256 and len(data) > len(expected):
            problem = "is missing" if data is None else "is not that of the log's entries"
            self.verifier.find(self.prefix + tile_path(level, index, len(hashes)), "log.tile", problem)

    def root(self):
        """Of the tree of now: its perfect subtrees, the smallest last, joined from the right (RFC 6962, 2.1)."""
        peaks = []
        for hashes in reversed(self.levels):
            at = 0
            for bit in (128, 64, 32, 16, 8, 4, 2, 1):
                if len(hashes) & bit:
                    peaks.append(perfect(hashes[at:at + bit]))
                    at += bit
        return functools.reduce(lambda right, left: inner(left, right), reversed(peaks)) if peaks else sha256(b"")

    def push(self, entry):
        self.entries.append(entry)
        self.size, hashed, level = self.size + 1, sha256(b"\0" + entry), 0
        while True:
            self.levels[level].append(hashed)
            if len(self.levels[level]) < 256:
                break
            full, self.levels[level] = self.levels[level], []
            self.compare(level, (self.size >> 8 * (level + 1)) - 1, full)
            hashed, level = perfect(full), level + 1
            self.levels += [[]] if level == len(self.levels) else []
        if self.size % 256 == 0:
            self.entries = []

    def judge(self):
        claims = self.claims.pop(self.size, [])
        for root, name, rule in claims:
            if root != self.root():
                self.verifier.find(name, rule, f"the first {self.size} entries have another root")
        for level, hashes in enumerate(self.levels) if claims else ():
            index = self.size >> 8 * (level + 1)
            if hashes and (self.size == self.newest[0] or tile_path(level, index, len(hashes)) in self.tiles):
                self.compare(level, index, hashes)
        path = tile_path("entries", self.size >> 8, self.size % 256) if claims and self.entries else None
        if path and (self.size == self.newest[0] or path in self.tiles):
            data = self.read_tile("entries", self.size >> 8, self.size % 256)
            if data is None or not data.startswith(b"".join(len(e).to_bytes(2, "big") + e for e in self.entries)):
                self.verifier.find(self.prefix + path, "log.tile", "is missing, or is not that of the log's entries")

    def walk(self, find):
        self.judge()
        size = self.newest[0] if self.newest else 0
        while self.size < size:
            width, index = min(256, size - self.size), self.size // 256
            entries = split_entries(self.read_tile("entries", index, width), width)
            if entries is None:
                problem = f"is missing or malformed; entries from {self.size} on cannot be checked"
                return self.verifier.find(self.prefix + tile_path("entries", index, width), "log.tile", problem)
            for entry in entries:
                if not find(sha256(b"\0" + entry), self.size):
                    self.check_missing(entry)
                self.push(entry)
                self.judge()
        for path in sorted(set(self.tiles) - self.compared):
            found = self.tiles[path]
            level = 0 if found["level"] == "entries" else int(found["level"])
            index = int(re.sub("[x/]", "", found["index"]))
            if index * 256 + int(found["width"] or 256) <= size >> 8 * level:
                self.verifier.find(self.prefix + path, "log.tile", "belongs to no checkpoint")

    def check_missing(self, entry):
        for kind in LOGGED:
            start = f"DSSEv1 {len(TYPE.format(kind))} {TYPE.format(kind)} ".encode()
            length, _, payload = entry[len(start):].partition(b" ")
            if entry.startswith(start) and length == b"%d" % len(payload):
                try:
                    key = place_of(kind, read_json(payload, STATEMENTS[kind]))
                except Malformed:
                    break
                period = self.verifier.period if kind == "heartbeat" else None
                if period and not period["from_us"] <= json.loads(payload)["time_us"] < period["to_us"]:
                    return
                if key[:key.rindex("/") + 1] not in self.verifier.outside or "/chunk-" not in key:
                    self.missing.append(parse(key))
                    self.verifier.find(key, "log.entry", f"entry {self.size} of log {self.origin} is its statement, which is not here")
                return
        path = tile_path("entries", self.size // 256, 256)
        self.verifier.find(self.prefix + path, "log.entry", f"entry {self.size}: expected a statement that a log holds")

def perfect(hashes):
    while len(hashes) > 1:
        hashes = [inner(hashes[at], hashes[at + 1]) for at in range(0, len(hashes), 2)]
    return hashes[0]

def split_entries(data, width):
    entries, at = [], 0
    while data is not None and at < len(data) and len(entries) <= 256:
        length = int.from_bytes(data[at:at + 2], "big")
        entries.append(data[at + 2:at + 2 + length])
        at += 2 + length
    return entries[:width] if data is not None and at == len(data) and width <= len(entries) <= 256 else None

def check_logs(verifier, stored):
    """Both ways: every entry is a statement that was given, every statement an entry."""
    verifier.outside = {state["key"] for state in verifier.sessions if state["outside"]}
    seen, by_hash, absent = {}, collections.defaultdict(list), collections.Counter()
    for stated in verifier.statements:
        by_hash[stated["hash"]].append(stated)
    def see(place):
        relay, own, counter, rank, chunk = place
        life = seen.setdefault((relay, own), {})
        life[counter] = tuple(map(max, life.get(counter, (-1, 0)), (rank, chunk)))
    def is_followed(place):
        relay, own, counter, rank, chunk = place
        life = seen.get((relay, own), {})
        session = life.get(counter, (-1, 0))
        return rank >= 0 and (max(life.get(None, (-1, 0))[0], session[0]) > rank or 0 < chunk < session[1] or (
            not counter and rank < RANKS["heartbeat"] and any(life)))
    def origin_of(place):
        return verifier.origins.get((tuple(place[0].split("/")), place[1]))
    def find(hashed, index):
        for stated in by_hash.get(hashed, ()):
            if origin_of(stated["place"]) in (None, log.origin):
                judge(stated)
                stated["index"] = index if stated["index"] is None else stated["index"]
            see(stated["place"])
        return hashed in by_hash
    beats = {stated["key"]: said for stated, said in verifier.beats}
    def judge(stated):
        place = stated["place"]
        if stated["index"] is not None or is_followed(place):
            disorder.append((stated["key"], "log.order", "is an entry twice, or after one that must be stored after it"))
        if stated["key"] in beats:
            heard[place[:2]] = max(heard[place[:2]], beats[stated["key"]]["time_us"])
        elif place[3] > RANKS["heartbeat"] and stated["time"] is not None and stated["signer"] == place[1] and (
                heard[place[:2]] > stated["time"] + LATE_US):
            disorder.append((stated["key"], "log.late", "is an entry after a heartbeat that was signed much later"))
    for origin in sorted(stored):
        log, heard, disorder = Log(verifier, origin, stored[origin]), collections.Counter(), []
        if not log.keys:
            verifier.find(log.prefix, "log.key", "no key is known that signs its checkpoints")
        log.read_checkpoints()
        log.walk(find)
        for broken in disorder:
            verifier.find(*broken)
        for place in filter(None, log.missing):
            see(place)
    kept_out = check_beats(verifier)
    for place, key, logged in ((stated["place"], stated["key"], stated["index"] is not None) for stated in verifier.statements):
        origin = origin_of(place)
        if logged or origin is None and not stored:
            continue
        if origin is not None and origin not in stored:
            absent[origin] += 1
        elif is_followed(place) or key.endswith(("/open.json", "/void.json")) and key[:-9] in kept_out:
            verifier.find(key, "log.statement", "not in the log, though what was stored after it is")
        else:
            verifier.find(key, "log.pending", "not in the log: newer than its newest checkpoint")
    for origin in sorted(absent):
        verifier.find(f"log/{origin}/", "log.absent", f"{absent[origin]} statements say they go to this log, and it is not here")
    for stated in verifier.statements if verifier.revoked else ():
        place = stated["place"]
        revoked = verifier.revoked.get((place[0], stated["signer"]))
        if revoked and not (place[2] and f"evidence/{place[0]}/{place[1]}/sessions/{place[2]}/" in verifier.outside):
            size = min(said["log_size"] if said["log_origin"] == origin_of(place) else 0 for said in revoked)
            if stated["index"] is None or stated["index"] >= size:
                verifier.find(stated["key"], "revocation.void", f"its signer stands in the first {size} entries alone")
    for name, data in verifier.earlier:
        try:
            if open_note(data)[1] not in stored:
                verifier.find(name, "checkpoint.earlier", "its log is not here")
        except Malformed as problem:
            verifier.find(name, "checkpoint.form", problem)

def check_beats(verifier):
    """No heartbeat is an entry before a session-open or void that it says is stored; told of the first that says so."""
    begun, told, kept_out, order = {}, collections.defaultdict(lambda: (0, set())), set(), {}
    for stated in verifier.statements:
        if stated["key"].endswith(("/open.json", "/void.json")):
            life = begun.setdefault(stated["place"][:2], {})
            indexes = [n for n in (life.get(int(stated["place"][2])), stated["index"]) if n is not None]
            life[int(stated["place"][2])] = min(indexes, default=None)
    for stated, said in verifier.beats:
        if stated["index"] is None:
            continue
        last, waiting = told[stated["place"][:2]]
        sessions, ordered = begun.get(stated["place"][:2], {}), order.setdefault(stated["place"][:2], sorted(begun.get(stated["place"][:2], {})))
        counters = waiting.union(ordered[bisect.bisect_right(ordered, last):bisect.bisect_right(ordered, said["last_counter"])])
        told[stated["place"][:2]] = (max(last, said["last_counter"]), counters & set(said["unstored"]))
        for counter in sorted(counters - set(said["unstored"])):
            if counter in sessions and sessions[counter] is None:
                kept_out.add(f"evidence/{stated['place'][0]}/{stated['place'][1]}/sessions/{counter:010}/")
            elif counter in sessions and sessions[counter] > stated["index"]:
                verifier.find(stated["key"], "log.order", f"is an entry before session {counter}, which it says is stored")
    return kept_out

# Bundles -----------------------------------------------------------------------------------------------------------

TABLES = ("sessions", "statements", "executions", "objects_touched", "masking", "approvals", "denials", "grants", "chunks")
REQUIRED = ["VERIFY.md", "verify.py", "report.html", "safeguards.json", "safeguards.toml"] + [
    f"{folder}/{table}.{ending}" for table in TABLES for folder, ending in (("tables", "parquet"), ("csv", "csv"), ("json", "json"))]

def is_object(path):
    found = parse_log(path)
    return bool(parse(path) or TRUST.fullmatch(path) or SHREDDED.fullmatch(path) or found and (found["checkpoint"] or found["tile"]))

class Objects:
    """What of a bundle is evidence."""
    def __init__(self, files):
        self.get, self.keys = files.get, lambda: filter(is_object, files.keys())

def verify_bundle(files, root, **options):
    """Whether the bundle holds, and all findings."""
    bundle, paths = Verifier(files, root), sorted(files.keys())
    certificates = [bundle.key_certificate(path) for path in paths
                    if path.startswith("trust/") and not REVOCATION.fullmatch(path)]
    manifest, signed, named = None, False, {}
    try:
        envelope = Envelope(files.get("manifest.dsse.json", MANIFEST_MAX), MANIFEST_MAX)
        if envelope.type != IN_TOTO:
            raise Malformed("expected an in-toto Statement")
        manifest = read_json(envelope.payload, MANIFEST)
    except (OSError, Malformed) as problem:
        bundle.find("manifest.dsse.json", "bundle.manifest", problem)
    if manifest:
        said, names = manifest["predicate"], [subject["name"] for subject in manifest["subject"]]
        named = {subject["name"]: subject["digest"]["sha256"] for subject in manifest["subject"]}
        if said["format"] != 1 or names != sorted(set(names)) or said["period"]["from_us"] >= said["period"]["to_us"]:
            bundle.find("manifest.dsse.json", "bundle.manifest", "format, order of names or period are not as they must be")
        own = [key_of(c["bundles"]) for c in certificates if c and all(c[part] == said[part] for part in ("tenant", "environment"))
               and c["not_before_us"] <= said["created_us"] <= c["not_after_us"]]
        signed = said["keys"] == {"certificates": root.id, "bundles": envelope.key_id} and any(map(envelope.is_signed_by, own))
        if not signed:
            bundle.find("manifest.dsse.json", "bundle.signature", "is not signed by a bundles key that the root certified for it")
    for path in paths:
        if not is_object(path) and path not in REQUIRED and not pattern(rf"replay/{LIFE}-{COUNTER}\.html|manifest\.dsse\.json")(path):
            bundle.find(path, "bundle.layout", "expected a path of the layout")
        elif manifest and path != "manifest.dsse.json":
            expected = named.pop(path, None)
            if expected is None:
                bundle.find(path, "bundle.extra", "the manifest does not name it")
            elif files.digest(path) != expected:
                bundle.find(path, "bundle.digest", "has another digest than the manifest names")
    for path in [*sorted(named), *(path for path in REQUIRED if path not in paths)]:
        bundle.find(path, "bundle.missing", "the manifest names it or every bundle has it, and it is not there")
    evidence = Verifier(Objects(files), root, period=said["period"] if manifest else None, **options)
    holds = evidence.run()
    for (relay, own) in evidence.lives if manifest else ():
        if relay[:2] != (said["tenant"], said["environment"]):
            bundle.find(f"evidence/{'/'.join(relay)}/{own}/", "bundle.scope", "is of another tenant or environment than the bundle")
    for state in evidence.sessions if manifest else ():
        opened, closed = state["open"], state["close"] and state["close"]["time_us"]
        if opened and not state["outside"] and not touches(said["period"], opened["time_us"], closed):
            bundle.find(state["key"], "bundle.period", "does not touch the bundle's period")
    evidence.findings[:0] = bundle.findings
    return signed and holds and not any(found["severity"] == "error" for found in bundle.findings), evidence

def verify(folder, root, **options):
    """Whether a folder's evidence, or the bundle that it is, holds, and the verifier with its findings."""
    if any(os.path.exists(os.path.join(folder, file)) for file in ["manifest.dsse.json", *REQUIRED]):
        return verify_bundle(Folder(folder), root, **options)
    store = os.path.join(folder, "objects")
    folder = store if os.path.isdir(store) else folder
    if not os.path.isdir(os.path.join(folder, "evidence")):
        raise OSError(f"{folder}: expected a folder that holds evidence/ or objects/evidence/, or a bundle")
    verifier = Verifier(Folder(folder, ["log", "trust", "shredded", "evidence", "approvals", "keys"]), root, **options)
    return verifier.run(), verifier

def read_pem(path):
    with open(path, encoding="ascii") as file:
        found = re.fullmatch(r"-----BEGIN PUBLIC KEY-----\n([A-Za-z0-9+/=\n]+)-----END PUBLIC KEY-----\n?", file.read().replace("\r", ""))
    if not found:
        raise Malformed(f"{path}: expected one PEM block PUBLIC KEY")
    return Key(unbase64(found[1].replace("\n", "")))

def main():
    arguments = argparse.ArgumentParser(description="Verifies Affidavit evidence, or a bundle of it, offline.")
    arguments.add_argument("folder")
    arguments.add_argument("--root", required=True, help="public key that certifies relays (PEM)")
    arguments.add_argument("--checkpoint", action="append", default=[], help="checkpoint of a log that was kept from earlier")
    arguments.add_argument("--checkpoints-key", help="public key that signs checkpoints (PEM)")
    arguments.add_argument("--witness", action="append", default=[], help="file with the key (vkey) of a witness")
    arguments.add_argument("--json", action="store_true", help="the findings as JSON")
    given = arguments.parse_args()
    try:
        earlier = [(path, open(path, "rb").read()) for path in given.checkpoint]
        key = given.checkpoints_key and read_pem(given.checkpoints_key)
        witnesses = [read_witness(open(path, encoding="utf-8").read()) for path in given.witness]
        holds, verifier = verify(given.folder, read_pem(given.root), checkpoints_key=key, earlier=earlier, witnesses=witnesses)
    except (OSError, ValueError) as problem:
        print(f"verify.py: {problem}", file=sys.stderr)
        return 2
    if given.json:
        print(json.dumps({"holds": holds, "checked": verifier.checked, "findings": verifier.findings}, indent=2))
        return 0 if holds else 1
    print("Checked " + ", ".join(f"{count} {what}" for what, count in verifier.checked.items()) + ".")
    for found in verifier.findings:
        severity = found["severity"].replace("error", "ERROR")
        print("".join(c if c.isprintable() else "?" for c in f"{severity} {found['object']}: {found['rule']}: {found['message']}"))
    print("It holds." if holds else "It does not hold.")
    return 0 if holds else 1

if __name__ == "__main__":
    sys.exit(main())
