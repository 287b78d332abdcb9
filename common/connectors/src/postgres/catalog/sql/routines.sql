-- An aggregate has no definition that the engine would print.
SELECT 'object', p.oid, 0, ARRAY[
  'ROUTINE', p.nspname::text, p.proname || '(' || oidvectortypes(p.proargtypes) || ')', pg_get_userbyid(p.proowner)::text,
  left(d.description, 32768), CASE WHEN p.prokind <> 'a' THEN left(pg_get_functiondef(p.oid), 131072) END]
FROM page p
LEFT JOIN pg_description d ON d.objoid = p.oid AND d.classoid = 'pg_proc'::regclass AND d.objsubid = 0
