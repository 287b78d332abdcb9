//! The engine-neutral family of a column's type.
//! Owns the small set of words that every kind of source shares; must not know how a type is printed.

/// From the category, the name and the kind of a type in `pg_type`; of a domain the name is its base type's.
pub(super) fn family(category: &str, name: &str, kind: &str) -> &'static str {
    match kind {
        "e" => return "enum",
        "c" => return "composite",
        "r" | "m" => return "range",
        _ => {}
    }
    match (category, name) {
        ("A", _) => "array",
        (_, "bool") => "boolean",
        (_, "int2" | "int4" | "int8" | "oid") => "integer",
        (_, "float4" | "float8") => "float",
        (_, "bytea") => "binary",
        (_, "date") => "date",
        (_, "time" | "timetz") => "time",
        (_, "timestamp" | "timestamptz") => "timestamp",
        (_, "uuid") => "uuid",
        (_, "json" | "jsonb") => "json",
        (_, "xml") => "xml",
        (_, "geometry" | "geography") => "geometry",
        ("B", _) => "boolean",
        ("C", _) => "composite",
        ("D", _) => "timestamp",
        ("E", _) => "enum",
        ("G", _) => "geometry",
        ("I", _) => "network",
        ("N", _) => "numeric",
        ("R", _) => "range",
        ("S", _) => "text",
        ("T", _) => "interval",
        ("V", _) => "bits",
        _ if name.starts_with("macaddr") => "network",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_follow_kind_then_name_then_category() {
        assert_eq!(family("N", "int8", "b"), "integer");
        assert_eq!(family("N", "numeric", "b"), "numeric");
        assert_eq!(family("N", "money", "b"), "numeric");
        assert_eq!(family("S", "citext", "b"), "text");
        assert_eq!(family("A", "_int4", "b"), "array");
        assert_eq!(family("E", "mood", "e"), "enum");
        assert_eq!(family("U", "macaddr", "b"), "network");
        assert_eq!(family("U", "tsvector", "b"), "other");
    }
}
