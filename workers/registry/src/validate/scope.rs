//! Globs of a scope: `*` stands for any characters, `?` for one, everything else for itself.

use pursight_schemas::ScopeFilter;

use super::Violations;

const MOST: usize = 200;
const LONGEST: usize = 256;

/// Checks both lists of a scope.
pub fn check(found: &mut Violations, path: &str, scope: &ScopeFilter) {
    for (list, globs) in [("include", &scope.include), ("exclude", &scope.exclude)] {
        if globs.len() > MOST {
            found.invalid(format!("{path}/{list}"), format!("at most {MOST} globs are allowed"));
        }
        for (at, glob) in globs.iter().enumerate().take(MOST) {
            let path = format!("{path}/{list}/{at}");
            if glob.trim().is_empty() {
                found.invalid(path, "a glob on schema.object is expected, for example public.*");
            } else if glob.len() > LONGEST || glob.chars().any(char::is_control) {
                found.invalid(path, format!("a glob has at most {LONGEST} bytes and no control characters"));
            } else if !glob.contains('.') && !glob.contains('*') {
                found.invalid(path, "a glob names schema and object, for example public.orders or public.*");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_glob_names_schema_and_object() {
        let scope = ScopeFilter {
            include: ["public.*", "*", "a.b?c"].map(str::to_owned).to_vec(),
            exclude: ["", "orders", "a\n.b"].map(str::to_owned).to_vec(),
        };
        let mut found = Violations::new();
        check(&mut found, "/scope", &scope);
        let paths: Vec<String> = found.into_list().into_iter().map(|violation| violation.path).collect();
        assert_eq!(paths, ["/scope/exclude/0", "/scope/exclude/1", "/scope/exclude/2"]);
    }
}
