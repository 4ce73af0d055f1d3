#!/usr/bin/env python3
"""Writes the tables of infra/COST.md and infra/SCALE.md: counts that count.py measured, times prices.json or relays.

    cost.py          writes them
    cost.py check    fails where they are not as they would be written
"""

import json
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).parent
PAGES = HERE.parents[2] / "infra"
COUNTS = json.loads((HERE / "counts.json").read_text())
PRICES = {name: price for name, (price, _) in json.loads((HERE / "prices.json").read_text())["prices"].items()}

MINUTES = 730 * 60
MONTHS = 72  # Of 2,192 days under lock.
VOLUMES = (("idle", 0), ("1 M", 1e6), ("100 M", 1e8))
# What is assumed and not measured. COST.md says so.
STATEMENTS_A_SESSION = 100
CHUNKS_A_SESSION = 2
RELAYS = 2
FLEETS, STATEMENTS_A_HOUR = (10, 100, 1000), 10_000
ZONES = 2
ENDPOINTS = 6
S3_MS, DYNAMODB_MS, KMS_MS = 20, 8, 10
INDEXER_GB, SEALER_GB = 1.0, 1.728
LOG_KB_A_CALL = 1.2
ACCESS_LOG_KB = 0.6
KEYS, ALARMS, METRICS = 8, 14, 8
POLLS_A_MONTH = 5 * 3 * MINUTES  # Five pollers of Lambda's, 20 s each.
PAGES_A_MONTH, QUERIES_A_MONTH = 10_000, 100


class Count:
    """Requests, bytes and units by name; sums and multiples of them."""

    def __init__(self, values=None):
        self.values = dict(values or {})

    def __add__(self, other):
        names = self.values.keys() | other.values.keys()
        return Count({name: self[name] + other[name] for name in names})

    def __sub__(self, other):
        return self + other * -1

    def __mul__(self, factor):
        return Count({name: value * factor for name, value in self.values.items()})

    def __getitem__(self, name):
        return self.values.get(name, 0)

    def sum(self, pattern):
        return sum(value for name, value in self.values.items() if re.match(pattern, name))

    @property
    def puts(self):
        return self.sum(r"s3\.(Put|List)")

    @property
    def gets(self):
        return self.sum(r"s3\.(Get|Head)")

    @property
    def signatures(self):
        return self.sum(r"kms\.")

    @property
    def ms(self):
        """Of a program that waits for one answer after the other."""
        return (S3_MS * (self.puts + self.gets + self.sum(r"s3\.Delete")) + KMS_MS * self.signatures
                + DYNAMODB_MS * self.sum(r"dynamodb\."))


def requests(mix, phase):
    return Count(COUNTS[mix]["requests"][phase])



def starts(count):
    """How often a program began, by what it asks at each beginning."""
    return count["s3.GetBucketVersioning evidence"]


def without_starts(count):
    one = {name: 1 for name in count.values if "GetBucketVersioning" in name or "GetObjectLock" in name}
    one["kms.GetPublicKey"] = 2
    return count - Count({name: number * starts(count) for name, number in one.items()})


def indexing(chunks):
    """Of a session with so many chunks: a hundred with one, and one with two, without what a relay costs that nobody asks."""
    hundred, one, idle = (without_starts(requests(mix, "indexer")) for mix in ("hundred", "one", "idle"))
    session = (hundred - idle) * (1 / 100)
    return session + (one - idle - session) * (chunks - 1)


def sealing():
    """Of an entry of the log."""
    hundred, one = (requests(mix, "sealer") for mix in ("hundred", "one"))
    return (hundred - one) * (1 / (COUNTS["hundred"]["entries"] - COUNTS["one"]["entries"]))


def heartbeat():
    """What the relay's minute asks: a put, its look at the versions, a look for revocations and one for its own end."""
    return Count({"s3.PutObject evidence": 1, "s3.ListObjectVersions evidence": 3})


def relay_session(chunks):
    """The adapter's put is a put and a look at the key's versions: wrapped key, open, chunks, close."""
    return Count({"s3.PutObject": 3 + chunks, "s3.ListObjectVersions": 3 + chunks})


def stored(mix, kind, what):
    return COUNTS[mix]["stored"].get(kind, {}).get(what, 0)


def session_kb(chunks):
    """Evidence of a session, and its statements in the log."""
    fixed = sum(stored("hundred", kind, "bytes") for kind in ("open", "close", "key")) / 100
    envelope = stored("hundred", "chunk", "bytes") / 100 - 10 * statement_kb() * 1000
    statements = requests("hundred", "sealer")["s3:PutObject log:bytes"] / COUNTS["hundred"]["entries"]
    return (fixed + chunks * max(envelope, 700) + (2 + chunks) * statements) / 1000


def statement_kb():
    return stored("one", "chunk", "bytes") / 1000 / 1000


def lake_kb(statements):
    """Files of a session: what each has at least, and what a statement adds."""
    small, large = (COUNTS[mix]["lake"]["bytes"] / COUNTS[mix]["stored"]["open"]["objects"] for mix in ("hundred", "one"))
    return (small + (statements - 10) * (large - small) / 990) / 1000


def lines(statements):
    """Part, dollars in the first month, dollars that each further month adds to the ones after it."""
    sessions = statements / STATEMENTS_A_SESSION
    chunks = sessions * CHUNKS_A_SESSION
    beats = RELAYS * MINUTES
    objects = sessions * 2 + chunks + beats
    index = indexing(CHUNKS_A_SESSION) * sessions
    # Each minute has a heartbeat to seal, so that no run has nothing to do.
    seal = requests("idle", "sealer") * MINUTES
    seal = seal + sealing() * (sessions * 2 + chunks)
    relay = relay_session(CHUNKS_A_SESSION) * sessions + heartbeat() * beats
    evidence_gb = (sessions * session_kb(CHUNKS_A_SESSION) + statements * statement_kb() + beats * 0.6) / 1e6
    lake_gb = sessions * lake_kb(STATEMENTS_A_SESSION) / 1e6
    index_gb = sessions * COUNTS["hundred"]["index"]["bytes"] / 100 / 1e9
    calls = objects
    queries = QUERIES_A_MONTH if statements else 0
    files = sessions
    all_s3 = index + seal + relay
    requests_s3 = all_s3.puts + all_s3.gets
    logs_gb = (calls + MINUTES) * LOG_KB_A_CALL / 1e6
    price = PRICES

    def s3(count):
        return (count.puts * price["s3_put"] + count.gets * price["s3_get"]) / 1e6

    def run(count, calls, gb):
        return (calls * price["lambda_request"] + count.ms / 1000 * gb * price["lambda_gb_s"]) / 1e6

    access_gb = requests_s3 * ACCESS_LOG_KB / 1e6
    serverless = [
        ("S3 requests: indexer and lake", s3(index), 0),
        ("S3 requests: sealer", s3(seal), 0),
        ("S3 storage: evidence and log, locked", evidence_gb * price["s3_storage"], evidence_gb * price["s3_storage"]),
        ("S3 storage: lake", lake_gb * price["s3_storage"], lake_gb * price["s3_storage"]),
        ("S3 storage: access logs", access_gb * price["s3_storage"], access_gb * price["s3_storage"]),
        ("KMS keys", KEYS * price["kms_key"], 0),
        ("KMS requests", (seal.signatures * price["kms_asymmetric"] + 1e5 * price["kms_symmetric"]) / 1e6, 0),
        ("SQS", (3 * objects + POLLS_A_MONTH) * price["sqs"] / 1e6, 0),
        ("Lambda: indexer", run(index, calls, INDEXER_GB), 0),
        ("Lambda: sealer", run(seal, MINUTES, SEALER_GB), 0),
        ("Lambda: bundler, certifier, console", 900 * 3 * price["lambda_gb_s"] / 1e6 + PAGES_A_MONTH * 0.1 * price["lambda_gb_s"] / 1e6, 0),
        ("DynamoDB requests", (index["dynamodb:WRU"] * price["dynamodb_wru"] + index["dynamodb:RRU"] * price["dynamodb_rru"]) / 1e6, 0),
        ("DynamoDB storage", index_gb * price["dynamodb_storage"], index_gb * price["dynamodb_storage"]),
        ("HTTP API", PAGES_A_MONTH * price["api"] / 1e6, 0),
        ("Schedules", MINUTES * price["schedule"] / 1e6, 0),
        ("CloudWatch: logs", logs_gb * (price["logs_in"] + price["logs_kept"]), logs_gb * price["logs_kept"]),
        ("CloudWatch: metrics and alarms", METRICS * price["metric"] + ALARMS * price["alarm"], 0),
        ("Athena, with its reads of S3", queries * max(lake_gb / 8, 0.01) * price["athena"] + queries * files * 3 * price["s3_get"] / 1e6, 0),
    ]
    spool_gb = statements * 3 / 1e6  # 3 kB a statement, uncompressed, written once and read once.
    always_on = [
        ("Fargate: two tasks of 1 vCPU, 2 GB", RELAYS * (price["fargate_cpu"] + 2 * price["fargate_gb"]), 0),
        ("Network Load Balancer", price["nlb"] + max(1, statements / 1e8 * 2) * price["nlcu"], 0),
        ("VPC endpoints: six in two zones", ENDPOINTS * ZONES * price["endpoint"], 0),
        ("EFS: spool", price["efs_storage"] * 0.1 + spool_gb * (price["efs_written"] + price["efs_read"]), 0),
        ("Secrets Manager: two secrets", 2 * price["secret"], 0),
        ("S3 requests: relays", s3(relay), 0),
        ("KMS: a wrapped key a session", sessions * price["kms_symmetric"] / 1e6, 0),
        ("Container Insights, Cloud Map", 20 * price["metric"] + price["cloud_map"], 0),
        ("NAT gateway", 0, 0),
    ]
    return serverless, always_on


def dollars(amount):
    return f"{amount:,.2f}" if amount < 100 else f"{amount:,.0f}"


def cost_table(part):
    every = [lines(statements) for _, statements in VOLUMES]
    rows = ["| $ a month | " + " | ".join(name for name, _ in VOLUMES) + " | 100 M, after six years |", "|---|" + "--:|" * 4]
    totals = [0.0] * 4
    for number, (name, *_) in enumerate(every[0][part]):
        amounts = [each[part][number][1] for each in every]
        growth = every[2][part][number][2]
        amounts.append(amounts[2] + growth * (MONTHS - 1))
        totals = [total + amount for total, amount in zip(totals, amounts)]
        rows.append(f"| {name} | " + " | ".join(dollars(amount) for amount in amounts) + " |")
    rows.append("| **all** | " + " | ".join(f"**{dollars(total)}**" for total in totals) + " |")
    return rows


def requests_table():
    names = {"hundred": "100 sessions of 10", "one": "1 session of 1,000"}
    phases = (("indexer", "indexer and lake"), ("sealer", "sealer, one run"))
    groups = (("S3 PUT", r"s3\.Put"), ("S3 LIST", r"s3\.List"), ("S3 GET, HEAD", r"s3\.(GetObject |Head)"), ("S3 DELETE", r"s3\.Delete"),
              ("DynamoDB reads (RRU)", r"dynamodb:RRU"), ("DynamoDB writes (WRU)", r"dynamodb:WRU"), ("KMS Sign", r"kms\.Sign"))
    rows = ["| requests for 1,000 statements | " + " | ".join(f"{name}: {phase}" for name in names.values() for _, phase in phases) + " |",
            "|---|" + "--:|" * 4]
    for title, pattern in groups:
        cells = [f"{requests(mix, phase).sum(pattern):,.0f}" for mix in names for phase, _ in phases]
        rows.append(f"| {title} | " + " | ".join(cells) + " |")
    rows += ["", "| stored for 1,000 statements | 100 sessions of 10 | 1 session of 1,000 |", "|---|--:|--:|"]
    for kind in ("key", "open", "chunk", "close"):
        cells = [f"{stored(mix, kind, 'objects')} of {stored(mix, kind, 'bytes') / 1000:,.1f} kB" for mix in names]
        rows.append(f"| `{kind}` objects | " + " | ".join(cells) + " |")
    rows.append("| files of the lake | " + " | ".join(f"{COUNTS[mix]['lake']['files']} of {COUNTS[mix]['lake']['bytes'] / 1000:,.1f} kB" for mix in names) + " |")
    rows.append("| rows of the index | " + " | ".join(f"{COUNTS[mix]['index']['items']} of {COUNTS[mix]['index']['bytes'] / 1000:,.1f} kB" for mix in names) + " |")
    rows.append("| entries of the log | " + " | ".join(str(COUNTS[mix]["entries"]) for mix in names) + " |")
    return rows


def idle_table():
    rows = ["| a run of the sealer | S3 LIST | S3 GET | S3 PUT | KMS |", "|---|--:|--:|--:|--:|"]
    for name, phase in (("with nothing to do", "sealer idle"), (f"that seals {COUNTS['idle']['entries']} entries of a relay that nobody asks", "sealer")):
        run = requests("idle", phase)
        rows.append(f"| {name} | {run.sum(r's3[.]List')} | {run.gets} | {run.sum(r's3[.]Put')} | {run.signatures} |")
    return rows


def prices_table():
    told = json.loads((HERE / "prices.json").read_text())
    rows = [f"Prices: {told['as_of']}.", "", "| $ | a |", "|--:|---|"]
    return rows + [f"| {price:g} | {unit} |" for price, unit in told["prices"].values()]


def scale_table():
    """What so many relays ask in a second, each with a hundredth of a million statements an hour."""
    rows = ["| relays | " + " | ".join(f"{relays:,}" for relays in FLEETS) + " |", "|---|" + "--:|" * len(FLEETS)]
    session_s = STATEMENTS_A_HOUR / STATEMENTS_A_SESSION / 3600
    objects = session_s * (2 + CHUNKS_A_SESSION) + 1 / 60
    index = indexing(CHUNKS_A_SESSION) * session_s
    seal = sealing() * objects
    relay = relay_session(CHUNKS_A_SESSION) * session_s + heartbeat() * (1 / 60)
    s3 = relay + index + seal

    def row(name, of, form="{:,.1f}"):
        rows.append(f"| {name} | " + " | ".join(form.format(of(relays)) for relays in FLEETS) + " |")

    row("statements a second", lambda relays: relays * STATEMENTS_A_HOUR / 3600)
    row("sessions a second", lambda relays: relays * session_s)
    row("objects a second, each a notification", lambda relays: relays * objects)
    row("S3 PUT and LIST a second, all programs", lambda relays: relays * s3.puts)
    row("S3 GET a second, all programs", lambda relays: relays * s3.gets)
    row("DynamoDB WRU a second", lambda relays: relays * index["dynamodb:WRU"])
    row("DynamoDB RRU a second", lambda relays: relays * index["dynamodb:RRU"])
    row("indexers at once", lambda relays: relays * index.ms / 1000)
    row("leaves for the sealer a second", lambda relays: relays * objects)
    row("seconds of the sealer for a minute's leaves", lambda relays: relays * seal.ms * 60 / 1000)
    row("files of the lake a day, all tables", lambda relays: relays * session_s * 86400 * COUNTS["hundred"]["lake"]["files"] / 100, "{:,.0f}")
    row("GB of evidence a day", lambda relays: relays * session_s * 86400 * (session_kb(CHUNKS_A_SESSION) + STATEMENTS_A_SESSION * statement_kb()) / 1e6, "{:,.2f}")
    return rows


def write(name, tables, check):
    page = (PAGES / name).read_text()
    for table, rows in tables.items():
        block = re.compile(rf"(<!-- {table}: by tests/infra/cost/cost.py -->\n).*?(<!-- end -->)", re.DOTALL)
        assert len(block.findall(page)) == 1, f"{name}: expected one block {table}"
        page = block.sub(lambda found, rows=rows: found.group(1) + "\n".join(rows) + "\n" + found.group(2), page)
    if not check:
        (PAGES / name).write_text(page)
    elif page != (PAGES / name).read_text():
        sys.exit(f"infra/{name} is not what its counts and prices give: run tests/infra/cost/cost.py")


def main():
    check = sys.argv[1:] == ["check"]
    cost = {"requests": requests_table(), "sealer": idle_table(), "serverless": cost_table(0), "always-on": cost_table(1), "prices": prices_table()}
    write("COST.md", cost, check)
    write("SCALE.md", {"load": scale_table()}, check)


main()
