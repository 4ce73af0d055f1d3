#!/usr/bin/env python3
"""Medians and spread of what bench.sh noted: `what who measure value` a line, one for each round."""

import collections
import statistics
import sys

ROWS = [
    ("accounts-prepared-8", "tps", "SELECT by key, prepared, tps"),
    ("accounts-simple-8", "tps", "SELECT by key, simple, tps"),
    ("masked-prepared-8", "tps", "the same of a masked table, prepared, tps"),
    ("masked-simple-8", "tps", "the same of a masked table, simple, tps"),
    ("accounts-prepared-1", "p50", "one client, prepared: p50, us"),
    ("accounts-prepared-1", "p99", "one client, prepared: p99, us"),
    ("bulk", "mbs", "large result, recorded in full, MB/s"),
    ("digest", "mbs", "large result, recorded as digest, MB/s"),
    ("accounts-prepared-8", "cpu", "proxy's CPU, prepared, us a transaction"),
    ("accounts-simple-8", "cpu", "proxy's CPU, simple, us a transaction"),
    ("masked-prepared-8", "cpu", "proxy's CPU, masked and prepared, us a transaction"),
    ("masked-simple-8", "cpu", "proxy's CPU, masked and simple, us a transaction"),
    ("bulk", "cpu", "proxy's CPU, large result in full, us a MB"),
    ("digest", "cpu", "proxy's CPU, large result as digest, us a MB"),
    ("accounts-prepared-8", "later", "afterwards, prepared, us a transaction"),
    ("masked-simple-8", "later", "afterwards, masked and simple, us a transaction"),
    ("bulk", "later", "afterwards, large result in full, us a MB"),
    ("digest", "later", "afterwards, large result as digest, us a MB"),
    ("idle", "kb", "resident memory of an idle session, kB"),
]
WHO = ["direct", "pgbouncer", "relay"]


def load(path):
    values = collections.defaultdict(list)
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            what, who, measure, value = line.split()
            # However many clients there were.
            what = "-".join(what.split("-")[:2] + ["8"]) if what.count("-") == 2 and not what.endswith("-1") else what
            values[what, measure, who].append(float(value))
    return values


def noted(values, what, measure, who):
    if what != "digest":
        return values[what, measure, who]
    # What is kept of a result makes a difference to the relay alone.
    return values["bulk", measure, "digest" if who == "relay" else who]


def cell(values):
    if not values or not any(values):
        return "-"
    digits = 0 if statistics.median(values) >= 100 else 1
    text = f"{statistics.median(values):.{digits}f}"
    return text if len(values) == 1 else f"{text} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def spread(ratios):
    text = f"{statistics.median(ratios):.2f}" if ratios else "-"
    return f"{text} ({min(ratios):.2f} to {max(ratios):.2f})" if len(ratios) > 1 else text


def main():
    values = load(sys.argv[1])
    lines = [["", *WHO, "relay / PgBouncer"]]
    for what, measure, title in ROWS:
        of = [noted(values, what, measure, who) for who in WHO]
        if measure == "later":
            of[0] = of[1] = []
        # Round by round, for both met the same minutes.
        ratios = [relay / other for relay, other in zip(of[2], of[1]) if other]
        lines.append([title, *map(cell, of), spread(ratios)])
    widths = [max(len(line[column]) for line in lines) for column in range(5)]
    print()
    for number, line in enumerate(lines):
        print("| " + " | ".join(text.ljust(width) for text, width in zip(line, widths)) + " |")
        if number == 0:
            print("|" + "|".join("-" * (width + 2) for width in widths) + "|")
    print("\nMedian (lowest to highest). Latencies, CPU and memory: less is better.")
    for who, kept in (("relay", "in full"), ("digest", "as digest")):
        pairs = zip(values["bulk_masked", "mbs", who], values["bulk", "mbs", who])
        ratios = [masked / unmasked for masked, unmasked in pairs]
        print(f"The large result through the relay, recorded {kept}, a column masked / none: {spread(ratios)}")


main()
