-- number at any depth, then at most 1000 bounds, sorted
SELECT 'partitions', x.root, 0, ARRAY[count(*)::text] || (array_agg(x.bound ORDER BY x.bound COLLATE "C"))[1:1000]
FROM (
  SELECT p.root, left(pg_get_expr(c.relpartbound, c.oid), 1024) AS bound FROM partition p JOIN pg_class c ON c.oid = p.oid
) x
GROUP BY x.root
