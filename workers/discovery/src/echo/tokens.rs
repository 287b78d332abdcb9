//! Expressions and statements as PostgreSQL prints them, cut into tokens, and the question whether two of them say the
//! same under some renames. Owns the cutting and the comparison; must not know objects.

use std::collections::HashSet;

/// A piece of printed SQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Token {
    /// An identifier: printed in lower case, or in quotes (here without them).
    Name(String),
    /// A key word or a number.
    Word(String),
    /// A string, without its quotes.
    Literal(String),
    /// Anything else, one character.
    Symbol(char),
}

/// Cuts printed SQL into tokens. Never fails: what is not understood is a symbol.
pub fn lex(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (token, length) = match first {
            _ if first.is_whitespace() => (None, first.len_utf8()),
            '"' => quoted(rest, '"', false).map_or_else(|| symbol(first), |(name, n)| (Some(Token::Name(name)), n)),
            '\'' => {
                let escapes = matches!(tokens.last(), Some(Token::Word(word)) if word == "E");
                quoted(rest, '\'', escapes).map_or_else(|| symbol(first), |(text, n)| (Some(Token::Literal(text)), n))
            }
            '$' => dollar(rest).map_or_else(|| symbol(first), |(text, n)| (Some(Token::Literal(text)), n)),
            _ if first.is_alphanumeric() || first == '_' => word(rest),
            _ => symbol(first),
        };
        tokens.extend(token);
        rest = &rest[length..];
    }
    tokens
}

type Cut = (Option<Token>, usize);

fn symbol(first: char) -> Cut {
    (Some(Token::Symbol(first)), first.len_utf8())
}

fn word(rest: &str) -> Cut {
    let inside = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
    let end = rest.find(|c: char| !inside(c)).unwrap_or(rest.len());
    let text = rest[..end].to_owned();
    let name = !text.starts_with(|c: char| c.is_ascii_digit()) && !text.contains(|c: char| c.is_ascii_uppercase());
    (Some(if name { Token::Name(text) } else { Token::Word(text) }), end)
}

/// Text between quotes, a doubled quote standing for one, and the length with the quotes.
fn quoted(rest: &str, quote: char, escapes: bool) -> Option<(String, usize)> {
    let mut text = String::new();
    let mut inside = rest.char_indices().skip(1).peekable();
    while let Some((at, c)) = inside.next() {
        if escapes && c == '\\' {
            text.push(c);
            text.extend(inside.next().map(|(_, next)| next));
        } else if c != quote {
            text.push(c);
        } else if inside.peek().is_some_and(|(_, next)| *next == quote) {
            text.push(quote);
            inside.next();
        } else {
            return Some((text, at + quote.len_utf8()));
        }
    }
    None
}

/// `$tag$text$tag$`.
fn dollar(rest: &str) -> Option<(String, usize)> {
    let end = rest[1..].find('$')? + 2;
    let tag = &rest[..end];
    let named = tag[1..end - 1].chars().all(|c| c.is_alphanumeric() || c == '_');
    let inner = &rest[end..];
    let close = named.then(|| inner.find(tag)).flatten()?;
    Some((inner[..close].to_owned(), end + close + tag.len()))
}

/// Old names that may be printed as new ones.
pub trait Pairs {
    /// Whether `before` may be printed as `after` because of a rename.
    fn renamed(&self, before: &str, after: &str) -> bool;

    /// Whether a string `before` may be printed as `after`: a label of an enumeration that was renamed.
    fn relabelled(&self, before: &str, after: &str) -> bool {
        let _ = (before, after);
        false
    }
}

impl Pairs for HashSet<(String, String)> {
    fn renamed(&self, before: &str, after: &str) -> bool {
        self.contains(&(before.to_owned(), after.to_owned()))
    }
}

/// Whether `after` is `before` printed again after some renames. Output names may come and go: `t.a` becomes
/// `t.b AS a` when column `a` of `t` is renamed, since the view's own column keeps its name.
pub fn same_under(before: &[Token], after: &[Token], pairs: &dyn Pairs) -> bool {
    let (mut i, mut j) = (0, 0);
    loop {
        match (before.get(i), after.get(j)) {
            (None, None) => return true,
            (Some(old), Some(new))
                if old == new || is_renamed(old, new, pairs) || named_inside(before, after, i, j, pairs) =>
            {
                i += 1;
                j += 1;
            }
            (_, _) if output_name(after, j).is_some_and(|name| stands_for(before, i, name, pairs)) => j += 2,
            (_, _) if output_name(before, i).is_some_and(|name| stood_for(after, j, name, pairs)) => i += 2,
            (_, _) => return false,
        }
    }
}

fn text(token: &Token) -> Option<&str> {
    match token {
        Token::Name(text) | Token::Word(text) => Some(text),
        Token::Literal(_) | Token::Symbol(_) => None,
    }
}

fn is_renamed(old: &Token, new: &Token, pairs: &dyn Pairs) -> bool {
    match (old, new) {
        (Token::Literal(old), Token::Literal(new)) => pairs.relabelled(old, new),
        _ => matches!((text(old), text(new)), (Some(old), Some(new)) if pairs.renamed(old, new)),
    }
}

/// `'s.old_seq'::regclass` names an object inside of a string.
fn named_inside(before: &[Token], after: &[Token], i: usize, j: usize, pairs: &dyn Pairs) -> bool {
    let object = |tokens: &[Token], at: usize| {
        let cast = [Token::Symbol(':'), Token::Symbol(':'), Token::Name("regclass".into())];
        tokens.get(at + 1..at + 4).is_some_and(|next| next == cast)
    };
    match (before.get(i), after.get(j)) {
        (Some(Token::Literal(old)), Some(Token::Literal(new))) if object(before, i) && object(after, j) => {
            same_under(&lex(old), &lex(new), pairs)
        }
        _ => false,
    }
}

/// The name after an `AS` at `at`.
fn output_name(tokens: &[Token], at: usize) -> Option<&str> {
    match (tokens.get(at), tokens.get(at + 1)) {
        (Some(Token::Word(word)), Some(name)) if word == "AS" => text(name),
        _ => None,
    }
}

fn stands_for(before: &[Token], i: usize, name: &str, pairs: &dyn Pairs) -> bool {
    let last = i.checked_sub(1).and_then(|at| before.get(at)).and_then(text);
    last.is_some_and(|last| last == name || pairs.renamed(last, name))
}

fn stood_for(after: &[Token], j: usize, name: &str, pairs: &dyn Pairs) -> bool {
    let last = j.checked_sub(1).and_then(|at| after.get(at)).and_then(text);
    last.is_some_and(|last| last == name || pairs.renamed(name, last))
}

/// The tokens without casts and parentheses: what is left of an expression when the types of its columns change.
pub fn without_casts(tokens: &[Token]) -> Vec<Token> {
    let mut left = Vec::new();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        if *token == Token::Symbol(':') && tokens.get(at + 1) == Some(token) {
            at = after_type(tokens, at + 2);
            continue;
        }
        match token {
            Token::Symbol('(' | ')') => {}
            // a number is printed as '1'::bigint where its type needs saying
            Token::Literal(text) if text.parse::<f64>().is_ok() => left.push(Token::Word(text.clone())),
            other => left.push(other.clone()),
        }
        at += 1;
    }
    left
}

/// Behind a type's name, its modifier, its zone and its brackets.
fn after_type(tokens: &[Token], mut at: usize) -> usize {
    let is = |at: usize, symbol: char| tokens.get(at) == Some(&Token::Symbol(symbol));
    let word = |at: usize, words: &[&str]| tokens.get(at).and_then(text).is_some_and(|text| words.contains(&text));
    at += 1;
    while is(at, '.') {
        at += 2;
    }
    while word(at, &["varying", "precision"]) {
        at += 1;
    }
    if is(at, '(') {
        at += tokens[at..].iter().position(|token| *token == Token::Symbol(')')).map_or(0, |close| close + 1);
    }
    while word(at, &["with", "without", "time", "zone"]) {
        at += 1;
    }
    while is(at, '[') && is(at + 1, ']') {
        at += 2;
    }
    at
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pairs(list: &[(&str, &str)]) -> HashSet<(String, String)> {
        list.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
    }

    fn same(before: &str, after: &str, list: &[(&str, &str)]) -> bool {
        same_under(&lex(before), &lex(after), &pairs(list))
    }

    #[test]
    fn a_renamed_column_is_an_echo_wherever_it_is_printed() {
        for (before, after) in [
            ("CHECK ((a > 0))", "CHECK ((b > 0))"),
            ("CHECK ((a > 0))", "CHECK ((\"b\" > 0))"),
            ("SELECT t.a\n FROM t", "SELECT t.b AS a\n FROM t"),
            ("SELECT t.a AS b FROM t", "SELECT t.b FROM t"),
            ("SELECT t.a AS z FROM t", "SELECT t.b AS z FROM t"),
            ("SELECT t.a FROM t", "SELECT t.a AS b FROM t"),
            ("SELECT t.a, t.c FROM t WHERE t.a = 'a'", "SELECT t.b AS a, t.c FROM t WHERE t.b = 'a'"),
            ("nextval('s.a'::regclass)", "nextval('s.b'::regclass)"),
        ] {
            assert!(same(before, after, &[("a", "b")]), "{before} to {after}");
        }
    }

    #[test]
    fn anything_else_is_none() {
        for (before, after) in [
            ("CHECK ((a > 0))", "CHECK ((c > 0))"),
            ("CHECK ((a > 0))", "CHECK ((b > 1))"),
            ("CHECK ((a = 'a'))", "CHECK ((a = 'b'))"),
            ("SELECT t.a FROM t", "SELECT t.b AS c FROM t"),
            ("SELECT t.a FROM t", "SELECT t.b, t.c FROM t"),
            ("SELECT t.a FROM t", "SELECT t.b FROM t WHERE true"),
            ("CHECK ((b > 0))", "CHECK ((a > 0))"),
        ] {
            assert!(!same(before, after, &[("a", "b")]), "{before} to {after}");
        }
        assert!(!same("SELECT a", "SELECT b", &[]));
    }

    #[test]
    fn casts_of_a_changed_type_are_no_difference() {
        for (before, after) in [
            ("CHECK (((x)::text = 'a'::text))", "CHECK ((x = 'a'::text))"),
            ("'a'::character varying", "'a'::text"),
            ("'0'::bigint", "0"),
            ("(x)::timestamp(3) without time zone > y", "x > y"),
            ("x = ANY ((ARRAY['a'::character varying])::text[])", "x = ANY (ARRAY['a'::text])"),
        ] {
            assert_eq!(without_casts(&lex(before)), without_casts(&lex(after)), "{before} to {after}");
        }
        assert_ne!(without_casts(&lex("x > 1")), without_casts(&lex("x > 2")));
    }

    proptest! {
        #[test]
        fn any_text_is_cut_without_a_panic_and_equals_itself(text in "[ a-cE$':\"().A-S\\\\\u{e4}0-9]{0,60}") {
            let tokens = lex(&text);
            prop_assert!(same_under(&tokens, &tokens, &pairs(&[])));
            prop_assert_eq!(without_casts(&tokens), without_casts(&lex(&text)));
        }
    }
}
