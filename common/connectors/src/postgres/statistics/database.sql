-- The current database: name, oid, size where the role may ask for it, block hits and reads, when those were reset, when
-- the server started (both microseconds since 1970).
SELECT d.datname::text, d.oid::bigint,
  CASE WHEN has_database_privilege(d.oid, 'CONNECT') THEN pg_database_size(d.oid) END,
  s.blks_hit, s.blks_read,
  COALESCE((extract(epoch FROM s.stats_reset) * 1000000)::bigint, 0),
  (extract(epoch FROM pg_postmaster_start_time()) * 1000000)::bigint
FROM pg_database d JOIN pg_stat_database s ON s.datid = d.oid
WHERE d.datname = current_database()
