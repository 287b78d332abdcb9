//! Embeds every published schema, so that a reader of any version needs no file beside it.

#![expect(clippy::disallowed_methods, reason = "cargo talks to build scripts through the environment")]
#![expect(clippy::expect_used, reason = "a build script fails by panicking")]

use std::fmt::Write as _;
use std::{env, fs, path::Path};

fn main() {
    let root = env::var("CARGO_MANIFEST_DIR").expect("cargo sets it");
    let folder = Path::new(&root).join("published");
    println!("cargo:rerun-if-changed={}", folder.display());
    println!("cargo:rerun-if-changed={}/ids.json", root);
    let mut ids: Vec<u32> = fs::read_dir(&folder)
        .map(|entries| entries.filter_map(|entry| entry.ok()?.path().file_stem()?.to_str()?.parse().ok()).collect())
        .unwrap_or_default();
    ids.sort_unstable();
    let mut code = String::from("pub(crate) static PUBLISHED: &[(u32, &str)] = &[\n");
    for id in ids {
        let _ = writeln!(code, "    ({id}, include_str!({:?})),", folder.join(format!("{id}.avsc")));
    }
    code.push_str("];\n");
    let out = env::var("OUT_DIR").expect("cargo sets it");
    fs::write(Path::new(&out).join("published.rs"), code).expect("the build folder can be written");
}
