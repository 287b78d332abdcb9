-- kind, schema, name, oid of what each object of the page needs: only kinds that a listing holds, no system objects,
-- nothing of an extension; of a partition its root, of a row type its table, of an array type its element.
SELECT 'dependency', x.oid, 0, ARRAY[x.kind, n.nspname::text, x.name, x.native::text]
FROM (
  SELECT s.oid, CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED_VIEW' WHEN 'f' THEN 'FOREIGN_TABLE'
      ELSE 'TABLE' END AS kind, c.relnamespace AS space, c.relname::text AS name, c.oid AS native, 'pg_class'::regclass AS class
  FROM need s JOIN pg_class f ON f.oid = s.refobjid
  JOIN pg_class c ON c.oid = CASE WHEN f.relispartition THEN pg_partition_root(f.oid)::oid ELSE f.oid END
  WHERE s.refclassid = 'pg_class'::regclass AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
  UNION ALL
  SELECT s.oid, 'ROUTINE', f.pronamespace, f.proname || '(' || oidvectortypes(f.proargtypes) || ')', f.oid, 'pg_proc'::regclass
  FROM need s JOIN pg_proc f ON f.oid = s.refobjid
  WHERE s.refclassid = 'pg_proc'::regclass
  UNION ALL
  SELECT s.oid, CASE c.relkind WHEN 'r' THEN 'TABLE' WHEN 'p' THEN 'TABLE' WHEN 'v' THEN 'VIEW'
      WHEN 'm' THEN 'MATERIALIZED_VIEW' WHEN 'f' THEN 'FOREIGN_TABLE' ELSE 'TYPE' END,
    COALESCE(c.relnamespace, t.typnamespace), COALESCE(c.relname, t.typname)::text,
    CASE WHEN c.relkind <> 'c' THEN c.oid ELSE t.oid END,
    CASE WHEN c.relkind <> 'c' THEN 'pg_class'::regclass ELSE 'pg_type'::regclass END
  FROM need s JOIN pg_type f ON f.oid = s.refobjid
  JOIN pg_type t ON t.oid = CASE WHEN f.typcategory = 'A' AND f.typelem <> 0 THEN f.typelem ELSE f.oid END
  LEFT JOIN pg_class c ON c.oid = t.typrelid
  WHERE s.refclassid = 'pg_type'::regclass AND t.typtype IN ('e', 'd', 'r', 'c')
) x
JOIN pg_namespace n ON n.oid = x.space AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
WHERE x.native <> x.oid
  AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = x.class AND e.objid = x.native AND e.deptype = 'e')
