//! What a guide tells people to type is typed, and what it shows is seen.
//!
//! In a guide a block `toml` whose first line is `# NAME.toml` is that file, and one of kind `console` is
//! a session: after `$ ` a command, which has to work, then what it says. `…` stands for anything in a
//! line, and alone for any lines; blanks may be more or fewer. Blocks of other kinds are only shown.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use sessile_practice::{ADA_PASSWORD, GRACE_PASSWORD};

use crate::support::servers::{self, ADA, PROXY_PASSWORD, Serves};
use crate::support::{Outcome, Person, Practice};

/// A site in the guides.
const SHOP: &str = "https://shop.example";

#[test]
fn the_guide_to_pools_is_true() {
    let (site, me) = (Practice::start(), Person::new());
    let proxies = [Serves::Everybody, Serves::Ada].map(servers::tinyproxy);
    let [open, closed] = proxies.each_ref().map(|proxy| proxy.port(0));
    keep_passwords(&me);
    let places = [
        (SHOP.to_owned(), site.url()),
        (
            "proxy-1.example:3128".to_owned(),
            format!("127.0.0.1:{open}"),
        ),
        (
            "proxy-2.example:3128".to_owned(),
            format!("127.0.0.1:{closed}"),
        ),
    ];
    let proxy = format!("http://{ADA}:{PROXY_PASSWORD}@127.0.0.1:{closed}");
    let guide = read("docs/pools.md");
    for block in blocks(&guide) {
        match block {
            Block::File { name, text } => {
                fs::write(me.home().join(name), there(text, &places)).unwrap();
            }
            Block::Command { line, shows } => {
                let shell = me.shell(&there(line, &places));
                let done = shell.environment("SHOP_PROXY", &proxy).run();
                check(&done.exits(0), &shows, &places);
            }
        }
    }
}

/// The program that hands out passwords.
fn keep_passwords(me: &Person) {
    let (folder, script) = (me.home().join("bin"), me.home().join("bin/pass"));
    fs::create_dir(folder).unwrap();
    for (user, password) in [("ada", ADA_PASSWORD), ("grace", GRACE_PASSWORD)] {
        fs::write(me.home().join(user), password).unwrap();
    }
    fs::write(&script, "#!/bin/sh\ncat \"$HOME/${2#shop/}\"\n").unwrap();
    fs::set_permissions(&script, Permissions::from_mode(0o755)).unwrap();
}

fn read(file: &str) -> String {
    fs::read_to_string(format!("{}/../../{file}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// A text of the guide, for the servers that are here.
fn there(text: &str, places: &[(String, String)]) -> String {
    let replace = |text: String, (here, there): &(String, String)| text.replace(here, there);
    places.iter().fold(text.to_owned(), replace)
}

/// What is to be done for a guide.
enum Block<'a> {
    Command { line: &'a str, shows: Vec<&'a str> },
    File { name: &'a str, text: &'a str },
}

fn blocks(guide: &str) -> Vec<Block<'_>> {
    let mut blocks = Vec::new();
    for fenced in guide.split("\n```").skip(1).step_by(2) {
        let (kind, text) = fenced.split_once('\n').unwrap();
        match kind {
            "console" => blocks.extend(session(text)),
            "toml" => {
                let name = text.lines().next().unwrap().trim_start_matches("# ");
                blocks.push(Block::File { name, text });
            }
            _shown => {}
        }
    }
    blocks
}

fn session(text: &str) -> Vec<Block<'_>> {
    let mut commands = Vec::new();
    for command in text.split("$ ").skip(1) {
        let mut lines = command.lines();
        commands.push(Block::Command {
            line: lines.next().unwrap(),
            shows: lines.collect(),
        });
    }
    commands
}

/// Every line that is shown is there, one after the other.
#[track_caller]
fn check(done: &Outcome, shows: &[&str], places: &[(String, String)]) {
    let said = format!("{}{}", done.stderr(), done.stdout());
    let mut said = said.lines().map(words).filter(|line| !line.is_empty());
    for line in shows {
        let wanted = words(&there(line, places));
        if wanted.is_empty() || wanted == "…" {
            continue;
        }
        let is_there = said.any(|line| fits(&line, &wanted));
        assert!(is_there, "the guide shows {line:?}\n{}", done.shown());
    }
}

fn words(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether a line is as shown, `…` being anything.
fn fits(line: &str, shown: &str) -> bool {
    let mut parts = shown.split('…');
    let Some(mut rest) = line.strip_prefix(parts.next().unwrap_or_default()) else {
        return false;
    };
    let parts: Vec<&str> = parts.collect();
    let Some((last, parts)) = parts.split_last() else {
        return rest.is_empty();
    };
    for part in parts {
        match rest.split_once(part) {
            Some((_anything, after)) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(last)
}
