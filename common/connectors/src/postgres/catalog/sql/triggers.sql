-- A trigger has no owner of its own.
SELECT 'object', p.oid, 0, ARRAY[
  'TRIGGER', p.nspname::text, p.relname || '.' || p.tgname, NULL, left(d.description, 32768), left(pg_get_triggerdef(p.oid, false), 131072)]
FROM page p
LEFT JOIN pg_description d ON d.objoid = p.oid AND d.classoid = 'pg_trigger'::regclass AND d.objsubid = 0
