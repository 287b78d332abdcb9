//! References to secrets: form and tenant, never whether they resolve. A value where a reference belongs is the worst
//! fault a publisher can make, so it has its own code, and is never repeated.

use pursight_schemas::SecretRef;

use super::{Violations, code, secret};

const LONGEST: usize = 1024;
const LATER: [&str; 3] = ["azure-kv", "gcp-sm", "vault"];
const KNOWN: &str = "references are sealed://<tenant>/<id>, aws-sm://<region>/<name>, env://NAME and file:///PATH";

/// Checks one reference of `tenant`.
pub fn check(found: &mut Violations, path: &str, tenant: &str, reference: &SecretRef) {
    let uri_path = format!("{path}/uri");
    let uri = reference.uri.as_str();
    if uri.is_empty() {
        found.invalid(uri_path, format!("required; {KNOWN}"));
    } else if let Some((scheme, rest)) = uri.split_once("://").filter(|(scheme, _)| is_scheme(scheme)) {
        if uri.len() > LONGEST || uri.chars().any(|each| each.is_control() || each.is_whitespace()) {
            found.invalid(uri_path, format!("a reference has at most {LONGEST} bytes and no blanks"));
        } else {
            by_scheme(found, &uri_path, tenant, scheme, rest);
        }
    } else {
        found.add(uri_path, code::PLAINTEXT_SECRET, format!("this is not a reference; {KNOWN}"));
    }
    if let Some(version) = &reference.version {
        super::text(found, &format!("{path}/version"), version, 128, false);
    }
}

fn is_scheme(text: &str) -> bool {
    matches!(text, "sealed" | "aws-sm" | "env" | "file") || LATER.contains(&text)
}

fn by_scheme(found: &mut Violations, path: &str, tenant: &str, scheme: &str, rest: &str) {
    if rest.contains('@') && scheme != "file" && secret::is_secret_text(&format!("{scheme}://{rest}")) {
        found.add(path, code::PLAINTEXT_SECRET, "a reference carries no user info");
        return;
    }
    let fault = match scheme {
        "sealed" => match rest.split_once('/') {
            Some((owner, _)) if owner != tenant => Some("a sealed secret belongs to the tenant that uses it"),
            Some((_, id)) if is_plain(id, "-_.") => None,
            _ => Some("a sealed secret is sealed://<tenant>/<id>"),
        },
        "env" if is_plain(rest, "_") && !rest.starts_with(|each: char| each.is_ascii_digit()) => None,
        "env" => Some("an environment variable is env://NAME"),
        "file" if rest.starts_with('/') && !rest.split('/').any(|part| part == "..") => None,
        "file" => Some("a file is file:///absolute/path, without .."),
        "aws-sm" => match rest.split_once('/') {
            Some((region, name)) if is_plain(region, "-") && !name.is_empty() => None,
            _ => Some("a secret of AWS Secrets Manager is aws-sm://<region>/<name>[#json-key]"),
        },
        _ => Some("this kind of secret store is not available yet"),
    };
    if let Some(fault) = fault {
        found.invalid(path, fault);
    }
}

fn is_plain(text: &str, also: &str) -> bool {
    !text.is_empty() && text.chars().all(|each| each.is_ascii_alphanumeric() || also.contains(each))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(uri: &str) -> Vec<String> {
        let mut found = Violations::new();
        let reference = SecretRef { uri: uri.to_owned(), version: None };
        check(&mut found, "/spec/credential", "acme", &reference);
        found.into_list().into_iter().map(|violation| violation.code).collect()
    }

    #[test]
    fn references_of_every_scheme_pass() {
        for uri in [
            "sealed://acme/0190f1-7a",
            "env://ORDERS_DB",
            "file:///run/secrets/orders",
            "aws-sm://eu-north-1/prod/orders#password",
        ] {
            assert_eq!(codes(uri), [""; 0], "{uri}");
        }
    }

    #[test]
    fn a_value_is_not_a_reference() {
        for uri in ["hunter2", "http://vault/x", "postgresql://u:p@h/db", "p://ssword", "sealed://u:p@acme/x"] {
            assert_eq!(codes(uri), [code::PLAINTEXT_SECRET], "{uri}");
        }
    }

    #[test]
    fn damaged_and_foreign_references_are_refused() {
        for uri in [
            "",
            "sealed://other/x",
            "sealed://acme",
            "sealed://acme/../x",
            "env://",
            "env://A B",
            "file://x",
            "file:///a/../b",
            "vault://x",
        ] {
            assert_eq!(codes(uri), [code::INVALID_FIELD], "{uri}");
        }
    }
}
