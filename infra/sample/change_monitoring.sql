-- What the customer changes in monitoring: one way when called, back when called again. Ends by saying what was done,
-- and which kinds of change the next discovery must find.
SET ROLE zabbix;
SELECT NOT EXISTS (SELECT FROM information_schema.columns
                   WHERE table_schema = 'public' AND table_name = 'hosts' AND column_name = 'asset_tag') AS forth
\gset
BEGIN;
\if :forth
ALTER TABLE hosts ADD COLUMN asset_tag varchar(32);
CREATE INDEX hosts_by_maintenance ON hosts (maintenance_status, maintenance_type);
ALTER TABLE problem ALTER COLUMN name TYPE varchar(4096);
COMMENT ON TABLE hosts IS 'Every monitored machine, with its asset tag';
\echo 'hosts: column asset_tag and index hosts_by_maintenance added, comment changed; problem: name made wider'
\echo 'expect COLUMN_ADDED INDEX_ADDED COLUMN_TYPE_WIDENED COMMENT_CHANGED'
\else
DROP INDEX hosts_by_maintenance;
ALTER TABLE hosts DROP COLUMN asset_tag;
ALTER TABLE problem ALTER COLUMN name TYPE varchar(2048);
COMMENT ON TABLE hosts IS 'Every monitored machine';
\echo 'hosts: column asset_tag and index hosts_by_maintenance dropped, comment changed; problem: name made narrower'
\echo 'expect COLUMN_DROPPED INDEX_DROPPED COLUMN_TYPE_NARROWED COMMENT_CHANGED'
\endif
COMMIT;
