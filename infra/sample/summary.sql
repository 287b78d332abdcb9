-- What ./dev demo shows at its end: the sources as the read model knows them.
SET search_path = pursight;
SELECT s.name,
       (SELECT result FROM connection_test t WHERE (t.tenant_id, t.source_id) = (s.tenant_id, s.source_id) ORDER BY tested_at DESC LIMIT 1) AS test,
       count(*) FILTER (WHERE o.kind = 'TABLE') AS tables,
       count(*) FILTER (WHERE o.kind = 'VIEW') AS views,
       count(*) FILTER (WHERE o.kind NOT IN ('TABLE', 'VIEW')) AS others,
       sum(o.column_count) AS columns,
       (SELECT count(*) FROM schema_change c WHERE (c.tenant_id, c.source_id) = (s.tenant_id, s.source_id)) AS changes,
       (SELECT pg_size_pretty(size_bytes) FROM source_statistics z WHERE (z.tenant_id, z.source_id) = (s.tenant_id, s.source_id)
        ORDER BY collected_at DESC LIMIT 1) AS size
FROM data_source s
JOIN schema_object o USING (tenant_id, source_id)
WHERE s.tenant_id = :'tenant' AND s.state = 'ACTIVE' AND o.state = 'LIVE'
GROUP BY s.tenant_id, s.source_id, s.name
ORDER BY s.name;
