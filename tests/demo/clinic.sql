-- A synthetic clinic: nobody in it exists. Every value follows from its row's number by arithmetic, so every load
-- is the same.
--
-- Plainly invented: SSNs have an area of 9xx and a group below 50, which is issued neither as SSN nor as ITIN;
-- e-mail addresses are at example.org; telephone numbers end in 555-01xx.

\set patients 1200
\set visits 6000
\set invoices 4500

BEGIN;

CREATE SCHEMA clinic;
CREATE SCHEMA billing;

CREATE TABLE clinic.patients (
    id            integer PRIMARY KEY,
    mrn           text NOT NULL UNIQUE,
    name          text NOT NULL,
    ssn           text UNIQUE,
    birth_date    date NOT NULL,
    zip           text NOT NULL,
    email         text,
    phone         text,
    registered_on date NOT NULL
);

CREATE TABLE clinic.visits (
    id         bigint NOT NULL,
    patient_id integer NOT NULL REFERENCES clinic.patients (id),
    visited_on date NOT NULL,
    department text NOT NULL,
    reason     text NOT NULL,
    notes      text,
    PRIMARY KEY (id, visited_on)
) PARTITION BY RANGE (visited_on);

CREATE TABLE clinic.visits_2022 PARTITION OF clinic.visits FOR VALUES FROM ('2022-01-01') TO ('2023-01-01');
CREATE TABLE clinic.visits_2023 PARTITION OF clinic.visits FOR VALUES FROM ('2023-01-01') TO ('2024-01-01');
CREATE TABLE clinic.visits_2024 PARTITION OF clinic.visits FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE clinic.visits_2025 PARTITION OF clinic.visits FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE clinic.visits_2026 PARTITION OF clinic.visits FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');

CREATE TABLE clinic.clinicians (
    id         integer PRIMARY KEY,
    name       text NOT NULL,
    department text NOT NULL
);

CREATE TABLE billing.payers (
    id   integer PRIMARY KEY,
    name text NOT NULL
);

CREATE TABLE billing.invoices (
    id         bigint PRIMARY KEY,
    visit_id   bigint NOT NULL,
    patient_id integer NOT NULL REFERENCES clinic.patients (id),
    amount     numeric(10, 2) NOT NULL,
    status     text NOT NULL,
    issued_on  date NOT NULL
);

-- Word lists, and pick(list, n): the n-th word, round and round.

CREATE TEMPORARY TABLE words (list text PRIMARY KEY, entries text[] NOT NULL) ON COMMIT DROP;

INSERT INTO words VALUES
    ('given', ARRAY['Ada', 'Benno', 'Carla', 'Dmitri', 'Esther', 'Farid', 'Greta', 'Hugo', 'Imani', 'Jonas', 'Kezia',
        'Lionel', 'Mira', 'Noor', 'Olga', 'Piet', 'Quinn', 'Rosa', 'Samir', 'Thea', 'Umberto', 'Vera', 'Wendell',
        'Xenia', 'Yusuf', 'Zoë', 'Anselm', 'Bronagh', 'Cosmo', 'Delphine', 'Émile']),
    ('family', ARRAY['Abbot', 'Barrow', 'Castellan', 'Dahl', 'Eberhart', 'Fennimore', 'Grünwald', 'Holloway',
        'Iversen', 'Jankowski', 'Kestrel', 'Lindqvist', 'Marlowe', 'Nakagawa', 'O''Brannigan', 'Pettibone',
        'Quarles', 'Rosenthal', 'Szabó', 'Thistlewood', 'Underhill', 'Vandermeer', 'Whitlock', 'Yarrow',
        'Zimmerling', 'Ashdown', 'Bellweather', 'Crane', 'Drummond', 'Ellery', 'Farthing', 'Galbraith', 'Hawthorne',
        'Inkpen', 'Juniper', 'Kilbride', 'Larkspur']),
    -- Real prefixes, invented rest: 036, 059, 821 and 878 are among the areas of 20,000 people or fewer.
    ('zip', ARRAY['02171', '10099', '60699', '94199', '55199', '97299', '03699', '05999', '82199', '87899', '73399',
        '19199', '33199']),
    ('area', ARRAY['206', '312', '415', '503', '612', '617', '718', '802', '907']),
    ('department', ARRAY['cardiology', 'dermatology', 'emergency', 'endocrinology', 'neurology', 'oncology',
        'orthopaedics', 'paediatrics', 'psychiatry']),
    ('reason', ARRAY['annual check', 'chest pain', 'follow-up', 'fracture', 'headache', 'hypertension', 'medication review',
        'rash', 'referral', 'shortness of breath', 'vaccination']),
    ('plan', ARRAY['rest and fluids', 'blood panel ordered', 'imaging ordered', 'dose raised', 'dose lowered',
        'referred onward', 'no change', 'return in six weeks']),
    ('status', ARRAY['paid', 'open', 'paid', 'paid', 'overdue', 'written off', 'paid']);

CREATE FUNCTION pg_temp.pick(list text, n bigint) RETURNS text LANGUAGE sql STABLE AS
    $$ SELECT entries[1 + (n % cardinality(entries))::int] FROM words WHERE words.list = pick.list $$;

INSERT INTO clinic.patients
SELECT id,
       'MRN-' || lpad((100000 + mixed % 899981)::text, 6, '0'),
       given || ' ' || family,
       -- Some have none: NULL must stay NULL.
       CASE WHEN id % 97 <> 0 THEN
           (900 + mixed % 100)::text || '-' || (10 + mixed / 100 % 40)::text || '-' || lpad((mixed % 9973)::text, 4, '0')
       END,
       date '1926-03-01' + (mixed % 35000)::int,
       pg_temp.pick('zip', mixed / 7),
       CASE WHEN id % 41 <> 0 THEN 'patient' || lpad(id::text, 4, '0') || '@example.org' END,
       CASE WHEN id % 29 <> 0 THEN '+1-' || pg_temp.pick('area', mixed / 11) || '-555-01' || lpad((mixed % 100)::text, 2, '0') END,
       date '2015-01-01' + (mixed / 13 % 2500)::int
FROM (
    SELECT id,
           -- A prime multiplier and modulus: as good as shuffled, and no two patients alike.
           id * 48271::bigint % 99999989 AS mixed,
           pg_temp.pick('given', id) AS given,
           pg_temp.pick('family', id / 31 + id * 7) AS family
    FROM generate_series(1, :patients) AS id
) AS numbered;

INSERT INTO clinic.visits
SELECT visit.id,
       patients.id,
       date '2022-01-01' + (visit.id * 7919 % 1780)::int,
       pg_temp.pick('department', visit.id * visit.id % 41),
       pg_temp.pick('reason', visit.id * 17 / 5),
       CASE WHEN visit.id % 53 <> 0 THEN
           'Seen ' || patients.name || ' (' || patients.mrn || '): ' || pg_temp.pick('plan', visit.id * 5 / 3) || '.'
       END
FROM generate_series(1, :visits) AS visit (id)
JOIN clinic.patients ON patients.id = 1 + visit.id * 31 % :patients;

INSERT INTO clinic.clinicians
SELECT id, 'Dr ' || pg_temp.pick('given', id * 5 + 2) || ' ' || pg_temp.pick('family', id * 11 + 3), pg_temp.pick('department', id)
FROM generate_series(1, 45) AS id;

INSERT INTO billing.payers
SELECT id, name
FROM unnest(ARRAY['Northern Mutual', 'Harbor Health Plan', 'Prairie Assurance', 'Self-pay', 'County Programme'])
    WITH ORDINALITY AS payer (name, id);

INSERT INTO billing.invoices
SELECT visits.id,
       visits.id,
       visits.patient_id,
       (45 + visits.id * 104729 % 90000 / 100.0)::numeric(10, 2),
       pg_temp.pick('status', visits.id),
       visits.visited_on + 7
FROM clinic.visits
WHERE visits.id <= :invoices;

CREATE INDEX ON clinic.visits (patient_id);
CREATE INDEX ON billing.invoices (patient_id);

CREATE VIEW clinic.visits_per_department AS
SELECT department, count(*) AS visits, count(DISTINCT patient_id) AS patients
FROM clinic.visits
GROUP BY department;

-- Nobody may look like anybody: the demo and the tests search for these values.
DO $$
BEGIN
    IF (SELECT count(*) <> count(DISTINCT ssn) + count(*) FILTER (WHERE ssn IS NULL) FROM clinic.patients)
        OR EXISTS (SELECT FROM clinic.patients WHERE ssn !~ '^9\d\d-[1-4]\d-\d{4}$') THEN
        RAISE 'the clinic''s SSNs are not as they should be';
    END IF;
END $$;

COMMIT;

ANALYZE;
