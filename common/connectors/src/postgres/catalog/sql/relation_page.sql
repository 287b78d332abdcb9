-- The relations of one page by oid ($1), what each needs, and all partitions below them.
-- Every statement of details is one snapshot: parts with a word, the object's oid, a position and texts. Texts are cut
-- far beyond what is kept, so that no row comes near the 1 MiB that a session accepts.
WITH RECURSIVE page AS MATERIALIZED (
  SELECT c.oid, c.oid AS relid, c.relkind, c.relname, c.relowner,
    (SELECT n.nspname FROM pg_namespace n WHERE n.oid = c.relnamespace) AS nspname
  FROM unnest($1::oid[]) k(oid) CROSS JOIN LATERAL (SELECT * FROM pg_class c WHERE c.oid = k.oid OFFSET 0) c
), partition AS (
  SELECT p.oid AS root, i.inhrelid AS oid
  FROM page p JOIN pg_inherits i ON i.inhparent = p.oid WHERE p.relkind = 'p'
  UNION ALL
  SELECT p.root, i.inhrelid FROM partition p JOIN pg_inherits i ON i.inhparent = p.oid
), page_index AS MATERIALIZED (
  -- Without those that a constraint owns, and without invalid ones (half-built, or the shadow of a reindex). OFFSET 0
  -- keeps the planner from joining whole catalogs where it mistakes how many rows an anti-join leaves. The column that an
  -- older engine's catalog lacks is found in `older`: by its bare name.
  SELECT p.relkind, p.nspname, p.relname AS tablename, x.*
  FROM page p CROSS JOIN (SELECT false AS indnullsnotdistinct) older CROSS JOIN LATERAL (
    SELECT i.indexrelid, i.indrelid, i.indisunique, i.indnkeyatts, i.indkey, i.indclass, i.indcollation, i.indoption,
      c.relname, c.relam,
      i.indexprs IS NULL AND i.indpred IS NULL AND c.reloptions IS NULL AND i.indnatts = i.indnkeyatts
        AND NOT indnullsnotdistinct AS plain
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
    WHERE i.indrelid = p.relid AND (i.indisvalid OR p.relkind = 'p') AND NOT i.indisprimary
      AND NOT ((i.indisunique OR i.indisexclusion) AND EXISTS (
        SELECT FROM pg_constraint k
        WHERE k.conrelid = p.relid AND k.conindid = i.indexrelid AND k.contype IN ('u', 'x')))
    OFFSET 0
  ) x
), need AS (
  SELECT p.oid, d.refclassid, d.refobjid
  FROM page p JOIN pg_rewrite r ON r.ev_class = p.oid
  JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
  WHERE p.relkind IN ('v', 'm') AND d.deptype = 'n' AND d.refobjid <> p.oid
    AND d.refclassid IN ('pg_class'::regclass, 'pg_proc'::regclass)
  UNION
  SELECT p.oid, 'pg_class'::regclass, i.inhparent FROM page p JOIN pg_inherits i ON i.inhrelid = p.oid
)
