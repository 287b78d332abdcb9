//! One tenant's reader sees no row of another: through every table and every view, as the gateway's role and as a direct
//! login.

use anyhow::{Context as _, Result};
use pursight_tests::database::{Sql, with_database};
use pursight_tests::{Customer, System, setting};
use serde_json::json;
use uuid::Uuid;

/// Everything in the schema that can be selected from.
fn relations(sql: &Sql) -> Result<Vec<String>> {
    let rows = sql.rows("SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'pursight'::regnamespace AND c.relkind IN ('r', 'v', 'm', 'p') ORDER BY 1")?;
    rows.iter().map(|row| Ok(row["relname"].as_str().context("a name")?.to_owned())).collect()
}

fn has_tenant(sql: &Sql, relation: &str) -> Result<bool> {
    let row = sql.row(&format!("SELECT count(*) AS n FROM information_schema.columns WHERE table_schema = 'pursight' AND table_name = '{relation}' AND column_name = 'tenant_id'"))?;
    Ok(row["n"] == 1)
}

#[test]
fn a_reader_sees_only_its_own_tenant() -> Result<()> {
    let mut system = System::start()?;
    let (mine, other) = (system.tenant.clone(), format!("{}-other", system.tenant));
    for tenant in [&mine, &other] {
        let customer = Customer::create()?;
        customer
            .sql
            .run("CREATE TABLE public.t(id int PRIMARY KEY, other int UNIQUE); CREATE INDEX ON public.t(other, id)")?;
        customer.grant_all()?;
        system.settings.insert("PURSIGHT_TENANT".into(), tenant.clone());
        let port = customer.port.to_string();
        let answer = system.call_with(&customer.words("same name", &port), &customer.password)?;
        assert_eq!(answer.code, 0, "{answer:?}");
        for word in ["test", "discover", "stats"] {
            system.must(&["source", word, "same name"])?;
        }
        system.must(&["source", "favorite", "same name"])?;
        system.must(&["source", "update", "same name", "--description", "changed"])?;
        customer.sql.run("ALTER TABLE public.t ADD COLUMN more text")?;
        system.must(&["source", "discover", "same name"])?;
        system.kafka.send(tenant, b"garbage", &[], None)?;
    }
    pursight_tests::eventually("both dead letters are there", || {
        Ok((system.sql.row("SELECT count(*) AS n FROM pursight.dead_letter")?["n"] == 2).then_some(()))
    })?;

    let login = format!("reader_{}", Uuid::new_v4().simple());
    system.sql.run(&format!("CREATE ROLE {login} LOGIN PASSWORD 'x'; GRANT pursight_reader TO {login}; INSERT INTO pursight.reader_login(login, tenant_id) VALUES ('{login}', '{mine}')"))?;
    let url = setting::get("DATABASE_ADMIN")?;
    let database = system.settings["PURSIGHT_DATABASE_URL"].rsplit_once('/').context("a database")?.1.to_owned();
    let (_, address) = url.rsplit_once('@').context("an address")?;
    let direct = Sql::open(&with_database(&format!("postgres://{login}:x@{address}"), &database)?)?;
    let gateway = Sql::open(&with_database(&url, &database)?)?;
    gateway.run(&format!("SET ROLE pursight_gateway; SET pursight.tenant = '{mine}'"))?;

    let (mut with_rows, mut seen_rows) = (0, [0, 0]);
    for relation in relations(&system.sql)? {
        let tenants = has_tenant(&system.sql, &relation)?;
        let query = if tenants {
            format!("SELECT DISTINCT tenant_id FROM pursight.{relation}")
        } else {
            format!("SELECT 1 AS tenant_id FROM pursight.{relation}")
        };
        let all = system.sql.rows(&query)?;
        for (at, (who, reader)) in [("the gateway", &gateway), ("a direct login", &direct)].into_iter().enumerate() {
            // What a reader may not touch at all shows nothing either.
            let seen = reader.rows(&query).unwrap_or_default();
            if tenants {
                assert!(seen.iter().all(|row| row["tenant_id"] == json!(mine)), "{who} sees {seen:?} in {relation}");
                seen_rows[at] += usize::from(!seen.is_empty());
                let own = all.iter().any(|row| row["tenant_id"] == json!(mine));
                let readable = reader.rows(&query).is_ok();
                assert!(!own || !readable || !seen.is_empty(), "{who} does not see its own rows in {relation}");
            } else if relation != "projection_position" {
                // Positions belong to no tenant; readers need them to wait for their own writes.
                assert!(seen.is_empty(), "{who} reads {relation}, which knows no tenant");
            }
        }
        with_rows += usize::from(all.len() >= 2);
    }
    assert!(with_rows >= 15, "only {with_rows} relations hold rows of both tenants: the comparison says little");
    // A reader that is refused everywhere sees nothing foreign either, and is no proof.
    assert!(seen_rows.iter().all(|seen| *seen >= 15), "own rows are seen in {seen_rows:?} relations only");
    system.sql.run(&format!(
        "DROP OWNED BY {login}; DELETE FROM pursight.reader_login WHERE login = '{login}'; DROP ROLE {login}"
    ))
}

#[test]
fn a_reader_without_a_tenant_sees_nothing() -> Result<()> {
    let system = System::start()?;
    let create = json!({"type": "CreateDataSource", "meta": {"command_id": Uuid::new_v4(), "tenant_id": system.tenant, "actor": {"principal": "tester"}},
        "spec": {"name": "a", "source_type": "POSTGRESQL", "location": "ON_PREM", "hosts": [{"host": "db.example"}]}});
    assert_eq!(system.send(&create)?.0, 0);
    system.sql.run("SET ROLE pursight_gateway")?;
    for relation in ["data_source", "v_source", "command", "audit"] {
        assert!(system.sql.rows(&format!("SELECT 1 AS one FROM pursight.{relation}"))?.is_empty(), "{relation}");
    }
    system.sql.run("RESET ROLE")?;
    assert_eq!(system.sql.rows("SELECT 1 AS one FROM pursight.data_source")?.len(), 1);
    Ok(())
}
