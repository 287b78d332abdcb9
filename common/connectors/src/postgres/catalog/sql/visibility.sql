-- The role, its rights and the server. The system identifier tells a restored or promoted copy from the original; where
-- the role may not read it, the database's oid has to do.
WITH RECURSIVE me AS (
  SELECT oid, rolname, rolsuper FROM pg_roles WHERE rolname = current_user
), member AS (
  SELECT m.roleid FROM me JOIN pg_auth_members m ON m.member = me.oid
  UNION
  SELECT m.roleid FROM member b JOIN pg_auth_members m ON m.member = b.roleid
)
SELECT me.rolname, me.rolsuper,
  ARRAY(SELECT r.rolname::text FROM member b JOIN pg_roles r ON r.oid = b.roleid ORDER BY r.rolname),
  ARRAY(SELECT n.nspname::text FROM pg_namespace n WHERE NOT has_schema_privilege(n.oid, 'USAGE')
    AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' ORDER BY n.nspname),
  CASE WHEN has_function_privilege('pg_control_system()', 'EXECUTE') THEN (SELECT system_identifier::text FROM pg_control_system())
    ELSE (SELECT oid::text FROM pg_database WHERE datname = current_database()) END || '/' || current_database(),
  pg_is_in_recovery()
FROM me
