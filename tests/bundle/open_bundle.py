"""Opens a bundle's tables as an auditor would, with DuckDB and pyarrow, and compares their encodings.

    open_bundle.py BUNDLE REPORT

BUNDLE is the folder; REPORT what `auditor verify --json` said of it. Prints the number of rows of each table; ends with
an error that names table and encoding where anything differs.
"""

import csv
import datetime
import json
import pathlib
import sys

import duckdb
import pyarrow.parquet

FORMULA = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")


def main(bundle, report):
    expected = json.loads(report.read_text())["report"]["checked"]["rows"]
    tables = sorted(path.stem for path in (bundle / "tables").iterdir())
    check("the bundle", "tables", tables, sorted(expected))
    for table in tables:
        files = {kind: bundle / folder / f"{table}.{kind}" for folder, kind in FOLDERS}
        rows = json.loads(files["json"].read_text())
        check(table, "rows as JSON", len(rows), expected[table])
        check_arrow(table, files["parquet"], rows)
        check_duckdb(table, files, expected[table])
        check_csv(table, files["csv"], rows)
        print(table, len(rows))
    check_join(bundle, expected)


def check_arrow(table, file, rows):
    arrow = pyarrow.parquet.read_table(file)
    check(table, "rows in pyarrow", arrow.num_rows, len(rows))
    for number, (found, row) in enumerate(zip(arrow.to_pylist(), rows), 1):
        check(table, f"row {number} in pyarrow", {name: plain(value) for name, value in found.items()}, row)


def check_duckdb(table, files, count):
    for kind, read in READERS:
        if kind != "parquet" and count == 0:
            continue
        found = duckdb.sql(f"SELECT count(*) FROM {read}('{files[kind]}')").fetchall()[0][0]
        check(table, f"rows as {kind} in DuckDB", found, count)


def check_csv(table, file, rows):
    with file.open(newline="", encoding="utf-8") as opened:
        header, *records = csv.reader(opened)
    check(table, "columns as CSV", sorted(header), sorted(rows[0]) if rows else sorted(header))
    check(table, "rows as CSV", len(records), len(rows))
    for number, (record, row) in enumerate(zip(records, rows), 1):
        check(table, f"row {number} as CSV", record, [cell(row[name]) for name in header])


def check_join(bundle, expected):
    """The tables fit together: every statement has its session, every execution its statement."""
    for table, key in (("statements", "session"), ("executions", "session, statement")):
        other = {"statements": "sessions", "executions": "statements"}[table]
        found = duckdb.sql(
            f"SELECT count(*) FROM '{bundle}/tables/{table}.parquet' JOIN '{bundle}/tables/{other}.parquet' USING ({key})"
        ).fetchall()[0][0]
        check(table, f"rows joined with {other}", found, expected[table])


def plain(value):
    if isinstance(value, datetime.datetime):
        check("a time", "zone", str(value.tzinfo), "UTC")
        return value.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return value


def cell(value):
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = ";".join(value) if isinstance(value, list) else str(value)
    return "'" + text if text.startswith(FORMULA) else text


def check(table, what, found, expected):
    if found != expected:
        sys.exit(f"{table}: {what}: {found!r}, expected {expected!r}")


FOLDERS = (("tables", "parquet"), ("csv", "csv"), ("json", "json"))
READERS = (("parquet", "read_parquet"), ("csv", "read_csv"), ("json", "read_json"))

if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
