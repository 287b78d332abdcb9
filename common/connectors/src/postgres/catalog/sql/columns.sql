-- position: attribute number. name, type, not null, expression, identity, generated, collation, category, name (of a domain
-- its base's) and kind of the type. OFFSET 0 makes it one index scan a table instead of a scan of all columns a page, and
-- has each type printed once and remembered. What few columns have is looked up for those alone. A default speaks of no
-- column, so it is printed without its table: the engine would open each table, which costs more than all the printing.
SELECT 'column', p.oid, a.attnum::integer, ARRAY[
  a.attname::text, t.printed, CASE WHEN a.attnotnull THEN 't' END,
  CASE WHEN a.atthasdef THEN (
    SELECT left(pg_get_expr(f.adbin, CASE WHEN a.attgenerated <> '' THEN f.adrelid ELSE 0 END), 131072) FROM pg_attrdef f
    WHERE f.adrelid = a.attrelid AND f.adnum = a.attnum) END,
  a.attidentity::text, a.attgenerated::text,
  CASE WHEN a.attcollation <> t.typcollation THEN (
    SELECT CASE WHEN n.nspname = 'pg_catalog' THEN '' ELSE n.nspname || '.' END || l.collname
    FROM pg_collation l JOIN pg_namespace n ON n.oid = l.collnamespace WHERE l.oid = a.attcollation) END,
  t.category, t.name, t.kind]
FROM page p
CROSS JOIN LATERAL (
  SELECT * FROM pg_attribute a WHERE a.attrelid = p.relid AND a.attnum > 0 AND NOT a.attisdropped OFFSET 0
) a
CROSS JOIN LATERAL (
  SELECT format_type(t.oid, a.atttypmod) AS printed, t.typcollation, t.typcategory::text AS category, t.typtype::text AS kind,
    COALESCE((SELECT b.typname FROM pg_type b WHERE b.oid = t.typbasetype), t.typname)::text AS name
  FROM pg_type t WHERE t.oid = a.atttypid OFFSET 0
) t
UNION ALL
-- position: attribute number. The comment.
SELECT 'comment', p.oid, d.objsubid, ARRAY[left(d.description, 32768)]
FROM page p
CROSS JOIN LATERAL (
  SELECT * FROM pg_description d
  WHERE d.objoid = p.relid AND d.classoid = 'pg_class'::regclass AND d.objsubid > 0 OFFSET 0
) d
