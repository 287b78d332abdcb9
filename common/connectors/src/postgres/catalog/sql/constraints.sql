-- name, kind, attribute numbers, definition, referenced schema and table, then the referenced columns' names.
-- With a parent: the engine's own copies of a foreign key for the partitions of the table that it references.
SELECT 'constraint', k.conrelid, 0, ARRAY[
  k.conname::text, k.contype::text, k.conkey::text, left(pg_get_constraintdef(k.oid, false), 65536), fn.nspname::text, f.relname::text]
  || g.names
FROM page p
JOIN pg_constraint k ON k.conrelid = p.relid AND k.contype IN ('p', 'u', 'f', 'c', 'x') AND k.conparentid = 0
LEFT JOIN pg_class f ON f.oid = k.confrelid LEFT JOIN pg_namespace fn ON fn.oid = f.relnamespace
LEFT JOIN (
  SELECT k.oid, array_agg(a.attname::text ORDER BY u.n) AS names
  FROM page p JOIN pg_constraint k ON k.conrelid = p.relid AND k.contype = 'f'
  CROSS JOIN LATERAL unnest(k.confkey) WITH ORDINALITY u(attnum, n)
  JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.attnum
  GROUP BY k.oid
) g ON g.oid = k.oid
