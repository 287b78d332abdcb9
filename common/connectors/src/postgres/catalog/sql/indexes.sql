-- name, unique, method, definition, then the key columns: a column's name, an expression as the engine prints it.
-- The engine takes 0.1 ms to print an index, so it prints only what is more than plain columns in the types' default
-- operator classes and collations; the others are put together here, to the same text.
SELECT 'index', i.indrelid, 0, ARRAY[
  i.relname::text, CASE WHEN i.indisunique THEN 't' END, m.amname::text,
  CASE WHEN i.plain AND g.plain
    THEN 'CREATE ' || CASE WHEN i.indisunique THEN 'UNIQUE ' ELSE '' END || 'INDEX ' || quote_ident(i.relname)
      || ' ON ' || CASE WHEN i.relkind = 'p' THEN 'ONLY ' ELSE '' END
      || quote_ident(i.nspname) || '.' || quote_ident(i.tablename)
      || ' USING ' || quote_ident(m.amname) || ' (' || g.keys || ')'
    ELSE left(pg_get_indexdef(i.indexrelid), 65536) END]
  || g.names
FROM page_index i
JOIN pg_am m ON m.oid = i.relam
JOIN (
  SELECT i.indexrelid,
    array_agg(COALESCE(a.attname::text, left(pg_get_indexdef(i.indexrelid, u.n::integer, true), 4096)) ORDER BY u.n) AS names,
    string_agg(quote_ident(a.attname) || CASE u.flags & 3 WHEN 1 THEN ' DESC NULLS LAST' WHEN 2 THEN ' NULLS FIRST'
      WHEN 3 THEN ' DESC' ELSE '' END, ', ' ORDER BY u.n) AS keys,
    bool_and(o.opcdefault AND u.coll IN (0, a.attcollation)
      AND (o.opcintype = a.atttypid OR (o.opcintype = 'text'::regtype AND a.atttypid = 'varchar'::regtype))) AS plain
  FROM page_index i
  CROSS JOIN LATERAL unnest(i.indkey::smallint[], i.indclass::oid[], i.indcollation::oid[], i.indoption::smallint[])
    WITH ORDINALITY u(attnum, class, coll, flags, n)
  JOIN pg_opclass o ON o.oid = u.class
  LEFT JOIN LATERAL (
    SELECT * FROM pg_attribute a WHERE a.attrelid = i.indrelid AND a.attnum = u.attnum OFFSET 0
  ) a ON true
  WHERE u.n <= i.indnkeyatts
  GROUP BY i.indexrelid
) g ON g.indexrelid = i.indexrelid
