//! The API's document, as it is in the repository.

use std::path::Path;

/// Writes the file anew with `SESSILE_WRITE_DOCS=1`.
#[test]
fn the_document_in_the_repository_is_the_code_s() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi.json");
    let made = sessile_server::openapi();
    if std::env::var_os("SESSILE_WRITE_DOCS").is_some() {
        std::fs::write(&path, &made).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == made,
        "docs/openapi.json is out of date: run this test with SESSILE_WRITE_DOCS=1"
    );
}
