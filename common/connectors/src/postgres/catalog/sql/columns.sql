-- position: attribute number. name, type, not null, expression, identity, generated, collation, comment,
-- category, name (of a domain its base's) and kind of the type. OFFSET 0 makes it one index scan a table instead of a
-- scan of all columns a page.
SELECT 'column', p.oid, a.attnum::integer, ARRAY[
  a.attname::text, format_type(a.atttypid, a.atttypmod), CASE WHEN a.attnotnull THEN 't' END,
  CASE WHEN a.atthasdef THEN left(pg_get_expr(f.adbin, f.adrelid), 131072) END,
  a.attidentity::text, a.attgenerated::text,
  CASE WHEN a.attcollation <> t.typcollation THEN
    CASE WHEN cn.nspname = 'pg_catalog' THEN '' ELSE cn.nspname || '.' END || l.collname END,
  left(d.description, 32768), t.typcategory::text, COALESCE(b.typname, t.typname)::text, t.typtype::text]
FROM page p
CROSS JOIN LATERAL (
  SELECT * FROM pg_attribute a WHERE a.attrelid = p.relid AND a.attnum > 0 AND NOT a.attisdropped OFFSET 0
) a
JOIN pg_type t ON t.oid = a.atttypid LEFT JOIN pg_type b ON b.oid = t.typbasetype
LEFT JOIN pg_attrdef f ON f.adrelid = a.attrelid AND f.adnum = a.attnum
LEFT JOIN pg_collation l ON l.oid = a.attcollation LEFT JOIN pg_namespace cn ON cn.oid = l.collnamespace
LEFT JOIN pg_description d ON d.objoid = a.attrelid AND d.classoid = 'pg_class'::regclass AND d.objsubid = a.attnum
