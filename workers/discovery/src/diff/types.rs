//! Which type of PostgreSQL holds every value of another: the widening lattice.
//! Owns the reading of types as the engine prints them; must not know columns. What is not known to be wider or
//! narrower has changed.

use pursight_schemas::ChangeKind;

/// What became of a column's type.
pub fn kind_of_change(before: &str, after: &str) -> ChangeKind {
    if widens(before, after) {
        ChangeKind::ColumnTypeWidened
    } else if widens(after, before) {
        ChangeKind::ColumnTypeNarrowed
    } else {
        ChangeKind::ColumnTypeChanged
    }
}

/// Whether every value of `from` is a value of `to`, read the same, and `to` has more.
fn widens(from: &str, to: &str) -> bool {
    match (from.strip_suffix("[]"), to.strip_suffix("[]")) {
        (Some(from), Some(to)) => return widens(from, to),
        (None, None) => {}
        (Some(_), None) | (None, Some(_)) => return false,
    }
    let (from, to) = (Printed::of(from), Printed::of(to));
    match (from.base, to.base) {
        ("real", "double precision") | ("cidr", "inet") | ("character varying", "text") => true,
        ("numeric", "numeric") => match (from.numbers[..].as_ref(), to.numbers[..].as_ref()) {
            ([_, _], []) => true,
            ([p, s], [q, t]) => s == t && p < q,
            _ => false,
        },
        (small, "numeric") => digits(small).is_some_and(|digits| match to.numbers[..].as_ref() {
            [] => true,
            [precision, scale] => precision - scale >= digits,
            _ => false,
        }),
        (small, large) if digits(small).is_some() => digits(small) < digits(large),
        (a, b) if a == b && from.tail == to.tail => from.grows_into(&to),
        ("bit", "bit varying") => longer(from.numbers.first(), to.numbers.first(), true),
        _ => false,
    }
}

/// Decimal digits of the integer types.
fn digits(base: &str) -> Option<i64> {
    match base {
        "smallint" => Some(5),
        "integer" => Some(10),
        "bigint" => Some(19),
        _ => None,
    }
}

/// `to` reaches further than `from`; no limit reaches furthest.
fn longer(from: Option<&i64>, to: Option<&i64>, or_equal: bool) -> bool {
    match (from, to) {
        (Some(from), Some(to)) => from < to || (or_equal && from == to),
        (Some(_), None) => true,
        (None, _) => false,
    }
}

/// A type as printed: `timestamp(3) without time zone` is base `timestamp`, numbers `[3]`, tail `without time zone`.
struct Printed<'a> {
    base: &'a str,
    numbers: Vec<i64>,
    tail: &'a str,
}

impl<'a> Printed<'a> {
    fn of(text: &'a str) -> Self {
        let (head, rest) = text.split_once('(').unwrap_or((text, ""));
        let (inner, tail) = rest.split_once(')').unwrap_or(("", rest));
        let numbers = inner.split(',').filter_map(|number| number.trim().parse().ok()).collect();
        // without a modifier the zone follows the name directly
        for zone in ["without time zone", "with time zone"] {
            if let Some(base) = head.strip_suffix(zone) {
                return Self { base: base.trim(), numbers, tail: zone };
            }
        }
        Self { base: head.trim(), numbers, tail: tail.trim() }
    }

    fn grows_into(&self, to: &Self) -> bool {
        let limited = ["character varying", "character", "bit", "bit varying", "timestamp", "time", "interval"];
        limited.contains(&self.base) && longer(self.numbers.first(), to.numbers.first(), false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wider_types_are_widenings_and_narrowings_the_other_way() {
        for (narrow, wide) in [
            ("smallint", "integer"),
            ("integer", "bigint"),
            ("smallint", "bigint"),
            ("bigint", "numeric"),
            ("integer", "numeric(12,2)"),
            ("integer", "numeric(10,0)"),
            ("numeric(10,2)", "numeric(12,2)"),
            ("numeric(10,2)", "numeric"),
            ("character varying(20)", "character varying(50)"),
            ("character varying(20)", "character varying"),
            ("character varying(20)", "text"),
            ("character varying", "text"),
            ("character(2)", "character(3)"),
            ("real", "double precision"),
            ("timestamp(3) without time zone", "timestamp(6) without time zone"),
            ("timestamp(3) with time zone", "timestamp with time zone"),
            ("time(0) without time zone", "time without time zone"),
            ("interval(2)", "interval"),
            ("bit varying(4)", "bit varying(8)"),
            ("bit varying(4)", "bit varying"),
            ("bit(4)", "bit varying(4)"),
            ("bit(4)", "bit(5)"),
            ("cidr", "inet"),
            ("integer[]", "bigint[]"),
            ("character varying(20)[][]", "text[][]"),
        ] {
            assert_eq!(kind_of_change(narrow, wide), ChangeKind::ColumnTypeWidened, "{narrow} to {wide}");
            assert_eq!(kind_of_change(wide, narrow), ChangeKind::ColumnTypeNarrowed, "{wide} to {narrow}");
        }
    }

    #[test]
    fn what_is_neither_has_changed() {
        for (one, other) in [
            ("integer", "text"),
            ("bigint", "numeric(10,0)"),
            ("numeric(10,2)", "numeric(12,4)"),
            ("numeric", "double precision"),
            ("timestamp(3) without time zone", "timestamp(6) with time zone"),
            ("timestamp without time zone", "timestamp with time zone"),
            ("date", "timestamp without time zone"),
            ("integer", "integer[]"),
            ("integer[]", "bigint"),
            ("bit(4)", "bit varying(3)"),
            ("json", "jsonb"),
            ("character(4)", "text"),
            ("sales.mood", "sales.feeling"),
            ("geometry(Point,4326)", "geometry(Point,3857)"),
            ("", "text"),
        ] {
            assert_eq!(kind_of_change(one, other), ChangeKind::ColumnTypeChanged, "{one} to {other}");
            assert_eq!(kind_of_change(other, one), ChangeKind::ColumnTypeChanged, "{other} to {one}");
        }
    }
}
