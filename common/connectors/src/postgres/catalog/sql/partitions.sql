-- The partitions of a root at any depth: how many, and one bound; the first 1000, sorted. A bound
-- speaks of no column, so it is printed without its table, which the engine would open.
SELECT 'partition', x.root, 0, ARRAY[x.total::text, x.bound]
FROM (
  SELECT b.root, b.bound, count(*) OVER (PARTITION BY b.root) AS total,
    row_number() OVER (PARTITION BY b.root ORDER BY b.bound COLLATE "C") AS n
  FROM (
    SELECT p.root, left(pg_get_expr(c.relpartbound, 0), 65536) AS bound
    FROM partition p CROSS JOIN LATERAL (SELECT * FROM pg_class c WHERE c.oid = p.oid OFFSET 0) c
  ) b
) x
WHERE x.n <= 1000
