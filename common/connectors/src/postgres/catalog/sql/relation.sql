-- kind, schema, name, owner, comment, definition (of views), partition strategy, partition key
SELECT 'object' AS part, p.oid, 0 AS position, ARRAY[
  CASE p.relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED_VIEW' WHEN 'f' THEN 'FOREIGN_TABLE' ELSE 'TABLE' END,
  p.nspname::text, p.relname::text, pg_get_userbyid(p.relowner)::text, left(d.description, 32768),
  CASE WHEN p.relkind IN ('v', 'm') THEN left(pg_get_viewdef(p.oid, false), 131072) END,
  CASE t.partstrat WHEN 'r' THEN 'RANGE' WHEN 'l' THEN 'LIST' WHEN 'h' THEN 'HASH' END,
  CASE WHEN p.relkind = 'p' THEN left(pg_get_partkeydef(p.oid), 131072) END] AS texts
FROM page p
LEFT JOIN LATERAL (
  SELECT * FROM pg_description d WHERE d.objoid = p.oid AND d.classoid = 'pg_class'::regclass AND d.objsubid = 0 OFFSET 0
) d ON true
LEFT JOIN pg_partitioned_table t ON t.partrelid = p.oid
