//! A certificate authority of the tests, made by openssl.

use std::fs;
use std::path::Path;
use std::process::Command;

/// Its certificate is `ca.pem`.
pub(crate) struct Authority<'a> {
    folder: &'a Path,
}

impl<'a> Authority<'a> {
    pub(crate) fn new(folder: &'a Path) -> Self {
        let authority = Self { folder };
        fs::write(folder.join("ca.cnf"), CONFIGURATION).unwrap();
        fs::write(folder.join("index.txt"), "").unwrap();
        fs::write(folder.join("serial"), "01\n").unwrap();
        authority.openssl(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout ca.key \
             -out ca.pem -days 2 -subj /CN=Test -addext basicConstraints=critical,CA:TRUE",
        );
        authority
    }

    /// Makes `NAME.key` and `NAME.pem`, for the host `subject` and the address 127.0.0.1.
    pub(crate) fn issue(&self, name: &str, subject: &str, valid: &str) {
        self.openssl(&format!(
            "req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes \
             -keyout {name}.key -out {name}.csr -subj /CN={subject}"
        ));
        let extensions = format!("subjectAltName=DNS:{subject},IP:127.0.0.1\n");
        fs::write(self.folder.join("extensions"), extensions).unwrap();
        self.openssl(&format!(
            "ca -batch -config ca.cnf -cert ca.pem -keyfile ca.key -md sha256 {valid} \
             -extfile extensions -notext -in {name}.csr -out {name}.pem"
        ));
    }

    fn openssl(&self, arguments: &str) {
        let made = Command::new("openssl")
            .args(arguments.split_whitespace())
            .current_dir(self.folder)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&made.stderr);
        assert!(made.status.success(), "openssl {arguments}: {said}");
    }
}

const CONFIGURATION: &str = "\
[ca]
default_ca = test
[test]
database = index.txt
new_certs_dir = .
serial = serial
policy = any
unique_subject = no
[any]
commonName = supplied
";
