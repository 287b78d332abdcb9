-- Types of one page by oid ($1).
WITH page AS MATERIALIZED (
  SELECT t.oid, t.typrelid AS relid, t.typname, t.typtype, t.typowner, n.nspname,
    t.typbasetype, t.typtypmod, t.typnotnull, t.typdefault, t.typcollation
  FROM unnest($1::oid[]) k(oid) JOIN pg_type t ON t.oid = k.oid JOIN pg_namespace n ON n.oid = t.typnamespace
)
