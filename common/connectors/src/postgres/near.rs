//! What another session can see that makes a failure easier to mend: the databases that exist, the use of a limit.
//! The judgement of what is near is pure.

use super::session::PgSession;

const DATABASES: &str =
    "SELECT datname::text FROM pg_database WHERE datallowconn AND NOT datistemplate ORDER BY datname LIMIT 1000";
const CONNECTIONS: &str = "SELECT d.datconnlimit::int8, count(a.pid)::int8, current_setting('max_connections')::int8, \
     (SELECT count(*) FROM pg_stat_activity WHERE client_port IS NOT NULL)::int8 \
     FROM pg_database d LEFT JOIN pg_stat_activity a ON a.datid = d.oid WHERE d.datname = $1 GROUP BY d.datconnlimit";
const SHOWN: usize = 5;

/// Which databases exist, the nearest by name first.
pub(super) async fn databases(session: &PgSession, wanted: &str) -> Option<String> {
    let rows = session.query(DATABASES, &[]).await.ok()?;
    let names: Vec<String> = rows.iter().filter_map(|row| row.try_get(0).ok()).collect();
    let close = nearest(wanted, &names);
    if close.is_empty() {
        let some: Vec<_> = names.iter().take(SHOWN).map(|name| format!("\"{name}\"")).collect();
        return Some(format!("none that exists has a name like it; there are {} ({})", names.len(), some.join(", ")));
    }
    let close: Vec<_> = close.into_iter().map(|name| format!("\"{name}\"")).collect();
    Some(format!("names like it that exist: {}", close.join(", ")))
}

/// How much of a limit is used.
pub(super) async fn connections(session: &PgSession, database: &str) -> Option<String> {
    let rows = session.query(CONNECTIONS, &[&database]).await.ok()?;
    let row = rows.first()?;
    let value = |column: usize| row.try_get::<_, i64>(column).ok();
    let (limit, used, allowed, all) = (value(0)?, value(1)?, value(2)?, value(3)?);
    let limit = if limit < 0 { "no limit of its own".to_owned() } else { format!("a limit of {limit}") };
    Some(format!("\"{database}\" has {limit} and {used} connections; the server has {all} of {allowed}"))
}

/// Names within a third of their length of the wanted one, nearest first.
pub fn nearest<'a>(wanted: &str, names: &'a [String]) -> Vec<&'a str> {
    let wanted: Vec<char> = wanted.to_lowercase().chars().take(63).collect();
    let allowed = (wanted.len() / 3).max(1);
    let mut close: Vec<(usize, &str)> = Vec::new();
    for name in names {
        let candidate: Vec<char> = name.to_lowercase().chars().take(63).collect();
        let distance = distance(&wanted, &candidate);
        if distance <= allowed {
            close.push((distance, name));
        }
    }
    close.sort_unstable();
    close.into_iter().take(SHOWN).map(|(_, name)| name).collect()
}

/// Edit distance by Levenshtein.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_come_nearest_first_and_far_ones_not_at_all() {
        let names = ["monitoring", "Monitorin", "ledger", "monitoring_old", "m"].map(str::to_owned);
        assert_eq!(nearest("monitorng", &names), ["monitoring", "Monitorin"]);
        assert_eq!(nearest("leger", &names), ["ledger"]);
        assert!(nearest("accounts", &names).is_empty());
        assert!(nearest("", &[]).is_empty());
    }

    #[test]
    fn distances_are_edit_distances() {
        let d = |a: &str, b: &str| distance(&a.chars().collect::<Vec<_>>(), &b.chars().collect::<Vec<_>>());
        assert_eq!((d("", "abc"), d("abc", ""), d("kitten", "sitting"), d("ab", "ba"), d("x", "x")), (3, 3, 3, 2, 0));
    }
}
