-- psql as people use it by hand and in scripts. One refusal of the relay's, one error of the server's, one unknown name.
\set VERBOSITY sqlstate
\pset format unaligned
\pset tuples_only on
\d clinic.patients
\dt clinic.*
SELECT 'visits ' || count(*) FROM clinic.visits;
SELECT * FROM clinic.patients ORDER BY id LIMIT 20;
SELECT p.name, v.notes FROM clinic.patients p JOIN clinic.visits v ON v.patient_id = p.id ORDER BY v.id LIMIT 20;
BEGIN ISOLATION LEVEL REPEATABLE READ;
INSERT INTO psql.samples (id, flag, amount, label, day, doc, tags) VALUES (1, true, 12345.678901, 'it''s', '2024-02-29', '{"a": [1, null]}', ARRAY['x', NULL]);
SAVEPOINT one;
UPDATE psql.samples SET label = 'changed' WHERE id = 1;
ROLLBACK TO SAVEPOINT one;
SELECT * FROM psql.samples;
ROLLBACK;
SELECT 'rolled back ' || count(*) FROM psql.samples;
INSERT INTO psql.samples (id, label) VALUES (2, 'kept') RETURNING id;
SELECT 'kept ' || count(*) FROM psql.samples;
\set ON_ERROR_STOP off
\set ON_ERROR_ROLLBACK off
DROP TABLE clinic.visits;
\set first :LAST_ERROR_SQLSTATE
SELECT 1 / (SELECT count(*) - 1 FROM psql.samples);
\set second :LAST_ERROR_SQLSTATE
SELECT * FROM clinic.no_such_table;
\set third :LAST_ERROR_SQLSTATE
\set ON_ERROR_STOP on
\echo states :first :second :third
SELECT x AS number, $$text$$ AS word FROM generate_series(1, 3) AS x \gdesc
SELECT count(*) AS fetched FROM generate_series(1, 3) AS x \gset
\echo fetched :fetched
\echo done
