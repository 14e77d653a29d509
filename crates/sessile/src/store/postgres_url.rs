//! Where in which database a PostgreSQL store is, and who asks for it.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;

use percent_encoding::percent_decode_str;
use url::Url;

use super::StoreError;
use crate::secret::Secret;

/// `postgres://USER@HOST:PORT/DATABASE`, with what follows a `?`.
///
/// | option | what it says | defaults to |
/// | --- | --- | --- |
/// | `host`, `port` | a directory with the server's Unix socket, in place of HOST; which of those in it | `5432` |
/// | `user` | the role, in place of USER | |
/// | `schema` | the schema that holds the store | `sessile` |
/// | `sslmode` | `verify-full`: TLS, and the certificate must be HOST's; `disable`: plain | `disable` on this machine, else `verify-full` |
/// | `sslrootcert` | a PEM file with an authority to trust besides the system's | |
///
/// A pooler between must keep a connection for a session as long as it lasts. PostgreSQL 13 is the oldest that will do.
///
/// `require` and `verify-ca` are taken as `verify-full`. DATABASE defaults to the role's name. A password may stand
/// behind USER, or come by [`PostgresUrl::with_password`]; neither `Display` nor `Debug` shows it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PostgresUrl {
    pub(super) host: PostgresHost,
    pub(super) port: u16,
    pub(super) user: String,
    password: Option<Secret<String>>,
    pub(super) database: String,
    pub(super) schema: String,
    pub(super) tls: PostgresTls,
}

/// How the server is reached.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum PostgresHost {
    /// A directory with its socket.
    Socket(PathBuf),
    /// A name or an address.
    Tcp(String),
}

/// Whether others on the way can read along.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum PostgresTls {
    Off,
    Verified { extra_root: Option<PathBuf> },
}

const PORT: u16 = 5432;
const SCHEMA: &str = "sessile";
const FORM: &str = "write `postgres://USER@HOST:PORT/DATABASE`";

impl PostgresUrl {
    /// Reads a URL; fails with [`StoreError::BadUrl`], which shows nothing of it that could be a password.
    pub fn parse(text: &str) -> Result<Self, StoreError> {
        let url = Url::parse(text).map_err(|error| bad(format!("{error}; {FORM}")))?;
        let mut options = Options::default();
        for (name, value) in url.query_pairs() {
            options.take(&name, &value)?;
        }
        if url.fragment().is_some() {
            return Err(bad("write `#` in a password or a name as `%23`".to_owned()));
        }
        let user = decoded(url.username(), "user")?;
        let user = options.user.or((!user.is_empty()).then_some(user));
        let user = user.ok_or_else(|| bad(format!("the user is missing: {FORM}")))?;
        let password = url.password().map(|text| decoded(text, "password"));
        let database = decoded(url.path().trim_start_matches('/'), "database")?;
        let host = match (options.host, url.host_str()) {
            (Some(host), None | Some("")) => host,
            (None, Some(host)) if !host.is_empty() => {
                PostgresHost::Tcp(decoded(host, "host")?.trim_matches(['[', ']']).to_owned())
            }
            (Some(_), Some(_)) => return Err(bad("the host is named twice".to_owned())),
            _ => return Err(bad(format!("the host is missing: {FORM}"))),
        };
        Ok(Self {
            port: url.port().or(options.port).unwrap_or(PORT),
            password: password.transpose()?.map(Secret::new),
            database: if database.is_empty() {
                user.clone()
            } else {
                database
            },
            schema: options.schema.unwrap_or_else(|| SCHEMA.to_owned()),
            tls: tls(options.tls, options.extra_root, &host)?,
            user,
            host,
        })
    }

    /// The same with a password.
    #[must_use]
    pub fn with_password(self, password: Secret<String>) -> Self {
        Self {
            password: Some(password),
            ..self
        }
    }

    /// The password, if one was given.
    pub const fn password(&self) -> Option<&Secret<String>> {
        self.password.as_ref()
    }
}

#[derive(Default)]
struct Options {
    host: Option<PostgresHost>,
    port: Option<u16>,
    user: Option<String>,
    schema: Option<String>,
    tls: Option<Wanted>,
    extra_root: Option<PathBuf>,
}

enum Wanted {
    Off,
    Verified,
}

impl Options {
    fn take(&mut self, name: &str, value: &str) -> Result<(), StoreError> {
        match name {
            "host" if value.starts_with('/') => {
                self.host = Some(PostgresHost::Socket(value.into()));
            }
            "host" => self.host = Some(PostgresHost::Tcp(value.to_owned())),
            "port" => {
                let port = value.parse();
                self.port = Some(port.map_err(|_| bad(format!("bad port {value:?}")))?);
            }
            "user" => self.user = Some(value.to_owned()),
            "schema" => self.schema = Some(schema(value)?),
            "sslmode" => self.tls = Some(wanted(value)?),
            "sslrootcert" => self.extra_root = Some(value.into()),
            other => {
                return Err(bad(format!(
                    "unknown option {other:?}; known are `host`, `port`, `user`, `schema`, `sslmode` and `sslrootcert`"
                )));
            }
        }
        Ok(())
    }
}

/// A schema's name goes into statements as it is, and into the name of a channel with a word before it.
fn schema(text: &str) -> Result<String, StoreError> {
    let starts = text.starts_with(|c: char| c.is_ascii_lowercase() || c == '_');
    let fits = text
        .chars()
        .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if !starts || !fits || text.len() > 48 || text.starts_with("pg_") {
        return Err(bad(format!(
            "the schema {text:?} must be 1 to 48 small letters, digits and `_`, with no digit first, and not begin with \
             `pg_`"
        )));
    }
    Ok(text.to_owned())
}

fn wanted(mode: &str) -> Result<Wanted, StoreError> {
    match mode {
        "disable" => Ok(Wanted::Off),
        "require" | "verify-ca" | "verify-full" => Ok(Wanted::Verified),
        "allow" | "prefer" => Err(bad(format!(
            "`sslmode={mode}` leaves it to others whether they can read along: write `verify-full` or `disable`"
        ))),
        other => Err(bad(format!(
            "unknown sslmode {other:?}: write `verify-full` or `disable`"
        ))),
    }
}

fn tls(
    wanted: Option<Wanted>,
    extra_root: Option<PathBuf>,
    host: &PostgresHost,
) -> Result<PostgresTls, StoreError> {
    match (wanted, host) {
        (Some(Wanted::Verified), PostgresHost::Socket(_)) => Err(bad(
            "a Unix socket has no TLS: leave `sslmode` out".to_owned(),
        )),
        (Some(Wanted::Verified), PostgresHost::Tcp(_)) => Ok(PostgresTls::Verified { extra_root }),
        (None, host) if !is_here(host) => Ok(PostgresTls::Verified { extra_root }),
        (Some(Wanted::Off) | None, _) if extra_root.is_some() => Err(bad(
            "`sslrootcert` without TLS: add `sslmode=verify-full`".to_owned(),
        )),
        (Some(Wanted::Off) | None, _) => Ok(PostgresTls::Off),
    }
}

/// Whether what is sent there stays on this machine.
fn is_here(host: &PostgresHost) -> bool {
    match host {
        PostgresHost::Socket(_) => true,
        PostgresHost::Tcp(name) => match name.parse::<IpAddr>() {
            Ok(address) => address.is_loopback(),
            Err(_) => name.eq_ignore_ascii_case("localhost"),
        },
    }
}

fn decoded(text: &str, what: &str) -> Result<String, StoreError> {
    let decoded = percent_decode_str(text).decode_utf8();
    let decoded = decoded.map_err(|_| bad(format!("the {what} is not UTF-8")))?;
    if decoded.contains('\0') {
        return Err(bad(format!("the {what} holds a NUL character")));
    }
    Ok(decoded.into_owned())
}

fn bad(rule: String) -> StoreError {
    let shown = "postgres:…".to_owned();
    StoreError::BadUrl { shown, rule }
}

impl fmt::Display for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { user, database, .. } = self;
        let mut mark = '?';
        match &self.host {
            PostgresHost::Socket(path) => {
                write!(
                    f,
                    "postgres:///{database}?host={}&user={user}",
                    path.display()
                )?;
                if self.port != PORT {
                    write!(f, "&port={}", self.port)?;
                }
                mark = '&';
            }
            PostgresHost::Tcp(host) if host.contains(':') => {
                write!(f, "postgres://{user}@[{host}]:{}/{database}", self.port)?;
            }
            PostgresHost::Tcp(host) => {
                write!(f, "postgres://{user}@{host}:{}/{database}", self.port)?;
            }
        }
        if self.schema != SCHEMA {
            write!(f, "{mark}schema={}", self.schema)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_forms_are_read() {
        shown("postgres://ada@db/web", "postgres://ada@db:5432/web");
        shown("postgresql://ada@db:1/web", "postgres://ada@db:1/web");
        shown("postgres://ada@db", "postgres://ada@db:5432/ada");
        shown("postgres://a%40b@[::1]/w", "postgres://a@b@[::1]:5432/w");
        shown(
            "postgres:///web?host=/run/pg&user=ada&schema=two",
            "postgres:///web?host=/run/pg&user=ada&schema=two",
        );
    }

    #[test]
    fn beyond_this_machine_the_line_is_verified() {
        let verified = |root: Option<&str>| PostgresTls::Verified {
            extra_root: root.map(PathBuf::from),
        };
        line("postgres://a@db/w", &verified(None));
        line("postgres://a@db/w?sslmode=disable", &PostgresTls::Off);
        line("postgres://a@localhost/w", &PostgresTls::Off);
        line("postgres://a@127.0.0.2/w", &PostgresTls::Off);
        line("postgres://a@[::1]/w", &PostgresTls::Off);
        line("postgres:///w?host=/run&user=a", &PostgresTls::Off);
        line("postgres://a@localhost/w?sslmode=require", &verified(None));
        line("postgres://a@db/w?sslrootcert=/ca", &verified(Some("/ca")));
    }

    #[test]
    fn others_are_told_how() {
        refused("postgres:", "the user is missing");
        refused("postgres://db/web", "the user is missing");
        refused("postgres://ada@/web", "empty host");
        refused("postgres://ada@db:x/web", "port");
        refused("postgres://ada@db/web#x", "%23");
        refused("postgres://ada@db/web?host=/run", "twice");
        refused("postgres://ada@db/web?sslmode=prefer", "verify-full");
        refused("postgres://ada@db/web?password=hunter2", "\"password\"");
        refused("postgres://ada@db/web?schema=Web", "small letters");
        refused("postgres://ada@db/web?schema=pg_x", "small letters");
        refused("postgres://ada@localhost/web?sslrootcert=/ca", "sslmode");
    }

    #[test]
    fn a_password_is_taken_and_never_shown() {
        let url = PostgresUrl::parse("postgres://ada:hunter%32@db/web").unwrap();
        let password = url.password().unwrap();
        assert_eq!(password.expose(), "hunter2");
        assert!(!format!("{url} {url:?}").contains("hunter"));
        for text in [
            "postgres://ada:hunter2@db:x/web",
            "postgres://:hunter2@db/web",
        ] {
            let error = PostgresUrl::parse(text).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("hunter"), "{error}");
        }
    }

    #[track_caller]
    fn shown(text: &str, expected: &str) {
        assert_eq!(PostgresUrl::parse(text).unwrap().to_string(), expected);
    }

    #[track_caller]
    fn line(text: &str, expected: &PostgresTls) {
        assert_eq!(&PostgresUrl::parse(text).unwrap().tls, expected, "{text}");
    }

    #[track_caller]
    fn refused(text: &str, fragment: &str) {
        let error = PostgresUrl::parse(text).unwrap_err().to_string();
        assert!(error.contains(fragment), "{text}: {error}");
    }
}
