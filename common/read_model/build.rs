//! A new migration file must rebuild the crate: the macro that embeds them sees only files that it knows.

fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
