//! An OpenID provider that others wrote, with a website that takes its tokens.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use super::{prepared, wait_for};

/// The secret of the client `robot`, which wants to be encoded rightly.
pub(crate) const ROBOT_SECRET: &str = "robot secret: 100%";

/// A running provider; ends when dropped.
pub(crate) struct OpenIdProvider {
    child: Child,
    folder: TempDir,
    addresses: Value,
}

/// What happened at the token endpoint.
#[derive(Debug, Default)]
pub(crate) struct Grants {
    /// How often a token was given out, by the kind of grant.
    pub(crate) granted: BTreeMap<String, usize>,
    /// What was refused, and why.
    pub(crate) refused: Vec<String>,
    /// How often each refresh token was shown.
    pub(crate) shown: BTreeMap<String, usize>,
}

impl OpenIdProvider {
    pub(crate) fn start() -> Self {
        Self::with_tokens_for(3600)
    }

    /// A provider whose access tokens live for so many seconds.
    pub(crate) fn with_tokens_for(seconds: u32) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| File::create(folder.path().join(name)).unwrap();
        let mut child = Command::new("node")
            .arg(site_file("provider.mjs"))
            .env("OIDC_MODULES", prepared("SESSILE_TEST_NODE"))
            .env("OIDC_LOG", folder.path().join("log"))
            .env("OIDC_TOKEN_SECONDS", seconds.to_string())
            .stdin(Stdio::null())
            .stdout(file("addresses"))
            .stderr(file("errors"))
            .spawn()
            .unwrap();
        let addresses = wait_for("the provider listening", || {
            if let Some(status) = child.try_wait().unwrap() {
                panic!("it ended ({status}):\n{}", read(folder.path(), "errors"));
            }
            serde_json::from_str(&read(folder.path(), "addresses")).ok()
        });
        Self {
            child,
            folder,
            addresses,
        }
    }

    /// The provider's own address, without a slash at the end.
    pub(crate) fn issuer(&self) -> &str {
        self.addresses["issuer"].as_str().unwrap()
    }

    /// The website's address, without a slash at the end.
    pub(crate) fn site(&self) -> &str {
        self.addresses["site"].as_str().unwrap()
    }

    /// A page of the website.
    pub(crate) fn orders(&self) -> String {
        format!("{}/orders", self.site())
    }

    /// Writes a site file with these lines of `[login]`; answers its path.
    pub(crate) fn site_file(&self, login: &str) -> String {
        let path = self.folder.path().join("site.toml");
        let text = format!(
            "base_url = \"{}/\"\n\n[login]\nkind = \"oauth2\"\nissuer = \"{}\"\n{login}\n\n\
             [check]\nurl = \"/orders\"\nstatus = 200\n",
            self.site(),
            self.issuer(),
        );
        fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    pub(crate) fn grants(&self) -> Grants {
        let mut grants = Grants::default();
        for line in read(self.folder.path(), "log").lines() {
            let line: Value = serde_json::from_str(line).unwrap();
            let text = |field: &str| line[field].as_str().unwrap_or_default().to_owned();
            match line["what"].as_str() {
                Some("granted") => *grants.granted.entry(text("grant")).or_default() += 1,
                // Somebody who is waited for is no refusal.
                _ if text("error") == "authorization_pending" => {}
                _ => grants.refused.push(line.to_string()),
            }
            if let Some(token) = line["refresh"].as_str() {
                *grants.shown.entry(token.to_owned()).or_default() += 1;
            }
        }
        grants
    }
}

impl Grants {
    /// How often a token of this kind was given out.
    pub(crate) fn of(&self, kind: &str) -> usize {
        self.granted.get(kind).copied().unwrap_or_default()
    }
}

/// The program that opens a page as a person with a browser does.
pub(crate) fn browser() -> PathBuf {
    site_file("person.py")
}

fn site_file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/sites/oidc")
        .join(name)
}

fn read(folder: &Path, name: &str) -> String {
    fs::read_to_string(folder.join(name)).unwrap_or_default()
}

impl Drop for OpenIdProvider {
    fn drop(&mut self) {
        if self.child.try_wait().unwrap().is_none() {
            kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
            self.child.wait().unwrap();
        }
        if std::thread::panicking() {
            for name in ["errors", "log"] {
                eprintln!(
                    "--- {name} of the provider\n{}",
                    read(self.folder.path(), name)
                );
            }
        }
    }
}
