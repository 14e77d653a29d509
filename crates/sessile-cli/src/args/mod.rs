//! The command line as types: every command, option and help text.
//!
//! Nothing is decided here. `settings` joins the global options with the
//! environment, and `commands` carries a command out.

mod access;
mod backup;
mod batch;
mod connection;
mod cookies;
mod login;
mod manners;
mod media;
mod pool;
mod profile;
mod request;
mod second_factor;
mod serve;
mod sessions;
mod site;
mod tokens;
mod values;

use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand};

pub(crate) use access::{AccessAdd, AccessCommand};
pub(crate) use backup::{BackupArgs, RestoreArgs};
pub(crate) use batch::{BatchArgs, BodyPlace};
pub(crate) use connection::ConnectionArgs;
pub(crate) use cookies::{CookiesArgs, CookiesCommand, ExplainCookies, SameSiteArg, SetCookie};
pub(crate) use login::{LoginArgs, PasswordFrom};
pub(crate) use manners::MannersArgs;
pub(crate) use media::{LiveFromArg, RecordArgs, ResolveArgs, ThroughArgs};
pub(crate) use pool::{
    PoolAccount, PoolAccountAdd, PoolCommand, PoolCreate, PoolProxy, PoolProxyAdd, PoolWhich,
};
pub(crate) use profile::ProfileCommand;
pub(crate) use request::{AuthArgs, AuthType, RequestArgs};
pub(crate) use second_factor::{OtpArgs, SecondFactorArgs};
pub(crate) use serve::{LogFormat, ServeArgs};
pub(crate) use sessions::{CheckArgs, CleanArgs, CopyArgs, RenameArgs, RmArgs, StatusArgs};
pub(crate) use site::{BySite, SiteCheckArgs, SiteCommand, SiteTryArgs};
pub(crate) use tokens::TokensArgs;
pub(crate) use values::ProxyChoice;

/// Keeps HTTP sessions logged in, across requests, processes and machines.
#[derive(Debug, Parser)]
#[command(name = "sessile", version, max_term_width = 100, after_help = EXAMPLES, after_long_help = LONG_EXAMPLES)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

impl Cli {
    /// How much is logged, and in which form. Nobody sees a daemon at work otherwise, so that it
    /// logs without being asked.
    pub(crate) fn log(&self) -> (u8, LogFormat) {
        let verbose = self.global.verbose;
        match &self.command {
            Command::Serve(args) if !self.global.quiet => (verbose.max(1), args.log_format),
            _ => (verbose, LogFormat::default()),
        }
    }
}

/// Options of every command, before or after its name.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// Where sessions are kept, as sqlite:PATH, postgres://USER@HOST/DATABASE or memory: [env: SESSILE_STORE]
    ///
    /// A password for PostgreSQL comes from SESSILE_STORE_PASSWORD. Defaults to sqlite:sessile/sessile.db in the user's data directory.
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) store: Option<String>,

    /// File with the key that seals the store [env: SESSILE_KEY_FILE]
    ///
    /// Made with mode 0600 at first use. SESSILE_KEY (32 bytes as base64 or hex) or
    /// SESSILE_PASSPHRASE can take its place. Defaults to sessile/key in the user's
    /// configuration directory.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) key_file: Option<PathBuf>,

    /// Command to run when a person is needed: a captcha, a code, a new password
    /// [env: SESSILE_NOTIFY]
    ///
    /// Run once for each trouble of a stored session, not for each request. It finds
    /// SESSILE_SESSION, SESSILE_SITE, SESSILE_KIND (challenge, code or login) and
    /// SESSILE_REASON in its environment, and no secrets. Defaults to none.
    #[arg(long, global = true, value_name = "CMD")]
    pub(crate) notify: Option<String>,

    /// Write one JSON document for programs; errors too, on standard error
    #[arg(long, global = true)]
    pub(crate) json: bool,

    /// Say nothing on standard error but errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,

    /// Say more on standard error: -v, -vv, -vvv
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(crate) verbose: u8,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Log in to a site and store the session under a name
    Login(Box<LoginArgs>),

    /// Hand a one-time code to a login that waits for it
    Otp(OtpArgs),

    /// Send a GET request
    Get(Box<RequestArgs>),
    /// Send a POST request
    Post(Box<RequestArgs>),
    /// Send a PUT request
    Put(Box<RequestArgs>),
    /// Send a PATCH request
    Patch(Box<RequestArgs>),
    /// Send a DELETE request
    Delete(Box<RequestArgs>),
    /// Send a HEAD request and print the reply's headers
    Head(Box<RequestArgs>),
    /// Send an OPTIONS request
    Options(Box<RequestArgs>),

    /// Find the media of a page
    Resolve(Box<ResolveArgs>),
    /// Record the media of a page into a file
    Record(Box<RecordArgs>),

    /// Send one request for each of many targets, and go on where it was ended
    Batch(Box<BatchArgs>),

    /// Ask the site whether a stored session is still logged in
    Check(Box<CheckArgs>),
    /// List the stored sessions
    List,
    /// Show one stored session, its secrets masked
    #[command(visible_alias = "show")]
    Status(StatusArgs),
    /// Copy a session to a name that is free
    Copy(CopyArgs),
    /// Give a session another name, which must be free
    Rename(RenameArgs),
    /// Empty sessions: cookies, login and headers; the names stay
    Clean(CleanArgs),
    /// Remove sessions from the store
    Rm(RmArgs),
    /// Show, set, remove and explain the cookies of a session
    Cookies(CookiesArgs),
    /// Keep a session in step with a small JSON file of named tokens
    Tokens(TokensArgs),

    /// Write every session, sealed, into one new file
    Backup(BackupArgs),
    /// Put the sessions of a backup in place of those in the store
    Restore(RestoreArgs),

    /// Read and try site files, which say how a site logs in
    Site {
        #[command(subcommand)]
        command: SiteCommand,
    },

    /// The sets of headers that a session can start with
    Profile {
        #[command(subcommand)]
        command: ProfileCommand,
    },

    /// Many sessions of a site as one resource
    Pool {
        #[command(subcommand)]
        command: PoolCommand,
    },
    /// Serve the stored sessions over HTTP, to programs in any language
    Serve(ServeArgs),
    /// Who may ask a daemon for what: tokens with a scope
    Access {
        #[command(subcommand)]
        command: AccessCommand,
    },

    /// See it at work on a practice website of its own
    Demo(DemoArgs),
    /// The key that seals the store
    Key {
        #[command(subcommand)]
        command: KeyCommand,
    },
    /// Print the completion script for a shell
    #[command(
        after_help = "Example:\n  sessile completions bash > ~/.local/share/bash-completion/completions/sessile"
    )]
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
}

#[derive(Args, Debug)]
pub(crate) struct DemoArgs {
    /// Leave the website and the session running, to try things out, until Ctrl-C
    #[arg(long)]
    pub(crate) keep: bool,
}

#[derive(Clone, Copy, Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Seal every session again with a fresh key
    ///
    /// Other processes may go on reading and writing. The old key stays in the key
    /// file until the last session is sealed with the new one.
    Rotate,
}

const EXAMPLES: &str = "\
Examples:
  sessile login shop https://shop.example/login --username ada
  sessile get -s shop https://shop.example/orders
  sessile check shop

Exit codes: 0 done, 1 failed, 2 usage, 3 not logged in, 4 a person is needed, 5 store unavailable";

const LONG_EXAMPLES: &str = "\
Examples:
  Log in, asking for the password:
    sessile login shop https://shop.example/login --username ada
  Log in where nobody is, and keep the password (sealed) to renew the login:
    pass show shop | sessile login shop https://shop.example/login \\
      --username ada --password-stdin --remember
  Use it, from any process; a dead login is renewed and the request sent again:
    sessile get -s shop https://shop.example/orders > orders.html
  Ask the site:
    sessile check shop --explain

Exit codes:
  0  done
  1  failed
  2  the command line was wrong
  3  not logged in, or the login was refused
  4  a person is needed (captcha, second factor)
  5  the store is unavailable (locked, read-only, wrong key)";

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_definitions_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn global_options_may_stand_on_either_side() {
        for line in [
            "sessile --json --store memory: list",
            "sessile list --json --store memory:",
        ] {
            let cli = Cli::try_parse_from(line.split(' ')).unwrap();
            assert!(cli.global.json, "{line}");
            assert_eq!(cli.global.store.as_deref(), Some("memory:"), "{line}");
        }
    }

    #[test]
    fn a_wrong_line_says_what_to_write() {
        for (line, words) in [
            (
                "login a http://h/ --username u --password hunter2",
                "process list",
            ),
            (
                "login a http://h/ --username u --password",
                "--password-stdin",
            ),
            (
                "login a http://h/ --username u --otp-wait 2m --otp-command c",
                "cannot be used with",
            ),
            (
                "login a http://h/ --username u --password-stdin --password-env P",
                "cannot be used with",
            ),
            ("get http://h/ -a ada:hunter2", "--auth-user"),
            ("get http://h/ --timeout soon", "30, 1.5, 500ms, 2m"),
            ("get http://h/ --form --raw x", "cannot be used with"),
            (
                "get http://h/ --proxy http://ada:hunter2@h:1",
                "--proxy-env VAR",
            ),
            ("get http://h/ --proxy ada:hunter2@h:1", "process list"),
            ("get http://h/ --proxy h:3128", "http://host:port"),
            ("check a --proxy none --proxy-env P", "cannot be used with"),
            ("get http://h/ --cert-key k.pem", "--cert"),
            ("get http://h/ --rate 5", "5/s, 30/m, 100/h"),
            ("get http://h/ --rate 0/s", "5/s, 30/m, 100/h"),
            ("get http://h/ --concurrency 0", "1 or more"),
            ("record", "required"),
            ("record http://h/ --resolved -", "cannot be used with"),
            ("record http://h/ --quality good", "720p"),
            ("record http://h/ --max-size 5Y", "500M"),
            ("record http://h/ --parallel 0", "zero"),
            ("clean", "required"),
            ("clean shop --all", "cannot be used with"),
            ("clean --older-than 24", "24h, 90m or 7d"),
            ("rm", "required"),
            ("copy shop", "required"),
            ("rename shop", "required"),
            ("backup", "required"),
            ("restore", "required"),
            ("tokens shop --file t.json", "--url"),
            ("tokens shop --once", "--file"),
            (
                "tokens shop --stop --file t.json --url http://h/",
                "cannot be used with",
            ),
            ("cookies shop set a=b", "--url"),
            (
                "serve --otlp http://ada:hunter2@h:4318",
                "OTEL_EXPORTER_OTLP_HEADERS",
            ),
            ("serve --otlp h:4318", "http://127.0.0.1:4318"),
        ] {
            check_refused(line, words);
        }
    }

    #[track_caller]
    fn check_refused(line: &str, words: &str) {
        let all = std::iter::once("sessile").chain(line.split(' '));
        let text = Cli::try_parse_from(all).unwrap_err().to_string();
        assert!(text.contains(words), "{line}: {text}");
        assert!(!text.contains("hunter2"), "{line}: {text}");
    }

    /// The reference of the command line: a change of it is seen in review.
    #[test]
    fn help() {
        let mut root = Cli::command().term_width(100);
        root.build();
        let mut pages = Vec::new();
        collect_help(&mut root, &mut pages);
        insta::assert_snapshot!(pages.join("\n\n"));
    }

    fn collect_help(command: &mut clap::Command, pages: &mut Vec<String>) {
        if command.get_name() == "help" {
            return;
        }
        let name = command.get_bin_name().unwrap_or("sessile").to_owned();
        let page = command.render_long_help().to_string();
        let page = if pages.is_empty() {
            page
        } else {
            own_part(&name, &page)
        };
        let lines: Vec<&str> = page.lines().map(str::trim_end).collect();
        pages.push(format!("# {name}\n\n{}", lines.join("\n").trim_end()));
        for sub in command.get_subcommands_mut() {
            collect_help(sub, pages);
        }
    }

    /// A page without what other pages show as well: the global options, and the
    /// verbs after `get`.
    fn own_part(name: &str, page: &str) -> String {
        let verbs = ["post", "put", "patch", "delete", "head", "options"];
        if verbs.iter().any(|verb| name.ends_with(&format!(" {verb}"))) {
            let (about, _) = page.split_once('\n').unwrap();
            return format!("{about}; as `sessile get`");
        }
        let (own, global) = page.split_once("Global options:\n").unwrap();
        let rest = global
            .lines()
            .skip_while(|line| line.is_empty() || line.starts_with(' '));
        let rest: Vec<&str> = rest.collect();
        format!("{own}{}", rest.join("\n"))
    }
}
