-- Sequences of one page by oid ($1).
SELECT 'object', c.oid, 0, ARRAY[
  'SEQUENCE', n.nspname::text, c.relname::text, pg_get_userbyid(c.relowner)::text, left(d.description, 32768),
  'AS ' || format_type(s.seqtypid, NULL) || ' START WITH ' || s.seqstart || ' INCREMENT BY ' || s.seqincrement
    || ' MINVALUE ' || s.seqmin || ' MAXVALUE ' || s.seqmax || ' CACHE ' || s.seqcache
    || CASE WHEN s.seqcycle THEN ' CYCLE' ELSE ' NO CYCLE' END]
FROM unnest($1::oid[]) k(oid)
JOIN pg_class c ON c.oid = k.oid JOIN pg_sequence s ON s.seqrelid = c.oid JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_description d ON d.objoid = c.oid AND d.classoid = 'pg_class'::regclass AND d.objsubid = 0
