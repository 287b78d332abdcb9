-- The read rights of pursight_reader in one database, for what is there and for what its owners create later.
SELECT format('GRANT USAGE ON SCHEMA %1$I TO pursight_reader;'
              'GRANT SELECT ON ALL TABLES IN SCHEMA %1$I TO pursight_reader;'
              'GRANT SELECT ON ALL SEQUENCES IN SCHEMA %1$I TO pursight_reader', nspname)
FROM pg_namespace
WHERE nspname NOT LIKE 'pg\_%' AND nspname <> 'information_schema'
\gexec

ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO pursight_reader;
ALTER DEFAULT PRIVILEGES FOR ROLE zabbix, ledgersmb GRANT SELECT ON TABLES TO pursight_reader;
ANALYZE;
