-- Makes the twin: what the masks of `schema.toml` show, computed here and not by the relay, in place of what is
-- protected. Constraints that masked values do not meet are dropped.

BEGIN;

ALTER TABLE clinic.patients
    DROP CONSTRAINT patients_mrn_key, DROP CONSTRAINT patients_ssn_key, ALTER COLUMN birth_date DROP NOT NULL;

UPDATE clinic.patients SET
    mrn = '***',
    name = '***',
    ssn = CASE WHEN ssn IS NOT NULL THEN '***-**-' || substring(ssn FROM length(ssn) - 3) END,
    -- Of whom the year would tell an age over 89, nothing.
    birth_date = CASE WHEN extract(year FROM birth_date) > extract(year FROM now() AT TIME ZONE 'UTC') - 90
                      THEN to_date(to_char(birth_date, 'YYYY'), 'YYYY') END,
    -- 036 is an area of 20,000 people or fewer.
    zip = CASE WHEN zip LIKE '036%' OR zip !~ '^[0-9]{5}' THEN '000' ELSE substring(zip FOR 3) END,
    email = '***',
    phone = '***',
    height_cm = NULL,
    allergies = NULL,
    chart = NULL;

UPDATE clinic.visits SET notes = '***';

COMMIT;

-- In the order that they have in `schema.sql`, for whoever reads them without one.
CLUSTER clinic.patients USING patients_pkey;
CLUSTER clinic.visits_2024 USING visits_2024_pkey;
CLUSTER clinic.visits_2025 USING visits_2025_pkey;

ANALYZE clinic.patients, clinic.visits;
