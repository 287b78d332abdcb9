//! What a role lacks for discovery and statistics, and the statements that grant exactly that. The reading is one
//! set-based query; the judgement is pure.

use std::fmt::Write as _;

use pursight_schemas::ScopeFilter;

use super::catalog::glob;
use super::quote::identifier;
use super::session::PgSession;
use crate::problem::{Refused, code, refused, with_sql};

/// Tables named one by one per schema; more are granted as a whole.
const NAMED: usize = 50;
/// Largest text of statements; the rest is counted.
const MAX_SQL: usize = 16 * 1024;

/// Views and tables by schema; partitions are read through their root. `$1` and `$2` are LIKE patterns.
const RIGHTS: &str = "SELECT n.nspname::text, has_schema_privilege(n.oid, 'USAGE'), count(*)::int8, \
       (count(*) FILTER (WHERE has_table_privilege(c.oid, 'SELECT')))::int8, \
       coalesce((array_agg(c.relname::text ORDER BY c.relname) \
                 FILTER (WHERE NOT has_table_privilege(c.oid, 'SELECT')))[1:51], '{}') \
     FROM pg_namespace n JOIN pg_class c ON c.relnamespace = n.oid \
     WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition \
       AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%' \
       AND (cardinality($1::text[]) = 0 OR n.nspname || '.' || c.relname LIKE ANY ($1)) \
       AND NOT n.nspname || '.' || c.relname LIKE ANY ($2::text[]) \
     GROUP BY n.oid, n.nspname ORDER BY n.nspname";

const STATISTICS: &str = "SELECT EXISTS (SELECT FROM pg_roles r WHERE r.rolname = 'pg_read_all_stats' \
     AND pg_has_role(r.oid, 'USAGE'))";

/// One schema as the role sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Schema {
    name: String,
    usable: bool,
    tables: i64,
    readable: i64,
    unreadable: Vec<String>,
}

/// Reads what the role may do. `Err`: it can read nothing that is in scope; `Ok(Some)`: it lacks something.
pub(super) async fn check(session: &PgSession, scope: &ScopeFilter) -> Result<Option<Refused>, Refused> {
    let (include, exclude) = (glob::like(&scope.include), glob::like(&scope.exclude));
    let rows = session.query(RIGHTS, &[&include, &exclude]).await?;
    let mut schemas = Vec::with_capacity(rows.len());
    for row in &rows {
        schemas.push(Schema {
            name: row.try_get(0).unwrap_or_default(),
            usable: row.try_get(1).unwrap_or(false),
            tables: row.try_get(2).unwrap_or(0),
            readable: row.try_get(3).unwrap_or(0),
            unreadable: row.try_get(4).unwrap_or_default(),
        });
    }
    let rows = session.query(STATISTICS, &[]).await?;
    let statistics = rows.first().is_some_and(|row| row.try_get(0).unwrap_or(false));
    judge(session.user(), &schemas, statistics)
}

fn judge(user: &str, schemas: &[Schema], statistics: bool) -> Result<Option<Refused>, Refused> {
    let total: i64 = schemas.iter().map(|schema| schema.tables).sum();
    let readable: i64 = schemas.iter().filter(|schema| schema.usable).map(|schema| schema.readable).sum();
    let lacking = schemas.iter().filter(|schema| !schema.usable || schema.readable < schema.tables).count();
    if lacking == 0 && statistics {
        return Ok(None);
    }
    let mut message = format!(
        "\"{user}\" can read {readable} of {total} tables and views in scope, and all of them in {} of {} schemas",
        schemas.len() - lacking,
        schemas.len()
    );
    if !statistics {
        message.push_str("; it does not see the sessions and sizes of others, which statistics want");
    }
    let remedy = "let the owner of the objects, or a superuser, run the statements; for tables made later, ALTER DEFAULT \
                  PRIVILEGES grants in advance";
    let problem = with_sql(refused(code::MISSING_GRANT, message, remedy), statements(user, schemas, statistics));
    if total > 0 && readable == 0 { Err(problem) } else { Ok(Some(problem)) }
}

fn statements(user: &str, schemas: &[Schema], statistics: bool) -> String {
    let user = identifier(user);
    let mut sql = String::new();
    let mut left_out = 0;
    for schema in schemas {
        let mut part = String::new();
        let name = identifier(&schema.name);
        if !schema.usable {
            part += &format!("GRANT USAGE ON SCHEMA {name} TO {user};\n");
        }
        if schema.readable < schema.tables {
            if schema.readable == 0 || schema.unreadable.len() > NAMED {
                part += &format!("GRANT SELECT ON ALL TABLES IN SCHEMA {name} TO {user};\n");
            } else {
                let tables: Vec<_> = schema.unreadable.iter().map(|t| format!("{name}.{}", identifier(t))).collect();
                part += &format!("GRANT SELECT ON {} TO {user};\n", tables.join(", "));
            }
        }
        if sql.len() + part.len() > MAX_SQL {
            left_out += 1;
        } else {
            sql += &part;
        }
    }
    if left_out > 0 {
        // Writing to a String cannot fail.
        let _ = writeln!(sql, "-- and the same for {left_out} more schemas; test again afterwards");
    }
    if !statistics {
        sql += &format!("GRANT pg_read_all_stats TO {user};\n");
    }
    sql.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema(name: &str, usable: bool, tables: i64, unreadable: &[&str]) -> Schema {
        let unreadable: Vec<String> = unreadable.iter().map(|&t| t.to_owned()).collect();
        let readable = tables - i64::try_from(unreadable.len()).unwrap_or(0);
        Schema { name: name.to_owned(), usable, tables, readable, unreadable }
    }

    #[test]
    fn a_role_that_reads_everything_is_not_bothered() {
        assert_eq!(judge("u", &[schema("a", true, 3, &[])], true), Ok(None));
        assert_eq!(judge("u", &[], true), Ok(None), "an empty database is nobody's fault");
    }

    #[test]
    fn a_role_that_reads_something_is_warned_with_exact_statements() {
        let schemas = [schema("a", true, 3, &["x", "Y \"z\""]), schema("b", true, 1, &[])];
        let warning = judge("U", &schemas, false).unwrap_or_default().unwrap_or_default();
        assert_eq!(
            warning.remedy_sql.as_deref(),
            Some("GRANT SELECT ON \"a\".\"x\", \"a\".\"Y \"\"z\"\"\" TO \"U\";\nGRANT pg_read_all_stats TO \"U\";")
        );
        assert!(
            warning.message.starts_with("\"U\" can read 2 of 4 tables and views in scope, and all of them in 1 of 2")
        );
    }

    #[test]
    fn a_role_that_reads_nothing_fails() {
        let failed = judge("u", &[schema("a", true, 2, &["x", "y"])], true);
        let sql = failed.err().and_then(|problem| problem.remedy_sql);
        assert_eq!(sql.as_deref(), Some("GRANT SELECT ON ALL TABLES IN SCHEMA \"a\" TO \"u\";"));
        let failed = judge("u", &[schema("a", false, 2, &[])], true);
        let sql = failed.err().and_then(|problem| problem.remedy_sql);
        assert_eq!(sql.as_deref(), Some("GRANT USAGE ON SCHEMA \"a\" TO \"u\";"), "rights behind a closed door");
    }

    #[test]
    fn the_statements_stay_bounded() {
        let schemas: Vec<_> = (0..2_000).map(|n| schema(&format!("schema_{n}"), false, 1, &["t"])).collect();
        let sql = judge("u", &schemas, true).err().and_then(|problem| problem.remedy_sql).unwrap_or_default();
        assert!(sql.len() < MAX_SQL + 200 && sql.contains("more schemas"), "{}", sql.len());
    }
}
