-- The customer's roles and databases. reader_password and admin_password are psql variables.

CREATE ROLE zabbix NOLOGIN;
-- LedgerSMB makes a role for each of its rights.
CREATE ROLE ledgersmb NOLOGIN CREATEROLE;
CREATE ROLE sample_admin LOGIN SUPERUSER PASSWORD :'admin_password';

-- What PurSight gets: read rights and nothing else (reader.sql gives those of each database).
CREATE ROLE pursight_reader LOGIN PASSWORD :'reader_password';
GRANT pg_read_all_stats TO pursight_reader;

CREATE DATABASE monitoring OWNER zabbix;
CREATE DATABASE ledger OWNER ledgersmb;
REVOKE ALL ON DATABASE monitoring, ledger FROM PUBLIC;
GRANT CONNECT ON DATABASE monitoring, ledger TO pursight_reader;
