-- Of an enum its labels, of a domain its base, of a range its subtype; a composite type is its columns.
SELECT 'object', p.oid, 0, ARRAY[
  'TYPE', p.nspname::text, p.typname::text, pg_get_userbyid(p.typowner)::text, left(d.description, 32768),
  left(CASE p.typtype
    WHEN 'e' THEN 'ENUM (' || COALESCE(e.labels, '') || ')'
    WHEN 'd' THEN 'DOMAIN ' || format_type(p.typbasetype, p.typtypmod)
      || CASE WHEN p.typcollation <> b.typcollation THEN ' COLLATE ' || quote_ident(l.collname) ELSE '' END
      || COALESCE(' DEFAULT ' || p.typdefault, '') || CASE WHEN p.typnotnull THEN ' NOT NULL' ELSE '' END
    WHEN 'r' THEN 'RANGE (SUBTYPE = ' || format_type(r.rngsubtype, NULL)
      || CASE WHEN r.rngcollation <> s.typcollation THEN ', COLLATION = ' || quote_ident(l.collname) ELSE '' END
      || CASE WHEN NOT o.opcdefault THEN ', SUBTYPE_OPCLASS = ' || quote_ident(o.opcname) ELSE '' END
      || CASE WHEN r.rngcanonical <> 0 THEN ', CANONICAL = ' || r.rngcanonical ELSE '' END
      || CASE WHEN r.rngsubdiff <> 0 THEN ', SUBTYPE_DIFF = ' || r.rngsubdiff ELSE '' END || ')'
    END, 131072)]
FROM page p
LEFT JOIN (
  SELECT e.enumtypid, string_agg(quote_literal(e.enumlabel), ', ' ORDER BY e.enumsortorder) AS labels
  FROM page p JOIN pg_enum e ON e.enumtypid = p.oid GROUP BY e.enumtypid
) e ON e.enumtypid = p.oid
LEFT JOIN pg_type b ON b.oid = p.typbasetype
LEFT JOIN pg_range r ON r.rngtypid = p.oid LEFT JOIN pg_type s ON s.oid = r.rngsubtype LEFT JOIN pg_opclass o ON o.oid = r.rngsubopc
LEFT JOIN pg_collation l ON l.oid = COALESCE(r.rngcollation, p.typcollation)
LEFT JOIN pg_description d ON d.objoid = p.oid AND d.classoid = 'pg_type'::regclass AND d.objsubid = 0
UNION ALL
SELECT 'constraint', k.contypid, 0, ARRAY[k.conname::text, k.contype::text, NULL, left(pg_get_constraintdef(k.oid, false), 131072), NULL, NULL]
FROM page p JOIN pg_constraint k ON k.contypid = p.oid AND k.contype = 'c'
