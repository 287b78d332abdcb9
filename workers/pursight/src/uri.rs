//! A source's connection as a URI, for people and tools: derived from the typed fields, percent-encoded, IPv6 in
//! brackets, never with a secret. Pure.

use pursight_schemas::ids::percent;
use pursight_schemas::{CloudAuth, DataSourceSpec, HostPort, Location, ReplicaTarget, SourceType, TlsMode};

/// The URI of a spec; `None` for a kind of source that this version does not know.
pub fn of(spec: &DataSourceSpec) -> Option<String> {
    Some(match spec.source_type {
        SourceType::Postgresql => network("postgresql", spec, 5432, postgres_query(spec)),
        SourceType::Mysql => network("mysql", spec, 3306, mysql_query(spec)),
        SourceType::Mariadb => network("mariadb", spec, 3306, mysql_query(spec)),
        SourceType::Mongodb => mongodb(spec),
        SourceType::Redis => {
            let scheme = if tls(spec) == TlsMode::Disable { "redis" } else { "rediss" };
            network(scheme, spec, 6379, Vec::new())
        }
        SourceType::Sqlserver => network("mssql", spec, 1433, vec![("encrypt", "mandatory".to_owned())]),
        SourceType::Snowflake => hosted("snowflake", spec, &["warehouse", "role"]),
        SourceType::Bigquery => hosted("bigquery", spec, &["dataset", "location"]),
        SourceType::Cosmosdb => hosted("cosmosdb", spec, &[]),
        SourceType::Unknown => return None,
    })
}

/// The form that older tools (SQLAlchemy with its usual drivers) read, the password starred out.
pub fn legacy(spec: &DataSourceSpec) -> Option<String> {
    let (scheme, port) = match spec.source_type {
        SourceType::Postgresql => ("postgresql+psycopg2", 5432),
        SourceType::Mysql | SourceType::Mariadb => ("mysql+pymysql", 3306),
        _ => return of(spec),
    };
    let user = spec.username.as_deref().map(|user| format!("{}:***@", percent(user))).unwrap_or_default();
    let host = spec.hosts.first().map(|host| host_port(host, port)).unwrap_or_default();
    Some(format!("{scheme}://{user}{host}{}", path(spec)))
}

fn network(scheme: &str, spec: &DataSourceSpec, port: i32, query: Vec<(&str, String)>) -> String {
    let hosts: Vec<String> = spec.hosts.iter().map(|host| host_port(host, port)).collect();
    format!("{scheme}://{}{}{}{}", user(spec), hosts.join(","), path(spec), text_of(&query))
}

fn mongodb(spec: &DataSourceSpec) -> String {
    let replica = spec.replica.clone().unwrap_or_default();
    let scheme = if replica.srv { "mongodb+srv" } else { "mongodb" };
    let hosts: Vec<String> = spec
        .hosts
        .iter()
        .map(|host| if replica.srv { bracketed(&host.host) } else { host_port(host, 27017) })
        .collect();
    let query: Vec<(&str, String)> = [
        ("replicaSet", replica.replica_set),
        ("authSource", replica.auth_source),
        ("readPreference", replica.read_preference),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name, value?)))
    .collect();
    format!("{scheme}://{}{}{}{}", user(spec), hosts.join(","), path(spec), text_of(&query))
}

/// Services without an address of their own: the account is the authority.
fn hosted(scheme: &str, spec: &DataSourceSpec, options: &[&'static str]) -> String {
    let account = spec.cloud.as_ref().and_then(|cloud| cloud.account.clone());
    let account = account.or_else(|| spec.hosts.first().map(|host| host.host.clone())).unwrap_or_default();
    let query: Vec<(&str, String)> =
        options.iter().filter_map(|name| Some((*name, spec.options.get(*name)?.clone()))).collect();
    format!("{scheme}://{}{}{}", percent(&account), path(spec), text_of(&query))
}

fn postgres_query(spec: &DataSourceSpec) -> Vec<(&'static str, String)> {
    let mode = match tls(spec) {
        TlsMode::Disable => "disable",
        TlsMode::VerifyCa => "verify-ca",
        TlsMode::VerifyFull => "verify-full",
        TlsMode::Require | TlsMode::Default | TlsMode::Unknown => "require",
    };
    let mut query = vec![("sslmode", mode.to_owned())];
    match spec.replica.as_ref().map(|replica| replica.target) {
        Some(ReplicaTarget::Primary) => query.push(("target_session_attrs", "primary".to_owned())),
        Some(ReplicaTarget::PreferStandby) => query.push(("target_session_attrs", "prefer-standby".to_owned())),
        _ => {}
    }
    if let Some(name) = spec.options.get("application_name") {
        query.push(("application_name", name.clone()));
    }
    query
}

fn mysql_query(spec: &DataSourceSpec) -> Vec<(&'static str, String)> {
    let mode = match tls(spec) {
        TlsMode::Disable => "DISABLED",
        TlsMode::VerifyCa => "VERIFY_CA",
        TlsMode::VerifyFull => "VERIFY_IDENTITY",
        TlsMode::Require | TlsMode::Default | TlsMode::Unknown => "REQUIRED",
    };
    vec![("ssl-mode", mode.to_owned())]
}

/// What `DEFAULT` means where the source runs.
fn tls(spec: &DataSourceSpec) -> TlsMode {
    match (spec.tls.mode, spec.location) {
        (TlsMode::Default | TlsMode::Unknown, Location::Cloud | Location::Hybrid) => TlsMode::VerifyFull,
        (TlsMode::Default | TlsMode::Unknown, _) => TlsMode::Require,
        (stated, _) => stated,
    }
}

fn user(spec: &DataSourceSpec) -> String {
    let identity = spec.cloud.as_ref().is_some_and(|cloud| cloud.auth == CloudAuth::ServiceAccount);
    match spec.username.as_deref() {
        Some(name) if !identity || !name.is_empty() => format!("{}@", percent(name)),
        _ => String::new(),
    }
}

fn path(spec: &DataSourceSpec) -> String {
    spec.database.as_deref().map(|database| format!("/{}", percent(database))).unwrap_or_default()
}

fn host_port(host: &HostPort, default: i32) -> String {
    format!("{}:{}", bracketed(&host.host), host.port.unwrap_or(default))
}

/// A literal IPv6 address needs brackets; its zone's `%` is encoded (RFC 6874).
fn bracketed(host: &str) -> String {
    if !host.contains(':') {
        return percent(host);
    }
    let parts: Vec<String> = host.split(':').map(percent).collect();
    format!("[{}]", parts.join(":"))
}

fn text_of(query: &[(&str, String)]) -> String {
    if query.is_empty() {
        return String::new();
    }
    let parts: Vec<String> = query.iter().map(|(name, value)| format!("{name}={}", percent(value))).collect();
    format!("?{}", parts.join("&"))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use proptest::prelude::*;

    use super::*;

    fn postgres(hosts: &[(&str, Option<i32>)]) -> DataSourceSpec {
        DataSourceSpec {
            source_type: SourceType::Postgresql,
            location: Location::OnPrem,
            hosts: hosts.iter().map(|(host, port)| HostPort { host: (*host).to_owned(), port: *port }).collect(),
            database: Some("shop".into()),
            username: Some("reader".into()),
            ..DataSourceSpec::default()
        }
    }

    #[test]
    fn several_hosts_and_ipv6_are_written_as_libpq_reads_them() {
        let mut spec = postgres(&[("db.acme.example", None), ("2001:db8::1", Some(5433))]);
        assert_eq!(
            of(&spec).unwrap(),
            "postgresql://reader@db.acme.example:5432,[2001:db8::1]:5433/shop?sslmode=require"
        );
        spec.location = Location::Cloud;
        assert!(of(&spec).unwrap().ends_with("sslmode=verify-full"));
    }

    #[test]
    fn nothing_in_a_host_leaves_its_place() {
        let text = of(&postgres(&[("fe80::1%eth0", None), ("a:\n\0]@b \"/", None)])).unwrap();
        assert_eq!(
            text,
            "postgresql://reader@[fe80::1%25eth0]:5432,[a:%0A%00%5D%40b%20%22%2F]:5432/shop?sslmode=require"
        );
    }

    #[test]
    fn the_old_form_has_a_starred_password() {
        let spec = postgres(&[("h", None)]);
        assert_eq!(legacy(&spec).unwrap(), "postgresql+psycopg2://reader:***@h:5432/shop");
    }

    #[test]
    fn mongodb_by_srv_has_no_port() {
        let mut spec = postgres(&[("cluster.example", None)]);
        spec.source_type = SourceType::Mongodb;
        spec.replica = Some(pursight_schemas::Replica { srv: true, ..Default::default() });
        assert_eq!(of(&spec).unwrap(), "mongodb+srv://reader@cluster.example/shop");
    }

    proptest! {
        #[test]
        fn user_and_database_come_back_from_the_uri(user in "\\PC{1,20}", database in "\\PC{1,20}", port in 1..65_535_i32) {
            let mut spec = postgres(&[("db.example", Some(port))]);
            spec.username = Some(user.clone());
            spec.database = Some(database.clone());
            spec.credential = Some(pursight_schemas::SecretRef { uri: "env://CANARY_SECRET".into(), version: None });
            let text = of(&spec).unwrap();
            prop_assert!(!text.contains("CANARY_SECRET"));
            let (authority, rest) = text.strip_prefix("postgresql://").unwrap().split_once('/').unwrap();
            let (name, host) = authority.split_once('@').unwrap();
            prop_assert_eq!(decoded(name), user);
            prop_assert_eq!(host, format!("db.example:{port}"));
            prop_assert_eq!(decoded(rest.split_once('?').unwrap().0), database);
        }
    }

    fn decoded(text: &str) -> String {
        let mut bytes = Vec::new();
        let mut rest = text.as_bytes();
        while let Some((first, after)) = rest.split_first() {
            if *first == b'%' {
                bytes.push(u8::from_str_radix(std::str::from_utf8(&after[..2]).unwrap(), 16).unwrap());
                rest = &after[2..];
            } else {
                bytes.push(*first);
                rest = after;
            }
        }
        String::from_utf8(bytes).unwrap()
    }
}
