//! The flags that describe a source, and how they are laid over a spec that is there already (a file, or what is
//! registered). Pure: no file is read and nobody is asked here.

use clap::Args;
use serde_json::{Map, Value as Json, json};

use crate::error::CliError;

/// Kinds of source, as the flag takes them.
pub const TYPES: [&str; 9] =
    ["postgresql", "mysql", "mariadb", "mongodb", "redis", "sqlserver", "snowflake", "bigquery", "cosmosdb"];
/// Where a source runs.
pub const LOCATIONS: [&str; 3] = ["on_prem", "cloud", "hybrid"];
/// What a source is used for.
pub const ENVIRONMENTS: [&str; 4] = ["production", "staging", "development", "test"];
/// How much depends on it.
pub const CRITICALITIES: [&str; 4] = ["low", "medium", "high", "critical"];
/// How sensitive it is declared to be.
pub const CLASSIFICATIONS: [&str; 4] = ["public", "internal", "confidential", "restricted"];
/// What a connection demands of TLS.
pub const TLS_MODES: [&str; 5] = ["default", "disable", "require", "verify_ca", "verify_full"];
/// Which server of several to talk to.
pub const TARGETS: [&str; 3] = ["any", "primary", "prefer_standby"];

/// Everything about a source that has a flag; a spec file has the rest.
#[derive(Debug, Clone, Default, Args)]
pub struct SpecFlags {
    /// Name, unique in the tenant
    #[arg(long)]
    pub name: Option<String>,
    /// For people
    #[arg(long)]
    pub description: Option<String>,
    /// Kind of source
    #[arg(long = "type", value_parser = TYPES, ignore_case = true, value_name = "TYPE")]
    pub source_type: Option<String>,
    /// Where it runs
    #[arg(long, value_parser = LOCATIONS, ignore_case = true)]
    pub location: Option<String>,
    /// Address; may be given several times, tried in order. `host`, `host:port` or `[ipv6]:port`
    #[arg(long = "host", value_name = "HOST")]
    pub hosts: Vec<String>,
    /// Port of every --host that names none
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    pub port: Option<u16>,
    /// Database to open
    #[arg(long)]
    pub database: Option<String>,
    /// Role to log in as
    #[arg(long = "user", value_name = "USER")]
    pub username: Option<String>,
    /// What the connection demands of TLS
    #[arg(long = "tls", value_parser = TLS_MODES, ignore_case = true, value_name = "MODE")]
    pub tls_mode: Option<String>,
    /// Reference of the certificate authority to trust (PEM), such as sealed://acme/ca or file:///etc/pursight/ca.pem
    #[arg(long, value_name = "REF")]
    pub tls_ca: Option<String>,
    /// Name to verify instead of the host
    #[arg(long, value_name = "NAME")]
    pub tls_server_name: Option<String>,
    /// What it is used for
    #[arg(long, value_parser = ENVIRONMENTS, ignore_case = true)]
    pub environment: Option<String>,
    /// How much depends on it
    #[arg(long, value_parser = CRITICALITIES, ignore_case = true)]
    pub criticality: Option<String>,
    /// How sensitive it is declared to be
    #[arg(long, value_parser = CLASSIFICATIONS, ignore_case = true)]
    pub classification: Option<String>,
    /// Who answers for it
    #[arg(long)]
    pub owner: Option<String>,
    /// Label; may be given several times, replaces all
    #[arg(long = "tag", value_name = "TAG")]
    pub tags: Vec<String>,
    /// Driver option NAME=VALUE; may be given several times
    #[arg(long = "option", value_name = "NAME=VALUE", value_parser = pair)]
    pub options: Vec<(String, String)>,
    /// Further fact NAME=VALUE, never a secret; may be given several times
    #[arg(long = "property", value_name = "NAME=VALUE", value_parser = pair)]
    pub properties: Vec<(String, String)>,
    /// Glob on `schema.object` to discover; may be given several times
    #[arg(long, value_name = "GLOB")]
    pub include: Vec<String>,
    /// Glob on `schema.object` to leave out; may be given several times
    #[arg(long, value_name = "GLOB")]
    pub exclude: Vec<String>,
    /// Which server of several to talk to
    #[arg(long, value_parser = TARGETS, ignore_case = true)]
    pub target: Option<String>,
    /// Sessions kept to the source
    #[arg(long, value_name = "N")]
    pub pool_size: Option<i32>,
    /// Whether scheduled probes run
    #[arg(long, value_name = "BOOL")]
    pub monitoring: Option<bool>,
}

impl SpecFlags {
    /// Whether a flag changes a part of a nested field, so that the rest of it must be known.
    pub fn needs_current(&self) -> bool {
        (self.port.is_some() && self.hosts.is_empty())
            || self.tls_mode.is_some()
            || self.tls_ca.is_some()
            || self.tls_server_name.is_some()
            || !self.options.is_empty()
            || !self.properties.is_empty()
            || !self.include.is_empty()
            || !self.exclude.is_empty()
            || self.target.is_some()
            || self.pool_size.is_some()
    }

    /// Lays the flags over `target`. Of a nested field that `target` lacks, the rest comes from `current`.
    ///
    /// # Errors
    /// When an address makes no sense, or a port has no host.
    pub fn lay_over(&self, target: &mut Map<String, Json>, current: &Map<String, Json>) -> Result<(), CliError> {
        for (field, value) in [
            ("name", &self.name),
            ("description", &self.description),
            ("database", &self.database),
            ("username", &self.username),
            ("owner", &self.owner),
        ] {
            if let Some(value) = value {
                target.insert(field.to_owned(), json!(value));
            }
        }
        for (field, word) in [
            ("source_type", &self.source_type),
            ("location", &self.location),
            ("environment", &self.environment),
            ("criticality", &self.criticality),
            ("data_classification", &self.classification),
        ] {
            if let Some(word) = word {
                target.insert(field.to_owned(), symbol(word));
            }
        }
        if !self.tags.is_empty() {
            target.insert("tags".to_owned(), json!(self.tags));
        }
        if let Some(monitoring) = self.monitoring {
            target.insert("monitoring_enabled".to_owned(), json!(monitoring));
        }
        self.hosts_over(target, current)?;
        self.nested_over(target, current);
        Ok(())
    }

    fn hosts_over(&self, target: &mut Map<String, Json>, current: &Map<String, Json>) -> Result<(), CliError> {
        if !self.hosts.is_empty() {
            let hosts: Result<Vec<Json>, CliError> = self.hosts.iter().map(|text| address(text, self.port)).collect();
            target.insert("hosts".to_owned(), Json::Array(hosts?));
            return Ok(());
        }
        let Some(port) = self.port else { return Ok(()) };
        let known = target.get("hosts").or_else(|| current.get("hosts")).and_then(Json::as_array).cloned();
        let mut hosts = known.unwrap_or_default();
        if hosts.is_empty() {
            return Err(CliError::usage("--port without an address", "give --host too"));
        }
        for host in &mut hosts {
            host["port"] = json!(port);
        }
        target.insert("hosts".to_owned(), Json::Array(hosts));
        Ok(())
    }

    fn nested_over(&self, target: &mut Map<String, Json>, current: &Map<String, Json>) {
        let reference = |uri: &String| json!({"uri": uri});
        let mut set = |field: &str, parts: Vec<(&str, Json)>| {
            if parts.is_empty() {
                return;
            }
            let known = target.get(field).or_else(|| current.get(field)).and_then(Json::as_object).cloned();
            let mut whole = known.unwrap_or_default();
            whole.extend(parts.into_iter().map(|(name, value)| (name.to_owned(), value)));
            target.insert(field.to_owned(), Json::Object(whole));
        };
        let mut tls = Vec::new();
        tls.extend(self.tls_mode.as_deref().map(|mode| ("mode", symbol(mode))));
        tls.extend(self.tls_ca.as_ref().map(|uri| ("ca", reference(uri))));
        tls.extend(self.tls_server_name.as_ref().map(|name| ("server_name", json!(name))));
        set("tls", tls);
        set("options", self.options.iter().map(|(name, value)| (name.as_str(), json!(value))).collect());
        set("properties", self.properties.iter().map(|(name, value)| (name.as_str(), json!(value))).collect());
        let mut scope = Vec::new();
        scope.extend((!self.include.is_empty()).then(|| ("include", json!(self.include))));
        scope.extend((!self.exclude.is_empty()).then(|| ("exclude", json!(self.exclude))));
        set("scope", scope);
        set("replica", self.target.as_deref().map(|word| ("target", symbol(word))).into_iter().collect());
        set("pool", self.pool_size.map(|size| ("size", json!(size))).into_iter().collect());
    }
}

/// A flag's word as the contract's symbol.
pub fn symbol(word: &str) -> Json {
    Json::String(word.to_uppercase())
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE".to_owned()),
    }
}

fn address(text: &str, default_port: Option<u16>) -> Result<Json, CliError> {
    // Not repeated: it may be a URL with a password in it.
    let wrong = || CliError::usage("a --host is not an address", "write host, host:port, or [ipv6]:port");
    let port_of = |port: &str| port.parse::<u16>().ok().filter(|port| *port > 0).ok_or_else(wrong);
    let (host, port) = if let Some(rest) = text.strip_prefix('[') {
        let (host, after) = rest.split_once(']').ok_or_else(wrong)?;
        match after.strip_prefix(':') {
            Some(port) => (host, Some(port_of(port)?)),
            None if after.is_empty() => (host, None),
            None => return Err(wrong()),
        }
    } else if text.matches(':').count() == 1 {
        let (host, port) = text.split_once(':').ok_or_else(wrong)?;
        (host, Some(port_of(port)?))
    } else {
        // Two colons and more without brackets: a bare IPv6 address.
        (text, None)
    };
    if host.is_empty() {
        return Err(wrong());
    }
    Ok(json!({"host": host, "port": port.or(default_port)}))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use pursight_schemas as schemas;

    use super::*;

    #[test]
    fn the_words_of_the_flags_are_the_symbols_of_the_contract() {
        let same = |words: &[&str], symbols: Vec<&str>| {
            let upper: Vec<String> = words.iter().map(|word| word.to_uppercase()).collect();
            assert_eq!(upper, symbols.into_iter().filter(|symbol| *symbol != "UNKNOWN").collect::<Vec<_>>());
        };
        same(&TYPES, schemas::SourceType::ALL.iter().map(|one| one.symbol()).collect());
        same(&LOCATIONS, schemas::Location::ALL.iter().map(|one| one.symbol()).collect());
        same(&ENVIRONMENTS, schemas::Environment::ALL.iter().map(|one| one.symbol()).collect());
        same(&CRITICALITIES, schemas::Criticality::ALL.iter().map(|one| one.symbol()).collect());
        same(&CLASSIFICATIONS, schemas::DataClassification::ALL.iter().map(|one| one.symbol()).collect());
        same(&TLS_MODES, schemas::TlsMode::ALL.iter().map(|one| one.symbol()).collect());
        same(&TARGETS, schemas::ReplicaTarget::ALL.iter().map(|one| one.symbol()).collect());
    }

    #[test]
    fn addresses_are_read_with_and_without_a_port() {
        assert_eq!(address("db", Some(6)).unwrap(), json!({"host": "db", "port": 6}));
        assert_eq!(address("db:7", Some(6)).unwrap(), json!({"host": "db", "port": 7}));
        assert_eq!(address("[::1]:7", None).unwrap(), json!({"host": "::1", "port": 7}));
        assert_eq!(address("2001:db8::1", None).unwrap(), json!({"host": "2001:db8::1", "port": null}));
        for bad in ["", ":5", "db:", "db:0", "db:70000", "[::1", "[::1]5"] {
            assert!(address(bad, None).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_part_of_a_nested_field_keeps_the_rest_of_it() {
        let flags = SpecFlags { tls_mode: Some("require".into()), port: Some(7), ..SpecFlags::default() };
        assert!(flags.needs_current());
        let current = json!({"tls": {"mode": "DEFAULT", "server_name": "a"}, "hosts": [{"host": "h", "port": 5}]});
        let mut patch = Map::new();
        flags.lay_over(&mut patch, current.as_object().unwrap()).unwrap();
        assert_eq!(
            Json::Object(patch),
            json!({"hosts": [{"host": "h", "port": 7}], "tls": {"mode": "REQUIRE", "server_name": "a"}})
        );
    }

    #[test]
    fn flags_win_over_the_file() {
        let flags = SpecFlags {
            name: Some("b".into()),
            tags: vec!["x".into()],
            source_type: Some("postgresql".into()),
            ..SpecFlags::default()
        };
        let mut spec = json!({"name": "a", "owner": "o"}).as_object().unwrap().clone();
        flags.lay_over(&mut spec, &Map::new()).unwrap();
        assert_eq!(Json::Object(spec), json!({"name": "b", "owner": "o", "source_type": "POSTGRESQL", "tags": ["x"]}));
    }

    #[test]
    fn a_port_without_a_host_is_wrong_usage() {
        let flags = SpecFlags { port: Some(7), ..SpecFlags::default() };
        let error = flags.lay_over(&mut Map::new(), &Map::new()).unwrap_err();
        assert_eq!(error.exit_code(), 2);
    }
}
