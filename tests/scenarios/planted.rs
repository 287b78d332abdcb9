//! What breaks the product on purpose is not in the product.

use std::fs;

use anyhow::Result;
use pursight_tests::planted::fail_points_in;
use pursight_tests::setting;

#[test]
fn the_normal_executable_holds_no_fail_point() -> Result<()> {
    let found = fail_points_in(&setting::executable()?)?;
    assert!(found.is_empty(), "{found:?}");
    Ok(())
}

#[test]
fn a_fail_point_would_be_found_in_it() -> Result<()> {
    let file = tempfile::NamedTempFile::new()?;
    let mut bytes = fs::read(setting::executable()?)?;
    bytes.extend(b"...planted::receipts-ignored...engine::after-commit...");
    fs::write(file.path(), bytes)?;
    let found = fail_points_in(file.path())?;
    assert_eq!(found.into_iter().collect::<Vec<_>>(), ["engine::after-commit", "planted::receipts-ignored"]);
    Ok(())
}
