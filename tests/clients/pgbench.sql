\set patient random(1, 1200)
BEGIN;
INSERT INTO pgbench.samples (id, label, day) SELECT coalesce(max(id), 0) + :client_id * 1000000 + 1, 'made', date '2025-02-28' FROM pgbench.samples WHERE false;
SELECT id, name, ssn FROM clinic.patients WHERE id = :patient;
SELECT department, count(*) FROM clinic.visits WHERE patient_id = :patient GROUP BY department;
ROLLBACK;
