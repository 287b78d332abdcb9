-- How many rows the table $1 holds itself (of a partitioned one: all its partitions). The statement is constant: the server
-- builds the inner one and quotes the name. Children by plain inheritance are tables of their own.
SELECT substring(query_to_xml(
    'SELECT count(*) AS n FROM ' || CASE c.relkind WHEN 'r' THEN 'ONLY ' ELSE '' END || c.oid::regclass::text,
    false, false, '')::text FROM '<n>([0-9]+)</n>')::bigint
FROM pg_class c
WHERE c.oid = $1::oid AND c.relkind IN ('r', 'p', 'm')
