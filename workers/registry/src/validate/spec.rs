//! What a source's configuration must be like, whole: fields that are fine alone may be wrong together.
//! Paths are relative to the spec; callers say where it lies in their command.

use std::collections::BTreeMap;

use pursight_schemas::names::SourceName;
use pursight_schemas::{DataSourceSpec, Location, PoolPolicy, Replica, SecretRef, SourceType, TlsMode, TlsPolicy};

use super::{Violations, address, code, listed, options, pointer, reference, scope, secret, text};

const MOST_ENTRIES: usize = 64;
const LONGEST_VALUE: usize = 2_048;

/// Checks a whole configuration of `tenant`. `path` is where it lies: `/spec`, `/draft`, or empty.
pub fn check(found: &mut Violations, path: &str, tenant: &str, spec: &DataSourceSpec) {
    identity(found, path, spec);
    address::check(found, &format!("{path}/hosts"), spec.source_type, &spec.hosts);
    options::check(found, &format!("{path}/options"), spec.source_type, &spec.options);
    login(found, path, tenant, spec);
    tls(found, &format!("{path}/tls"), tenant, spec.location, &spec.tls);
    cloud(found, &format!("{path}/cloud"), tenant, spec);
    if let Some(replica) = &spec.replica {
        replicas(found, &format!("{path}/replica"), spec, replica);
    }
    pool(found, &format!("{path}/pool"), &spec.pool);
    words(found, path, spec);
    scope::check(found, &format!("{path}/scope"), &spec.scope);
}

fn identity(found: &mut Violations, path: &str, spec: &DataSourceSpec) {
    if let Err(fault) = SourceName::parse(&spec.name) {
        found.invalid(format!("{path}/name"), fault.to_string());
    }
    if spec.source_type == SourceType::Unknown {
        let known = SourceType::ALL.iter().copied().filter(|one| *one != SourceType::Unknown);
        let known: Vec<SourceType> = known.collect();
        found.invalid(format!("{path}/source_type"), format!("required, one of {}", listed(&known)));
    }
    if spec.location == Location::Unknown {
        found.invalid(format!("{path}/location"), "required, one of ON_PREM, CLOUD, HYBRID");
    }
}

fn login(found: &mut Violations, path: &str, tenant: &str, spec: &DataSourceSpec) {
    for (field, value) in [("database", &spec.database), ("username", &spec.username)] {
        let Some(value) = value else { continue };
        let path = format!("{path}/{field}");
        if value.is_empty() {
            found.invalid(&path, "leave it out instead of giving an empty text");
        }
        text(found, &path, value, 255, false);
        if secret::is_secret_text(value) {
            found.add(path, code::PLAINTEXT_SECRET, "only the name belongs here; give the secret as credential");
        }
    }
    optional(found, &format!("{path}/credential"), tenant, spec.credential.as_ref());
}

fn optional(found: &mut Violations, path: &str, tenant: &str, one: Option<&SecretRef>) {
    if let Some(one) = one {
        reference::check(found, path, tenant, one);
    }
}

fn tls(found: &mut Violations, path: &str, tenant: &str, location: Location, tls: &TlsPolicy) {
    let open = matches!(tls.mode, TlsMode::Disable | TlsMode::Require);
    if open && matches!(location, Location::Cloud | Location::Hybrid) {
        let message = format!("a source in {location} needs VERIFY_FULL or VERIFY_CA; DEFAULT means VERIFY_FULL there");
        found.add(format!("{path}/mode"), code::TLS_DOWNGRADE, message);
    }
    let parts = [("ca", &tls.ca), ("client_certificate", &tls.client_certificate), ("client_key", &tls.client_key)];
    for (field, part) in parts {
        optional(found, &format!("{path}/{field}"), tenant, part.as_ref());
        if part.is_some() && tls.mode == TlsMode::Disable {
            found.invalid(format!("{path}/{field}"), "has no effect while mode is DISABLE");
        }
    }
    if tls.client_certificate.is_some() != tls.client_key.is_some() {
        found.invalid(format!("{path}/client_key"), "client_certificate and client_key belong together");
    }
    if let Some(name) = &tls.server_name {
        address::name(found, &format!("{path}/server_name"), name);
    }
}

fn cloud(found: &mut Violations, path: &str, tenant: &str, spec: &DataSourceSpec) {
    let Some(cloud) = &spec.cloud else { return };
    for (field, value) in [("region", &cloud.region), ("account", &cloud.account), ("role", &cloud.role)] {
        if let Some(value) = value {
            text(found, &format!("{path}/{field}"), value, 512, false);
            secret::in_text(found, &format!("{path}/{field}"), value);
        }
    }
    optional(found, &format!("{path}/service_account"), tenant, cloud.service_account.as_ref());
    map(found, &format!("{path}/properties"), &cloud.properties);
}

fn replicas(found: &mut Violations, path: &str, spec: &DataSourceSpec, replica: &Replica) {
    let texts = [
        ("replica_set", &replica.replica_set),
        ("read_preference", &replica.read_preference),
        ("auth_source", &replica.auth_source),
    ];
    let mongo = spec.source_type == SourceType::Mongodb;
    for (field, value) in texts {
        let path = format!("{path}/{field}");
        match value {
            Some(_) if !mongo => found.invalid(path, "only MONGODB has this"),
            Some(value) => text(found, &path, value, 128, false),
            None => {}
        }
    }
    if replica.srv && !mongo {
        found.invalid(format!("{path}/srv"), "only MONGODB has this");
    }
    if replica.srv && mongo && (spec.hosts.len() > 1 || spec.hosts.iter().any(|host| host.port.is_some())) {
        found.invalid(format!("{path}/srv"), "SRV takes exactly one host and no port");
    }
}

fn pool(found: &mut Violations, path: &str, pool: &PoolPolicy) {
    for (field, value, least, most) in [
        ("size", pool.size, 1, 100),
        ("max_overflow", pool.max_overflow, 0, 100),
        ("timeout_ms", pool.timeout_ms, 1, 600_000),
        ("recycle_s", pool.recycle_s, 1, 86_400),
    ] {
        if !(least..=most).contains(&value) {
            found.invalid(format!("{path}/{field}"), format!("from {least} to {most}"));
        }
    }
}

fn words(found: &mut Violations, path: &str, spec: &DataSourceSpec) {
    if let Some(description) = &spec.description {
        text(found, &format!("{path}/description"), description, 4_096, true);
        secret::in_text(found, &format!("{path}/description"), description);
    }
    if let Some(owner) = &spec.owner {
        text(found, &format!("{path}/owner"), owner, 256, false);
        secret::in_text(found, &format!("{path}/owner"), owner);
    }
    if spec.tags.len() > MOST_ENTRIES {
        found.invalid(format!("{path}/tags"), format!("at most {MOST_ENTRIES} tags are allowed"));
    }
    for (at, tag) in spec.tags.iter().enumerate().take(MOST_ENTRIES) {
        let path = format!("{path}/tags/{at}");
        if tag.trim().is_empty() {
            found.invalid(&path, "a tag is not empty");
        }
        text(found, &path, tag, 128, false);
        secret::in_text(found, &path, tag);
    }
    secret::in_map(found, &format!("{path}/options"), &spec.options);
    map(found, &format!("{path}/properties"), &spec.properties);
    map(found, &format!("{path}/external_refs"), &spec.external_refs);
}

fn map(found: &mut Violations, path: &str, map: &BTreeMap<String, String>) {
    if map.len() > MOST_ENTRIES {
        found.invalid(path, format!("at most {MOST_ENTRIES} entries are allowed"));
    }
    for (key, value) in map.iter().take(MOST_ENTRIES) {
        let path = format!("{path}/{}", pointer(key));
        if key.is_empty() || key.len() > 128 || key.chars().any(char::is_control) {
            found.invalid(&path, "a key has 1 to 128 bytes and no control characters");
        }
        text(found, &path, value, LONGEST_VALUE, true);
    }
    secret::in_map(found, path, map);
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use pursight_schemas::{Command, json};
    use serde_json::{Value, json};

    use super::*;

    /// The smallest sound spec with one member replaced.
    fn found(member: &str, value: Value) -> Vec<String> {
        let mut spec = json!({
            "name": "orders", "source_type": "POSTGRESQL", "location": "CLOUD", "hosts": [{"host": "db.acme.example"}],
        });
        spec[member] = value;
        let framed = json::read(&json!({
            "type": "CreateDataSource",
            "meta": {"command_id": uuid::Uuid::nil(), "tenant_id": "acme", "actor": {"principal": "ada"}},
            "spec": spec,
        }));
        let Command::CreateDataSource(command) = Command::decode(&framed.unwrap().bytes).unwrap() else { panic!() };
        let mut found = Violations::new();
        check(&mut found, "/spec", "acme", &command.spec);
        found.into_list().into_iter().map(|violation| format!("{} {}", violation.code, violation.path)).collect()
    }

    #[test]
    fn every_field_has_its_fault() {
        let long = "x".repeat(5_000);
        for (member, value, expected) in [
            ("name", json!(" "), "INVALID_FIELD /spec/name"),
            ("source_type", json!("UNKNOWN"), "INVALID_FIELD /spec/source_type"),
            ("location", json!("UNKNOWN"), "INVALID_FIELD /spec/location"),
            ("hosts", json!([]), "INVALID_FIELD /spec/hosts"),
            ("hosts", json!([{"host": "db", "port": 0}]), "INVALID_FIELD /spec/hosts/0/port"),
            ("hosts", json!([{"host": "db"}, {"host": "/tmp"}]), "INVALID_FIELD /spec/hosts/1/host"),
            ("database", json!(""), "INVALID_FIELD /spec/database"),
            ("username", json!("postgresql://u:p@h"), "PLAINTEXT_SECRET /spec/username"),
            ("credential", json!({"uri": "hunter2"}), "PLAINTEXT_SECRET /spec/credential/uri"),
            ("tls", json!({"mode": "DISABLE"}), "TLS_DOWNGRADE /spec/tls/mode"),
            ("tls", json!({"mode": "REQUIRE"}), "TLS_DOWNGRADE /spec/tls/mode"),
            ("tls", json!({"ca": {"uri": "x"}}), "PLAINTEXT_SECRET /spec/tls/ca/uri"),
            ("tls", json!({"client_key": {"uri": "sealed://acme/k"}}), "INVALID_FIELD /spec/tls/client_key"),
            ("tls", json!({"server_name": "a b"}), "INVALID_FIELD /spec/tls/server_name"),
            ("cloud", json!({"properties": {"apiKey": "x"}}), "SECRET_IN_PROPERTIES /spec/cloud/properties/apiKey"),
            ("cloud", json!({"service_account": {"uri": "x"}}), "PLAINTEXT_SECRET /spec/cloud/service_account/uri"),
            ("replica", json!({"srv": true}), "INVALID_FIELD /spec/replica/srv"),
            ("replica", json!({"replica_set": "rs0"}), "INVALID_FIELD /spec/replica/replica_set"),
            ("pool", json!({"size": 0}), "INVALID_FIELD /spec/pool/size"),
            ("pool", json!({"max_overflow": -1}), "INVALID_FIELD /spec/pool/max_overflow"),
            ("pool", json!({"timeout_ms": 0}), "INVALID_FIELD /spec/pool/timeout_ms"),
            ("pool", json!({"recycle_s": 0}), "INVALID_FIELD /spec/pool/recycle_s"),
            ("options", json!({"sslmode": "prefer"}), "UNKNOWN_OPTION /spec/options/sslmode"),
            ("options", json!({"password": "x"}), "SECRET_IN_PROPERTIES /spec/options/password"),
            ("description", json!(long), "INVALID_FIELD /spec/description"),
            ("description", json!("password: hunter2"), "SECRET_IN_PROPERTIES /spec/description"),
            ("owner", json!("a\tb"), "INVALID_FIELD /spec/owner"),
            ("tags", json!(["ok", ""]), "INVALID_FIELD /spec/tags/1"),
            ("tags", json!(["pwd=hunter2"]), "SECRET_IN_PROPERTIES /spec/tags/0"),
            ("properties", json!({"": "x"}), "INVALID_FIELD /spec/properties/(hidden)"),
            ("properties", json!({"a/b": long}), "INVALID_FIELD /spec/properties/a~1b"),
            ("properties", json!({"url": "https://u:p@h/"}), "SECRET_IN_PROPERTIES /spec/properties/url"),
            ("external_refs", json!({"token": "x"}), "SECRET_IN_PROPERTIES /spec/external_refs/token"),
            ("scope", json!({"include": ["orders"]}), "INVALID_FIELD /spec/scope/include/0"),
        ] {
            assert_eq!(found(member, value.clone()), [expected], "{member} {value}");
        }
    }

    #[test]
    fn tls_follows_the_location() {
        for (location, mode, faults) in [
            (Location::OnPrem, TlsMode::Disable, 0),
            (Location::OnPrem, TlsMode::Require, 0),
            (Location::Cloud, TlsMode::Default, 0),
            (Location::Cloud, TlsMode::Unknown, 0),
            (Location::Cloud, TlsMode::VerifyCa, 0),
            (Location::Hybrid, TlsMode::VerifyFull, 0),
            (Location::Hybrid, TlsMode::Require, 1),
            (Location::Cloud, TlsMode::Disable, 1),
        ] {
            let mut found = Violations::new();
            tls(&mut found, "/spec/tls", "acme", location, &TlsPolicy { mode, ..TlsPolicy::default() });
            assert_eq!(found.len(), faults, "{location} {mode}");
        }
    }

    #[test]
    fn srv_takes_one_host_without_a_port() {
        let mut spec = DataSourceSpec { source_type: SourceType::Mongodb, ..DataSourceSpec::default() };
        spec.hosts = vec![pursight_schemas::HostPort { host: "m.example".into(), port: Some(27_017) }];
        let mut found = Violations::new();
        replicas(&mut found, "/replica", &spec, &Replica { srv: true, ..Replica::default() });
        assert_eq!(found.len(), 1);
    }
}
