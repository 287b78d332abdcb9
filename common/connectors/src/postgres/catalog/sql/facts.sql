-- Version, role in replication, sessions. A role without pg_read_all_stats sees no backend_type of others' sessions,
-- but it sees the database of each session that has one.
SELECT current_setting('server_version'), current_setting('server_version_num')::integer, pg_is_in_recovery(),
  (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' OR (backend_type IS NULL AND datid IS NOT NULL)),
  current_setting('max_connections')::bigint - current_setting('superuser_reserved_connections')::bigint
    - COALESCE(current_setting('reserved_connections', true)::bigint, 0)
