//! What the crate depends on stays tiny.

use std::process::Command;

#[test]
fn the_crate_has_two_dependencies() {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["tree", "--package", "sessile-jar", "--edges", "normal"]);
    command.args([
        "--prefix",
        "none",
        "--format",
        "{lib}",
        "--offline",
        "--locked",
    ]);
    let tree = command
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let message = String::from_utf8_lossy(&tree.stderr);
    assert!(tree.status.success(), "{message}");
    let mut crates: Vec<_> = std::str::from_utf8(&tree.stdout).unwrap().lines().collect();
    crates.sort_unstable();
    crates.dedup();
    assert_eq!(crates, ["psl", "psl_types", "sessile_jar"]);
}
