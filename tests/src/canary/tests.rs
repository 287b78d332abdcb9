//! Each form of a known canary as other programs write it (the texts are Python's), and what the search does with them.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::io::Write as _;

use anyhow::Result;

use super::{Canary, Encoding, Found, Scan};

const SECRET: &str = r##"3f9c1a"~77d0e2\?b84e6f"~a90c5d\?"##;

/// Texts that hold the canary, and what must be said about each.
const WRITTEN: [(Encoding, &str); 15] = [
    (Encoding::Raw, r##"password=3f9c1a"~77d0e2\?b84e6f"~a90c5d\?;"##),
    (Encoding::Base64, "M2Y5YzFhIn43N2QwZTJcP2I4NGU2ZiJ+YTkwYzVkXD96eg=="),
    (Encoding::Base64, "eDNmOWMxYSJ+NzdkMGUyXD9iODRlNmYifmE5MGM1ZFw/eno="),
    (Encoding::Base64, "eHgzZjljMWEifjc3ZDBlMlw/Yjg0ZTZmIn5hOTBjNWRcP3p6"),
    (Encoding::Base64Url, "M2Y5YzFhIn43N2QwZTJcP2I4NGU2ZiJ-YTkwYzVkXD96eg=="),
    (Encoding::Base64Url, "eDNmOWMxYSJ-NzdkMGUyXD9iODRlNmYifmE5MGM1ZFw_eno="),
    (Encoding::Base64Url, "eHgzZjljMWEifjc3ZDBlMlw_Yjg0ZTZmIn5hOTBjNWRcP3p6"),
    (Encoding::Hex, "\\x336639633161227e3737643065325c3f623834653666227e6139306335645c3f"),
    (Encoding::Hex, "336639633161227E3737643065325C3F623834653666227E6139306335645C3F"),
    (Encoding::Url, "postgres://u:3f9c1a%22~77d0e2%5C%3Fb84e6f%22~a90c5d%5C%3F@h/d"),
    (Encoding::Url, "postgres://u:3f9c1a%22~77d0e2%5c%3fb84e6f%22~a90c5d%5c%3f@h/d"),
    (Encoding::Json, r##"{"p": "3f9c1a\"~77d0e2\\?b84e6f\"~a90c5d\\?"}"##),
    (Encoding::Json, r##"{"line": "{\"p\": \"3f9c1a\\\"~77d0e2\\\\?b84e6f\\\"~a90c5d\\\\?\"}"}"##),
    (Encoding::Copy, r##"1	3f9c1a"~77d0e2\\?b84e6f"~a90c5d\\?	\N"##),
    (Encoding::Json, r##"error: Config { secret: "3f9c1a\"~77d0e2\\?b84e6f\"~a90c5d\\?" }"##),
];

fn scan() -> Scan {
    Scan::of(&[Canary::random("another"), Canary::of("known", SECRET.as_bytes())])
}

/// The encodings in which the whole canary was found.
fn encodings(found: &[Found]) -> Vec<Encoding> {
    assert!(found.iter().all(|one| one.canary == "known"), "{found:?}");
    found.iter().filter(|one| one.whole).map(|one| one.encoding).collect()
}

#[test]
fn a_canary_is_found_in_every_encoding_and_named_by_it() {
    let scan = scan();
    for (encoding, text) in WRITTEN {
        assert_eq!(encodings(&scan.bytes("here", text.as_bytes())), [encoding], "{text}");
    }
    let units: Vec<u16> = format!("→{SECRET}→").encode_utf16().collect();
    for bytes in [
        units.iter().flat_map(|unit| unit.to_le_bytes()).collect::<Vec<u8>>(),
        units.iter().flat_map(|unit| unit.to_be_bytes()).collect(),
    ] {
        assert_eq!(encodings(&scan.bytes("here", &bytes)), [Encoding::Utf16]);
    }
}

#[test]
fn every_random_canary_has_a_form_of_its_own_in_every_encoding() {
    for _ in 0..100 {
        let canary = Canary::random("random");
        let whole: Vec<_> = canary.forms().into_iter().filter(|form| form.whole).collect();
        let count = |encoding| whole.iter().filter(|form| form.encoding == encoding).count();
        let of_each = [
            (Encoding::Raw, 1),
            (Encoding::Base64, 3),
            (Encoding::Base64Url, 3),
            (Encoding::Hex, 2),
            (Encoding::Url, 2),
            (Encoding::Utf16, 2),
            (Encoding::Json, 2),
            (Encoding::Copy, 1),
        ];
        for (encoding, number) in of_each {
            assert_eq!(count(encoding), number, "{encoding:?} of {}", canary.text());
        }
        assert_ne!(canary.text(), Canary::random("random").text());
    }
}

#[test]
fn twelve_bytes_are_found_wherever_they_begin_and_eleven_are_not() {
    let scan = scan();
    for at in 0..=SECRET.len() - super::PIECE {
        let (long, short) = (&SECRET[at..at + super::PIECE], &SECRET[at..at + super::PIECE - 1]);
        let found = scan.bytes("here", format!("…{long}…").as_bytes());
        assert!(found.iter().any(|one| one.encoding == Encoding::Raw && !one.whole), "{long}");
        assert_eq!(scan.bytes("here", format!("…{short}…").as_bytes()), [], "{short}");
    }
    // Base64 wrapped in the middle, as PEM and MIME do: neither half is the whole.
    let wrapped = "M2Y5YzFhIn43N2QwZTJcP2I4\nNGU2ZiJ+YTkwYzVkXD96eg==";
    let found = scan.bytes("here", wrapped.as_bytes());
    assert!(found.iter().any(|one| one.encoding == Encoding::Base64 && !one.whole), "{found:?}");
}

#[test]
fn a_binary_key_is_found_too() {
    let key: Vec<u8> = (0..32).map(|at: u8| at.wrapping_mul(151) ^ 0xa5).collect();
    let scan = Scan::of(&[Canary::of("key", &key)]);
    let found = scan.bytes("here", &[b"\0\0", key.as_slice(), b"\0\0"].concat());
    assert!(found.iter().any(|one| one.whole && one.encoding == Encoding::Raw && one.begin == 2 && one.end == 34));
}

#[test]
fn files_are_searched_across_blocks_and_behind_empty_ones() -> Result<()> {
    let (folder, scan) = (tempfile::tempdir()?, scan());
    let block = 1 << 20;
    for before in [0, block - 20, block + 5, 3 * block, 3 * block - 31] {
        for filler in [0, b'x'] {
            let path = folder.path().join("below").join(format!("{before}-{filler}"));
            std::fs::create_dir_all(path.parent().expect("a parent"))?;
            let mut file = std::fs::File::create(&path)?;
            file.write_all(&vec![filler; before])?;
            file.write_all(SECRET.as_bytes())?;
            file.write_all(&vec![filler; 2 * block])?;
            let found = scan.file(&path)?;
            assert_eq!(encodings(&found), [Encoding::Raw], "{before} {filler}");
            let whole = found.iter().find(|one| one.whole).expect("one");
            assert_eq!(whole.begin, before as u64, "{before} {filler}");
        }
    }
    assert_eq!(scan.folder(folder.path())?.iter().filter(|one| one.whole).count(), 10);
    std::os::unix::fs::symlink(folder.path(), folder.path().join("below").join("round"))?;
    assert_eq!(scan.folder(&folder.path().join("below"))?.iter().filter(|one| one.whole).count(), 10);
    Ok(())
}

#[test]
fn a_finding_names_the_canary_and_never_shows_it() {
    let found = scan().bytes("workers.log", SECRET.as_bytes());
    let text = format!("{found:?} {}", found[0]);
    assert!(text.contains("workers.log") && text.contains("known") && !text.contains(&SECRET[..6]), "{text}");
}
