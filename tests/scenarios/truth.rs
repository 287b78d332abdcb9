//! Discovery equals the truth: what the read model holds is what the catalog says, asked with other queries than the
//! product's; and each single statement gives exactly its change.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, ensure};
use pursight_tests::database::{Sql, with_database};
use pursight_tests::{Customer, System, setting};
use serde_json::Value as Json;

use crate::ddl::{EVERY_KIND, EXPECTED};

/// What is compared, as lines of text: the name, the catalog's side, the read model's side.
const COMPARISONS: &[(&str, &str, &str)] = &[
    ("tables", "SELECT format('%s|%s|%s', schemaname, tablename, tableowner) AS line FROM pg_tables t WHERE schemaname !~ '^pg_' AND schemaname <> 'information_schema'
        AND NOT EXISTS (SELECT FROM pg_inherits i JOIN pg_partitioned_table p ON p.partrelid = i.inhparent WHERE i.inhrelid = format('%I.%I', t.schemaname, t.tablename)::regclass)",
        "SELECT format('%s|%s|%s', schema, name, owner) AS line FROM pursight.schema_object WHERE kind = 'TABLE' AND state = 'LIVE'"),
    ("views", "SELECT format('%s|%s|%s|%s', schemaname, viewname, viewowner, btrim(definition)) AS line FROM pg_views WHERE schemaname !~ '^pg_' AND schemaname <> 'information_schema'
        AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = format('%I.%I', schemaname, viewname)::regclass AND d.deptype = 'e')
        UNION ALL SELECT format('%s|%s|%s|%s', schemaname, matviewname, matviewowner, btrim(definition)) FROM pg_matviews",
        "SELECT format('%s|%s|%s|%s', schema, name, owner, btrim(definition)) AS line FROM pursight.schema_object WHERE kind IN ('VIEW', 'MATERIALIZED_VIEW') AND state = 'LIVE'"),
    ("free sequences", "SELECT format('%s|%s', schemaname, sequencename) AS line FROM pg_sequences WHERE format('%I.%I', schemaname, sequencename) NOT IN
        (SELECT pg_get_serial_sequence(format('%I.%I', table_schema, table_name), column_name) FROM information_schema.columns
         WHERE table_schema !~ '^pg_' AND pg_get_serial_sequence(format('%I.%I', table_schema, table_name), column_name) IS NOT NULL)",
        "SELECT format('%s|%s', schema, name) AS line FROM pursight.schema_object WHERE kind = 'SEQUENCE' AND state = 'LIVE'"),
    ("routines", "SELECT format('%s|%s(%s)', r.specific_schema, r.routine_name, oidvectortypes(p.proargtypes)) AS line FROM information_schema.routines r
        JOIN pg_proc p ON p.oid = regexp_replace(r.specific_name, '^.*_', '')::oid
        WHERE r.specific_schema !~ '^pg_' AND r.specific_schema <> 'information_schema' AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.classid = 'pg_proc'::regclass AND d.deptype IN ('e', 'i'))",
        "SELECT format('%s|%s', schema, name) AS line FROM pursight.schema_object WHERE kind = 'ROUTINE' AND state = 'LIVE' AND (definition IS NULL OR definition NOT LIKE '%AGGREGATE%')"),
    ("triggers", "SELECT DISTINCT format('%s|%s.%s', t.trigger_schema, t.event_object_table, t.trigger_name) AS line FROM information_schema.triggers t
        JOIN pg_class c ON c.oid = format('%I.%I', t.event_object_schema, t.event_object_table)::regclass WHERE NOT c.relispartition",
        "SELECT format('%s|%s', schema, name) AS line FROM pursight.schema_object WHERE kind = 'TRIGGER' AND state = 'LIVE'"),
    ("columns", "SELECT format('%s|%s|%s|%s|%s|%s|%s|%s', n.nspname, c.relname, a.attname, format_type(a.atttypid, a.atttypmod), NOT a.attnotnull,
          CASE WHEN a.attgenerated = '' THEN pg_get_expr(d.adbin, d.adrelid) END, CASE WHEN a.attgenerated <> '' THEN pg_get_expr(d.adbin, d.adrelid) END, col_description(c.oid, a.attnum)) AS line
        FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
        WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
          AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.objid = c.oid AND e.classid = 'pg_class'::regclass AND e.deptype = 'e')",
        "SELECT format('%s|%s|%s|%s|%s|%s|%s|%s', o.schema, o.name, c.name, c.data_type, c.nullable, c.default_value, c.generated, c.comment) AS line
        FROM pursight.schema_column c JOIN pursight.schema_object o USING (tenant_id, source_id, object_id) WHERE o.state = 'LIVE' AND o.kind IN ('TABLE', 'VIEW', 'MATERIALIZED_VIEW', 'FOREIGN_TABLE')"),
    ("identities", "SELECT format('%s|%s|%s|%s', table_schema, table_name, column_name, identity_generation) AS line FROM information_schema.columns WHERE is_identity = 'YES' AND NOT (SELECT relispartition FROM pg_class WHERE oid = format('%I.%I', table_schema, table_name)::regclass)",
        "SELECT format('%s|%s|%s|%s', o.schema, o.name, c.name, c.identity) AS line FROM pursight.schema_column c JOIN pursight.schema_object o USING (tenant_id, source_id, object_id) WHERE c.identity IS NOT NULL AND o.state = 'LIVE'"),
    ("constraints", "SELECT format('%s|%s|%s|%s', n.nspname, r.relname, c.conname, pg_get_constraintdef(c.oid)) AS line FROM pg_constraint c JOIN pg_class r ON r.oid = c.conrelid JOIN pg_namespace n ON n.oid = r.relnamespace
        WHERE c.contype IN ('p', 'u', 'f', 'c', 'x') AND NOT r.relispartition AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.objid = r.oid AND e.deptype = 'e')
          AND NOT (c.contype = 'f' AND c.conparentid <> 0)",
        "SELECT format('%s|%s|%s|%s', o.schema, o.name, c.name, c.definition) AS line FROM pursight.schema_constraint c JOIN pursight.schema_object o USING (tenant_id, source_id, object_id) WHERE o.state = 'LIVE' AND o.kind IN ('TABLE', 'FOREIGN_TABLE')"),
    ("indexes", "SELECT format('%s|%s|%s|%s', schemaname, tablename, indexname, indexdef) AS line FROM pg_indexes i WHERE schemaname !~ '^pg_'
        AND NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conindid = format('%I.%I', i.schemaname, i.indexname)::regclass AND c.contype IN ('p', 'u', 'x'))
        AND NOT (SELECT relispartition FROM pg_class WHERE oid = format('%I.%I', i.schemaname, i.tablename)::regclass)",
        "SELECT format('%s|%s|%s|%s', o.schema, o.name, i.name, i.definition) AS line FROM pursight.schema_index i JOIN pursight.schema_object o USING (tenant_id, source_id, object_id) WHERE o.state = 'LIVE'"),
    ("comments", "SELECT format('%s|%s|%s', n.nspname, c.relname, obj_description(c.oid, 'pg_class')) AS line FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE obj_description(c.oid, 'pg_class') IS NOT NULL AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
          AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.objid = c.oid AND e.classid = 'pg_class'::regclass AND e.deptype = 'e')",
        "SELECT format('%s|%s|%s', schema, name, comment) AS line FROM pursight.schema_object WHERE comment IS NOT NULL AND state = 'LIVE' AND kind IN ('TABLE', 'VIEW', 'MATERIALIZED_VIEW', 'FOREIGN_TABLE')"),
    ("partition counts", "SELECT format('%s|%s|%s', n.nspname, c.relname, (SELECT count(*) - 1 FROM pg_partition_tree(c.oid))) AS line FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'p' AND NOT c.relispartition",
        "SELECT format('%s|%s|%s', schema, name, partitions ->> 'count') AS line FROM pursight.schema_object WHERE partitions IS NOT NULL AND state = 'LIVE'"),
];

fn lines(sql: &Sql, query: &str) -> Result<BTreeSet<String>> {
    let rows = sql.rows(query)?;
    rows.iter().map(|row| Ok(row["line"].as_str().context("a line")?.to_owned())).collect()
}

/// Compares both sides; `least` is how many lines a comparison must have at least, so that it cannot pass for want of rows.
fn equal(catalog: &Sql, system: &System, least: &[(&str, usize)]) -> Result<()> {
    // Definitions are printed as the product's sessions print them: every name with its schema.
    catalog.run("SET search_path = pg_catalog")?;
    for (what, theirs, ours) in COMPARISONS {
        let (theirs, ours) = (lines(catalog, theirs)?, lines(&system.sql, ours)?);
        let missing: Vec<_> = theirs.difference(&ours).take(5).collect();
        let extra: Vec<_> = ours.difference(&theirs).take(5).collect();
        ensure!(missing.is_empty() && extra.is_empty(), "{what}: missing {missing:#?}, too much {extra:#?}");
        let wanted = least.iter().find(|(name, _)| name == what).map_or(0, |(_, count)| *count);
        ensure!(ours.len() >= wanted, "{what}: only {} lines", ours.len());
    }
    Ok(())
}

fn sample(database: &str, least: &[(&str, usize)]) -> Result<()> {
    let system = System::start()?;
    let (host, port) = (setting::get("CUSTOMER_HOST")?, setting::get("CUSTOMER_PORT")?);
    let password = std::fs::read_to_string(setting::get("CUSTOMER_PASSWORD_FILE")?)?;
    let words = [
        "source",
        "create",
        "--name",
        database,
        "--type",
        "postgresql",
        "--host",
        &host,
        "--port",
        &port,
        "--database",
        database,
        "--user",
        "pursight_reader",
        "--password-stdin",
        "--location",
        "on_prem",
    ];
    let answer = system.call_with(&words, password.trim())?;
    ensure!(answer.code == 0, "{answer:?}");
    let answer = system.call(&["source", "discover", database, "--strategy", "aggressive"])?;
    ensure!(answer.code == 0, "{answer:?}");
    let catalog = Sql::open(&with_database(&setting::get("CUSTOMER_ADMIN")?, database)?)?;
    equal(&catalog, &system, least)
}

#[test]
fn the_sample_database_monitoring_is_known_as_it_is() -> Result<()> {
    sample(
        "monitoring",
        &[("tables", 170), ("columns", 1_000), ("constraints", 300), ("indexes", 100), ("triggers", 4)],
    )
}

#[test]
fn the_sample_database_ledger_is_known_as_it_is() -> Result<()> {
    sample("ledger", &[("tables", 150), ("views", 15), ("routines", 300), ("triggers", 15), ("comments", 50)])
}

fn discovered(system: &System) -> Result<Json> {
    let answer = system.call(&["source", "discover", "kinds", "--strategy", "aggressive", "--json"])?;
    ensure!(answer.code == 0, "{answer:?}");
    answer.json()
}

/// The changes that one run wrote, as `schema.object KIND path`.
fn changes(system: &System, run: &str) -> Result<BTreeSet<String>> {
    let query = format!(
        "SELECT format('%s.%s %s %s', schema, name, kind, path) AS line FROM pursight.schema_change WHERE run_id = '{run}'"
    );
    lines(&system.sql, &query)
}

fn newest_run(system: &System) -> Result<String> {
    let row =
        system.sql.row("SELECT run_id FROM pursight.run WHERE kind = 'DISCOVER' ORDER BY started_at DESC LIMIT 1")?;
    Ok(row["run_id"].as_str().context("a run")?.to_owned())
}

#[test]
fn every_kind_of_object_is_known_and_each_statement_gives_exactly_its_change() -> Result<()> {
    let system = System::start()?;
    let customer = Customer::create()?;
    customer.sql.run(EVERY_KIND)?;
    customer.grant_all()?;
    let port = customer.port.to_string();
    let answer = system.call_with(&customer.words("kinds", &port), &customer.password)?;
    ensure!(answer.code == 0, "{answer:?}");
    discovered(&system)?;
    equal(
        &customer.sql,
        &system,
        &[
            ("tables", 8),
            ("views", 3),
            ("routines", 2),
            ("triggers", 1),
            ("partition counts", 1),
            ("identities", 2),
            ("comments", 1),
            ("free sequences", 1),
        ],
    )?;

    let before = system.kafka.read(pursight_schemas::Topic::Schema)?.len();
    discovered(&system)?;
    let after = system.kafka.read(pursight_schemas::Topic::Schema)?.len();
    ensure!(after == before + 2, "an unchanged source gave {} events instead of a start and an end", after - before);

    ensure!(EXPECTED.len() >= 40, "only {} statements", EXPECTED.len());
    let mut wrong = Vec::new();
    for (statement, expected) in EXPECTED {
        customer.sql.run(statement)?;
        discovered(&system)?;
        let found = changes(&system, &newest_run(&system)?)?;
        let expected: BTreeSet<String> = expected.iter().map(|line| (*line).to_owned()).collect();
        if found != expected {
            wrong.push(format!("{statement}\n  expected {expected:?}\n  found    {found:?}"));
        }
    }
    ensure!(wrong.is_empty(), "{} statements gave other changes:\n{}", wrong.len(), wrong.join("\n"));
    equal(&customer.sql, &system, &[])
}
