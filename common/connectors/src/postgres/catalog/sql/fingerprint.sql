-- Has anything been defined, altered or dropped? Per catalog: rows and a sum of hashes, which has no order. Ids go into
-- the seeds, since printing numbers and joining texts costs more than hashing them.
-- Row versions (xmin) where only DDL and grants write rows; they stay through ANALYZE, VACUUM and FREEZE. Plain columns
-- of pg_class, since TRUNCATE, REINDEX and REFRESH write new versions of its rows. Temporary and system objects, and
-- the columns of partitions, say nothing about what a discovery holds.
WITH space AS MATERIALIZED (
  SELECT oid, nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'
), relation AS MATERIALIZED (
  SELECT c.oid, c.relowner, c.relkind, c.relispartition FROM pg_class c JOIN space s ON s.oid = c.relnamespace
), function AS MATERIALIZED (
  SELECT p.oid, p.xmin, p.proowner FROM pg_proc p JOIN space s ON s.oid = p.pronamespace
), type AS MATERIALIZED (
  SELECT t.oid, t.xmin, t.typowner FROM pg_type t JOIN space s ON s.oid = t.typnamespace WHERE t.typtype IN ('e', 'd', 'r', 'c')
)
SELECT 'database' AS part, count(*), sum(hashtextextended(datname::text, oid::bigint))::text
  FROM pg_database WHERE datname = current_database()
UNION ALL SELECT 'namespace', count(*), sum(hashtextextended(nspname::text, oid::bigint))::text FROM space
UNION ALL SELECT 'class', count(*), sum(hashtextextended(concat_ws('/', c.relname, c.relnamespace, c.relkind,
    c.relispartition, c.relam, c.relowner, c.reloptions), c.oid::bigint))::text
  FROM pg_class c JOIN space s ON s.oid = c.relnamespace
UNION ALL SELECT 'proc', count(*), sum(hashtextextended(xmin::text, oid::bigint))::text FROM function
UNION ALL SELECT 'type', count(*), sum(hashtextextended(xmin::text, oid::bigint))::text FROM type
UNION ALL SELECT 'owner', count(*), sum(hashtextextended(r.rolname::text, r.oid::bigint))::text
  FROM pg_roles r WHERE r.oid IN (
    SELECT relowner FROM relation UNION SELECT proowner FROM function UNION SELECT typowner FROM type)
UNION ALL SELECT 'attribute', count(*), sum(hashtextextended(a.xmin::text, a.attrelid::bigint << 16 | a.attnum))::text
  FROM pg_attribute a JOIN relation r ON r.oid = a.attrelid
  WHERE a.attnum > 0 AND r.relkind IN ('r', 'p', 'v', 'm', 'f', 'c') AND NOT r.relispartition
UNION ALL SELECT 'attrdef', count(*), sum(hashtextextended(f.xmin::text, f.oid::bigint))::text
  FROM pg_attrdef f JOIN relation r ON r.oid = f.adrelid
UNION ALL SELECT 'constraint', count(*), sum(hashtextextended(k.xmin::text, k.oid::bigint))::text
  FROM pg_constraint k JOIN space s ON s.oid = k.connamespace
UNION ALL SELECT 'index', count(*), sum(hashtextextended(i.xmin::text, i.indexrelid::bigint))::text
  FROM pg_index i JOIN relation r ON r.oid = i.indrelid
UNION ALL SELECT 'trigger', count(*), sum(hashtextextended(t.xmin::text, t.oid::bigint))::text
  FROM pg_trigger t JOIN relation r ON r.oid = t.tgrelid WHERE NOT t.tgisinternal
UNION ALL SELECT 'rewrite', count(*), sum(hashtextextended(w.xmin::text, w.oid::bigint))::text
  FROM pg_rewrite w JOIN relation r ON r.oid = w.ev_class
UNION ALL SELECT 'sequence', count(*), sum(hashtextextended(q.xmin::text, q.seqrelid::bigint))::text
  FROM pg_sequence q JOIN relation r ON r.oid = q.seqrelid
UNION ALL SELECT 'partitioned', count(*), sum(hashtextextended(t.xmin::text, t.partrelid::bigint))::text
  FROM pg_partitioned_table t
UNION ALL SELECT 'inherits', count(*), sum(hashint8extended(h.inhrelid::bigint << 32 | h.inhparent::bigint, h.inhseqno))::text
  FROM pg_inherits h JOIN relation r ON r.oid = h.inhrelid
UNION ALL SELECT 'enum', count(*), sum(hashtextextended(e.xmin::text, e.oid::bigint))::text
  FROM pg_enum e JOIN type t ON t.oid = e.enumtypid
UNION ALL SELECT 'collation', count(*), sum(hashtextextended(l.xmin::text, l.oid::bigint))::text
  FROM pg_collation l JOIN space s ON s.oid = l.collnamespace
UNION ALL SELECT 'description', count(*), sum(hashtextextended(concat(classoid, ' ', objsubid, ' ', xmin), objoid::bigint))::text
  FROM pg_description
  WHERE objoid >= 16384 AND classoid IN ('pg_class'::regclass, 'pg_proc'::regclass, 'pg_type'::regclass, 'pg_trigger'::regclass)
UNION ALL SELECT 'extension', count(*), sum(hashint8extended(objid::bigint, classid::bigint))::text
  FROM pg_depend WHERE refclassid = 'pg_extension'::regclass AND deptype = 'e'
ORDER BY part
