-- Where streams meet. `security_invoker`: the reader's own policies hold on the tables behind a view.

CREATE VIEW v_source WITH (security_invoker = true) AS
SELECT
    s.tenant_id, s.source_id, s.name, s.state, s.version,
    s.source_type, s.location, s.environment, s.criticality, s.data_classification, s.owner, s.tags,
    s.spec ->> 'description'                          AS description,
    s.spec -> 'hosts'                                 AS hosts,
    s.spec ->> 'database'                             AS database,
    s.spec ->> 'username'                             AS username,
    s.spec -> 'credential'                            AS credential,
    s.spec -> 'tls'                                   AS tls,
    s.spec -> 'cloud'                                 AS cloud,
    s.spec -> 'replica'                               AS replica,
    s.spec -> 'pool'                                  AS pool,
    s.spec -> 'options'                               AS options,
    (s.spec ->> 'monitoring_enabled')::BOOLEAN        AS monitoring_enabled,
    (s.spec ->> 'backup_enabled')::BOOLEAN            AS backup_enabled,
    (s.spec ->> 'encryption_enabled')::BOOLEAN        AS encryption_enabled,
    s.spec -> 'properties'                            AS properties,
    s.spec -> 'external_refs'                         AS external_refs,
    s.spec -> 'scope'                                 AS scope,
    s.created_at, s.created_by, s.updated_at, s.updated_by, s.deleted_at, s.last_command_id,
    t.result                                          AS last_test_result,
    t.code                                            AS last_test_code,
    t.failed_step                                     AS last_test_failed_step,
    t.latency_us                                      AS last_test_latency_us,
    t.tested_at                                       AS last_test_at,
    EXTRACT(EPOCH FROM now() - t.tested_at)::BIGINT   AS last_test_age_s,
    t.server                                          AS server,
    d.run_id                                          AS last_discovery_run_id,
    d.state                                           AS last_discovery_state,
    d.started_at                                      AS last_discovery_at,
    EXTRACT(EPOCH FROM now() - d.started_at)::BIGINT  AS last_discovery_age_s,
    d.complete                                        AS last_discovery_complete,
    h.held                                            AS deletions_held,
    COALESCE(CASE WHEN d.run_id IS NOT NULL THEN o.live END, g.object_count) AS object_count,
    g.size_bytes, g.row_estimate, g.cache_hit_ratio_ppm, g.query_time_p50_us, g.query_time_p95_us,
    g.connections_used, g.connections_max,
    g.collected_at                                    AS statistics_at
FROM data_source s
LEFT JOIN LATERAL (
    SELECT c.result, c.code, c.failed_step, c.latency_us, c.tested_at, c.server
    FROM connection_test c
    WHERE c.tenant_id = s.tenant_id AND c.source_id = s.source_id
    ORDER BY c.tested_at DESC, c.run_id LIMIT 1
) t ON true
LEFT JOIN LATERAL (
    SELECT r.run_id, r.state, r.started_at, r.complete
    FROM run r
    WHERE r.tenant_id = s.tenant_id AND r.source_id = s.source_id AND r.kind = 'DISCOVER'
    ORDER BY r.started_at DESC, r.run_id LIMIT 1
) d ON true
LEFT JOIN LATERAL (
    SELECT count(*) AS live
    FROM schema_object x
    WHERE x.tenant_id = s.tenant_id AND x.source_id = s.source_id AND x.state = 'LIVE' AND x.in_scope
      AND x.kind IN ('TABLE', 'VIEW', 'MATERIALIZED_VIEW', 'FOREIGN_TABLE')
) o ON true
LEFT JOIN LATERAL (
    SELECT count(*) AS held
    FROM schema_object x
    WHERE x.tenant_id = s.tenant_id AND x.source_id = s.source_id AND x.held_by_run IS NOT NULL
) h ON true
LEFT JOIN LATERAL (
    SELECT g.*
    FROM source_statistics g
    WHERE g.tenant_id = s.tenant_id AND g.source_id = s.source_id
    ORDER BY g.collected_at DESC, g.run_id LIMIT 1
) g ON true;

-- A run as its three streams tell it: what was asked (work), what happened (results), what the command was answered.
-- Two arms instead of a full join, so that a filter on run or source reaches the indexes of both tables.
CREATE VIEW v_run WITH (security_invoker = true) AS
SELECT
    x.tenant_id, x.run_id, x.source_id, x.kind,
    CASE
        WHEN x.run_state IN ('SUCCEEDED', 'FAILED', 'CANCELLED') THEN x.run_state
        WHEN c.state IN ('SUCCEEDED', 'FAILED', 'CANCELLED') THEN c.state
        WHEN c.state IN ('DEAD_LETTERED', 'REJECTED') THEN 'FAILED'
        WHEN x.run_state IS NOT NULL OR c.state = 'RUNNING' THEN 'RUNNING'
        ELSE 'QUEUED'
    END                                               AS state,
    x.result, COALESCE(x.attempt, 0) AS attempt, x.command_id, x.correlation_id,
    COALESCE(x.command_type, c.command_type)          AS command_type,
    x.answers_command, x.source_version, x.full_listing, x.exact, x.dry_run, x.confirms,
    x.strategy, x.scope, x.principal, x.asked_at, x.deadline, x.started_at,
    COALESCE(x.ended_at, c.ended_at)                  AS ended_at,
    COALESCE(x.duration_us,
        (EXTRACT(EPOCH FROM COALESCE(x.ended_at, c.ended_at) - x.started_at) * 1000000)::BIGINT) AS duration_us,
    (EXTRACT(EPOCH FROM x.started_at - x.asked_at) * 1000000)::BIGINT AS waited_us,
    COALESCE(x.problem, c.problem)                    AS problem,
    COALESCE(x.problem, c.problem) ->> 'code'         AS code,
    x.counts, x.complete, x.unreadable, x.queries, x.rows_read,
    x.objects_observed, x.objects_changed, x.objects_dropped, x.objects_held, x.listed_before, x.listed_now,
    c.progress_done, c.progress_total, c.progress_message,
    c.result                                          AS command_result,
    c.preview
FROM (
    SELECT
        w.tenant_id, w.run_id, w.source_id, w.kind, r.state AS run_state, r.result, r.attempt, w.command_id,
        w.correlation_id, w.command_type, w.answers_command, w.source_version, w.full_listing, w.exact, w.dry_run,
        w.confirms, COALESCE(r.strategy, w.strategy) AS strategy, COALESCE(r.scope, w.scope) AS scope, w.principal,
        w.asked_at, w.deadline, r.started_at, r.ended_at, r.duration_us, r.problem, r.counts, r.complete,
        r.unreadable, r.queries, r.rows_read, r.objects_observed, r.objects_changed, r.objects_dropped,
        r.objects_held, r.listed_before, r.listed_now
    FROM work_item w
    LEFT JOIN run r ON r.tenant_id = w.tenant_id AND r.run_id = w.run_id
    UNION ALL
    SELECT
        r.tenant_id, r.run_id, r.source_id, r.kind, r.state, r.result, r.attempt, r.command_id,
        r.correlation_id, NULL, r.command_id = r.run_id, NULL, NULL, NULL, NULL,
        NULL, r.strategy, r.scope, r.principal,
        r.started_at, NULL, r.started_at, r.ended_at, r.duration_us, r.problem, r.counts, r.complete,
        r.unreadable, r.queries, r.rows_read, r.objects_observed, r.objects_changed, r.objects_dropped,
        r.objects_held, r.listed_before, r.listed_now
    FROM run r
    WHERE NOT EXISTS (SELECT FROM work_item w WHERE w.tenant_id = r.tenant_id AND w.run_id = r.run_id)
) x
LEFT JOIN command c ON c.tenant_id = x.tenant_id AND c.command_id = x.command_id AND x.answers_command;

CREATE VIEW v_schema_history WITH (security_invoker = true) AS
SELECT
    c.tenant_id, c.source_id, s.name AS source_name, c.object_id, c.catalog, c.schema, c.name, c.object_kind,
    c.run_id, c.changed_at, c.kind, c.severity, c.path, c.before, c.after, c.certainty, c.from_hash, c.to_hash,
    c.event_id, c.position,
    o.name AS name_now, o.schema AS schema_now, o.version AS version_now, o.state AS state_now
FROM schema_change c
LEFT JOIN data_source s ON s.tenant_id = c.tenant_id AND s.source_id = c.source_id
LEFT JOIN schema_object o ON o.tenant_id = c.tenant_id AND o.source_id = c.source_id AND o.object_id = c.object_id;
