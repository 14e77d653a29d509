//! Where things are and what is wanted: global options joined with the environment.
//!
//! The only reader of the environment. Options win over variables, variables over
//! the defaults.

use std::ffi::OsString;
use std::path::PathBuf;

use sessile::store::StoreUrl;
use zeroize::Zeroizing;

use crate::args::Global;
use crate::exit::Failure;

/// The variables of a process.
pub(crate) struct Environment(Box<Lookup>);

type Lookup = dyn Fn(&str) -> Option<OsString>;

impl Environment {
    /// Those of this process.
    pub(crate) fn of_process() -> Self {
        Self(Box::new(|name| std::env::var_os(name)))
    }

    /// The value of a variable; an empty one counts as not set.
    pub(crate) fn value(&self, name: &str) -> Option<OsString> {
        (self.0)(name).filter(|value| !value.is_empty())
    }

    /// The value of a variable that holds text.
    pub(crate) fn text(&self, name: &str) -> Result<Option<String>, Failure> {
        let Some(value) = self.value(name) else {
            return Ok(None);
        };
        // The value may be a secret: it is not shown.
        let not_text = |_| Failure::usage(format!("the environment variable {name} is not UTF-8"));
        value.into_string().map(Some).map_err(not_text)
    }

    /// A program, where a shell would find it.
    pub(crate) fn program(&self, name: &str) -> Option<PathBuf> {
        let folders = self.value("PATH")?;
        let mut files = std::env::split_paths(&folders).map(|folder| folder.join(name));
        files.find(|file| file.is_file())
    }

    /// Where files go that nobody keeps.
    pub(crate) fn temporary_folder(&self) -> PathBuf {
        self.value("TMPDIR")
            .or_else(|| self.value("TEMP"))
            .map_or_else(|| "/tmp".into(), PathBuf::from)
    }

    /// Whether a window can be opened.
    pub(crate) fn has_display(&self) -> bool {
        let named = ["DISPLAY", "WAYLAND_DISPLAY"].map(|name| self.value(name).is_some());
        cfg!(target_os = "macos") || named.contains(&true)
    }

    /// Whether colours are unwanted (no-color.org), or not understood.
    pub(crate) fn no_colour(&self) -> bool {
        self.value("NO_COLOR").is_some() || self.value("TERM").is_some_and(|term| term == "dumb")
    }
}

/// Where the sessions are, and what opens them.
pub(crate) struct Settings {
    /// The URL of the store.
    pub(crate) store: Zeroizing<String>,
    /// Who says so.
    pub(crate) store_named: Named,
    /// The password for a database, from `SESSILE_STORE_PASSWORD`.
    pub(crate) store_password: Option<Zeroizing<String>>,
    /// Where the key comes from.
    pub(crate) key: Key,
}

/// Who says where something is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Named {
    /// The user, by an option or a variable.
    ByUser,
    /// Nobody: it is where such things are by default.
    Default,
}

/// Where the key of the store comes from.
pub(crate) enum Key {
    /// 32 bytes in base64 or hex, from `SESSILE_KEY`.
    Bytes(Zeroizing<String>),
    /// A file that is made when it is missing.
    File(PathBuf),
    /// Words to derive it from, from `SESSILE_PASSPHRASE`.
    Passphrase(Zeroizing<String>),
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The URL may hold a password.
        f.debug_struct("Settings")
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bytes(_) => f.write_str("Bytes([secret])"),
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::Passphrase(_) => f.write_str("Passphrase([secret])"),
        }
    }
}

impl Settings {
    /// Joins the options with the environment.
    pub(crate) fn resolve(global: &Global, environment: &Environment) -> Result<Self, Failure> {
        let (store, store_named) = store(global, environment)?;
        Ok(Self {
            store,
            store_named,
            store_password: environment
                .text("SESSILE_STORE_PASSWORD")?
                .map(Zeroizing::new),
            key: key(global, environment)?,
        })
    }
}

fn store(
    global: &Global,
    environment: &Environment,
) -> Result<(Zeroizing<String>, Named), Failure> {
    let by_user = |url| (Zeroizing::new(url), Named::ByUser);
    if let Some(url) = &global.store {
        return without_password(url).map(by_user);
    }
    if let Some(url) = environment.text("SESSILE_STORE")? {
        return Ok(by_user(url));
    }
    let Some(directory) = directory(environment, &DATA) else {
        return Err(homeless(
            "the store",
            "--store sqlite:PATH or SESSILE_STORE",
        ));
    };
    let path = directory.join("sessile").join("sessile.db");
    let url = format!("sqlite:{}", path.display());
    Ok((Zeroizing::new(url), Named::Default))
}

/// An argument is seen by everybody on this machine.
fn without_password(url: &str) -> Result<String, Failure> {
    match StoreUrl::parse(url) {
        Ok(StoreUrl::Postgres(parsed)) if parsed.password().is_some() => Err(Failure::usage(
            "--store: a password in an argument is seen by everybody on this machine",
        )
        .hint("leave it out and put it into SESSILE_STORE_PASSWORD, or the whole URL into SESSILE_STORE")),
        _ => Ok(url.to_owned()),
    }
}

fn key(global: &Global, environment: &Environment) -> Result<Key, Failure> {
    if let Some(path) = &global.key_file {
        return Ok(Key::File(path.clone()));
    }
    if let Some(bytes) = environment.text("SESSILE_KEY")? {
        return Ok(Key::Bytes(Zeroizing::new(bytes)));
    }
    if let Some(path) = environment.value("SESSILE_KEY_FILE") {
        return Ok(Key::File(path.into()));
    }
    if let Some(words) = environment.text("SESSILE_PASSPHRASE")? {
        return Ok(Key::Passphrase(Zeroizing::new(words)));
    }
    let Some(directory) = directory(environment, &CONFIG) else {
        return Err(homeless(
            "the key file",
            "--key-file FILE or SESSILE_KEY_FILE",
        ));
    };
    Ok(Key::File(directory.join("sessile").join("key")))
}

/// Where a daemon's first token is written by default.
pub(crate) fn token_file(environment: &Environment) -> Result<PathBuf, Failure> {
    match directory(environment, &CONFIG) {
        Some(directory) => Ok(directory.join("sessile").join("token")),
        None => Err(homeless("the first token", "--token-file FILE")),
    }
}

fn homeless(what: &str, option: &str) -> Failure {
    Failure::usage(format!(
        "no place for {what}: the environment names no home directory"
    ))
    .hint(format!("give {option}"))
}

/// How a platform names one of the user's directories.
struct Directory {
    /// A variable that names it outright, on Windows and elsewhere.
    variable: &'static str,
    /// Where it is below the home directory.
    below_home: &'static str,
}

#[cfg(windows)]
const CONFIG: Directory = Directory {
    variable: "APPDATA",
    below_home: "AppData/Roaming",
};
#[cfg(windows)]
const DATA: Directory = Directory {
    variable: "LOCALAPPDATA",
    below_home: "AppData/Local",
};
#[cfg(windows)]
const HOME: &str = "USERPROFILE";

#[cfg(not(windows))]
const CONFIG: Directory = Directory {
    variable: "XDG_CONFIG_HOME",
    below_home: ".config",
};
#[cfg(not(windows))]
const DATA: Directory = Directory {
    variable: "XDG_DATA_HOME",
    below_home: ".local/share",
};
#[cfg(not(windows))]
const HOME: &str = "HOME";

fn directory(environment: &Environment, directory: &Directory) -> Option<PathBuf> {
    // The XDG specification tells readers to ignore a relative path.
    let named = environment.value(directory.variable).map(PathBuf::from);
    if let Some(path) = named.filter(|path| path.is_absolute()) {
        return Some(path);
    }
    let home = PathBuf::from(environment.value(HOME)?);
    home.is_absolute().then(|| home.join(directory.below_home))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// An environment of exactly these variables.
    pub(crate) fn environment(variables: &[(&'static str, &'static str)]) -> Environment {
        let variables = variables.to_vec();
        Environment(Box::new(move |name| {
            let found = variables.iter().find(|(known, _)| *known == name)?;
            Some(found.1.into())
        }))
    }

    const HOME: (&str, &str) = ("HOME", "/home/ada");

    #[test]
    fn the_store_is_the_option_then_the_variable_then_the_data_directory() {
        let option = Some("memory:");
        check_store(
            option,
            &[("SESSILE_STORE", "sqlite:/v.db"), HOME],
            "memory:",
        );
        check_store(
            None,
            &[("SESSILE_STORE", "sqlite:/v.db"), HOME],
            "sqlite:/v.db",
        );
        check_store(
            None,
            &[("XDG_DATA_HOME", "/d"), HOME],
            "sqlite:/d/sessile/sessile.db",
        );
        let default = "sqlite:/home/ada/.local/share/sessile/sessile.db";
        check_store(None, &[("XDG_DATA_HOME", "relative"), HOME], default);
        check_store(None, &[("SESSILE_STORE", ""), HOME], default);
    }

    #[test]
    fn the_key_is_the_option_then_the_variables_then_the_configuration_directory() {
        let file = [
            ("SESSILE_KEY_FILE", "/k"),
            ("SESSILE_PASSPHRASE", "w"),
            HOME,
        ];
        check_key(Some("/o"), &[("SESSILE_KEY", "aa")], "File(\"/o\")");
        check_key(
            None,
            &[("SESSILE_KEY", "aa"), ("SESSILE_KEY_FILE", "/k")],
            "Bytes([secret])",
        );
        check_key(None, &file, "File(\"/k\")");
        check_key(
            None,
            &[("SESSILE_PASSPHRASE", "w"), HOME],
            "Passphrase([secret])",
        );
        check_key(None, &[HOME], "File(\"/home/ada/.config/sessile/key\")");
    }

    #[test]
    fn a_password_is_not_taken_from_the_option() {
        let url = || Some("postgres://ada:hunter2@db/web".to_owned());
        let global = Global {
            store: url(),
            ..Global::default()
        };
        let failure = Settings::resolve(&global, &environment(&[HOME])).unwrap_err();
        assert!(!format!("{failure} {failure:?}").contains("hunter2"));
        let variables = [("SESSILE_STORE", "postgres://ada:hunter2@db/web"), HOME];
        let settings = Settings::resolve(&Global::default(), &environment(&variables)).unwrap();
        assert_eq!(Some(&*settings.store), url().as_ref());
        assert!(!format!("{settings:?}").contains("hunter2"));
    }

    #[test]
    fn without_a_home_the_options_are_named() {
        let failure = Settings::resolve(&Global::default(), &environment(&[])).unwrap_err();
        assert!(failure.advice().unwrap().contains("--store"));
    }

    #[test]
    fn colours_can_be_refused() {
        assert!(environment(&[("NO_COLOR", "1")]).no_colour());
        assert!(environment(&[("TERM", "dumb")]).no_colour());
        assert!(!environment(&[("NO_COLOR", ""), ("TERM", "xterm")]).no_colour());
    }

    #[test]
    fn a_display_is_named_by_either_variable() {
        assert!(environment(&[("DISPLAY", ":0")]).has_display());
        assert!(environment(&[("WAYLAND_DISPLAY", "wayland-0")]).has_display());
        if !cfg!(target_os = "macos") {
            assert!(!environment(&[("DISPLAY", "")]).has_display());
        }
    }

    #[track_caller]
    fn check_store(
        option: Option<&str>,
        variables: &[(&'static str, &'static str)],
        expected: &str,
    ) {
        let global = Global {
            store: option.map(str::to_owned),
            ..Global::default()
        };
        let settings = Settings::resolve(&global, &environment(variables)).unwrap();
        assert_eq!(*settings.store, expected);
    }

    #[track_caller]
    fn check_key(option: Option<&str>, variables: &[(&'static str, &'static str)], expected: &str) {
        let global = Global {
            key_file: option.map(PathBuf::from),
            ..Global::default()
        };
        let key = key(&global, &environment(variables)).unwrap();
        assert_eq!(format!("{key:?}"), expected);
    }
}
