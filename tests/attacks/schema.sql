-- The database that the attacks are made on: a synthetic clinic. Nobody in it exists. Patient 1 holds a planted value
-- in each protected column (`schema.toml` names them); the others follow from their number by arithmetic.
--
-- Plainly invented: SSNs have an area of 9xx and a group below 50, telephone numbers end in 555-01xx, addresses are
-- of the ranges for documentation.

CREATE SCHEMA clinic;
CREATE SCHEMA billing;

CREATE TYPE clinic.mood AS ENUM ('calm', 'grim', 'gleeful');

CREATE TABLE clinic.patients (
    id            integer PRIMARY KEY,
    ward          text NOT NULL,
    registered_on date NOT NULL,
    mrn           text NOT NULL UNIQUE,
    name          text NOT NULL,
    ssn           text UNIQUE,
    birth_date    date,
    zip           text,
    email         text,
    phone         varchar(20),
    salary        numeric(12, 2),
    tags          text[],
    chart         jsonb,
    mood          clinic.mood,
    admitted      daterange,
    device        uuid,
    photo         bytea,
    address       inet,
    seen_at       timestamptz,
    smoker        boolean,
    score         double precision
);

CREATE TABLE clinic.visits (
    id         integer NOT NULL,
    patient_id integer NOT NULL REFERENCES clinic.patients (id),
    visited_on date NOT NULL,
    department text NOT NULL,
    notes      text,
    PRIMARY KEY (id, visited_on)
) PARTITION BY RANGE (visited_on);

CREATE TABLE clinic.visits_2024 PARTITION OF clinic.visits FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE clinic.visits_2025 PARTITION OF clinic.visits FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');

CREATE TABLE billing.payers (
    id   integer PRIMARY KEY,
    name text NOT NULL
);

CREATE TABLE billing.invoices (
    id         integer PRIMARY KEY,
    patient_id integer NOT NULL REFERENCES clinic.patients (id),
    amount     numeric(10, 2) NOT NULL,
    status     text NOT NULL,
    note       text
);

INSERT INTO clinic.patients VALUES (
    1, 'north', '2019-03-04', 'MRN-731904', 'Quillon Vantablack', '912-34-5678', '1984-11-23', '73391',
    'quillon@vantablack.example', '+1-617-555-0147', 83114.27, ARRAY['lupus-erythematosus', 'zolgensma-infusion'],
    '{"dx": "narcolepsy-G47", "plan": "modafinil-200", "since": 2011}', 'grim', '[2021-02-11,2021-03-19)',
    '5a1e0c37-9b42-4f6d-8e21-7c3b9d0f4a65', 'canary-photograph', '203.0.113.77', '2024-05-17 08:41:23+00', true,
    7.313373
);

INSERT INTO clinic.patients
SELECT id, (ARRAY['north', 'south', 'east'])[1 + id % 3], date '2015-01-01' + id * 37,
       'MRN-' || (200000 + id * 7919)::text,
       (ARRAY['Ada', 'Benno', 'Carla', 'Dmitri', 'Esther'])[1 + id % 5] || ' '
           || (ARRAY['Abbot', 'Barrow', 'Castellan', 'Dahl', 'Eberhart', 'Fennimore', 'Holloway'])[1 + id % 7] || id,
       (920 + id % 70)::text || '-' || (10 + id % 40)::text || '-' || lpad((id * 1237 % 9973)::text, 4, '0'),
       date '1951-06-01' + id * 301, (ARRAY['02171', '10099', '60699', '94199'])[1 + id % 4],
       'patient' || id || '@example.org', '+1-312-555-01' || lpad((id % 100)::text, 2, '0'), 30000 + id * 111.5,
       ARRAY['asthma-' || id], jsonb_build_object('dx', 'J45-' || id), (ARRAY['calm', 'gleeful'])[1 + id % 2]::clinic.mood,
       daterange(date '2022-01-01' + id, date '2022-02-01' + id),
       ('00000000-0000-4000-8000-0000000000' || lpad(id::text, 2, '0'))::uuid, ('photo-' || id)::bytea,
       ('198.51.100.' || id)::inet, timestamptz '2023-01-01 00:00:00+00' + id * interval '1 day', id % 4 = 0, id / 8.0
FROM generate_series(2, 40) AS id;

INSERT INTO clinic.visits VALUES
    (1, 1, '2024-05-17', 'neurology', 'Quillon relapsed with cataplexy'),
    (2, 2, '2024-06-01', 'dermatology', 'rash of no importance'),
    (3, 3, '2025-02-11', 'oncology', 'a second opinion was asked for'),
    (4, 1, '2025-03-19', 'neurology', 'Quillon declined sodium-oxybate');

INSERT INTO billing.payers VALUES (1, 'Northern Mutual'), (2, 'Harbor Health Plan'), (3, 'Self-pay');

INSERT INTO billing.invoices
SELECT id, 1 + id % 40, 45 + id * 3.5, (ARRAY['paid', 'open', 'overdue'])[1 + id % 3], NULL
FROM generate_series(1, 60) AS id;

CREATE VIEW clinic.contacts AS SELECT id, name, email, phone FROM clinic.patients;
CREATE VIEW clinic.north AS SELECT id, email AS reach FROM clinic.contacts WHERE id < 10;
CREATE VIEW clinic.wards AS SELECT ward, count(*) AS patients FROM clinic.patients GROUP BY ward;

ANALYZE;
