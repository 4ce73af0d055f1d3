#!/usr/bin/env python3
"""Verifies Affidavit evidence, or a bundle of it, offline. Written from SPEC.md alone: names in [brackets] are its sections, a
name with a dot is a rule of its [Rules], numbers in brackets are steps of its [Procedure], which it goes in order.

It ends at the first error, for one is enough: then the evidence does not hold. `auditor verify` tells all. Prints a line a
finding, SEVERITY OBJECT: RULE: MESSAGE. Exit codes: 0 it holds, 1 it does not, 2 wrong usage or what cannot be read.
Not done here, and done by `auditor verify`: tables, counts and answers to safeguards of a bundle; the warnings
heartbeat.silence, log.late, session.key, approval.details and approval.decision."""
import argparse, base64, functools, hashlib, json, os, re, stat, sys
from collections import defaultdict
from types import SimpleNamespace
import zstandard
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

MIB, GRACE, HOUR = 1 << 20, 300 * 10**6, 3600 * 10**6
WARNINGS = {"log.absent", "log.key", "session.recovered", "incarnation.recovered", "incarnation.abandoned", "outcome.unknown",
            "shredding.key"}
NOTICES = {"log.pending", "incarnation.unretired", "session.shredded"}

# [Identifiers] and [Statements], [Events], [Bundle]: members by kind. `#` an integer, as is what ends in _us, _oid, _length;
# `?` optional; `=` a type, `*` a list of it. Without a type a member is of the type that has its name, or a text.
NAME, HEX32, DIGEST = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", "[0-9a-f]{32}", "[0-9a-f]{64}"
SESSION = HEX32 + "-(?!0{10})[0-9]{10}"
TEXTS = {
    "text": "(?s:.*)", "tenant": NAME, "environment": NAME, "relay": NAME, "name": NAME, "digest": DIGEST, "session": SESSION,
    "incarnation": HEX32, "sealed_by": HEX32, "request": SESSION + "-(?!0+$)(?:[0-9]{6}|[1-9][0-9]{6,})", "commitment": DIGEST,
    "decision_sha256": DIGEST, "verdict": "approved|denied|expired|cancelled|invalid", "reason": "client-terminated|idle|expired|"
    "client-disconnected|target-disconnected|relay-stopping|protocol-violation|masking-violation|evidence-failure|aborted"}
FORMS = {form.split(":", 1)[0].strip(): form.split(":", 1)[1].replace("@", "tenant environment relay") for form in """
certificate: @ incarnation spki=key not_before_us not_after_us build ;
relay-start: @ incarnation certificate=digest log_origin heartbeat_seconds# time_us ;
relay-retired: @ incarnation last_counter# last_heartbeat# sealed_by recovered=bool time_us ;
heartbeat: @ incarnation sequence# last_counter# unstored=*int opened# closed# voided# backlog_sessions# backlog_bytes# \
time_us ;
abandoned: @ incarnation not_after_us log_size# time_us ; revocation: @ incarnation log_origin log_size#
  reason=compromised|withdrawn time_us ;
session-open: @ session connection=name time_us policy_sha256=digest details_commitment=digest data_key_id ;
session-close: @ session reason chunks# events# last_manifest=digest sealed_by recovered=bool time_us ;
session-void: @ session sealed_by recovered=bool time_us ; session-shredded: @ session wrapped_key_sha256=digest time_us ;
approval-requested: @ request commitment expires_us time_us ; approval-decided: @ request commitment verdict decision_sha256?
  time_us ;
key-certificate: tenant environment checkpoints=key approvals=key bundles=key checkpoints_ed25519?=key32 not_before_us
  not_after_us ;
chunk: @ format# connection=name log_origin session sequence# prev=digest stored=sum decoded=sum events# data_blocks#
  first_event# last_event# first_time_us last_time_us sealed_time_us sealed_by recovered=bool last=bool ;
sum: length# sha256=digest ; envelope: payload payloadType signatures=*signature ; signature: keyid=digest sig ; in-toto:
  _type=https://in-toto.io/Statement/v1 subject=*file predicateType=urn:affidavit:bundle:v1 predicate ;
file: name=text digest=sha256 ; sha256: sha256=digest ; predicate: format# tenant environment period created_us counts keys ;
period: from_us to_us ; keys: certificates=digest bundles=digest ; event session-open: salt actor expires_at# client_address
  client_application client_tls protocol connection target target_role target_version target_tls policy_sha256 scope=*granted
  durability=process|disk ;
event statement: statement# path=simple|extended class text? text_length text_token literals=*value upstream_text?
  objects=*touched decision ;
event: event=text number# time_us ;
event bind: statement# parameters=*value ; event execute: execution# statement# row_limit# rows_kept?# ; event outcome:
  execution# statement# outcome=completed|failed|suspended|skipped|refused|unknown command? rows_returned# rows_affected#
  bytes_returned# bytes_received?# sqlstate? rows_recorded?# result_hmac?=digest ;
event rolled-back: first_execution# last_execution# ; event cancel: ; event approval-requested: statement# request commitment
  expires_us reason?=text ;
event approval-decided: statement# request verdict approver?=actor rationale? decided_us decision_sha256? problem? ;
event session-close: reason statements# executions# ; event recovered: by_incarnation discarded_bytes# outcome_unknown=*int ;
actor: kind=user|service|agent issuer subject name=text groups=*text acts_for?=actor ;
granted: object permitted=*text held=*text revealed=*text ; value: kind length?# token? ; touched: object action masked=*masked
  revealed=*text ; masked: column style ; decision: outcome=permitted|held|refused policies=*text sqlstate? reason?=text
""".split(" ;")}

# [Objects], [Log]: the keys; `<name:n>` is a number of at least n digits. A bundle has FILES besides.
IN, AT = "evidence/@/sessions/<counter>/", "<tenant>/<environment>/<relay>/<incarnation>"
LAYOUT = {kind: key.replace("@", AT) for kind, key in {
    "certificate": "evidence/@/certificate.json", "relay-start": "evidence/@/relay-start.json",
    "relay-retired": "evidence/@/relay-retired.json", "abandoned": "evidence/@/abandoned.json",
    "heartbeat": "evidence/@/heartbeats/<sequence:10>.json", "chunk": IN + "chunk-<sequence:8>.zst",
    "session-open": IN + "open.json", "session-close": IN + "close.json", "session-void": IN + "void.json",
    "approval-requested": IN + "approval-<statement:6>.requested.json",
    "approval-decided": IN + "approval-<statement:6>.decided.json",
    "key-certificate": "trust/<tenant>/<environment>/<digest>.json", "revocation": "trust/@/revocation-<log_size:10>.json",
    "session-shredded": "shredded/@/<counter>.json", "wrapped-key": "keys/@/<counter>.json",
    "checkpoint": "log/<origin>/checkpoint/<number>", "tile": "log/<origin>/tile/<level>/<index>",
    "staging": "log/<origin>/staging/<number>-<digest>", "state": "log/<origin>/state/<number>"}.items()}
PARTS = {"counter": "(?!0{10})[0-9]{10}", "number": "(?!0{10})[0-9]{10}", "log_size:10": "[0-9]{10}|[1-9][0-9]{10,}",
         "origin": r"(?!\.)[a-z0-9._-]+(?:/(?!\.)[a-z0-9._-]+)*", "level": "entries|[0-7]",
         "index": r"(?!x000)(?:x[0-9]{3}/)*[0-9]{3}(?:\.p/(?:[1-9][0-9]?|1[0-9]{2}|2[0-4][0-9]|25[0-5]))?"}
PATTERNS = {kind: re.compile(re.sub("<((\\w+):?(\\d*))>", lambda part: "(?P<%s>%s)" % (part[2], PARTS.get(part[1]) or TEXTS.get(
    part[1]) or "(?!0+[^0-9])[0-9]{%s}|[1-9][0-9]{%s,}" % (part[3], part[3])), key)) for kind, key in LAYOUT.items()}
TABLES = "approvals chunks denials executions grants masking objects_touched sessions statements".split()
FILES = ["VERIFY.md", "verify.py", "report.html", "safeguards.toml", "safeguards.json"] + [
    f"{folder}.{ending}" for table in TABLES for folder, ending in (
        (f"tables/{table}", "parquet"), (f"csv/{table}", "csv"), (f"json/{table}", "json"))]

def placed(key):
    """The kind of a key and what it says of its object; None when no object has such a key."""
    return next(((kind, match.groupdict()) for kind, pattern in PATTERNS.items() if (match := pattern.fullmatch(key))), None)

class Fault(Exception):
    """An object, the rule that it breaks, and why."""

def need(holds, key, rule, message=""):
    if not holds: raise Fault(key, rule, message)

def check(value, form):
    """Raises ValueError unless the value has exactly the members of the form, each of its type."""
    members = [re.fullmatch(r"(\w+)(\??)(#?)=?(.*)", word).groups() for word in FORMS[form].split()]
    if not isinstance(value, dict) or set(value) - {name for name, *_ in members}: raise ValueError(f"{form}: other members")
    for name, optional, integer, kind in members:
        integer = integer or name.endswith(("_us", "_oid", "_length"))
        kind = kind or ("int" if integer else name if name in TEXTS or name in FORMS or name == "counts" else "text")
        if not (optional if name not in value else fits(value[name], kind)): raise ValueError(f"{form}: {name}")

def fits(value, kind):
    if kind in FORMS: return check(value, kind) is None
    if kind.startswith("*"): return isinstance(value, list) and all(fits(item, kind[1:]) for item in value)
    if kind == "counts": return isinstance(value, dict) and all(fits(count, "int") for count in value.values())
    if kind in ("int", "bool"): return type(value) is int and 0 <= value < 1 << 53 if kind == "int" else type(value) is bool
    if kind in ("key", "key32"): return bool(read_key(unbase64(value)) if kind == "key" else len(unbase64(value)) == 32)
    return isinstance(value, str) and re.fullmatch(TEXTS.get(kind, kind), value) is not None

def canonical(value): return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()

def read_json(data):
    """[Canonical JSON]: reads, writes again and compares. ValueError for what is none."""
    def walk(value, depth):
        deep = isinstance(value, (dict, list))
        if deep and depth > 127 or isinstance(value, float) or type(value) is int and abs(value) >= 1 << 53:
            raise ValueError("nested too deep, or no integer of 53 bits")
        for item in [*value, *(value.values() if isinstance(value, dict) else ())] if deep else ():
            if isinstance(value, dict) and not "".join(value).isascii(): raise ValueError("a name that is not ASCII")
            walk(item, depth + 1)
    try:
        value = json.loads(data.decode())
        walk(value, 1)
    except RecursionError: raise ValueError("nested too deep") from None
    if canonical(value) != data: raise ValueError("not the canonical text")
    return value

def unbase64(text):
    data = base64.b64decode(text, validate=True)
    if base64.b64encode(data).decode() != text: raise ValueError("no canonical Base64")
    return data

def sha256(data): return hashlib.sha256(data).hexdigest()

@functools.lru_cache(None)
def read_key(spki):
    """[Signatures and envelopes]: a public key on P-256."""
    if len(spki) != 91 or spki[:27].hex() != "3059301306072a8648ce3d020106082a8648ce3d03010703420004":
        raise ValueError("no public key on P-256")
    return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), spki[26:])

def signed(key, signature, message):
    """Whether the key, a SubjectPublicKeyInfo or 32 bytes of Ed25519, signed."""
    try:
        if len(key) == 32: ed25519.Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
        else: read_key(key).verify(signature, message, ec.ECDSA(SHA256()))
    except (InvalidSignature, ValueError): return False
    return True

class Statement:
    """[Signatures and envelopes]: a statement that was read; whether it `holds` is for the procedure to say."""
    def __init__(self, key, kind, data):
        envelope = read_json(data)
        check(envelope, "envelope")
        mime = "application/vnd.in-toto+json" if kind == "in-toto" else f"application/vnd.affidavit.{kind}.v1+json"
        if envelope["payloadType"] != mime or len(envelope["signatures"]) != 1:
            raise ValueError("an envelope of another kind, or not with one signature")
        payload, (signature,) = unbase64(envelope["payload"]), envelope["signatures"]
        self.pae = b"DSSEv1 %d %s %d %s" % (len(mime), mime.encode(), len(payload), payload)
        self.key, self.keyid, self.signature, self.holds = key, signature["keyid"], unbase64(signature["sig"]), False
        self.says(kind, payload)
    def says(self, kind, payload):
        self.kind, self.body, self.digest = kind, read_json(payload), sha256(self.pae)
        check(self.body, kind)
        subject = self.body.get("request") or self.body.get("session") or self.body.get("incarnation", "")
        self.own, counter, number = (subject + "--").split("-")[:3]
        self.session = f"{self.own}-{counter}" if counter else None
        self.time = self.body.get("sealed_time_us", self.body.get("time_us"))
        # [Objects]: where a statement that says this must stand.
        said = {**self.body, "incarnation": self.own, "counter": counter, "statement": number, "digest": self.digest}
        self.home = re.sub(r"<(\w+):?(\d*)>", lambda part: str(said[part[1]]).zfill(int(part[2] or 0)), LAYOUT.get(kind, ""))
        self.place = tuple(said.get(name, "") for name in ("tenant", "environment", "relay", "incarnation"))
        # [Log, Order]: the orders it stands in, with its rank: what has a lesser one is an entry before it.
        self.chains = [(self.place, {"certificate": 0, "relay-start": 1, "relay-retired": 3}.get(kind, 2))]
        if kind == "heartbeat": self.chains.append((self.place + (kind,), said["sequence"]))
        elif kind in ("abandoned", "revocation"): self.chains = []
        elif counter and kind != "session-void":
            self.chains.append((self.session, {"session-open": 0, "session-close": 2}.get(kind, 1)))
            self.chains += [(self.session + kind, said["sequence"])] if kind == "chunk" else []
    def by(self, key): return self.keyid == sha256(key) and signed(key, self.signature, self.pae)

def container(key, data):
    """[Chunk]: splits a chunk into stored bytes and envelope, looking at headers alone."""
    size, magic, rule = int.from_bytes(data[-8:-4], "little"), b"\x5a\x2a\x4d\x18", "chunk.container"
    end, at = len(data) - 8 - size, 0
    need(8 <= size <= 65543 and end > 0 and data[end:end + 8] == magic + data[-8:-4] and data[-4:] == magic, key, rule, "its end")
    while at < end:
        flags, window, single = data[at + 4], data[at + 5], data[at + 4] >> 5 & 1
        need(data[at:at + 4] == b"\x28\xb5\x2f\xfd" and flags & 0x1B == 0, key, rule, "no standard frame")
        width, at = (single, 2, 4, 8)[flags >> 6], at + 6 - single
        content = int.from_bytes(data[at:at + width], "little") + (256 if width == 2 else 0)
        need((content if single else (1 << 10 + (window >> 3)) // 8 * (8 + (window & 7))) <= 8 * MIB, key, rule, "window")
        at, last = at + width, 0
        while not last:
            head = int.from_bytes(data[at:at + 3], "little")
            last, kind, size = head & 1, head >> 1 & 3, head >> 3
            at += 3 + (1 if kind == 1 else size)
            need(kind != 3 and size <= 128 << 10 and at <= end, key, rule, "block")
        at += flags & 4
    need(at == end, key, rule, "a frame that is not whole")
    return data[:end], data[end + 8:-8]

def frames(key, stored, told):
    """[Chunk], [Frames]: whether a frame is an event, and its payload; the digests are checked before and after."""
    need({"length": len(stored), "sha256": sha256(stored)} == told["stored"], key, "chunk.digest", "stored bytes")
    try:
        reader = zstandard.ZstdDecompressor(max_window_size=8 * MIB).stream_reader(stored, read_across_frames=True)
        content, at = reader.read(told["decoded"]["length"] + 1), 0
    except zstandard.ZstdError as problem: raise Fault(key, "chunk.digest", str(problem)) from None
    need({"length": len(content), "sha256": sha256(content)} == told["decoded"], key, "chunk.digest", "decoded content")
    while at < len(content):
        size, kind = int.from_bytes(content[at:at + 4], "big"), content[at + 4:at + 5]
        at += 5 + size
        need(kind in (b"\1", b"\2") and size <= 16 * MIB and at <= len(content), key, "chunk.frames")
        yield kind == b"\1", content[at - size:at]

class Events:
    """[Events]: those of a session, in their order (7)."""
    def __init__(self):
        self.count, self.last, self.closed, self.statements, self.runs, self.outcomes = 0, None, None, {}, {}, {}
        self.asked, self.decided, self.undone = {}, {}, 0
    def ran(self, number): return any(run["statement"] == number for run in self.runs.values())
    def add(self, key, e):
        kind, number, run = e["event"], e.get("statement"), e.get("execution")
        need(e["number"] == self.count + 1, key, "event.number")
        need((kind == "session-open") == (self.count == 0) and self.last != "recovered"
             and (not self.closed or kind == "recovered"), key, "event.order", kind)
        self.count, self.last = self.count + 1, kind
        if kind == "statement":
            need(number == len(self.statements) + 1, key, "event.reference", "statements have gaps")
            self.statements[number] = e["decision"]["outcome"]
        need(number is None or number in self.statements, key, "event.reference", "no such statement")
        held = self.statements.get(number) == "held"
        if kind == "execute":
            need(run == len(self.runs) + 1, key, "event.reference", "executions have gaps")
            approved = self.decided.get(number, {}).get("verdict") == "approved"
            need(not held or approved and not self.ran(number), key, "event.approval", "executed")
            self.runs[run] = e
        elif kind == "outcome":
            begun = self.runs.get(run, {"statement": None if run else number})
            need(begun["statement"] == number and run not in self.outcomes, key, "event.reference", "no such execution")
            self.outcomes.update({run: e["outcome"]} if run else {})
            kept, rows, lacks = begun.get("rows_kept"), e.get("rows_recorded"), e["outcome"] not in ("completed", "suspended")
            good = (kept is None or lacks) if rows is None else kept is not None and rows <= kept
            need(good, key, "event.result", "rows_recorded")
            need((rows is None) == ("result_hmac" not in e), key, "event.result", "result_hmac")
        elif kind == "rolled-back":
            first, last = e["first_execution"], e["last_execution"]
            ends = {self.outcomes.get(first), self.outcomes.get(last)}
            need(self.undone < first <= last and ends <= {"completed", "suspended"}, key, "event.reference", "nothing to undo")
            self.undone = last
        elif kind == "approval-requested":
            need(held and number not in self.asked, key, "event.approval", "requested")
            self.asked[number] = e
        elif kind == "approval-decided":
            need(number in self.asked and number not in self.decided, key, "event.approval", "decided")
            self.decided[number] = e
        elif kind == "session-close":
            self.closed = e["reason"]
            need((e["statements"], e["executions"]) == (len(self.statements), len(self.runs)), key, "event.totals")
        elif kind == "recovered":
            unknown = [n for n in self.runs if n not in self.outcomes]
            need(e["outcome_unknown"] == unknown, key, "event.recovered", "outcome_unknown")

class Verifier:
    """`files`: names, `get(name, limit)`, which raises OSError, and `digest(name)`. Keys are SubjectPublicKeyInfos."""
    def __init__(self, files, root, checkpoints_key=None, earlier=(), witnesses=(), is_bundle=False):
        self.files, self.root, self.checkpoints_key, self.is_bundle = files, root, checkpoints_key, is_bundle
        self.earlier, self.witnesses = earlier, dict(witnesses)
        self.findings, self.checked, self.period, self.outside, self.keys = [], defaultdict(int), None, set(), []
        self.objects, self.origins, self.revoked, self.given = defaultdict(dict), defaultdict(set), defaultdict(list), {}
        self.certificates, self.starts, self.retired, self.logs = {}, {}, {}, {}
    def tell(self, key, rule, message=""):
        severity = "warning" if rule in WARNINGS else "notice" if rule in NOTICES else "error"
        self.findings.append({"object": key, "rule": rule, "severity": severity, "message": message})
    def run(self):
        """Whether it holds; the first error ends it."""
        try:
            self.bundle() if self.is_bundle else self.evidence()
            return self.checked["certificates"] > 0
        except Fault as fault:
            self.tell(*fault.args)
            return False
    def get(self, key, limit=65535, rule="object.read"):
        try: return self.files.get(key, limit)
        except OSError as problem: raise Fault(key, rule, str(problem)) from None
    def read(self, key, kind, rule="envelope.form", data=None):
        data = self.get(key) if data is None else data
        try: found = Statement(key, kind, data)
        except ValueError as problem: raise Fault(key, rule, str(problem)) from None
        return self.given.setdefault(found.digest, found)
    def evidence(self):
        """[Procedure]"""
        for key in sorted(self.files):                                                                             # (1)
            if key.startswith(("evidence/", "keys/", "log/", "shredded/", "trust/")):
                kind, said = placed(key) or (None, {})
                need(kind, key, "object.layout")
                self.origins[said["origin"]].add(key) if "origin" in said else None
                number = int(said.get("sequence") or said.get("statement") or said.get("log_size") or 0)
                place = tuple(said.get(name) or "" for name in ("tenant", "environment", "relay", "incarnation"))
                self.objects[place][kind, int(said.get("counter", 0)), number] = key
        each = [(place, slot[0], key) for place in sorted(self.objects) for slot, key in sorted(self.objects[place].items())]
        places = sorted({place for place, _, key in each if key.startswith("evidence/")})
        self.key_certificates()
        for key in (key for _, kind, key in each if kind == "revocation"):
            found = self.root_signed(key, "revocation")
            self.revoked[found.own].append(found.body)
        for relay in sorted({place[:3] for place in places}):
            for place in (place for place in places if place[:3] == relay):                                        # (2)
                key = "evidence/" + "/".join(place) + "/certificate.json"
                need(key in self.files, key, "certificate.missing")
                self.certificates[place] = found = self.root_signed(key, "certificate")
                need(sha256(unbase64(found.body["spki"]))[:32] == place[3], key, "certificate.identity", "another key")
                self.checked["certificates"] += 1
            for place in (place for place in places if place[:3] == relay):
                self.incarnation(place, self.objects[place], "evidence/" + "/".join(place) + "/")
        for key in (key for _, kind, key in each if kind == "session-shredded"):                                   # (11)
            found = self.read(key, "session-shredded")
            need(any(map(found.by, self.certified("approvals", found.place, found.time))), key, "shredding.signature")
            need(found.home == key, key, "shredding.identity")
            self.tell(key, "session.shredded")
            self.tell(key, "shredding.key") if key.replace("shredded/", "keys/", 1) in self.files else None
        self.all_logs()
    def root_signed(self, key, kind, rule=None):
        """What the certificates root signs."""
        found = self.read(key, kind, rule or "envelope.form")
        need(found.by(self.root), key, rule or kind + ".signature")
        need(found.home == key, key, rule or kind + ".identity")
        return found
    def key_certificates(self):
        self.keys = [self.root_signed(key, "key-certificate", "key-certificate").body for key in sorted(self.files)
                     if key.startswith("trust/") and (placed(key) or [""])[0] == "key-certificate"]
    def certified(self, use, place, time=None):
        """The keys that key certificates name for a use in a tenant's environment, at a time if it matters."""
        return [unbase64(body[use]) for body in self.keys if (body["tenant"], body["environment"]) == place[:2] and use in body
                and (time is None or body["not_before_us"] <= time <= body["not_after_us"])]
    def checkpoint_keys(self, places):
        return [self.checkpoints_key] if self.checkpoints_key else [
            key for place in places for use in ("checkpoints", "checkpoints_ed25519") for key in self.certified(use, place)]
    def statement(self, place, kind, counter=0, number=0):
        """(4): the statement in a place, or None when there is none."""
        key = self.objects[place].get((kind, counter, number))
        if not key: return None
        found = self.signed(place, self.read(key, kind))
        need(found.home == key and 1 <= found.body.get("heartbeat_seconds", 1) <= 3600, key, kind + ".identity")
        if kind == "relay-start":
            need(found.body["certificate"] == self.certificates[place].digest, key, "relay-start.identity", "certificate")
        return found
    def signed(self, place, found):
        """(4): signer, validity and signature."""
        key, body, by = found.key, found.body, found.body.get("sealed_by", found.own)
        certificate, retired = self.certificates.get(place[:3] + (by,)), self.retired.get(place[:3] + (found.own,))
        need(certificate, key, "signer.certified", by)
        need(body.get("recovered", False) == (by != found.own), key, "signer.recovered")
        need(by == found.own or not retired or retired.body["recovered"], key, "signer.retired")
        first, last = (certificate.body[end] for end in ("not_before_us", "not_after_us"))
        need(first - GRACE <= found.time <= last + GRACE, key, "certificate.validity")
        need(found.by(unbase64(certificate.body["spki"])), key, found.kind + ".signature")
        self.checked["signatures"] += 1
        return found
    def incarnation(self, place, objects, base):
        """(3), [Completeness]"""
        counters = sorted({counter for (_, counter, _), key in objects.items() if counter and key.startswith("evidence/")})
        start = self.statement(place, "relay-start")
        need(start or not counters and ("relay-retired", 0, 0) not in objects, base + "relay-start.json", "relay-start.missing")
        retired = self.statement(place, "relay-retired")
        self.starts[place], self.retired[place] = start, retired
        if ("abandoned", 0, 0) in objects:
            found, keys = self.read(base + "abandoned.json", "abandoned"), self.checkpoint_keys([place])
            self.tell(found.key, "incarnation.abandoned" if keys else "log.key")
            need(not keys or any(map(found.by, keys)), found.key, "abandoned.signature")
            need(not keys or found.home == found.key, found.key, "abandoned.identity")
            end = self.certificates[place].body["not_after_us"]
            need(not keys or found.body["not_after_us"] == end and found.time >= end + HOUR, found.key, "abandoned.early")
        if not retired or retired.body["recovered"]:
            self.tell(base, "incarnation.recovered" if retired else "incarnation.unretired")
        sequences = sorted(number for kind, _, number in objects if kind == "heartbeat")
        old = {"time_us": start.time if start else 0}
        first, newest = sequences[0] if sequences and self.period else 1, None
        for expected, sequence in enumerate(sequences, first):
            newest = self.statement(place, "heartbeat", 0, sequence)
            told, unstored, last = newest.body, newest.body["unstored"], newest.body["last_counter"]
            need(sequence == expected, base + "heartbeats/%010d.json" % expected, "heartbeat.sequence", "missing")
            need(told["opened"] + told["voided"] + len(unstored) == last and told["closed"] <= told["opened"]
                 and len(unstored) <= 1024 and unstored == sorted({n for n in unstored if 1 <= n <= last})
                 and all(told[count] >= old.get(count, 0) for count in ("opened", "closed", "voided", "last_counter", "time_us"))
                 and all(n > old.get("last_counter", 0) or n in old["unstored"] for n in unstored), newest.key, "heartbeat.order")
            old = told
        if retired and not self.period:
            end, there = retired.body["last_heartbeat"], len(sequences)
            key = base + "heartbeats/%010d.json" % min(end + 1, there + 1)
            need(end == there, key, "heartbeat.sequence", f"the last one is {end}")
        for counter in counters:
            self.session(place, counter, {(kind, number): key for (kind, of, number), key in objects.items()
                                          if of == counter and key.startswith("evidence/")})
        last = retired.body["last_counter"] if retired else max(counters, default=0)
        need(len(counters) == last == max(counters, default=0), base, "incarnation.counter", f"not 1 to {last}")
        if newest:
            told, end = newest.body, newest.body["last_counter"]
            need(not retired or last >= end, newest.key, "heartbeat.counter", "the relay-retired names less")
            need(sum(n > last for n in told["unstored"]) == max(end - last, 0), newest.key, "heartbeat.counter", "gone")
            for kind, count in (("session-open", "opened"), ("session-close", "closed"), ("session-void", "voided")):
                there = sum(what == kind and counter <= end for what, counter, _ in objects)
                need(there >= told[count], newest.key, "heartbeat.counter", f"{told[count]} of {kind} were stored")
    def session(self, place, counter, objects):
        """(5), (8), (9)"""
        base, name = "evidence/%s/sessions/%010d/" % ("/".join(place), counter), "%s-%010d" % (place[3], counter)
        need(("session-void", 0) not in objects or len(objects) == 1, base + "void.json", "session-void.alone")
        if self.statement(place, "session-void", counter): return
        opened = self.statement(place, "session-open", counter)
        need(opened, base + "open.json", "session-open.missing")
        close, chunks, events = self.statement(place, "session-close", counter), [], Events()
        sequences = sorted(number for kind, number in objects if kind == "chunk")
        if self.period and (opened.time >= self.period[1] or close and close.time < self.period[0]):
            self.outside.add(name)
            need(not sequences, base, "bundle.period")
            return
        for expected, sequence in enumerate(sequences, 1):
            key = objects["chunk", sequence]
            need(not chunks or not chunks[-1].body["last"], key, "session.last", "the one before is the last")
            need(sequence == expected, base + "chunk-%08d.zst" % expected, "session.sequence", "missing")
            chunks.append(self.chunk(key, place, opened, ([opened] + chunks)[-1].digest, events))
        newest, told, end = chunks[-1] if chunks else None, close and close.body, len(chunks)
        if close:
            need(told["chunks"] <= end, base + "chunk-%08d.zst" % (end + 1), "session.sequence", "missing")
            need(told["chunks"] == end, close.key, "session-close.totals", "chunks")
            need(not newest or newest.body["last"], newest and newest.key, "session.last", "the last chunk does not say so")
            need(told["last_manifest"] == (newest or opened).digest, close.key, "session-close.totals", "last_manifest")
            need((told["events"], told["reason"]) == (events.count, events.closed or "aborted")
                 and (events.count or told["recovered"]), close.key, "session-close.totals", "events or reason")
        need(close or not self.retired[place] and not (newest and newest.body["last"]), base + "close.json", "session.close")
        recovered = any(found.body["recovered"] for found in chunks + [close] if found)
        self.tell(base, "session.recovered") if recovered else None
        if close and any(events.outcomes.get(n, "unknown") == "unknown" for n in events.runs):
            self.tell(base, "outcome.unknown", "what was sent may or may not have run")
        orderly = close and told["reason"] != "aborted" and not recovered
        for number in sorted({n for n, outcome in events.statements.items() if outcome == "held"}
                             | {n for kind, n in objects if kind.startswith("approval")}):
            asked, decided = (self.statement(place, kind, counter, number) for kind in ("approval-requested", "approval-decided"))
            request, decision = events.asked.get(number), events.decided.get(number, {})
            verdict = decision.get("verdict")
            for kind, found, event, due, members in (
                    ("requested", asked, request, verdict in ("approved", "denied"), ("commitment", "expires_us")),
                    ("decided", decided, decision, verdict == "approved" and events.ran(number), ("verdict", "decision_sha256"))):
                key, rule = base + f"approval-{number:06}.{kind}.json", "approval." + kind
                need(found or not (event and (due or orderly)), key, rule, "it is not there")
                need(event or not (found and orderly), key, rule, "no event tells of it")
                need(not (found and asked) or found.body["commitment"] == asked.body["commitment"], key, rule, "commitment")
                same = found and event and all(found.body.get(name) == event.get(name) for name in members)
                need(same or not (found and event), key, rule, "the event says otherwise")
        self.checked["sessions"] += 1
    def chunk(self, key, place, opened, prev, events):
        """(6)"""
        stored, envelope = container(key, self.get(key, 100 * MIB))
        found = self.read(key, "chunk", "chunk.manifest", envelope)
        told, counts = found.body, [0, 0]
        need(told["format"] == 1 and told["decoded"]["length"] <= 96 * MIB and told["first_time_us"] <= told["last_time_us"]
             and 0 < told["first_event"] == told["last_event"] + 1 - told["events"], key, "chunk.manifest", "its numbers")
        self.signed(place, found)
        need(found.home == key and told["connection"] == opened.body["connection"]
             and told["log_origin"] == self.starts[place].body["log_origin"], key, "chunk.identity")
        need(told["prev"] == prev, key, "session.chain")
        for is_event, payload in frames(key, stored, told):
            need(sum(counts) or told["first_event"] == events.count + 1, key, "event.number", "events are missing")
            counts[not is_event] += 1
            self.event(key, payload, told, opened.body, events, found) if is_event else None
        need(counts == [told["events"], told["data_blocks"]], key, "chunk.counts", "frames")
        self.checked["chunks"] += 1
        return found
    def event(self, key, payload, told, opened, events, manifest):
        try:
            event = read_json(payload)
            rest = {name: value for name, value in event.items() if name not in ("event", "number", "time_us")}
            check({name: event[name] for name in event if name not in rest}, "event")
            check(rest, "event " + event["event"])
        except (ValueError, KeyError, AttributeError) as problem: raise Fault(key, "event.form", str(problem)) from None
        need(event.get("bytes_received") != 0, key, "event.form", "bytes_received")
        need(told["first_event"] <= event["number"] <= told["last_event"]
             and told["first_time_us"] <= event["time_us"] <= told["last_time_us"], key, "chunk.counts", "number or time")
        events.add(key, event)
        if event["event"] == "session-open":
            commitment = sha256(b"affidavit/session-open/v1\0" + canonical(rest))
            need((commitment, event["connection"], event["policy_sha256"]) == (opened["details_commitment"], opened["connection"],
                 opened["policy_sha256"]), key, "session-open.commitment")
        if event["event"] == "recovered":
            need(told["recovered"] and event["by_incarnation"] == told["sealed_by"], key, "event.recovered", "not by its signer")
        if "request" in event:
            request = "%s-%06d" % (manifest.session, event["statement"])
            need(event["request"] == request, key, "event.reference", "another request")
    def note(self, name, data, origin, keys):
        """[Log, Checkpoint]: text, size, root and signatures (name, key id, signature); None when it is of another log."""
        try:
            text, _, lines = data.decode().partition("\n\n")
            of, size, root = text.split("\n")
            lines = [re.fullmatch(r"\u2014 ([^\s+]+) (\S+)", line).groups() for line in lines.removesuffix("\n").split("\n")]
            lines = [(by, unbase64(sig)[:4], unbase64(sig)[4:]) for by, sig in lines]
            root, good = unbase64(root), re.fullmatch("0|[1-9][0-9]*", size) and all(sig for *_, sig in lines)
            good = good and len(root) == 32 and data.endswith(b"\n")
            good = good and not re.search("[\0-\x09\x0b-\x1f\x7f-\x9f]", data.decode())
        except (ValueError, AttributeError): good = False
        need(good, name, "checkpoint.form")
        if of != origin: return None
        known = {hashlib.sha256(key if len(key) > 32 else origin.encode() + b"\n\1" + key).digest()[:4]: key for key in keys}
        text += "\n"
        mine = [signed(known[key_id], sig, text.encode()) for by, key_id, sig in lines if by == origin and key_id in known]
        need(not keys or mine and all(mine), name, "checkpoint.signature")
        return text, int(size), root, lines
    def checkpoints(self, origin, base, keys):
        """Checkpoints as stored, as (name, size, root, number), and those that were kept."""
        stored, kept, seen = [], [], not self.witnesses
        numbers = [int(placed(key)[1]["number"]) for key in self.origins[origin] if key.startswith(base + "checkpoint/")]
        for number in range(1, max(numbers, default=1) + 1):
            key = base + "checkpoint/%010d" % number
            need(key in self.files, key, "checkpoint.sequence", "missing")
            found = self.note(key, self.get(key, 128 << 10), origin, keys)
            need(found, key, "checkpoint.form", "another log's")
            need(not stored or found[1] > stored[-1][1], key, "checkpoint.sequence", "no more entries than before")
            stored.append((key, found[1], found[2], number))
        for name, data in self.earlier:
            if (found := self.note(name, data, origin, keys)):
                text, size, root, lines = found
                by = [(self.witnesses[line[:2]], line[2]) for line in lines if line[:2] in self.witnesses]
                good = [len(sig) == 72 and signed(key, sig[8:], b"cosignature/v1\ntime %d\n%s" % (
                    int.from_bytes(sig[:8], "big"), text.encode())) for key, sig in by]
                need(not self.witnesses or good and all(good), name, "checkpoint.witness")
                need(size <= stored[-1][1], name, "checkpoint.earlier", "the log has fewer entries now")
                seen = kept.append((name, size, root, 0)) or True
        need(seen, base, "checkpoint.witness", "no kept one that a witness has seen")
        return stored, kept
    def tile(self, base, staged, level, first, width):
        """A tile in its place, staged, or the beginning of the full one."""
        groups = re.findall("...", "%0*d" % (3 * -(-len(str(first // 256)) // 3), first // 256))
        whole = f"tile/{level}/" + "".join(f"x{group}/" for group in groups[:-1]) + groups[-1]
        path = whole + (f".p/{width}" if width < 256 else "")
        for name in (path, whole):
            if base + name in self.files: return base + name, self.get(base + name, 256 * 65537)
        need(path in staged, base + path, "log.tile", "missing")
        return base + path, staged[path]
    def log(self, origin, base, keys):
        """[Log]: the entries up to the newest checkpoint; roots and tiles are made of them again."""
        stored, kept = self.checkpoints(origin, base, keys)
        _, size, root, number = stored[-1]
        key, staged, rows, need_tile = f"{base}staging/{number:010}-{root.hex()}", {}, defaultdict(list), "log.tile"
        if key in self.files:
            items = prefixed(self.get(key, 128 * MIB), (2, 4))
            need(items is not None, key, "log.tile", "staged")
            staged = {path.decode("utf-8", "replace"): tile for path, tile in zip(items[::2], items[1::2])}
        for first in range(0, size, 256):
            width = min(256, size - first)
            key, data = self.tile(base, staged, "entries", first, width)
            items = prefixed(data, (2,))
            need(items is not None and width <= len(items) <= 256, key, "log.tile", "no whole entries")
            for entry in items[:width]:
                rows["entries"].append(len(entry).to_bytes(2, "big") + entry)
                rows["0"].append(hashlib.sha256(b"\0" + entry).digest())
                self.entry(entry, self.logs[origin], key.split(".p/")[0])
        roots = tree(rows["0"], {size for _, size, *_ in stored + kept})
        for key, size, root, number in stored + kept:
            need(roots[size] == root, key, "log.root" if number else "checkpoint.earlier", "the log's entries have another root")
        for level in range(1, 8):
            below = rows[str(level - 1)]
            rows[str(level)] = [tree(below[at:at + 256], {256})[256] for at in range(0, len(below) - 255, 256)]
        for level, row in list(rows.items()):
            for first in range(0, len(row), 256):
                key, data = self.tile(base, staged, level, first, len(row[first:first + 256]))
                need(data.startswith(b"".join(row[first:first + 256])), key, "log.tile", "not what the entries give")
        for key in sorted(key for key in self.origins[origin] if key.startswith(base + "tile/")):
            level, index = placed(key)[1]["level"], placed(key)[1]["index"]
            index, width = re.sub("[x/]", "", index.split(".p/")[0]), int((index.split(".p/") + [256])[1])
            row, end = rows[level], int(index) * 256 + width
            if end <= len(row):
                step = 256 ** int(level.replace("entries", "0"))
                need(width == 256 or end in {size // step for _, size, *_ in stored}, key, "log.tile", "of no checkpoint")
                need(self.get(key, 256 * 65537) == b"".join(row[end - width:end]), key, "log.tile", "not what the entries give")
    def entry(self, entry, log, key):
        """An entry is the statement of an object, but of chunks and heartbeats outside of the period."""
        found = self.given.get(sha256(entry))
        if not found:
            match = re.fullmatch(rb"(?s)DSSEv1 \d+ application/vnd\.affidavit\.([a-z-]+)\.v1\+json \d+ (.*)", entry)
            try:
                found = Statement.__new__(Statement)
                found.pae, found.key = entry, None
                found.says(match[1].decode(), match[2])
            except (TypeError, ValueError, KeyError): raise Fault(key, "log.entry", "no statement") from None
            first, last = (found.body.get(name, found.time) for name in ("first_time_us", "last_time_us"))
            need((found.kind == "chunk" and found.session in self.outside or found.kind == "heartbeat" and self.period)
                 and not (first < self.period[1] and last >= self.period[0]), found.home, "log.entry", "it was logged")
        log.append(found)
    def all_logs(self):
        """(12), [Log, Order], [Completeness, Deadline]"""
        origin_of = lambda found: (start := self.starts.get(found.place)) and start.body["log_origin"]
        given = [found for found in self.given.values() if found.kind not in ("key-certificate", "session-shredded", "in-toto")]
        index, reached, stored = {}, defaultdict(lambda: -1), set()
        for origin in sorted(self.origins):
            base, index[origin], self.logs[origin] = f"log/{origin}/", {}, []
            places = {place[:2] for place, start in self.starts.items() if start and start.body["log_origin"] == origin}
            owned = re.fullmatch("affidavit/([^/]+)/([^/]+)", origin)
            places = {owned.groups()} if owned else places
            keys = self.checkpoint_keys(places)
            self.tell(base, "log.key", "anybody could have made it") if not keys else None
            self.log(origin, base, keys)
            for number, found in enumerate(self.logs[origin]):
                if found.key and origin_of(found) in (origin, None):
                    need(found.digest not in index[origin], found.key, "log.order", "twice")
                    need(all(rank >= reached[chain] for chain, rank in found.chains), found.key, "log.order", "too late")
                index[origin].setdefault(found.digest, number)
                reached.update({chain: max(rank, reached[chain]) for chain, rank in found.chains})
        opens = {(found.place, found.session): found for found in given if found.kind in ("session-open", "session-void")}
        beats = [found for found in given if found.kind == "heartbeat"]
        for beat in sorted(beats, key=lambda beat: (beat.place, beat.body["sequence"])):
            entries = index.get(origin_of(beat), {})
            counted = set(range(1, beat.body["last_counter"] + 1)) - set(beat.body["unstored"])
            for counter in counted if beat.digest in entries else ():
                found = opens.get((beat.place, "%s-%010d" % (beat.own, counter)))
                if found and found.digest not in stored:
                    stored.add(found.digest)
                    early = entries.get(found.digest, -1) > entries[beat.digest]
                    need(not early, beat.key, "log.order", "before what it says is stored")
        for found in given:
            origin = origin_of(found)
            if index and origin in (None, *index) and found.digest not in index.get(origin, ()):
                after = found.digest in stored or any(reached[chain] > rank for chain, rank in found.chains)
                need(not after, found.key, "log.statement", "no entry, though what comes after it is one")
                self.tell(found.key, "log.pending")
        for origin in sorted({start.body["log_origin"] for start in self.starts.values() if start} - set(index)):
            self.tell(f"log/{origin}/", "log.absent", "nothing shows that all statements were given")
            need(not self.witnesses, f"log/{origin}/", "checkpoint.witness", "no witness has seen it")
        for found in given:
            for start in filter(None, self.starts.values()):
                if start.own == found.keyid[:32] and start.own in self.revoked and found.session not in self.outside:
                    origin = start.body["log_origin"]
                    size = min(body["log_size"] if body["log_origin"] == origin else 0 for body in self.revoked[start.own])
                    logged = origin_of(found) == origin and index.get(origin, {}).get(found.digest, size) < size
                    need(logged, found.key, "revocation.void")
        for name, data in self.earlier:
            need(any(self.note(name, data, origin, []) for origin in index), name, "checkpoint.earlier", "its log is gone")
    def bundle(self):
        """[Bundle]: the manifest, its signature and the files; then the evidence."""
        self.key_certificates()
        key = "manifest.dsse.json"
        found = self.read(key, "in-toto", "bundle.manifest", self.get(key, 64 * MIB, "bundle.manifest"))
        told, names = found.body["predicate"], [file["name"] for file in found.body["subject"]]
        period, place = (told["period"]["from_us"], told["period"]["to_us"]), (told["tenant"], told["environment"])
        need(told["format"] == 1 and period[0] < period[1] and names == sorted(set(names)), key, "bundle.manifest", "its members")
        need(any(map(found.by, self.certified("bundles", place, told["created_us"]))) and told["keys"] == {
            "certificates": sha256(self.root), "bundles": found.keyid}, key, "bundle.signature")
        digests = {file["name"]: file["digest"]["sha256"] for file in found.body["subject"]}
        for key in sorted({*self.files, *names, *FILES} - {"manifest.dsse.json"}):
            kind = "file" if key in FILES or re.fullmatch(f"replay/{SESSION}.html", key) else (placed(key) or [None])[0]
            need(key in self.files, key, "bundle.missing")
            need(kind not in (None, "wrapped-key", "staging", "state"), key, "bundle.layout")
            need(key in digests, key, "bundle.extra")
            need(self.files.digest(key) == digests[key], key, "bundle.digest")
            said = (placed(key) or (None, {}))[1]
            need("origin" in said or kind == "file" or (said["tenant"], said["environment"]) == place,
                 "/".join(key.split("/")[:5]) + "/", "bundle.scope")
        self.period = period
        self.evidence()

def prefixed(data, widths):
    """Items that each have a big-endian length before them, of widths taken in turn; None when they are not whole."""
    items, at = [], 0
    while at < len(data):
        width = widths[len(items) % len(widths)]
        end = at + width + int.from_bytes(data[at:at + width], "big")
        items.append(data[at + width:end])
        at = end
    return items if at == len(data) else None

def tree(hashes, sizes):
    """RFC 6962, 2.1: the roots of the trees over the first hashes, by size."""
    roots, peaks, join = {}, [], lambda right, left: hashlib.sha256(b"\1" + left + right).digest()
    for count in range(len(hashes) + 1):
        if count in sizes: roots[count] = functools.reduce(join, reversed(peaks)) if peaks else hashlib.sha256(b"").digest()
        peaks += hashes[count:count + 1]
        after = count + 1
        while after % 2 == 0 and count < len(hashes): peaks[-2:], after = [join(peaks[-1], peaks[-2])], after // 2
    return roots

def read_witness(vkey):
    """[Log, Cosignature]: name and key id of a witness, and its key."""
    name, key_id, data = vkey.strip().split("+", 2)
    data = unbase64(data)
    if data[:1] != b"\4" or len(data) != 33 or hashlib.sha256(name.encode() + b"\n" + data).hexdigest()[:8] != key_id:
        raise ValueError("this is no key of a witness")
    return (name, bytes.fromhex(key_id)), data[1:]

def read_pem(path):
    with open(path, "rb") as file:
        return load_pem_public_key(file.read()).public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

class Folder(dict):
    """[Verification, Given]: the files of a folder, by name."""
    def __init__(self, top):
        for folder, folders, names in os.walk(top, onerror=self.refuse):
            for name in folders + names:
                path = os.path.join(folder, name)
                path.encode()
                mode = os.lstat(path).st_mode
                if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)): raise OSError(f"{path} is neither a file nor a folder")
                if stat.S_ISREG(mode): self[os.path.relpath(path, top)] = path
    def refuse(self, problem): raise problem
    def get(self, name, limit):
        with open(self[name], "rb") as file:
            data = file.read(limit + 1)
        if len(data) > limit: raise OSError("longer than its limit")
        return data
    def digest(self, name):
        with open(self[name], "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

def main():
    options = argparse.ArgumentParser(description="Verifies Affidavit evidence, or a bundle of it, offline.")
    options.add_argument("folder")
    options.add_argument("--root", required=True, help="public key that certifies relays (PEM)")
    options.add_argument("--checkpoint", action="append", default=[], help="checkpoint of a log that was kept from earlier")
    options.add_argument("--checkpoints-key", help="public key that signs checkpoints (PEM)")
    options.add_argument("--witness", action="append", default=[], help="file with the key (vkey) of a witness")
    told = options.parse_args()
    try:
        files = Folder(told.folder)
        bundle = any(name in files for name in FILES + ["manifest.dsse.json"])
        if not bundle and os.path.isdir(os.path.join(told.folder, "objects")):
            files = Folder(os.path.join(told.folder, "objects"))
        if not bundle and not any(name.startswith("evidence/") for name in files): raise OSError("there is no evidence here")
        earlier = [(path, open(path, "rb").read()) for path in told.checkpoint]
        witnesses = [read_witness(open(path, encoding="utf-8").read()) for path in told.witness]
        key = told.checkpoints_key and read_pem(told.checkpoints_key)
        verifier = Verifier(files, read_pem(told.root), key, earlier, witnesses, bundle)
        holds = verifier.run()
    except (OSError, ValueError) as problem:
        print(f"verify.py: {problem}", file=sys.stderr)
        return 2
    print("Checked", ", ".join(f"{count} {what}" for what, count in verifier.checked.items()) + f", of {len(files)} files.")
    for found in verifier.findings:
        line = "{} {object}: {rule}: {message}".format(found["severity"].replace("error", "ERROR"), **found)
        print("".join(c if c.isprintable() else "?" for c in line))
    print("It holds." if holds else "It does not hold.")
    return 0 if holds else 1

if __name__ == "__main__": sys.exit(main())
