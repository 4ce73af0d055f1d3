// node-postgres: parameters, types, prepared statements, transactions, errors.
const assert = require("node:assert");
const fs = require("node:fs");
const { Client } = require("pg");

let sent = 0;
let refused = 0;
let client;

function ask(...query) {
  sent += 1;
  return client.query(...query);
}

async function state(sql) {
  try {
    await ask(sql);
  } catch (error) {
    return error.code;
  }
  return null;
}

async function results() {
  const counted = await ask("SELECT count(*)::int AS visits, max(id)::int AS last FROM clinic.visits WHERE patient_id > $1", [0]);
  assert.deepStrictEqual(counted.rows, [{ visits: 6000, last: 6000 }]);
  const patients = { text: "SELECT * FROM clinic.patients WHERE id <= $1 ORDER BY id", values: [20] };
  for (const query of [patients, { ...patients, binary: true }, { ...patients, rowMode: "array" }]) {
    const { rows } = await ask(query);
    assert.strictEqual(rows.length, 20);
    console.log(JSON.stringify(rows));
  }
}

const SAMPLE = {
  id: 1,
  flag: true,
  small: -7,
  big: "4611686018427387904",
  amount: "12345.678901",
  ratio: 0.1,
  label: "it's \u00e9 \\ \u201cquoted\u201d",
  code: "abc",
  at: new Date("2024-02-29T12:30:00.123Z"),
  ident: "00112233-4455-6677-8899-aabbccddeeff",
  doc: { a: [1, null, "x"] },
  raw: Buffer.from(Array.from({ length: 256 }, (_, index) => index)),
  tags: ["one", null, 'tw"o', ""],
  numbers: [1, -2, null],
  nothing: null,
};

async function types() {
  const names = Object.keys(SAMPLE);
  const places = names.map((_, index) => `$${index + 1}`).join(", ");
  const made = await ask(`INSERT INTO node_postgres.samples (${names}) VALUES (${places}) RETURNING ${names}`, Object.values(SAMPLE));
  assert.deepStrictEqual({ ...made.rows[0] }, SAMPLE);
  const read = await ask(`SELECT ${names} FROM node_postgres.samples`);
  assert.deepStrictEqual({ ...read.rows[0] }, SAMPLE);
  await ask("DELETE FROM node_postgres.samples");
}

async function transactions() {
  await ask("BEGIN");
  await ask("INSERT INTO node_postgres.samples (id) VALUES ($1)", [2]);
  await ask("ROLLBACK");
  assert.strictEqual((await ask("SELECT * FROM node_postgres.samples")).rowCount, 0);
}

async function errors() {
  assert.strictEqual(await state("SELECT 1 / 0"), "22012");
  refused += 2;
  assert.strictEqual(await state("DROP TABLE clinic.visits"), "42501");
  assert.strictEqual(await state("SELECT * FROM clinic.nowhere"), "42P01");
  await ask("INSERT INTO node_postgres.samples (id) VALUES (3)");
  assert.strictEqual(await state("INSERT INTO node_postgres.samples (id) VALUES (3)"), "23505");
}

async function prepared() {
  for (let number = 1; number <= 10; number += 1) {
    const { rows } = await ask({ name: "one", text: "SELECT id, $1::int AS again FROM clinic.patients WHERE id = $1", values: [number] });
    assert.deepStrictEqual(rows, [{ id: number, again: number }]);
  }
}

async function main() {
  const ssl = { ca: fs.readFileSync(process.env.PGSSLROOTCERT, "utf8"), rejectUnauthorized: true };
  // libpq's variable means system roots to this driver.
  delete process.env.PGSSLROOTCERT;
  delete process.env.PGSSLMODE;
  client = new Client({ ssl });
  await client.connect();
  for (const step of [results, types, transactions, errors, prepared]) {
    await step();
  }
  await client.end();
  console.log("sent", sent, "refused", refused);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
