"""asyncpg: the extended protocol, everything binary. Settings come from libpq's variables."""

import asyncio
import datetime
import decimal
import json
import os
import uuid

import asyncpg

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
    "doc": json.dumps({"a": [1, None, "x"]}),
    "raw": bytes(range(256)),
    "tags": ["one", None, 'tw"o', ""],
    "numbers": [1, -2, None],
    "nothing": None,
}
COLUMNS = ", ".join(SAMPLE)
PLACES = ", ".join(f"${number}" for number in range(1, len(SAMPLE) + 1))

sent = refused = 0


async def refusal(connection, sql):
    global refused
    refused += 1
    return await state(connection, sql)


async def state(connection, sql):
    try:
        await connection.execute(sql)
    except asyncpg.PostgresError as error:
        return error.sqlstate
    return None


async def results(connection):
    row = await connection.fetchrow("SELECT count(*), max(id) FROM clinic.visits WHERE patient_id > $1", 0)
    assert tuple(row) == (6000, 6000), row
    rows = await connection.fetch("SELECT * FROM clinic.patients WHERE id <= $1 ORDER BY id", 20)
    assert len(rows) == 20
    print(rows)


async def types(connection):
    insert = f"INSERT INTO asyncpg.samples ({COLUMNS}) VALUES ({PLACES})"
    assert await connection.execute(insert, *SAMPLE.values()) == "INSERT 0 1"
    row = dict(await connection.fetchrow("SELECT * FROM asyncpg.samples WHERE id = $1", 1))
    row["doc"], expected = json.loads(row["doc"]), {**SAMPLE, "doc": json.loads(SAMPLE["doc"])}
    assert row == expected, row
    assert await connection.execute("DELETE FROM asyncpg.samples") == "DELETE 1"


async def transactions(connection):
    try:
        async with connection.transaction(isolation="repeatable_read"):
            await connection.execute("INSERT INTO asyncpg.samples (id) VALUES (2)")
            raise KeyError
    except KeyError:
        pass
    assert await connection.fetchval("SELECT count(*) FROM asyncpg.samples") == 0


async def errors(connection):
    global sent
    assert await state(connection, "SELECT 1 / 0") == "22012"
    assert await refusal(connection, "DROP TABLE clinic.visits") == "42501"
    assert await refusal(connection, "SELECT * FROM clinic.nowhere") == "42P01"
    try:
        await connection.fetch("SELECT $1::int / 0", 1)
        raise AssertionError("division by zero passed")
    except asyncpg.DivisionByZeroError:
        # The server finds out when it is bound: it is never executed.
        sent -= 1
    assert await connection.fetchval("SELECT 41 + 1") == 42


async def prepared(connection):
    global sent
    statement = await connection.prepare("SELECT id, $1::int FROM clinic.patients WHERE id = $1")
    for number in range(1, 11):
        assert tuple(await statement.fetchrow(number)) == (number, number)
    # The logger hears of none of these, and of one of the next three.
    sent += 10 + 2
    await connection.executemany("INSERT INTO asyncpg.samples (id) VALUES ($1)", [(5,), (6,), (7,)])


async def cursors(connection):
    """A portal that is asked for some rows at a time: three executions of one statement."""
    global sent
    async with connection.transaction():
        patients = "SELECT id FROM clinic.patients ORDER BY id LIMIT 25"
        seen = [row["id"] async for row in connection.cursor(patients, prefetch=10)]
    assert seen == list(range(1, 26))
    sent += 3


async def main():
    global sent
    # asyncpg takes the application's name from its settings alone.
    settings = {"application_name": os.environ["PGAPPNAME"]}
    connection = await asyncpg.connect(server_settings=settings)

    def count(record):
        global sent
        sent += 1
        print(record.query[:200])

    connection.add_query_logger(count)
    await results(connection)
    await types(connection)
    await transactions(connection)
    await errors(connection)
    await prepared(connection)
    await cursors(connection)
    await connection.close()
    print("sent", sent, "refused", refused)


asyncio.run(main())
