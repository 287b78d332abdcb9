-- Has anything been defined, altered or dropped? Per catalog: rows and a sum of hashes, which has no order.
-- Row versions (xmin) where only DDL and grants write rows; they stay through ANALYZE, VACUUM and FREEZE. Plain columns
-- of pg_class, since TRUNCATE, REINDEX and REFRESH write new versions of its rows. Temporary and system objects, and
-- the columns of partitions, say nothing about what a discovery holds.
WITH space AS MATERIALIZED (
  SELECT oid, nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'
), relation AS MATERIALIZED (
  SELECT c.oid, c.relname, c.relnamespace, c.relowner, c.relkind, c.relispartition, c.relam, c.reloptions
  FROM pg_class c JOIN space s ON s.oid = c.relnamespace
), function AS MATERIALIZED (
  SELECT p.oid, p.xmin, p.proowner FROM pg_proc p JOIN space s ON s.oid = p.pronamespace
), type AS MATERIALIZED (
  SELECT t.oid, t.xmin, t.typowner FROM pg_type t JOIN space s ON s.oid = t.typnamespace WHERE t.typtype IN ('e', 'd', 'r', 'c')
)
SELECT part, count(*), sum(hashtextextended(row, 0))::text
FROM (
  SELECT 'database' AS part, concat(oid, ' ', datname) AS row FROM pg_database WHERE datname = current_database()
  UNION ALL SELECT 'namespace', concat(oid, ' ', nspname) FROM space
  UNION ALL SELECT 'class', concat_ws('/', oid, relname, relnamespace, relkind, relispartition, relam, relowner, reloptions) FROM relation
  UNION ALL SELECT 'proc', concat(oid, ' ', xmin) FROM function
  UNION ALL SELECT 'type', concat(oid, ' ', xmin) FROM type
  UNION ALL SELECT 'owner', concat(r.oid, ' ', r.rolname) FROM pg_roles r WHERE r.oid IN (
    SELECT relowner FROM relation UNION SELECT proowner FROM function UNION SELECT typowner FROM type)
  UNION ALL SELECT 'attribute', concat(a.attrelid, ' ', a.attnum, ' ', a.xmin)
    FROM pg_attribute a JOIN relation r ON r.oid = a.attrelid
    WHERE a.attnum > 0 AND r.relkind IN ('r', 'p', 'v', 'm', 'f', 'c') AND NOT r.relispartition
  UNION ALL SELECT 'attrdef', concat(f.oid, ' ', f.xmin) FROM pg_attrdef f JOIN relation r ON r.oid = f.adrelid
  UNION ALL SELECT 'constraint', concat(k.oid, ' ', k.xmin) FROM pg_constraint k JOIN space s ON s.oid = k.connamespace
  UNION ALL SELECT 'index', concat(i.indexrelid, ' ', i.xmin) FROM pg_index i JOIN relation r ON r.oid = i.indrelid
  UNION ALL SELECT 'trigger', concat(t.oid, ' ', t.xmin) FROM pg_trigger t JOIN relation r ON r.oid = t.tgrelid WHERE NOT t.tgisinternal
  UNION ALL SELECT 'rewrite', concat(w.oid, ' ', w.xmin) FROM pg_rewrite w JOIN relation r ON r.oid = w.ev_class
  UNION ALL SELECT 'sequence', concat(q.seqrelid, ' ', q.xmin) FROM pg_sequence q JOIN relation r ON r.oid = q.seqrelid
  UNION ALL SELECT 'partitioned', concat(t.partrelid, ' ', t.xmin) FROM pg_partitioned_table t
  UNION ALL SELECT 'inherits', concat(h.inhrelid, ' ', h.inhparent, ' ', h.inhseqno) FROM pg_inherits h JOIN relation r ON r.oid = h.inhrelid
  UNION ALL SELECT 'enum', concat(e.oid, ' ', e.xmin) FROM pg_enum e JOIN type t ON t.oid = e.enumtypid
  UNION ALL SELECT 'collation', concat(l.oid, ' ', l.xmin) FROM pg_collation l JOIN space s ON s.oid = l.collnamespace
  UNION ALL SELECT 'description', concat(classoid, ' ', objoid, ' ', objsubid, ' ', xmin) FROM pg_description
    WHERE objoid >= 16384 AND classoid IN ('pg_class'::regclass, 'pg_proc'::regclass, 'pg_type'::regclass, 'pg_trigger'::regclass)
  UNION ALL SELECT 'extension', concat(classid, ' ', objid) FROM pg_depend WHERE refclassid = 'pg_extension'::regclass AND deptype = 'e'
) q
GROUP BY part
ORDER BY part
