-- One statement, hence one snapshot: a name that is free in it was free at exactly the positions that it returns.
-- OFFSET 0 makes each a look-up by index for every key that was asked for, and never a walk through all rows.
WITH by_id AS (
    SELECT s.tenant_id, s.source_id, s.version, s.state, s.name_key, s.spec
    FROM UNNEST($4::text[], $5::uuid[]) AS wanted (tenant_id, source_id)
    CROSS JOIN LATERAL (
        SELECT * FROM data_source s WHERE s.tenant_id = wanted.tenant_id AND s.source_id = wanted.source_id OFFSET 0
    ) s
), by_filter AS (
    SELECT s.tenant_id, s.source_id, s.version, s.state, s.name_key, s.spec
    FROM data_source s
    WHERE s.tenant_id = $13
      AND s.state IN ('ACTIVE', 'PAUSED')
      AND (CARDINALITY($14::text[]) = 0 OR s.source_type = ANY ($14))
      AND (CARDINALITY($15::text[]) = 0 OR s.environment = ANY ($15))
      AND (CARDINALITY($16::text[]) = 0 OR s.tags && $16)
      AND ($17::text IS NULL OR s.name_key LIKE $17 ESCAPE '\')
    ORDER BY s.source_id
    LIMIT $18
), found AS (
    SELECT * FROM by_id UNION SELECT * FROM by_filter
), wanted_name AS (
    SELECT tenant_id, name_key FROM UNNEST($6::text[], $7::text[]) AS wanted (tenant_id, name_key)
    UNION
    SELECT tenant_id, name_key FROM by_id
), taken AS (
    SELECT n.tenant_id, n.name_key, s.source_id
    FROM wanted_name n
    LEFT JOIN LATERAL (
        SELECT s.source_id
        FROM data_source s
        WHERE s.tenant_id = n.tenant_id AND s.name_key = n.name_key AND s.state IN ('ACTIVE', 'PAUSED')
        OFFSET 0
    ) s ON TRUE
), decided AS (
    SELECT c.tenant_id, c.command_id, c.payload_sha256
    FROM UNNEST($8::text[], $9::uuid[]) AS wanted (tenant_id, command_id)
    CROSS JOIN LATERAL (
        SELECT * FROM command c WHERE c.tenant_id = wanted.tenant_id AND c.command_id = wanted.command_id OFFSET 0
    ) c
), wanted_run AS (
    SELECT DISTINCT tenant_id, run_id FROM UNNEST($10::text[], $11::uuid[]) AS wanted (tenant_id, run_id)
), known_run AS (
    SELECT w.tenant_id, w.run_id, c.command_id, c.command_type,
           c.state = 'REJECTED' AS rejected, c.ended_at IS NOT NULL AS ended
    FROM wanted_run w
    CROSS JOIN LATERAL (
        SELECT * FROM command c WHERE c.tenant_id = w.tenant_id AND c.command_id = w.run_id OFFSET 0
    ) c
    UNION ALL
    -- A follow-up run: its command ended when it was decided, the run itself when its own last event said so.
    SELECT w.tenant_id, w.run_id, c.command_id, c.command_type, FALSE,
           EXISTS (SELECT FROM run r
                   WHERE r.tenant_id = w.tenant_id AND r.run_id = w.run_id AND r.ended_at IS NOT NULL)
    FROM wanted_run w
    CROSS JOIN LATERAL (
        SELECT command_id, command_type
        FROM command
        WHERE tenant_id = w.tenant_id
          AND run_ids @> ARRAY[w.run_id]
          AND command_id <> w.run_id
          AND command_type = 'io.pursight.command.CreateDataSource'
        OFFSET 0
    ) c
), live AS (
    SELECT s.tenant_id, COUNT(*) AS sources
    FROM data_source s
    WHERE s.tenant_id = ANY ($12) AND s.state IN ('ACTIVE', 'PAUSED')
    GROUP BY s.tenant_id
)
SELECT
    COALESCE((SELECT next_offset FROM projection_position WHERE topic = $1 AND partition = $3), 0) AS "source_next!",
    COALESCE((SELECT next_offset FROM projection_position WHERE topic = $2 AND partition = $3), 0) AS "outcome_next!",
    COALESCE((SELECT JSONB_AGG(TO_JSONB(taken)) FROM taken), '[]') AS "names!: Json<Vec<NameRow>>",
    COALESCE((SELECT JSONB_AGG(TO_JSONB(found)) FROM found), '[]') AS "sources!: Json<Vec<SourceRow>>",
    COALESCE((SELECT JSONB_AGG(TO_JSONB(decided)) FROM decided), '[]') AS "commands!: Json<Vec<CommandRow>>",
    COALESCE((SELECT JSONB_AGG(TO_JSONB(known_run)) FROM known_run), '[]') AS "runs!: Json<Vec<RunRow>>",
    COALESCE((SELECT JSONB_OBJECT_AGG(tenant_id, sources) FROM live), '{}') AS "live!: Json<BTreeMap<String, i64>>"
