-- Triggers of one page by oid ($1): each needs its table and its function.
WITH page AS MATERIALIZED (
  SELECT t.oid, t.tgname, t.tgrelid, t.tgfoid, c.relname, n.nspname
  FROM unnest($1::oid[]) k(oid) JOIN pg_trigger t ON t.oid = k.oid
  JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
), need AS (
  SELECT oid, 'pg_class'::regclass AS refclassid, tgrelid AS refobjid FROM page
  UNION ALL
  SELECT oid, 'pg_proc'::regclass, tgfoid FROM page
)
