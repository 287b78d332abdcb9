-- What LedgerSMB's installer creates before its schema, and statement statistics as in monitoring.
CREATE EXTENSION pg_trgm;
CREATE EXTENSION btree_gist;
CREATE EXTENSION tablefunc;
CREATE EXTENSION pgcrypto;
CREATE EXTENSION pg_stat_statements;
