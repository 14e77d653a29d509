//! `sessile demo`: the life of a session, on a website of its own.
//!
//! Every step is this program, run as the line that is shown says; the store and its key
//! are in a folder that goes away at the end.

use std::path::PathBuf;
use std::process::{Output, Stdio};

use futures_util::future;
use serde_json::json;
use sessile_practice::{
    ADA, ADA_PASSWORD, Fault, GRACE, GRACE_PASSWORD, MediaFault, Options, Site,
};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use super::work::Work;
use crate::args::DemoArgs;
use crate::exit::{Exit, Failure, Outcome};
use crate::printer::Printer;

/// The site file of a pool, for who goes on by themselves.
const POOL: &str = "\
base_url = \"SITE\"

[login]
url = \"/login\"

[check]
url = \"/members\"
css = \"a[href='/logout']\"

[pool]
size = 2
";

/// How many processes notice the dead login at once.
const CROWD: usize = 10;

/// Plays the demo; ends with a failure where anything is not as it should be.
pub(super) async fn run(args: DemoArgs, work: &mut Work<'_>) -> Outcome {
    let site = Site::start(Options::default())
        .await
        .map_err(|error| broken(&error))?;
    let mut stage = Stage::new(site, work)?;
    stage.log_in().await?;
    stage.use_it().await?;
    stage.renew().await?;
    stage.renew_once().await?;
    stage.record().await?;
    stage.finish().await?;
    if args.keep {
        stage.wait().await?;
    }
    stage.site.stop().await;
    Ok(Exit::Done)
}

struct Stage<'a> {
    folder: TempDir,
    printer: &'a mut Printer,
    program: PathBuf,
    site: Site,
}

impl<'a> Stage<'a> {
    fn new(site: Site, work: &'a mut Work<'_>) -> Outcome<Self> {
        let folder = tempfile::Builder::new()
            .prefix("sessile-demo-")
            .tempdir_in(work.environment.temporary_folder())
            .map_err(|error| broken(&error))?;
        Ok(Self {
            folder,
            printer: work.printer,
            program: std::env::current_exe().map_err(|error| broken(&error))?,
            site,
        })
    }

    async fn log_in(&mut self) -> Outcome<()> {
        let members = self.members();
        self.say(&format!(
            "A practice website runs at {}. {ADA} logs in:",
            self.site.url()
        ))?;
        let line = [
            "login",
            "demo",
            &members,
            "--username",
            ADA,
            "--password-stdin",
            "--remember",
        ];
        let done = self.act(&line, ADA_PASSWORD).await?;
        self.expect(done.status.success(), "the login works")
    }

    async fn use_it(&mut self) -> Outcome<()> {
        let members = self.members();
        self.say("Another process uses the session:")?;
        let done = self.act(&["get", "-s", "demo", &members], "").await?;
        self.expect(is_members_page(&done), "it gets the members' page")
    }

    async fn renew(&mut self) -> Outcome<()> {
        let members = self.members();
        let killed = self.site.kill_sessions();
        self.say(&format!(
            "The website forgets {killed} session, as a restart would. The same request:"
        ))?;
        let done = self.act(&["get", "-s", "demo", &members], "").await?;
        self.expect(
            is_members_page(&done),
            "it gets the members' page, not the login form",
        )?;
        self.expect(
            self.site.logins() == 2,
            "the website has seen a second login",
        )
    }

    async fn renew_once(&mut self) -> Outcome<()> {
        let members = self.members();
        self.site.kill_sessions();
        self.say(&format!(
            "It forgets again, and {CROWD} processes notice at once:"
        ))?;
        self.show(&["get", "-s", "demo", &members])?;
        let line = ["get", "-s", "demo", &members];
        let crowd = (0..CROWD).map(|_| self.command(&line).output());
        let mut served = 0;
        for done in future::join_all(crowd).await {
            served += usize::from(is_members_page(&done.map_err(|error| broken(&error))?));
        }
        let logins = self.site.logins() - 2;
        self.expect(
            served == CROWD,
            &format!("{served} of {CROWD} get the members' page"),
        )?;
        self.expect(logins == 1, &format!("the website has seen {logins} login"))
    }

    async fn record(&mut self) -> Outcome<()> {
        let ends = Fault::new("/media/member/vod/", MediaFault::End);
        self.site.add_fault(ends.every(10).times(3));
        self.say(
            "A film in 24 pieces is recorded, and at every tenth request the website forgets:",
        )?;
        let page = format!("{}/media/page/member/vod/video", self.site.url());
        let (before, film) = (self.site.logins(), self.path("film.ts"));
        let file = film.display().to_string();
        let line = ["record", "-s", "demo", &page, "--no-remux", "-o", &file];
        self.act(&line, "").await?;
        let found = std::fs::read(&film).unwrap_or_default();
        self.expect(
            Some(found) == self.site.original("vod"),
            "the film is there, byte for byte",
        )?;
        let logins = self.site.logins() - before;
        self.expect(logins > 0, &format!("the website has seen {logins} logins"))
    }

    async fn finish(&mut self) -> Outcome<()> {
        self.say("What is kept, values masked:")?;
        let done = self.act(&["status", "demo"], "").await?;
        let text = String::from_utf8_lossy(&done.stdout);
        for line in text.lines() {
            self.printer.note(&format!("    {line}"));
        }
        self.expect(!text.contains(ADA_PASSWORD), "no password in sight")?;
        if self.printer.style().json {
            let document = json!({ "done": true, "logins": self.site.logins() });
            self.printer.document(&document)?;
        }
        Ok(())
    }

    /// Leaves everything as it is until Ctrl-C.
    async fn wait(&mut self) -> Outcome<()> {
        let site_file = self.path("shop.toml");
        std::fs::write(&site_file, POOL.replace("SITE", &self.site.url()))
            .map_err(|error| broken(&error))?;
        self.say("Try it; Ctrl-C ends the website and removes what is stored:")?;
        for (what, lines) in self.to_try() {
            self.printer.note(&format!("\n  # {what}"));
            for line in lines {
                self.printer.note(&format!("  {line}"));
            }
        }
        tokio::signal::ctrl_c()
            .await
            .map_err(|error| broken(&error))?;
        Ok(())
    }

    /// Lines for a shell, by what they show.
    fn to_try(&self) -> Vec<(&'static str, Vec<String>)> {
        let (url, token, members) = (self.site.url(), self.site.admin_token(), self.members());
        let file = |name| self.path(name).display().to_string();
        let add = |user, password| {
            format!("echo '{password}' | sessile pool account add shop {user} --password-stdin")
        };
        vec![
            (
                "where it is stored",
                vec![
                    format!("export SESSILE_STORE=sqlite:{}", file("store.db")),
                    format!("export SESSILE_KEY_FILE={}", file("key")),
                ],
            ),
            (
                "a session; the last line has the website forget every login",
                vec![
                    format!("sessile get -s demo {members}"),
                    "sessile check demo --explain".to_owned(),
                    format!(
                        "echo '{ADA_PASSWORD}' | sessile login mine {url}/login --username {ADA} --password-stdin"
                    ),
                    "sessile cookies demo list".to_owned(),
                    format!("sessile post {url}/_practice/kill 'Authorization:Bearer {token}'"),
                ],
            ),
            (
                "a pool of two accounts, and two hundred pages through it",
                vec![
                    format!("sessile pool create shop --site {}", file("shop.toml")),
                    add(ADA, ADA_PASSWORD),
                    add(GRACE, GRACE_PASSWORD),
                    "sessile pool validate shop".to_owned(),
                    "sessile pool status shop".to_owned(),
                    format!(
                        "seq 200 | sessile batch shop --targets - --url '/members?page={{target}}' -o {}",
                        file("pages.jsonl")
                    ),
                ],
            ),
            (
                "a film, and sessions over HTTP",
                vec![
                    format!(
                        "sessile record -s demo {url}/media/page/member/vod/video --no-remux -o {}",
                        file("again.ts")
                    ),
                    format!(
                        "sessile serve --listen 127.0.0.1:0 --token-file {}",
                        file("token")
                    ),
                ],
            ),
        ]
    }

    fn members(&self) -> String {
        format!("{}/members", self.site.url())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// This program with the demo's store.
    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(words)
            .env(
                "SESSILE_STORE",
                format!("sqlite:{}", self.path("store.db").display()),
            )
            .env("SESSILE_KEY_FILE", self.path("key"))
            .env_remove("SESSILE_KEY")
            .env_remove("SESSILE_PASSPHRASE")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    /// Shows a line, runs it, and shows what it says.
    async fn act(&mut self, words: &[&str], input: &str) -> Outcome<Output> {
        self.show(words)?;
        let mut child = self
            .command(words)
            .stdin(Stdio::piped())
            .spawn()
            .map_err(|error| broken(&error))?;
        if let Some(mut stdin) = child.stdin.take() {
            // A command that doesn't read its input may be gone already.
            _ = stdin.write_all(input.as_bytes()).await;
        }
        let done = child
            .wait_with_output()
            .await
            .map_err(|error| broken(&error))?;
        for line in String::from_utf8_lossy(&done.stderr).lines() {
            self.printer.note(&format!("    {line}"));
        }
        Ok(done)
    }

    fn show(&mut self, words: &[&str]) -> Outcome<()> {
        self.printer
            .note(&format!("  $ sessile {}", words.join(" ")));
        Ok(())
    }

    fn say(&mut self, text: &str) -> Outcome<()> {
        self.printer.note(&format!("\n{text}"));
        Ok(())
    }

    fn expect(&mut self, holds: bool, what: &str) -> Outcome<()> {
        if holds {
            self.printer.note(&format!("    ✓ {what}"));
            return Ok(());
        }
        let message = format!("the demo did not go as it should: expected that {what}");
        Err(Failure::new(Exit::Failed, "demo", message).into())
    }
}

/// The page that only members see greets them by name.
fn is_members_page(done: &Output) -> bool {
    let page = String::from_utf8_lossy(&done.stdout);
    done.status.success() && page.contains(ADA) && !page.contains("type=\"password\"")
}

fn broken(error: &dyn std::fmt::Display) -> Failure {
    Failure::new(Exit::Failed, "demo", format!("the demo can't run: {error}"))
}
