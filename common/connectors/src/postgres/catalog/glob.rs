//! Globs on `schema.object`: `*` is any text, `?` one character, a backslash takes the next character as it is.
//! Owns their meaning here and as LIKE patterns, which a test holds equal; must not know what is filtered.

use pursight_schemas::ScopeFilter;

/// Whether an object is in scope: some include glob matches, or there is none, and no exclude glob does.
pub fn in_scope(scope: &ScopeFilter, schema: &str, name: &str) -> bool {
    let text = format!("{schema}.{name}");
    let include = stated(&scope.include);
    (include.is_empty() || include.iter().any(|glob| matches(glob, &text)))
        && !stated(&scope.exclude).iter().any(|glob| matches(glob, &text))
}

/// Whether a glob matches the whole text.
pub fn matches(glob: &str, text: &str) -> bool {
    let (tokens, text) = (tokens(glob), text.chars().collect::<Vec<_>>());
    let (mut token, mut at) = (0, 0);
    let mut retry = None;
    while at < text.len() {
        match tokens.get(token) {
            Some(Token::Any) => {
                retry = Some((token, at));
                token += 1;
                continue;
            }
            Some(Token::One) => {}
            Some(Token::Char(wanted)) if *wanted == text[at] => {}
            // The last `*` takes one character more; earlier ones need not, since they matched as little as they could.
            _ => match retry {
                Some((star, from)) => {
                    retry = Some((star, from + 1));
                    (token, at) = (star + 1, from + 1);
                    continue;
                }
                None => return false,
            },
        }
        token += 1;
        at += 1;
    }
    tokens[token..].iter().all(|token| matches!(token, Token::Any))
}

/// The LIKE patterns (escape character backslash) that match what the globs match.
pub fn like(globs: &[String]) -> Vec<String> {
    stated(globs).into_iter().map(pattern).collect()
}

fn pattern(glob: &str) -> String {
    let mut pattern = String::with_capacity(glob.len() + 8);
    for token in tokens(glob) {
        match token {
            Token::Any => pattern.push('%'),
            Token::One => pattern.push('_'),
            Token::Char(plain) => {
                if matches!(plain, '%' | '_' | '\\') {
                    pattern.push('\\');
                }
                pattern.push(plain);
            }
        }
    }
    pattern
}

enum Token {
    Any,
    One,
    Char(char),
}

fn tokens(glob: &str) -> Vec<Token> {
    let mut tokens = Vec::with_capacity(glob.len());
    let mut chars = glob.chars();
    while let Some(char) = chars.next() {
        tokens.push(match char {
            '*' => Token::Any,
            '?' => Token::One,
            '\\' => Token::Char(chars.next().unwrap_or('\\')),
            plain => Token::Char(plain),
        });
    }
    tokens
}

/// Blank globs say nothing; the scope hash leaves them out too.
fn stated(globs: &[String]) -> Vec<&str> {
    globs.iter().map(|glob| glob.trim()).filter(|glob| !glob.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_glob_matches_the_whole_text_and_nothing_less() {
        for (glob, text, wanted) in [
            ("sales.*", "sales.orders", true),
            ("sales.*", "xsales.orders", false),
            ("sales.o?ders", "sales.orders", true),
            ("*", "", true),
            ("?", "", false),
            ("?", "\u{1f680}", true),
            ("*.t", "a.b.t", true),
            ("*a*b", "xaxbxab", true),
            ("*a*b", "xaxbxa", false),
            ("s.100%", "s.100%", true),
            ("s.100%", "s.1000", false),
            ("s.a_b", "s.axb", false),
            ("s.\\*", "s.*", true),
            ("s.\\*", "s.a", false),
            ("s\\", "s\\", true),
        ] {
            assert_eq!(matches(glob, text), wanted, "{glob} on {text}");
        }
    }

    #[test]
    fn exclusion_wins_and_no_include_means_everything() {
        let scope = |include: &[&str], exclude: &[&str]| ScopeFilter {
            include: include.iter().map(|glob| (*glob).to_owned()).collect(),
            exclude: exclude.iter().map(|glob| (*glob).to_owned()).collect(),
        };
        assert!(in_scope(&scope(&[], &[]), "s", "t"));
        assert!(in_scope(&scope(&[" "], &[]), "s", "t"));
        assert!(!in_scope(&scope(&["r.*"], &[]), "s", "t"));
        assert!(!in_scope(&scope(&["s.*"], &["*.t"]), "s", "t"));
    }
}
