-- Exact sizes of the relations $1, with indexes, toast and partitions: oid, bytes. Asks the file system and waits for locks.
SELECT c.oid,
  CASE WHEN c.relkind = 'p' THEN (SELECT COALESCE(sum(pg_total_relation_size(t.relid)), 0) FROM pg_partition_tree(c.oid) t)
    ELSE pg_total_relation_size(c.oid) END::bigint
FROM unnest($1::oid[]) AS wanted (oid) JOIN pg_class c ON c.oid = wanted.oid
WHERE c.relkind IN ('r', 'p', 'm')
