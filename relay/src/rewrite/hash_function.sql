-- A keyed hash for the mask `hash`: equal values have equal hashes, and who has not the key can neither compute one nor try
-- guesses. Run it as the owner of the database, not as the relay's login; then GRANT as the last lines say.
--
-- The key is two blocks of 64 random bytes (HMAC-SHA-256's padded keys, RFC 2104), each of 488 random bits. Nobody but the
-- owner can read them: the function runs with its owner's rights, is never inlined into a plan, and takes the key from a
-- table, so that no plan and no log of statements has it. To forget all hashes, delete the key and run this again.
BEGIN;
CREATE SCHEMA affidavit_masks;
REVOKE ALL ON SCHEMA affidavit_masks FROM PUBLIC;
CREATE TABLE affidavit_masks.hash_key (one boolean PRIMARY KEY DEFAULT true CHECK (one), outer_key bytea NOT NULL, inner_key bytea NOT NULL,
    CHECK (outer_key <> inner_key));
REVOKE ALL ON affidavit_masks.hash_key FROM PUBLIC;
INSERT INTO affidavit_masks.hash_key (outer_key, inner_key)
SELECT pg_catalog.substr(pg_catalog.string_agg(pg_catalog.uuid_send(pg_catalog.gen_random_uuid()), ''::bytea), 1, 64),
       pg_catalog.substr(pg_catalog.string_agg(pg_catalog.uuid_send(pg_catalog.gen_random_uuid()), ''::bytea), 1, 64)
  FROM pg_catalog.generate_series(1, 4);
CREATE FUNCTION affidavit_masks.keyed_hash(value text) RETURNS text
LANGUAGE sql STABLE STRICT PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$ SELECT pg_catalog.encode(pg_catalog.sha256(outer_key || pg_catalog.sha256(inner_key || pg_catalog.convert_to(value, 'UTF8'))), 'hex')
        FROM affidavit_masks.hash_key $$;
REVOKE ALL ON FUNCTION affidavit_masks.keyed_hash(text) FROM PUBLIC;
COMMIT;
-- GRANT USAGE ON SCHEMA affidavit_masks TO the_relays_login;
-- GRANT EXECUTE ON FUNCTION affidavit_masks.keyed_hash(text) TO the_relays_login;
