-- Routines of one page by oid ($1), and what each needs.
WITH page AS MATERIALIZED (
  SELECT p.oid, p.proname, p.proargtypes, p.prokind, p.proowner, n.nspname
  FROM unnest($1::oid[]) k(oid) JOIN pg_proc p ON p.oid = k.oid JOIN pg_namespace n ON n.oid = p.pronamespace
), need AS (
  SELECT DISTINCT p.oid, d.refclassid, d.refobjid
  FROM page p JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid
  WHERE d.deptype = 'n' AND d.refclassid IN ('pg_class'::regclass, 'pg_proc'::regclass, 'pg_type'::regclass)
)
