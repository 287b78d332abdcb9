-- name, kind, attribute numbers, definition, referenced schema and table, then the referenced columns' names.
-- With a parent: the engine's own copies of a foreign key for the partitions of the table that it references.
SELECT 'constraint', k.conrelid, 0, ARRAY[
  k.conname::text, k.contype::text, k.conkey::text, left(pg_get_constraintdef(k.oid, false), 65536), fn.nspname::text, f.relname::text]
  || CASE WHEN k.contype = 'f' THEN ARRAY(
    SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY u(attnum, n)
    CROSS JOIN LATERAL (
      SELECT * FROM pg_attribute a WHERE a.attrelid = k.confrelid AND a.attnum = u.attnum OFFSET 0
    ) a ORDER BY u.n) END
FROM page p
CROSS JOIN LATERAL (
  SELECT * FROM pg_constraint k
  WHERE k.conrelid = p.relid AND k.contype IN ('p', 'u', 'f', 'c', 'x') AND k.conparentid = 0 OFFSET 0
) k
LEFT JOIN pg_class f ON f.oid = k.confrelid LEFT JOIN pg_namespace fn ON fn.oid = f.relnamespace
