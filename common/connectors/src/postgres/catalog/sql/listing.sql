-- Everything in scope: kind, schema, name, oid, oid of the table that a trigger sits on. One statement, one snapshot.
-- $1 LIKE patterns to include (none: everything), $2 to exclude, both on schema.name; $3 most rows wanted.
-- Left out: partitions (their root stands for them, its triggers for theirs), what extensions own, sequences that
-- a column owns (serial, identity), the constructors of range types, and whatever is internal.
WITH space AS MATERIALIZED (
  SELECT oid, nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'
), extension AS MATERIALIZED (
  SELECT classid, objid FROM pg_depend WHERE refclassid = 'pg_extension'::regclass AND deptype = 'e'
), relation AS MATERIALIZED (
  SELECT c.oid, c.relkind, c.relname, s.nspname
  FROM pg_class c JOIN space s ON s.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND NOT c.relispartition
    AND NOT EXISTS (SELECT FROM extension e WHERE e.classid = 'pg_class'::regclass AND e.objid = c.oid)
), found AS (
  SELECT CASE r.relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED_VIEW' WHEN 'f' THEN 'FOREIGN_TABLE'
      WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END AS kind,
    r.nspname, r.relname::text AS name, r.oid, NULL::oid AS parent
  FROM relation r
  WHERE r.relkind <> 'S' OR NOT EXISTS (
    SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = r.oid
      AND d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i'))
  UNION ALL
  SELECT 'ROUTINE', s.nspname, p.proname || '(' || oidvectortypes(p.proargtypes) || ')', p.oid, NULL
  FROM pg_proc p JOIN space s ON s.oid = p.pronamespace
  WHERE NOT EXISTS (SELECT FROM extension e WHERE e.classid = 'pg_proc'::regclass AND e.objid = p.oid)
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'i')
  UNION ALL
  SELECT 'TRIGGER', r.nspname, r.relname || '.' || t.tgname, t.oid, r.oid
  FROM pg_trigger t JOIN relation r ON r.oid = t.tgrelid
  WHERE NOT t.tgisinternal
  UNION ALL
  SELECT 'TYPE', s.nspname, t.typname::text, t.oid, NULL
  FROM pg_type t JOIN space s ON s.oid = t.typnamespace LEFT JOIN pg_class c ON c.oid = t.typrelid
  WHERE t.typtype IN ('e', 'd', 'r', 'c') AND (t.typtype <> 'c' OR c.relkind = 'c')
    AND NOT EXISTS (SELECT FROM extension e WHERE e.classid = 'pg_type'::regclass AND e.objid = t.oid)
)
SELECT kind, nspname, name, oid, parent
FROM found
WHERE (cardinality($1::text[]) = 0 OR ((nspname || '.' || name) COLLATE "C") LIKE ANY ($1::text[]))
  AND NOT ((nspname || '.' || name) COLLATE "C") LIKE ANY ($2::text[])
ORDER BY kind, oid
LIMIT $3::bigint
