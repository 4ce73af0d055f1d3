-- What the relay logs in as: no superuser, no owner of anything, with rights on the clinic and on nothing else. Its password
-- is the variable RELAY_PASSWORD. In the database, as its superuser.

\getenv password RELAY_PASSWORD

SET log_statement = 'none';
CREATE ROLE affidavit_relay LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD :'password';
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT CONNECT ON DATABASE clinic TO affidavit_relay;
GRANT USAGE ON SCHEMA clinic, billing TO affidavit_relay;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA clinic, billing TO affidavit_relay;
