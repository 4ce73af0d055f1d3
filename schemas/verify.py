#!/usr/bin/env python3
"""Verifies Affidavit evidence, or a bundle of it, offline. Written from SPEC.md alone, of which forms.json is a part: names in
[brackets] are its sections, numbers in brackets steps of its [Procedure], names with a dot its [Rules]; where more is checked
at once, one of these. It ends at the first error and names the object that it was at: then the evidence does not hold. Exit
codes: 0 it holds, 1 it does not, 2 wrong usage or what cannot be read. `auditor verify` tells all errors; the warnings and
notices, which change no verdict (no log, say, is one); whether a bundle's tables, counts and answers are as its evidence."""
import argparse, base64, collections, hashlib, json, os, pathlib, re, stat, sys, types, zstandard
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key, load_pem_public_key

def need(holds, rule):
    if not holds: raise ValueError(rule)
def sha256(data): return hashlib.sha256(data).hexdigest()
def read(path): return pathlib.Path(path).read_bytes()
def unbase64(text):
    data = base64.b64decode(text, validate=True)
    need(base64.b64encode(data).decode() == text, "Base64")
    return data
MIB, GRACE, HOUR, MANIFEST = 1 << 20, 300 * 10**6, 3600 * 10**6, "manifest.dsse.json"
FORMS = read(path) if (path := pathlib.Path(__file__).with_name("forms.json")).is_file() else b""
if sha256(FORMS) != "8f767e41f3360013c1db5591a279b4a4376af27525b189487d409daf20b97da8":
    sys.exit(print("verify.py: forms.json beside it is missing, or another than it was written for", file=sys.stderr) or 2)
FORMS = json.loads(FORMS)
# [Objects]: {name} or {name:0digits} in a key stands for a segment.
KEYS = {kind: re.compile(re.sub(r"\\{(\w+)(:\d+)?\\}", lambda name: "(?P<%s>%s)" % (
    name[1], FORMS["segments"][name[1] + (name[2] or "")]), re.escape(key))) for kind, key in FORMS["keys"].items()}
def placed(key):   # The kind of what has a key, and what the key says of it.
    found = [(kind, match.groupdict()) for kind, pattern in KEYS.items() if (match := pattern.fullmatch(key))]
    return found[0] if found else need(False, "object.layout")
def check(value, form, depth=1):   # Checks a value by the keywords of JSON Schema that forms.json uses.
    while "$ref" in form: form = FORMS["$defs"][form["$ref"].removeprefix("#/$defs/")]
    if "enum" in form: return need(value in form["enum"], "enum")
    kind, members, others = form["type"], form.get("properties", {}), form.get("additionalProperties")
    need(type(value) is {"object": dict, "array": list, "string": str, "integer": int, "boolean": bool}[kind]
         and (depth <= 127 or kind not in ("object", "array")), "type or depth")
    if kind == "object":
        need(set(form.get("required", ())) <= set(value) and (others or set(value) <= set(members)), "members")
        for name, item in value.items(): check(item, members.get(name, others if name.isascii() else {}), depth + 1)
    if kind == "array": [check(item, form["items"], depth + 1) for item in value]
    if kind == "string": need(re.fullmatch(form.get("pattern", "(?s:.*)"), value), "pattern")
    if kind == "integer": need(form["minimum"] <= value <= form["maximum"], "range")
    if "format" in form: load_der_public_key(unbase64(value))
def canonical(value): return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()
def read_json(data, form=None):   # [Canonical JSON]: reads, writes again and compares; without a form, an event.
    value = json.loads(data.decode())
    need(canonical(value) == data, "canonical")
    check(value, FORMS["$defs"][form or "event-" + value["event"]])
    return value
def verify(key, signature, message):   # Raises unless the key signed: SubjectPublicKeyInfo, or 32 bytes of Ed25519.
    if len(key) == 32: ed25519.Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    else: load_der_public_key(key).verify(signature, message, ec.ECDSA(hashes.SHA256()))
class Statement:   # [Signatures and envelopes]: its members, as attributes, and what follows from them.
    def __init__(self, kind, pae, payload, key=None):
        body = read_json(payload, kind)
        vars(self).update(body, kind=kind, key=key, pae=pae, digest=sha256(pae), before={})
        subject = body.get("request") or body.get("session") or body.get("incarnation", "")
        self.own, self.counter, number = (subject + "--").split("-")[:3]
        self.number, self.time = body.get("sequence", int(number or 0)), body.get("sealed_time_us", body.get("time_us"))
        # [Objects]: where it says that it stands. [Log, Order]: ranks in orders; what has a lesser one comes before it.
        said = {**body, "incarnation": self.own, "counter": self.counter, "statement": self.number, "digest": self.digest}
        self.home = FORMS["keys"].get(kind, "").format(**said)
        self.place = tuple(said.get(name, "") for name in ("tenant", "environment", "relay", "incarnation"))
        orders = self.place, (*self.place, self.counter), (*self.place, self.counter, kind)
        self.ranks = {order: self.number if rank == "sequence" else rank
                      for order, rank in zip(orders, FORMS["order"].get(kind, ()))}
    def by(self, keys): verify({sha256(key): key for key in keys}[self.keyid], self.signature, self.pae)
def opened(kind, data, key):   # The statement in an envelope.
    envelope, mime = read_json(data, "envelope"), "in-toto" if kind == "in-toto" else f"affidavit.{kind}.v1"
    payload, (signature,), mime = unbase64(envelope["payload"]), envelope["signatures"], f"application/vnd.{mime}+json"
    need(envelope["payloadType"] == mime, "envelope.form")
    found = Statement(kind, b"DSSEv1 %d %s %d %s" % (len(mime), mime.encode(), len(payload), payload), payload, key)
    found.keyid, found.signature = signature["keyid"], unbase64(signature["sig"])
    return found
def container(data):   # [Chunk]: splits a chunk into stored bytes and envelope; looks at headers alone.
    size, magic, at = int.from_bytes(data[-8:-4], "little"), b"\x5a\x2a\x4d\x18", 0
    end = len(data) - 8 - size
    need(8 <= size <= 65543 and end > 0 and data[end:end + 8] + data[-4:] == magic + data[-8:-4] + magic, "chunk.container")
    while at < end:
        top, last = zstandard.get_frame_parameters(data[at:at + 18]), 0
        need(data[at:at + 4] == b"\x28\xb5\x2f\xfd" and not data[at + 4] & 27 and top.window_size <= 8 * MIB, "chunk.container")
        at += zstandard.frame_header_size(data[at:at + 18])
        while not last:
            block = int.from_bytes(data[at:at + 3], "little")
            last, kind, size = block & 1, block >> 1 & 3, block >> 3
            at += 3 + (1 if kind == 1 else size)
            need(kind != 3 and size <= 128 << 10 and at <= end, "chunk.container")
        at += 4 * top.has_checksum
    need(at == end, "chunk.container")
    return data[:end], data[end + 8:-8]
def frames(stored, told):   # [Chunk], [Frames]: whether a frame is an event, and its payload.
    need(told.stored == {"length": len(stored), "sha256": sha256(stored)}, "chunk.digest")
    reader = zstandard.ZstdDecompressor(max_window_size=8 * MIB).stream_reader(stored, read_across_frames=True)
    content, at = reader.read(told.decoded["length"] + 1), 0
    need(told.decoded == {"length": len(content), "sha256": sha256(content)}, "chunk.digest")
    while at < len(content):
        size, kind = int.from_bytes(content[at:at + 4]), content[at + 4]
        at += 5 + size
        need(kind in (1, 2) and size <= 16 * MIB and at <= len(content), "chunk.frames")
        yield kind == 1, content[at - size:at]

class Events:   # [Events]: those of a session, in their order (7).
    def __init__(self):
        self.count, self.last, self.closed, self.undone = 0, None, None, 0
        self.states, self.runs, self.outcomes, self.approvals = {}, {}, {}, {}
    def add(self, e):
        kind, number, run = e["event"], e.get("statement"), e.get("execution")
        fits, state = True, self.states.get(number)
        need((kind == "session-open") == (self.count == 0) and self.last != "recovered"
             and (not self.closed or kind == "recovered") and e["number"] == self.count + 1, "event.order")
        self.count, self.last = self.count + 1, kind
        if kind == "statement": fits, self.states[number] = number == len(self.states) + 1, e["decision"]["outcome"]
        elif kind == "execute":   # Of a held statement once, when it was approved.
            fits, self.runs[run] = run == len(self.runs) + 1 and state in ("permitted", "refused", "approved"), e
            if state == "approved": self.states[number] = "ran"
        elif kind == "outcome":
            begun, rows = self.runs.get(run, {"statement": None if run else number}), e.get("rows_recorded")
            kept, lacks = begun.get("rows_kept"), rows is None and e["outcome"] not in ("completed", "suspended")
            fits = (begun["statement"] == number and run not in self.outcomes and (rows is None) == ("result_hmac" not in e)
                    and (lacks or (kept is None) == (rows is None) and (rows or 0) <= (kept or 0)))
            if run: self.outcomes[run] = e["outcome"]
        elif kind == "rolled-back":
            ends = first, last = e["first_execution"], e["last_execution"]
            fits = self.undone < first <= last and all(self.outcomes.get(end) in ("completed", "suspended") for end in ends)
            self.undone = last
        elif kind == "detected":
            fits = ((e["place"] in ("result", "copy")) == ("execution" in e)
                    and (run is None or (run not in self.outcomes and self.runs.get(run, {}).get("statement") == number)))
        elif kind in ("approval-requested", "approval-decided"):
            fits = state == ("held" if kind == "approval-requested" else "asked")
            self.states[number], self.approvals[kind, number] = e.get("verdict", "asked"), e
        elif kind == "session-close":
            self.closed, fits = e["reason"], (e["statements"], e["executions"]) == (len(self.states), len(self.runs))
        elif kind == "recovered": fits = e["outcome_unknown"] == [run for run in self.runs if run not in self.outcomes]
        need(fits and (number is None or number in self.states), f"event.reference: event {self.count}")

class Verifier:   # `files` are names, and `open_file` opens one of them; keys are SubjectPublicKeyInfos.
    def __init__(self, files, open_file, root, checkpoints_key=None, earlier=(), witnesses=()):
        self.files, self.open_file, self.root, self.checkpoints_key = files, open_file, root, checkpoints_key
        self.earlier, self.witnesses, self.period, self.outside, self.at = earlier, dict(witnesses), None, set(), ""
        self.placed, self.given, self.kinds = {}, {}, collections.defaultdict(list, {"log entry": []})   # by key, digest, kind
        self.objects = collections.defaultdict(lambda: collections.defaultdict(dict))   # by place, counter, (kind, number)
    def run(self, is_bundle):   # Why it does not hold, or None. Whatever goes wrong is an error of the object that it was at.
        try:
            self.evidence(is_bundle)
            need(self.kinds["certificate"], "certificate.missing")
        except Exception as problem: return f"{self.at}: {problem if type(problem) is ValueError else repr(problem)}"
    def get(self, key, limit=65535):
        self.at = key
        with self.open_file(key) as file: data = file.read(limit + 1)
        need(len(data) <= limit, "object.read")
        return data
    def evidence(self, is_bundle):   # [Procedure], but all statements are read first; first those by which others are judged.
        for self.at in sorted(set(self.files) - {MANIFEST}):
            if is_bundle or re.match("(evidence|keys|log|shredded|trust)/", self.at): self.placed[self.at] = placed(self.at)
        first = {"key-certificate": 0, "certificate": 1, "relay-retired": 2}
        for key, (kind, _) in sorted(self.placed.items(), key=lambda item: first.get(item[1][0], 3)):
            if is_bundle and not self.period and kind != "key-certificate": self.manifest()
            if kind in FORMS["$defs"]: self.statement(key, kind)
        for place in sorted(self.objects): self.incarnation(place, self.objects[place], "evidence/" + "/".join(place) + "/")
        self.logs()
    def manifest(self):   # [Bundle]: the manifest, its signature, and the files.
        found = opened("in-toto", self.get(MANIFEST, 64 * MIB), MANIFEST)
        told, digests = found.predicate, {file["name"]: file["digest"]["sha256"] for file in found.subject}
        self.period, place = (told["period"]["from_us"], told["period"]["to_us"]), (told["tenant"], told["environment"])
        need(self.period[0] < self.period[1] and [file["name"] for file in found.subject] == sorted(digests)
             and told["keys"] == {"certificates": sha256(self.root), "bundles": found.keyid}, "bundle.manifest")
        found.by(self.certified("bundles", [place], told["created_us"]))
        for self.at in sorted({*digests, *FORMS["files"], *self.placed}):
            kind, said = self.placed[self.at]
            need(kind not in ("wrapped-key", "staging", "state")
                 and (said.get("tenant", place[0]), said.get("environment", place[1])) == place, "bundle.scope")
            with self.open_file(self.at) as file: digest = hashlib.file_digest(file, "sha256").hexdigest()
            need(digest == digests[self.at], "bundle.digest")
    def statement(self, key, kind):   # (2), (4): reads what stands under a key: it belongs there, and who may has signed it.
        found = opened(kind, container(self.get(key, 100 * MIB))[1] if kind == "chunk" else self.get(key), key)
        place, by = found.place, getattr(found, "sealed_by", found.own)
        if kind in ("key-certificate", "certificate", "revocation"): keys = [self.root]
        elif kind == "session-shredded": keys = self.certified("approvals", [place], found.time)
        elif kind == "abandoned": keys = self.certified("checkpoints", [place])
        else:
            signer, retired = self.one(place[:3] + (by,), "certificate"), self.one(place, "relay-retired")
            need(signer and signer.not_before_us - GRACE <= found.time <= signer.not_after_us + GRACE, "signer.certified")
            need(getattr(found, "recovered", False) == (by != found.own), "signer.recovered")
            need(by == found.own or not retired or retired.recovered, "signer.retired")
            keys = [unbase64(signer.spki)]
        if keys or kind != "abandoned": found.by(keys)
        need(found.home == key or not keys, kind + ".identity")
        need(kind != "certificate" or sha256(unbase64(found.spki))[:32] == found.own, "certificate.identity")
        if key.startswith("evidence/"): self.objects[place][found.counter][kind, found.number] = found
        self.given[found.digest] = found
        self.kinds[kind].append(found)
    def one(self, place, kind): return self.objects[place][""].get((kind, 0))
    def certified(self, use, places, time=None):   # The keys certified for a use in environments, at a time if it matters.
        if use == "checkpoints" and self.checkpoints_key: return [self.checkpoints_key]
        return [unbase64(getattr(found, name)) for found in self.kinds["key-certificate"] for place in places
                for name in (use, use + "_ed25519") if found.place[:2] == place[:2] and hasattr(found, name)
                and (time is None or found.not_before_us <= time <= found.not_after_us)]
    def incarnation(self, place, objects, base):   # (3), [Completeness]
        self.at, sessions, beats = base, sorted(set(objects) - {""}), numbered(objects[""], "heartbeat")
        certificate, start, retired, abandoned = (
            self.one(place, kind) for kind in ("certificate", "relay-start", "relay-retired", "abandoned"))
        need(certificate and (start.certificate == certificate.digest and 1 <= start.heartbeat_seconds <= 3600
                              if start else not sessions and not retired), "certificate.missing or relay-start.identity")
        need(not abandoned or not self.certified("checkpoints", [place])
             or abandoned.not_after_us == certificate.not_after_us <= abandoned.time - HOUR, "abandoned.early")
        there = int(sessions[-1]) if sessions else 0
        need(len(sessions) == there == (retired.last_counter if retired else there), "incarnation.counter")
        need(not retired or self.period or retired.last_heartbeat == len(beats), "heartbeat.sequence")
        old = types.SimpleNamespace(opened=0, closed=0, voided=0, last_counter=0, unstored=[], time=start.time if start else 0)
        for number, beat in enumerate(beats, beats[0].number if beats and self.period else 1):
            self.at, heard, unstored = beat.key, beat.last_counter, beat.unstored
            need(beat.number == number and beat.opened + beat.voided + len(unstored) == heard and beat.closed <= beat.opened
                 and len(unstored) <= 1024 and unstored == sorted({n for n in unstored if 1 <= n <= heard})
                 and all(vars(beat)[name] >= vars(old)[name] for name in ("opened", "closed", "voided", "last_counter", "time"))
                 and all(n > old.last_counter or n in old.unstored for n in unstored), "heartbeat.order")
            for counter in {*range(old.last_counter + 1, min(heard, there) + 1), *old.unstored} - set(unstored):
                for found in objects.get(f"{counter:010}", {}).values():   # [Completeness, Deadline]
                    if found.kind in ("session-open", "session-void"): found.before[*place, "", "heartbeat"] = number - 1
            old = beat
        heard, counted = old.last_counter, [kind for n in sessions if int(n) <= old.last_counter for kind, _ in objects[n]]
        need((not retired or heard <= retired.last_counter) and sum(n > there for n in old.unstored) == max(heard - there, 0)
             and counted.count("session-open") >= old.opened and counted.count("session-close") >= old.closed
             and counted.count("session-void") >= old.voided, "heartbeat.counter")
        for counter in sessions: self.session(start, retired, objects[counter], f"{base}sessions/{counter}/")
    def session(self, start, retired, objects, base):   # (5), (8), (9)
        begun, close, void = (objects.get((kind, 0)) for kind in ("session-open", "session-close", "session-void"))
        self.at, events, chunks, newest = base, Events(), numbered(objects, "chunk"), begun
        need(len(objects) == 1 if void else begun, "session-void.alone" if void else "session-open.missing")
        if void: return
        if self.period and (begun.time >= self.period[1] or close and close.time < self.period[0]):
            self.outside.add((begun.place, begun.counter))
            return need(not chunks, "bundle.period")
        for number, found in enumerate(chunks, 1):
            self.chunk(found, start, begun, events)
            need(found.number == number and found.prev == newest.digest and not getattr(newest, "last", False), "session.chain")
            newest = found
        self.at = close.key if close else base
        need(close or not retired and not getattr(newest, "last", False), "session.close")
        need(not close or close.chunks == len(chunks) and getattr(newest, "last", True) and close.last_manifest == newest.digest
             and (close.events, close.reason) == (events.count, events.closed or "aborted")
             and (events.count or close.recovered), "session-close.totals")
        orderly = close and close.reason != "aborted" and not any(found.recovered for found in [close, *chunks])
        for kind, number in sorted({*events.approvals, *(slot for slot in objects if slot[0].startswith("approval"))}):
            found, event = objects.get((kind, number)), events.approvals.get((kind, number))
            asked, state = objects.get(("approval-requested", number)), events.states.get(number)
            due = state == "ran" or state in ("approved", "denied") and kind == "approval-requested"
            self.at = found.key if found else base
            need((found or not due and not orderly) if event else not orderly, kind)
            need(not found or not asked or found.commitment == asked.commitment, kind)
            need(not found or not event or event.get("commitment", found.commitment) == found.commitment and all(
                getattr(found, name, None) == event.get(name) for name in ("expires_us", "verdict", "decision_sha256")), kind)
    def chunk(self, found, start, begun, events):   # (6)
        counts, (stored, _) = [0, 0], container(self.get(found.key, 100 * MIB))
        need(found.decoded["length"] <= 96 * MIB and found.first_time_us <= found.last_time_us
             and found.first_event == events.count + 1 == found.last_event + 1 - found.events, "chunk.manifest")
        need((found.connection, found.log_origin) == (begun.connection, start.log_origin), "chunk.identity")
        for is_event, payload in frames(stored, found):
            counts[not is_event] += 1
            if not is_event: continue
            kind = (event := read_json(payload))["event"]
            need(found.first_event <= event["number"] <= found.last_event
                 and found.first_time_us <= event["time_us"] <= found.last_time_us, "chunk.counts")
            events.add(event)
            if kind == "session-open":
                details = canonical({name: event[name] for name in event if name not in ("event", "number", "time_us")})
                need(begun.details_commitment == sha256(b"affidavit/session-open/v1\0" + details) and all(
                    getattr(begun, name) == event[name] for name in ("connection", "policy_sha256")), "session-open.commitment")
            need(kind != "recovered" or found.recovered and event["by_incarnation"] == found.sealed_by, "event.recovered")
            need("request" not in event or event["request"] == f"{found.session}-{event['statement']:06}", "event.reference")
        need(counts == [found.events, found.data_blocks], "chunk.counts")
    def note(self, name, data, origin, keys, witnesses={}):   # [Log, Checkpoint]: name, size, root; None of another log's.
        self.at, note = name, re.fullmatch(r"((.*)\n(0|[1-9][0-9]*)\n(.*)\n)\n((?:— [^\s+]+ \S+\n)+)", data.decode())
        lines = [((by, unbase64(sig)[:4].hex()), unbase64(sig)[4:]) for by, sig in re.findall(r"— (\S+) (\S+)\n", note[5])]
        text, root, other = note[1].encode(), unbase64(note[4]), re.search("[\0-\x09\x0b-\x1f\x7f-\x9f]", note[0])
        need(not other and len(root) == 32 and all(sig for _, sig in lines), "checkpoint.form")
        if note[2] != origin: return None
        known = {(origin, sha256(key if len(key) > 32 else origin.encode() + b"\n\1" + key)[:8]): key for key in keys}
        for signers in (known, witnesses): need(not signers or any(by in signers for by, _ in lines), "checkpoint.signature")
        for by, sig in lines:
            if by in known: verify(known[by], sig, text)
            seen = b"cosignature/v1\ntime %d\n%s" % (int.from_bytes(sig[:8]), text)
            if by in witnesses: verify(witnesses[by], sig[8:], seen)
        return name, int(note[3]), root
    def log(self, origin, keys):   # [Log]: the entries up to the newest checkpoint; all roots and tiles are made of them again.
        base, stored = f"log/{origin}/", []
        for key in [key for key, (kind, said) in self.placed.items() if kind == "checkpoint" and said["origin"] == origin]:
            found = self.note(key, self.get(key, 128 << 10), origin, keys)
            need(found and key == f"{base}checkpoint/{len(stored) + 1:010}"
                 and (not stored or found[1] > stored[-1][1]), "checkpoint.sequence")
            stored.append(found)
        kept, self.at = [found for kept in self.earlier if (found := self.note(*kept, origin, keys, self.witnesses))], base
        need(stored and (kept or not self.witnesses), "checkpoint.witness")
        (_, size, root), rows, entries, tiles = stored[-1], {"entries": [], "0": []}, [], {}
        staged = f"{base}staging/{len(stored):010}-{root.hex()}"
        items = prefixed(self.get(staged, 128 * MIB), (2, 4)) if staged in self.placed else []
        staged = {base + path.decode(): data for path, data in zip(items[::2], items[1::2]) if path.startswith(b"tile/")}
        for key, (kind, said) in [*((key, placed(key)) for key in staged), *self.placed.items()]:
            if "level" in said and said["origin"] == origin:
                tiles[said["level"], int(re.sub("[x/]", "", said["index"])), int(said.get("width", 256))] = key
        def tile(*spot):   # A tile in its place, staged, or the beginning of the full one.
            key = tiles.get(spot) or tiles[spot[:2] + (256,)]
            return self.get(key, 256 * 65537) if key in self.placed else staged[key]
        for first in range(0, size, 256):
            width, self.at = min(256, size - first), base
            items = prefixed(tile("entries", first // 256, width), (2,))
            need(width <= len(items) <= 256, "log.tile")
            rows["entries"] += [len(entry).to_bytes(2, "big") + entry for entry in items[:width]]
            rows["0"] += [hashlib.sha256(b"\0" + entry).digest() for entry in items[:width]]
            entries += map(self.entry, items[:width])
        for level, width in [(level, 256 ** level) for level in range(1, 8)]:
            rows[str(level)] = [tree(rows, at, width, False) for at in range(0, size - width + 1, width)]
        for self.at, least, root in stored + kept: need(least <= size and tree(rows, 0, least) == root, "log.root")
        due = {(level, at // 256, min(256, len(row) - at)) for level, row in rows.items() for at in range(0, len(row), 256)}
        for level, index, width in sorted(due | set(tiles)):
            row, end, step, self.at = rows[level], index * 256 + width, 256 ** int(level.replace("entries", "0")), base
            if end > len(row): continue
            content, made = tile(level, index, width), b"".join(row[end - width:end])
            need((content == made or (level, index, width) not in tiles and content.startswith(made))
                 and (width == 256 or end in {size // step for _, size, _ in stored}), "log.tile")
        return entries
    def entry(self, entry):   # The statement of an object that was given, but of chunks and heartbeats outside of the period.
        if found := self.given.get(sha256(entry)): return found
        match = re.fullmatch(rb"(?s)DSSEv1 \d+ application/vnd\.affidavit\.([a-z-]+)\.v1\+json \d+ (.*)", entry)
        found = Statement(match[1].decode(), entry, match[2])
        first, last = (getattr(found, name, found.time) for name in ("first_time_us", "last_time_us"))
        of_outside = found.kind == "chunk" and (found.place, found.counter) in self.outside
        need((of_outside or found.kind == "heartbeat" and self.period)
             and not (first < self.period[1] and last >= self.period[0]), f"log.entry: {found.home}")
        return found
    def logs(self):   # (12), [Log, Order], [Completeness, Deadline]
        starts = [self.one(place, "relay-start") for place in self.objects]
        origins, index, reached = {start.place: start.log_origin for start in starts if start}, {}, collections.defaultdict(int)
        def late(found): return any(rank < reached[order] for order, rank in (*found.ranks.items(), *found.before.items()))
        for origin in sorted({said["origin"] for _, said in self.placed.values() if "origin" in said}):
            owner = re.fullmatch("affidavit/([^/]+)/([^/]+)", origin)
            places = [owner.groups()] if owner else [place for place in origins if origins[place] == origin]
            entries, index[origin] = self.log(origin, self.certified("checkpoints", places)), {}
            for number, found in enumerate(entries):
                if found.key and origins.get(found.place, origin) == origin:
                    self.at = found.key
                    need(found.digest not in index[origin] and not late(found), "log.order")
                index[origin].setdefault(found.digest, number)
                reached.update({order: max(rank, reached[order]) for order, rank in found.ranks.items()})
            self.kinds["log entry"] += entries
        need(not self.witnesses or set(origins.values()) <= set(index), "checkpoint.witness")
        for self.at, note in self.earlier: need(any(self.note(self.at, note, of, []) for of in index), "checkpoint.earlier")
        for found in self.given.values():
            self.at, origin = found.key, origins.get(found.place)
            need(not late(found) or origin and origin not in index
                 or any(found.digest in index[of] for of in index if origin in (None, of)), "log.statement")
            for revoked in [revoked for revoked in self.kinds["revocation"] if revoked.own == found.keyid[:32]]:
                entries, size = index.get(origin, {}) if revoked.log_origin == origin else {}, revoked.log_size
                need(entries.get(found.digest, size) < size or (found.place, found.counter) in self.outside, "revocation.void")
def numbered(objects, kind): return [objects[slot] for slot in sorted(objects) if slot[0] == kind]
def prefixed(data, widths):   # Items with a big-endian length before each, of widths taken in turn.
    items, at = [], 0
    while at < len(data):
        start = at + widths[len(items) % len(widths)]
        at = start + int.from_bytes(data[at:start])
        items.append(data[start:at])
    need(at == len(data), "log.tile")
    return items
def tree(rows, start, size, made=True):   # RFC 6962, 2.1: the root over `size` entries; those of full tiles are in the rows.
    level, half = (size.bit_length() - 1) // 8, 1 << max(size - 1, 0).bit_length() >> 1
    if made and size == 256 ** level: return rows[str(level)][start // size]
    both = b"\1" + tree(rows, start, half) + tree(rows, start + half, size - half) if size else b""
    return hashlib.sha256(both).digest()
def read_pem(path): return load_pem_public_key(read(path)).public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
def read_witness(vkey):   # [Log, Cosignature]: name and key id of a witness, and its key.
    name, key_id, data = vkey.strip().split("+", 2)
    key = unbase64(data).removeprefix(b"\4")
    need(len(key) == 32 and sha256(name.encode() + b"\n\4" + key)[:8] == key_id, "this is no key of a witness")
    return (name, key_id), key
def read_folder(top):   # [Verification, Given]: the names of its files; a link, a device or a name that is no UTF-8 ends it.
    def refuse(problem): raise problem
    paths = [os.path.join(folder, name) for folder, folders, names in os.walk(top, onerror=refuse) for name in folders + names]
    modes = {os.path.relpath(path.encode().decode(), top): os.lstat(path).st_mode for path in paths}
    for name, mode in modes.items(): need(stat.S_ISDIR(mode) or stat.S_ISREG(mode), f"{name} is neither a file nor a folder")
    return {name for name, mode in modes.items() if stat.S_ISREG(mode)}

def main():
    options = argparse.ArgumentParser(description="Verifies Affidavit evidence, or a bundle of it, offline.")
    options.add_argument("folder")
    options.add_argument("--root", required=True, type=read_pem, help="public key that certifies relays (PEM)")
    options.add_argument("--checkpoints-key", type=read_pem, help="public key that signs checkpoints (PEM)")
    for name, into, kind, text in (
            ("--checkpoint", "earlier", lambda path: (path, read(path)), "checkpoint of a log that was kept from earlier"),
            ("--witness", "witnesses", lambda path: read_witness(read(path).decode()), "file with the vkey of a witness")):
        options.add_argument(name, dest=into, action="append", default=[], type=kind, help=text)
    try:
        told = vars(options.parse_args())
        files = read_folder(top := told.pop("folder"))
        is_bundle = not files.isdisjoint({MANIFEST, *FORMS["files"]})
        if not is_bundle and os.path.isdir(inner := os.path.join(top, "objects")): files = read_folder(top := inner)
        need(is_bundle or any(name.startswith("evidence/") for name in files), "there is no evidence here")
    except (OSError, ValueError) as problem: return print(f"verify.py: {problem}", file=sys.stderr) or 2
    verifier = Verifier(files, lambda name: open(os.path.join(top, name), "rb"), **told)
    problem = verifier.run(is_bundle)
    print("Checked:", ", ".join(f"{len(found)} {kind}" for kind, found in sorted(verifier.kinds.items())))
    print("".join(c if c.isprintable() else "?" for c in (f"ERROR {problem}" if problem else "It holds.")))
    return 1 if problem else 0
if __name__ == "__main__": sys.exit(main())
