-- Lays row-level security on every table of the current schema, and gives the readers their rights. Runs after every
-- migration, so that a new table cannot be forgotten. May be repeated.
DO $$
DECLARE
    one RECORD;
    gateway TEXT;
    reader TEXT;
BEGIN
    PERFORM set_config('client_min_messages', 'warning', true);
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO pursight_gateway, pursight_reader', current_schema());
    FOR one IN
        SELECT c.oid, c.relname, c.relkind,
               EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped) AS has_tenant
        FROM pg_class c
        WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p', 'v')
          AND c.relname <> '_sqlx_migrations'
    LOOP
        EXECUTE format('GRANT SELECT ON %I TO pursight_gateway, pursight_reader', one.relname);
        CONTINUE WHEN one.relkind = 'v';
        gateway := 'tenant_id = current_setting(''pursight.tenant'', true)';
        reader := 'tenant_id = ANY (ARRAY(SELECT l.tenant_id FROM reader_login l WHERE l.login = SESSION_USER))';
        IF one.relname = 'projection_position' THEN
            gateway := 'true';   -- offsets are nobody's data, and a reader needs them to know how fresh it is
            reader := 'true';
        ELSIF one.relname = 'reader_login' THEN
            reader := 'login = SESSION_USER';
        ELSIF NOT one.has_tenant THEN
            RAISE EXCEPTION 'table % has no tenant_id', one.relname;
        END IF;
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', one.relname);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', one.relname);
        EXECUTE format('DROP POLICY IF EXISTS by_owner ON %I', one.relname);
        EXECUTE format('DROP POLICY IF EXISTS by_setting ON %I', one.relname);
        EXECUTE format('DROP POLICY IF EXISTS by_login ON %I', one.relname);
        EXECUTE format('CREATE POLICY by_owner ON %I TO CURRENT_USER USING (true) WITH CHECK (true)', one.relname);
        EXECUTE format('CREATE POLICY by_setting ON %I FOR SELECT TO pursight_gateway USING (%s)', one.relname, gateway);
        EXECUTE format('CREATE POLICY by_login ON %I FOR SELECT TO pursight_reader USING (%s)', one.relname, reader);
    END LOOP;
END $$;
