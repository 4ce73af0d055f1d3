"""psycopg 3: simple and extended, text and binary, pipelines, transactions. Settings come from libpq's variables."""

import datetime
import decimal
import uuid

import psycopg
from psycopg.types.json import Jsonb

SAMPLE = {
    "id": 1,
    "flag": True,
    "small": -7,
    "big": 2**62,
    "amount": decimal.Decimal("12345.678901"),
    "ratio": 0.1,
    "label": "it's \u00e9 \\ \u201cquoted\u201d",
    "code": "abc",
    "day": datetime.date(2024, 2, 29),
    "at": datetime.datetime(2024, 2, 29, 12, 30, 0, 123456, tzinfo=datetime.timezone.utc),
    "span": datetime.timedelta(days=3, seconds=5),
    "ident": uuid.UUID("00112233-4455-6677-8899-aabbccddeeff"),
    "doc": {"a": [1, None, "x"]},
    "raw": bytes(range(256)),
    "tags": ["one", None, 'tw"o', ""],
    "numbers": [1, -2, None],
    "nothing": None,
}
COLUMNS = ", ".join(SAMPLE)

sent = refused = 0


def ask(target, sql, parameters=None, **options):
    global sent
    sent += 1
    return target.execute(sql, parameters, **options)


def state(connection, sql, by_relay=False):
    global refused
    refused += by_relay
    try:
        ask(connection, sql)
    except psycopg.Error as error:
        return error.sqlstate
    return None


def results(connection):
    for binary in (False, True):
        cursor = connection.cursor(binary=binary)
        ask(cursor, "SELECT count(*), max(id) FROM clinic.visits WHERE patient_id > %s", (0,))
        assert cursor.fetchall() == [(6000, 6000)]
        ask(cursor, "SELECT * FROM clinic.patients WHERE id <= %s ORDER BY id", (20,))
        rows = cursor.fetchall()
        assert len(rows) == 20
        print(rows)


def types(connection):
    values = {**SAMPLE, "doc": Jsonb(SAMPLE["doc"])}
    for kind in ("t", "b", "s"):
        places = ", ".join(f"%({name}){kind}" for name in SAMPLE)
        ask(connection, f"INSERT INTO psycopg.samples ({COLUMNS}) VALUES ({places})", values)
        for binary in (False, True):
            cursor = connection.cursor(binary=binary)
            ask(cursor, f"SELECT {COLUMNS} FROM psycopg.samples WHERE id = %s", (1,))
            assert cursor.fetchone() == tuple(SAMPLE.values())
        assert ask(connection, "DELETE FROM psycopg.samples WHERE id = 1").rowcount == 1


def transactions(connection):
    global sent
    try:
        with connection.transaction():
            ask(connection, "INSERT INTO psycopg.samples (id) VALUES (2)")
            with connection.transaction(force_rollback=True):
                ask(connection, "UPDATE psycopg.samples SET label = 'inner' WHERE id = 2")
            assert ask(connection, "SELECT label FROM psycopg.samples WHERE id = 2").fetchone() == (None,)
            raise KeyError
    except KeyError:
        pass
    # BEGIN, SAVEPOINT, ROLLBACK TO, RELEASE, ROLLBACK; and DEALLOCATE ALL, which the driver says after a rollback.
    sent += 6
    assert ask(connection, "SELECT count(*) FROM psycopg.samples").fetchone() == (0,)


def errors(connection):
    assert state(connection, "SELECT 1 / 0") == "22012"
    assert state(connection, "DROP TABLE clinic.visits", by_relay=True) == "42501"
    assert state(connection, "SELECT * FROM clinic.nowhere", by_relay=True) == "42P01"
    ask(connection, "INSERT INTO psycopg.samples (id) VALUES (3)")
    assert state(connection, "INSERT INTO psycopg.samples (id) VALUES (3)") == "23505"
    ask(connection, "BEGIN")
    assert state(connection, "SELECT 'x'::integer") == "22P02"
    assert state(connection, "SELECT 1") == "25P02"
    ask(connection, "ROLLBACK")
    ask(connection, "DELETE FROM psycopg.samples")


def prepared(connection):
    for number in range(1, 11):
        sql = "SELECT id, %s::int FROM clinic.patients WHERE id = %s"
        assert ask(connection, sql, (number, number), prepare=True).fetchone() == (number, number)


def pipeline(connection):
    with connection.pipeline():
        cursors = [ask(connection, "SELECT %s::int * 2", (number,)) for number in range(20)]
        assert [cursor.fetchone()[0] for cursor in cursors] == [number * 2 for number in range(20)]
    cursor = connection.cursor()
    global sent
    sent += 3
    cursor.executemany("INSERT INTO psycopg.samples (id) VALUES (%s)", [(5,), (6,), (7,)])
    assert cursor.rowcount == 3


with psycopg.connect(autocommit=True) as connection:
    results(connection)
    types(connection)
    transactions(connection)
    errors(connection)
    prepared(connection)
    pipeline(connection)
print("sent", sent, "refused", refused)
