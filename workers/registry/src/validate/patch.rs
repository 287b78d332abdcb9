//! Changes to a configuration: a patch (null leaves a field as it is) and names of fields to empty.
//! Pure; what comes out is checked whole by [`super::spec`].

use std::collections::BTreeSet;

use pursight_schemas::{DataSourcePatch, DataSourceSpec};

use super::{Violations, code, pointer};

/// Fields that every source must have.
const REQUIRED: [&str; 4] = ["name", "source_type", "location", "hosts"];

/// One macro so that no field can be forgotten: the patch is taken apart by name.
macro_rules! fields {
    (plain: $($plain:ident),+; optional: $($optional:ident),+) => {
        /// Names of all fields, in the order of the contract's groups.
        pub const FIELDS: &[&str] = &[$(stringify!($plain),)+ $(stringify!($optional)),+];

        /// Fields that a patch sets.
        pub fn set_by(patch: &DataSourcePatch) -> BTreeSet<&'static str> {
            let DataSourcePatch { $($plain,)+ $($optional),+ } = patch;
            let mut set = BTreeSet::new();
            $(if $plain.is_some() { set.insert(stringify!($plain)); })+
            $(if $optional.is_some() { set.insert(stringify!($optional)); })+
            set
        }

        /// The configuration after emptying some fields and then setting others.
        pub fn applied(spec: &DataSourceSpec, patch: &DataSourcePatch, clear: &[String]) -> DataSourceSpec {
            let mut after = spec.clone();
            let empty = DataSourceSpec::default();
            for name in clear {
                match name.as_str() {
                    $(stringify!($plain) => after.$plain = empty.$plain.clone(),)+
                    $(stringify!($optional) => after.$optional = None,)+
                    _ => {}
                }
            }
            let DataSourcePatch { $($plain,)+ $($optional),+ } = patch;
            $(if let Some(value) = $plain { after.$plain = value.clone(); })+
            $(if $optional.is_some() { after.$optional = $optional.clone(); })+
            after
        }

        /// Names of the fields in which two configurations differ.
        pub fn changed(before: &DataSourceSpec, after: &DataSourceSpec) -> Vec<String> {
            let mut names = Vec::new();
            $(if before.$plain != after.$plain { names.push(stringify!($plain).to_owned()); })+
            $(if before.$optional != after.$optional { names.push(stringify!($optional).to_owned()); })+
            names
        }
    };
}

fields! {
    plain: name, source_type, location, hosts, tls, pool, options, environment, criticality, data_classification,
        monitoring_enabled, backup_enabled, encryption_enabled, tags, properties, external_refs, scope;
    optional: description, database, username, credential, cloud, replica, owner
}

/// Checks the names to be emptied against the patch.
pub fn check(found: &mut Violations, patch: &DataSourcePatch, clear: &[String]) {
    let set = set_by(patch);
    if set.is_empty() && clear.is_empty() {
        found.invalid("/patch", "nothing is to be changed");
    }
    if clear.len() > FIELDS.len() {
        found.invalid("/clear", "more names than there are fields");
        return;
    }
    for (at, name) in clear.iter().enumerate() {
        let path = format!("/clear/{at}");
        if !FIELDS.contains(&name.as_str()) {
            let message = format!("there is no field {}; fields are {}", pointer(name), FIELDS.join(", "));
            found.add(path, code::UNKNOWN_FIELD, message);
        } else if REQUIRED.contains(&name.as_str()) {
            found.invalid(path, "this field is required and cannot be emptied");
        } else if set.contains(name.as_str()) {
            found.invalid(path, "this field is set by the patch as well");
        }
    }
}

/// Whether a fault of the resulting configuration is only that a required field was emptied, which [`check`] has said.
pub fn is_said(clear: &[String], path: &str) -> bool {
    let field = path.trim_start_matches('/');
    REQUIRED.contains(&field) && clear.iter().any(|name| name == field)
}

/// Where a fault of the resulting configuration (`/field/…`) lies in the command.
pub fn rebase(patch: &DataSourcePatch, clear: &[String], path: &str) -> String {
    let field = path.trim_start_matches('/').split('/').next().unwrap_or_default();
    if set_by(patch).contains(field) {
        format!("/patch{path}")
    } else if let Some(at) = clear.iter().position(|name| name == field) {
        format!("/clear/{at}")
    } else {
        // A field that was right before and is wrong beside the new ones.
        "/patch".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_fields_is_the_specs() -> Result<(), serde_json::Error> {
        let spec = serde_json::to_value(DataSourceSpec::default())?;
        let mut names: Vec<&str> =
            spec.as_object().into_iter().flat_map(|fields| fields.keys()).map(String::as_str).collect();
        let mut listed = FIELDS.to_vec();
        names.sort_unstable();
        listed.sort_unstable();
        assert_eq!(listed, names);
        Ok(())
    }

    #[test]
    fn a_patch_sets_and_clear_empties() {
        let spec = DataSourceSpec {
            name: "orders".into(),
            owner: Some("ada".into()),
            tags: vec!["eu".into()],
            monitoring_enabled: false,
            ..DataSourceSpec::default()
        };
        let patch = DataSourcePatch { database: Some("shop".into()), ..DataSourcePatch::default() };
        let clear = ["owner", "tags", "monitoring_enabled"].map(str::to_owned);
        let after = applied(&spec, &patch, &clear);
        let expected =
            DataSourceSpec { name: "orders".into(), database: Some("shop".into()), ..DataSourceSpec::default() };
        assert_eq!(after, expected);
        assert_eq!(changed(&spec, &after), ["monitoring_enabled", "tags", "database", "owner"]);
        assert_eq!(changed(&spec, &spec), [""; 0]);
    }

    #[test]
    fn names_to_empty_are_checked() {
        let patch = DataSourcePatch { owner: Some("ada".into()), ..DataSourcePatch::default() };
        let clear = ["colour", "name", "owner", "database"].map(str::to_owned);
        let mut found = Violations::new();
        check(&mut found, &patch, &clear);
        let found: Vec<String> =
            found.into_list().into_iter().map(|violation| format!("{} {}", violation.path, violation.code)).collect();
        assert_eq!(found, ["/clear/0 UNKNOWN_FIELD", "/clear/1 INVALID_FIELD", "/clear/2 INVALID_FIELD"]);
    }

    #[test]
    fn a_fault_is_found_where_it_was_written() {
        let patch = DataSourcePatch { owner: Some("ada".into()), ..DataSourcePatch::default() };
        let clear = ["database".to_owned()];
        assert_eq!(rebase(&patch, &clear, "/owner"), "/patch/owner");
        assert_eq!(rebase(&patch, &clear, "/database"), "/clear/0");
        assert_eq!(rebase(&patch, &clear, "/tls/mode"), "/patch");
    }
}
