-- name, kind, attribute numbers, definition, referenced schema and table, then the referenced columns' names.
-- With a parent: the engine's own copies of a foreign key for the partitions of the table that it references.
-- The engine prints a constraint slowly, so it prints only what is more than a key of plain columns; keys are put together
-- here, to the same text. A column that an older engine's catalog lacks is found in `older`: by its bare name.
SELECT 'constraint', k.conrelid, 0, ARRAY[
  k.conname::text, k.contype::text, k.conkey::text,
  CASE WHEN k.plain THEN
    CASE k.contype WHEN 'p' THEN 'PRIMARY KEY (' WHEN 'u' THEN 'UNIQUE (' ELSE 'FOREIGN KEY (' END
      || CASE WHEN cardinality(k.conkey) = 1 THEN (
        SELECT quote_ident(a.attname) FROM pg_attribute a WHERE a.attrelid = k.conrelid AND a.attnum = k.conkey[1]
      ) ELSE (
        SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY u.n) FROM unnest(k.conkey) WITH ORDINALITY u(attnum, n)
        CROSS JOIN LATERAL (
          SELECT * FROM pg_attribute a WHERE a.attrelid = k.conrelid AND a.attnum = u.attnum OFFSET 0
        ) a
      ) END || ')'
      || CASE WHEN k.contype = 'f' THEN
        ' REFERENCES ' || quote_ident(fn.nspname) || '.' || quote_ident(f.relname) || '('
        || (SELECT string_agg(quote_ident(r.name), ', ' ORDER BY r.n) FROM unnest(g.names) WITH ORDINALITY r(name, n)) || ')'
        || CASE k.confmatchtype WHEN 'f' THEN ' MATCH FULL' ELSE '' END
        || CASE k.confupdtype WHEN 'c' THEN ' ON UPDATE CASCADE' WHEN 'r' THEN ' ON UPDATE RESTRICT' ELSE '' END
        || CASE k.confdeltype WHEN 'c' THEN ' ON DELETE CASCADE' WHEN 'r' THEN ' ON DELETE RESTRICT' ELSE '' END
      ELSE '' END
    ELSE left(pg_get_constraintdef(k.oid, false), 65536) END,
  fn.nspname::text, f.relname::text] || g.names
FROM page p
CROSS JOIN (SELECT false AS conperiod, false AS indnullsnotdistinct) older
CROSS JOIN LATERAL (
  SELECT k.oid, k.conrelid, k.conname, k.contype, k.conkey, k.confrelid, k.confkey,
    k.confmatchtype, k.confupdtype, k.confdeltype,
    NOT k.condeferrable AND k.convalidated AND NOT conperiod AND CASE k.contype
      WHEN 'f' THEN k.confmatchtype IN ('s', 'f') AND k.confupdtype IN ('a', 'c', 'r') AND k.confdeltype IN ('a', 'c', 'r')
      WHEN 'p' THEN (SELECT i.indnatts = i.indnkeyatts FROM pg_index i WHERE i.indexrelid = k.conindid)
      WHEN 'u' THEN (
        SELECT i.indnatts = i.indnkeyatts AND NOT indnullsnotdistinct FROM pg_index i WHERE i.indexrelid = k.conindid)
      ELSE false END AS plain
  FROM pg_constraint k
  WHERE k.conrelid = p.relid AND k.contype IN ('p', 'u', 'f', 'c', 'x') AND k.conparentid = 0 OFFSET 0
) k
LEFT JOIN pg_class f ON f.oid = k.confrelid LEFT JOIN pg_namespace fn ON fn.oid = f.relnamespace
LEFT JOIN LATERAL (
  SELECT ARRAY(
    SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY u(attnum, n)
    CROSS JOIN LATERAL (
      SELECT * FROM pg_attribute a WHERE a.attrelid = k.confrelid AND a.attnum = u.attnum OFFSET 0
    ) a ORDER BY u.n) AS names OFFSET 0
) g ON k.contype = 'f'
