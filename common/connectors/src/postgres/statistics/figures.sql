-- Tables, views, materialised and foreign tables in scope: kind, schema, name, oid, size in bytes, rows; null where the
-- server knows no figure. Estimates from the catalog only: no file and no table is touched. One statement, one snapshot.
-- $1 LIKE patterns to include (none: everything), $2 to exclude, both on schema.name; $3 most rows wanted.
-- A partition counts for its root. A relation that was never analysed has no estimate (before version 14: zero of both).
WITH space AS MATERIALIZED (
  SELECT oid, nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'
), indexed AS MATERIALIZED (
  SELECT i.indrelid, sum(c.relpages::bigint) AS pages
  FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
  WHERE c.relkind = 'i'
  GROUP BY i.indrelid
), member AS (
  SELECT CASE WHEN c.relispartition THEN pg_partition_root(c.oid)::oid ELSE c.oid END AS root,
    CASE WHEN c.relkind <> 'f' THEN c.relpages::bigint + COALESCE(own.pages, 0) + COALESCE(t.relpages::bigint, 0) + COALESCE(toast.pages, 0) END
      AS pages,
    c.reltuples
  FROM pg_class c
    LEFT JOIN indexed own ON own.indrelid = c.oid
    LEFT JOIN pg_class t ON t.oid = c.reltoastrelid AND c.reltoastrelid <> 0
    LEFT JOIN indexed toast ON toast.indrelid = t.oid
  WHERE c.relkind IN ('r', 'm', 'f') AND (c.relispartition OR c.relnamespace IN (SELECT oid FROM space))
    AND c.reltuples >= 0
    AND NOT (current_setting('server_version_num')::integer < 140000 AND c.relpages = 0 AND c.reltuples = 0)
), figure AS (
  SELECT root, sum(pages) AS pages, sum(reltuples::double precision) AS tuples FROM member GROUP BY root
)
SELECT CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED_VIEW' WHEN 'f' THEN 'FOREIGN_TABLE' ELSE 'TABLE' END,
  s.nspname::text, c.relname::text, c.oid,
  (f.pages * current_setting('block_size')::bigint)::bigint, f.tuples::bigint
FROM pg_class c
  JOIN space s ON s.oid = c.relnamespace
  LEFT JOIN figure f ON f.root = c.oid
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
  AND (cardinality($1::text[]) = 0 OR ((s.nspname || '.' || c.relname) COLLATE "C") LIKE ANY ($1::text[]))
  AND NOT ((s.nspname || '.' || c.relname) COLLATE "C") LIKE ANY ($2::text[])
ORDER BY c.oid
LIMIT $3::bigint
