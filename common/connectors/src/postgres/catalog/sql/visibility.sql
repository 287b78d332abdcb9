-- The role, its rights, the database and the server's part in replication.
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
  (SELECT oid::text FROM pg_database WHERE datname = current_database()), current_database()::text,
  pg_is_in_recovery()
FROM me
