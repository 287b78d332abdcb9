//! References, parsed once and believed afterwards. A reference says where, never what.

use std::fmt;
use std::path::PathBuf;

use pursight_schemas::SecretRef;
use pursight_schemas::names::is_tenant_id;

/// A reference that is well formed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Reference {
    /// Which secret.
    pub place: Place,
    /// Which version of it; the newest if absent.
    pub version: Option<String>,
}

/// Where a secret is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Place {
    /// `sealed://<tenant>/<id>`.
    Sealed {
        /// Whose.
        tenant: String,
        /// Which.
        id: String,
    },
    /// `env://NAME`.
    Environment {
        /// The variable.
        name: String,
    },
    /// `file://PATH`.
    File {
        /// Absolute, without `..`.
        path: PathBuf,
    },
    /// `aws-sm://<region>/<name>[#json-key]`.
    AwsSecretsManager {
        /// AWS region.
        region: String,
        /// Name of the secret.
        name: String,
        /// Member of the JSON object that the secret holds.
        json_key: Option<String>,
    },
}

/// What is wrong with a reference. Never repeats it: a malformed one may be the secret itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// No known scheme.
    #[error("a reference begins with sealed://, aws-sm://, env:// or file://")]
    Scheme,
    /// `sealed://`.
    #[error("expected sealed://<tenant>/<id> with an id of letters, digits, dots, hyphens and underscores")]
    Sealed,
    /// `env://`.
    #[error("expected env://NAME with letters, digits and underscores")]
    Environment,
    /// `file://`.
    #[error("expected file:///absolute/path without .. or empty parts")]
    File,
    /// `aws-sm://`.
    #[error("expected aws-sm://<region>/<name>[#json-key]")]
    Aws,
    /// A version that the store cannot have.
    #[error("sealed secrets have versions 1, 2, 3, ...; aws-sm ones stages or ids; env and file ones none")]
    Version,
}

impl Reference {
    /// Parses what a command or an event carries.
    ///
    /// # Errors
    /// What a well-formed reference looks like.
    pub fn parse(reference: &SecretRef) -> Result<Self, ReferenceError> {
        let (scheme, rest) = reference.uri.split_once("://").ok_or(ReferenceError::Scheme)?;
        let place = match scheme {
            "sealed" => sealed(rest),
            "env" => environment(rest),
            "file" => file(rest),
            "aws-sm" => aws(rest),
            _ => Err(ReferenceError::Scheme),
        }?;
        let version = reference.version.clone();
        match &version {
            Some(version) if !version_fits(&place, version) => Err(ReferenceError::Version),
            _ => Ok(Self { place, version }),
        }
    }
}

/// Whether a text may name a sealed secret.
pub(crate) fn is_sealed_id(id: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=128).contains(&id.len()) && id.bytes().all(known) && !id.starts_with('.')
}

fn sealed(rest: &str) -> Result<Place, ReferenceError> {
    match rest.split_once('/') {
        Some((tenant, id)) if is_tenant_id(tenant) && is_sealed_id(id) => {
            Ok(Place::Sealed { tenant: tenant.to_owned(), id: id.to_owned() })
        }
        _ => Err(ReferenceError::Sealed),
    }
}

fn environment(name: &str) -> Result<Place, ReferenceError> {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let sound = (1..=255).contains(&name.len()) && name.bytes().all(known) && !name.as_bytes()[0].is_ascii_digit();
    sound.then(|| Place::Environment { name: name.to_owned() }).ok_or(ReferenceError::Environment)
}

fn file(path: &str) -> Result<Place, ReferenceError> {
    let parts = path.strip_prefix('/').ok_or(ReferenceError::File)?;
    let sound = path.len() <= 4096
        && !path.contains(char::is_control)
        && parts.split('/').all(|part| !part.is_empty() && part != "." && part != "..");
    sound.then(|| Place::File { path: PathBuf::from(path) }).ok_or(ReferenceError::File)
}

fn aws(rest: &str) -> Result<Place, ReferenceError> {
    let (region, rest) = rest.split_once('/').ok_or(ReferenceError::Aws)?;
    let (name, json_key) = match rest.split_once('#') {
        Some((name, key)) => (name, Some(key.to_owned())),
        None => (rest, None),
    };
    // The region becomes part of a host name: nothing but letters, digits and hyphens.
    let region_known = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let region_sound = (5..=32).contains(&region.len())
        && region.bytes().all(region_known)
        && !region.starts_with('-')
        && !region.ends_with('-');
    let name_known = |byte: u8| byte.is_ascii_alphanumeric() || b"/_+=.@-".contains(&byte);
    let name_sound = (1..=512).contains(&name.len()) && name.bytes().all(name_known);
    let key_sound =
        json_key.as_ref().is_none_or(|key| (1..=256).contains(&key.len()) && !key.contains(char::is_control));
    if region_sound && name_sound && key_sound {
        Ok(Place::AwsSecretsManager { region: region.to_owned(), name: name.to_owned(), json_key })
    } else {
        Err(ReferenceError::Aws)
    }
}

fn version_fits(place: &Place, version: &str) -> bool {
    match place {
        Place::Sealed { .. } => version.parse::<i32>().is_ok_and(|number| number > 0 && number.to_string() == version),
        Place::Environment { .. } | Place::File { .. } => false,
        Place::AwsSecretsManager { .. } => {
            (1..=256).contains(&version.len()) && version.bytes().all(|byte| byte.is_ascii_graphic())
        }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Sealed { tenant, id } => write!(f, "sealed://{tenant}/{id}"),
            Place::Environment { name } => write!(f, "env://{name}"),
            Place::File { path } => write!(f, "file://{}", path.display()),
            Place::AwsSecretsManager { region, name, json_key } => {
                write!(f, "aws-sm://{region}/{name}")?;
                json_key.as_ref().map_or(Ok(()), |key| write!(f, "#{key}"))
            }
        }?;
        self.version.as_ref().map_or(Ok(()), |version| write!(f, " (version {version})"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(uri: &str, version: Option<&str>) -> Result<Reference, ReferenceError> {
        Reference::parse(&SecretRef { uri: uri.to_owned(), version: version.map(str::to_owned) })
    }

    #[test]
    fn sound_references_say_themselves_again() {
        for (uri, version) in [
            ("sealed://acme/orders-db", None),
            ("sealed://acme/orders-db", Some("3")),
            ("env://ORDERS_PASSWORD", None),
            ("file:///run/secrets/orders", None),
            ("aws-sm://eu-central-1/prod/orders", None),
            ("aws-sm://eu-central-1/prod/orders#password", Some("AWSPREVIOUS")),
        ] {
            let text = parse(uri, version).map(|reference| reference.to_string());
            let expected = version.map_or(uri.to_owned(), |version| format!("{uri} (version {version})"));
            assert_eq!(text, Ok(expected));
        }
    }

    #[test]
    fn everything_else_is_refused_without_being_repeated() {
        for (uri, version, expected) in [
            ("hunter2", None, ReferenceError::Scheme),
            ("vault://a/b", None, ReferenceError::Scheme),
            ("SEALED://acme/x", None, ReferenceError::Scheme),
            ("sealed://acme", None, ReferenceError::Sealed),
            ("sealed://acme/", None, ReferenceError::Sealed),
            ("sealed:///x", None, ReferenceError::Sealed),
            ("sealed://Acme/x", None, ReferenceError::Sealed),
            ("sealed://acme/a/b", None, ReferenceError::Sealed),
            ("sealed://acme/..", None, ReferenceError::Sealed),
            ("sealed://acme/x", Some("0"), ReferenceError::Version),
            ("sealed://acme/x", Some("01"), ReferenceError::Version),
            ("sealed://acme/x", Some("latest"), ReferenceError::Version),
            ("env://", None, ReferenceError::Environment),
            ("env://1A", None, ReferenceError::Environment),
            ("env://A-B", None, ReferenceError::Environment),
            ("env://A", Some("1"), ReferenceError::Version),
            ("file://relative", None, ReferenceError::File),
            ("file:///a/../b", None, ReferenceError::File),
            ("file:///a//b", None, ReferenceError::File),
            ("file:///a\0b", None, ReferenceError::File),
            ("file:///a", Some("1"), ReferenceError::Version),
            ("aws-sm://eu-central-1", None, ReferenceError::Aws),
            ("aws-sm://evil.example.com/x", None, ReferenceError::Aws),
            ("aws-sm://eu-central-1/a b", None, ReferenceError::Aws),
            ("aws-sm://eu-central-1/a#", None, ReferenceError::Aws),
            ("aws-sm://eu-central-1/a", Some("a b"), ReferenceError::Version),
        ] {
            assert_eq!(parse(uri, version), Err(expected), "{uri}");
            assert!(!expected.to_string().contains("hunter2"));
        }
    }
}
