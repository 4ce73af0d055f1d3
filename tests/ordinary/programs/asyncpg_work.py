"""What asyncpg asks and does, a function a case. Prints what came back. Settings come from libpq's variables."""

import asyncio
import datetime
import sys

import asyncpg


async def types(connection):
    """Types of the database's own: it asks what they are made of."""
    row = await connection.fetchrow("SELECT state, cents, span_of, tags, grid, numbers, days, several, bits, host, ident, span FROM reference.samples WHERE id = 1")
    for name, value in row.items():
        print(name, value)
    print(await connection.fetchval("SELECT array_agg(status ORDER BY status) FROM (SELECT DISTINCT status FROM billing.invoices) s"))


async def patients(connection):
    for row in await connection.fetch("SELECT * FROM clinic.patients WHERE id = ANY($1::int[]) ORDER BY id", [1, 31, 62]):
        print(dict(row))


async def prepared(connection):
    statement = await connection.prepare("SELECT id, ssn, birth_date FROM clinic.patients WHERE ward = $1 ORDER BY id LIMIT $2")
    print(statement.get_parameters(), [(one.name, one.type.name) for one in statement.get_attributes()])
    print(await statement.fetch("north", 3), await statement.fetchval("south", 1))


async def cursor(connection):
    async with connection.transaction(isolation="serializable", readonly=True):
        rows = await connection.cursor("SELECT id, name FROM clinic.patients ORDER BY id")
        print(await rows.fetch(3))
        await rows.forward(100)
        print(await rows.fetchrow())


async def copy_records(connection):
    async with connection.transaction():
        day = datetime.datetime(2025, 1, 1, tzinfo=datetime.timezone.utc)
        await connection.copy_records_to_table("jobs", schema_name="app", columns=["id", "queue", "run_at", "payload"], records=[(900 + n, "copied", day, "{}") for n in range(50)])
        print(await connection.fetchval("SELECT count(*) FROM app.jobs WHERE queue = 'copied'"))
        await connection.execute("DELETE FROM app.jobs WHERE queue = 'copied'")


async def copy_out(connection):
    lines = []

    async def write(data):
        lines.append(data)

    await connection.copy_from_query("SELECT id, name, zip FROM clinic.patients WHERE id < $1 ORDER BY id", 4, output=write, format="csv", header=True)
    await connection.copy_from_table("payers", schema_name="billing", output=write)
    print(b"".join(lines).decode())


async def executemany(connection):
    async with connection.transaction():
        await connection.executemany("INSERT INTO billing.payers (id, name) VALUES ($1, $2)", [(700 + n, f"many {n}") for n in range(20)])
        print(await connection.fetchval("SELECT count(*) FROM billing.payers WHERE id >= 700"))
        print(await connection.execute("DELETE FROM billing.payers WHERE id >= 700"))


async def pool(connection):
    """What a pool does to a session that is given back."""
    async with asyncpg.create_pool(min_size=1, max_size=1) as pool:
        for _ in range(2):
            async with pool.acquire() as one:
                print(await one.fetchval("SELECT count(*) FROM clinic.visits"))


async def main():
    connection = await asyncpg.connect()
    await globals()[sys.argv[1]](connection)
    await connection.close()


asyncio.run(main())
