//! Driver options: an allow-list per type of source. What is not listed is refused; a deny-list would miss the next one.

use std::collections::BTreeMap;

use pursight_schemas::SourceType;

use super::{Violations, code, pointer, secret};

/// What a value of an option must look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Printable text of at most so many bytes.
    Text(usize),
    /// A whole number within bounds.
    Number(i64, i64),
    /// `true` or `false`.
    Flag,
    /// Names separated by commas, or `*`.
    Names,
    /// One of these.
    OneOf(&'static [&'static str]),
}

const CONNECT_TIMEOUT: (&str, Form) = ("connect_timeout_s", Form::Number(1, 60));
const DATABASES: (&str, Form) = ("databases", Form::Names);

fn allowed(source_type: SourceType) -> &'static [(&'static str, Form)] {
    match source_type {
        SourceType::Postgresql => &[("application_name", Form::Text(63)), CONNECT_TIMEOUT, DATABASES],
        SourceType::Mysql | SourceType::Mariadb => &[CONNECT_TIMEOUT, DATABASES],
        SourceType::Mongodb => &[
            (
                "read_preference",
                Form::OneOf(&["primary", "primaryPreferred", "secondary", "secondaryPreferred", "nearest"]),
            ),
            ("auth_source", Form::Text(128)),
        ],
        SourceType::Redis => &[("db", Form::Number(0, 1_023)), ("cluster", Form::Flag)],
        SourceType::Sqlserver => {
            &[("instance", Form::Text(128)), ("application_intent", Form::OneOf(&["ReadOnly", "ReadWrite"]))]
        }
        SourceType::Snowflake => &[("warehouse", Form::Text(255)), ("role", Form::Text(255))],
        SourceType::Bigquery => &[
            ("dataset", Form::Text(1_024)),
            ("location", Form::Text(64)),
            ("maximum_bytes_billed", Form::Number(1, i64::MAX)),
        ],
        SourceType::Cosmosdb | SourceType::Unknown => &[],
    }
}

/// Checks every option of a source.
pub fn check(found: &mut Violations, path: &str, source_type: SourceType, options: &BTreeMap<String, String>) {
    if source_type == SourceType::Unknown {
        // The missing type is a fault of its own; which options it allows cannot be said.
        return;
    }
    let allowed = allowed(source_type);
    for (key, value) in options {
        if secret::is_secret_name(key) || secret::is_secret_text(key) || secret::is_secret_text(value) {
            // Reported as what it is: a secret.
            continue;
        }
        let path = format!("{path}/{}", pointer(key));
        match allowed.iter().find(|(name, _)| name == key) {
            None => found.add(path, code::UNKNOWN_OPTION, unknown(source_type, allowed)),
            Some((_, form)) => {
                if let Some(fault) = fault(*form, value) {
                    found.invalid(path, fault);
                }
            }
        }
    }
}

fn unknown(source_type: SourceType, allowed: &[(&str, Form)]) -> String {
    let names: Vec<&str> = allowed.iter().map(|(name, _)| *name).collect();
    if names.is_empty() {
        format!("{source_type} has no options")
    } else {
        format!("{source_type} has the options {}", names.join(", "))
    }
}

fn fault(form: Form, value: &str) -> Option<String> {
    let printable = |most: usize| !value.is_empty() && value.len() <= most && !value.chars().any(char::is_control);
    match form {
        Form::Text(most) => (!printable(most)).then(|| format!("1 to {most} printable bytes are allowed")),
        Form::Number(least, most) => {
            let sound = value.parse::<i64>().is_ok_and(|number| (least..=most).contains(&number));
            (!sound).then(|| format!("a whole number from {least} to {most} is expected"))
        }
        Form::Flag => (!matches!(value, "true" | "false")).then(|| "true or false is expected".to_owned()),
        Form::Names => {
            let sound = printable(8_192) && (value == "*" || value.split(',').all(|name| !name.trim().is_empty()));
            (!sound).then(|| "names separated by commas are expected, or *".to_owned())
        }
        Form::OneOf(words) => (!words.contains(&value)).then(|| format!("one of {} is expected", words.join(", "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(source_type: SourceType, key: &str, value: &str) -> Vec<String> {
        let mut found = Violations::new();
        check(&mut found, "/spec/options", source_type, &BTreeMap::from([(key.to_owned(), value.to_owned())]));
        found.into_list().into_iter().map(|violation| format!("{} {}", violation.path, violation.code)).collect()
    }

    #[test]
    fn every_type_accepts_its_own_options() {
        for (source_type, key, value) in [
            (SourceType::Postgresql, "databases", "shop, ledger"),
            (SourceType::Mysql, "connect_timeout_s", "5"),
            (SourceType::Mongodb, "read_preference", "secondaryPreferred"),
            (SourceType::Redis, "cluster", "true"),
            (SourceType::Sqlserver, "application_intent", "ReadOnly"),
            (SourceType::Snowflake, "warehouse", "wh"),
            (SourceType::Bigquery, "maximum_bytes_billed", "1000000"),
        ] {
            assert_eq!(found(source_type, key, value), [""; 0], "{source_type} {key}");
        }
    }

    #[test]
    fn what_is_not_listed_is_unknown() {
        for key in ["sslmode", "service", "passfile", "host", "options", "allow_local_infile", "trustServerCertificate"]
        {
            assert_eq!(
                found(SourceType::Postgresql, key, "x"),
                [format!("/spec/options/{key} UNKNOWN_OPTION")],
                "{key}"
            );
        }
    }

    #[test]
    fn listed_options_have_a_form() {
        for (key, value) in [("connect_timeout_s", "soon"), ("connect_timeout_s", "0"), ("databases", "a,,b")] {
            assert_eq!(found(SourceType::Postgresql, key, value), [format!("/spec/options/{key} INVALID_FIELD")]);
        }
    }
}
