//! What a pool is made of, and how it is kept: one sealed row.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use super::state::{Assign, CookieRules, Rules};
use super::{Pool, PoolError};
use crate::login::{Credentials, Login, OtpSecret};
use crate::secret::Secret;
use crate::site::{Assignment, Site};
use crate::store::{Name, NextPlain, Opened, Room, Vault};
use crate::transport::Proxy;

/// What a pool is made of.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Definition {
    /// What the pool is called.
    pub name: Name,
    /// How its sessions log in, are checked and kept.
    pub site: Arc<Site>,
    /// Who logs in; none for a site without accounts.
    pub accounts: Vec<Account>,
    /// What the sessions go through; none for straight connections.
    pub proxies: Vec<Proxy>,
    /// The password of the database that names the targets, where it needs one.
    pub database_password: Option<Secret<String>>,
}

/// One account of the site.
#[derive(Clone)]
#[non_exhaustive]
pub struct Account {
    /// Its user name.
    pub user: String,
    /// Its password, where it needs one.
    pub password: Option<Secret<String>>,
    /// What the codes of its second factor are made from.
    pub otp: Option<OtpSecret>,
    /// How many sessions it may have. Defaults to what the site file says.
    pub sessions: Option<u32>,
}

/// The longest name of a pool: its sessions' names are longer.
const LONGEST_NAME: usize = 80;

/// What stands between a pool's name and what it names: no pool has it in its name.
pub(super) const SEPARATOR: char = '~';

impl Definition {
    /// A pool of sessions of a site, without accounts and proxies.
    pub fn new(name: Name, site: Arc<Site>) -> Self {
        Self {
            name,
            site,
            accounts: Vec::new(),
            proxies: Vec::new(),
            database_password: None,
        }
    }

    /// How many sessions an account may have.
    pub(super) fn most(&self, account: &Account) -> u32 {
        account
            .sessions
            .unwrap_or(self.site.pool.sessions_per_account)
    }

    /// Whether a session needs an account.
    pub(super) fn needs_account(&self) -> bool {
        self.site.login.asks_for("user") || self.site.login.asks_for("password")
    }

    /// How many seats there are, those of targets aside: never more than accounts can fill.
    pub(super) fn size(&self) -> usize {
        let size = self.site.pool.size;
        if !self.needs_account() {
            return size;
        }
        let most = self.accounts.iter().map(|account| self.most(account));
        size.min(most.map(|most| most as usize).sum())
    }

    /// The login of an account, or of nobody.
    pub(super) fn login(&self, account: Option<&Account>) -> Login {
        let mut credentials = Credentials::default();
        if let Some(account) = account {
            credentials.user.clone_from(&account.user);
            credentials.password.clone_from(&account.password);
            credentials.otp.clone_from(&account.otp);
        }
        let mut login = Login::site(Arc::clone(&self.site), credentials);
        login.remember = true;
        login
    }

    pub(super) fn account(&self, user: &str) -> Option<&Account> {
        self.accounts.iter().find(|account| account.user == user)
    }

    pub(super) fn rules(&self) -> Rules {
        let pool = &self.site.pool;
        let size = self.size();
        Rules {
            assign: match pool.assign {
                Assignment::LeastUsed => Assign::LeastUsed,
                Assignment::Random => Assign::Random,
                Assignment::RoundRobin => Assign::RoundRobin,
                Assignment::Sticky => Assign::Sticky,
            },
            cookies: CookieRules {
                force_after: Some(pool.cookies.force_after),
                refresh_every: Some(pool.cookies.refresh_every),
                renew_after: Some(pool.cookies.renew_after),
            },
            cool_down: pool.cool_down,
            cool_down_longest: pool.longest_cool_down,
            drain: pool.drain,
            failures: pool.failures,
            lease_time_out: pool.lease_timeout,
            leases_per_member: pool.leases_per_session,
            max_age: Some(pool.max_age),
            max_uses: pool.max_uses,
            min_ready: pool.min_ready,
            rotate_every: Some(pool.rotate_every),
            size: size + pool.targets.most,
            validate_every: Some(pool.validate_every),
            ..Rules::default()
        }
    }

    fn check(&self) -> Result<(), PoolError> {
        let bad = |what: String| PoolError::BadDefinition {
            pool: self.name.to_string(),
            what,
        };
        if self.name.as_str().contains(SEPARATOR) {
            return Err(bad(format!("a pool's name has no `{SEPARATOR}` in it")));
        }
        if self.name.as_str().chars().count() > LONGEST_NAME {
            return Err(bad(format!(
                "a pool's name has {LONGEST_NAME} characters at most"
            )));
        }
        if matches!(self.site.login, crate::site::SiteLogin::Browser(_)) {
            let what = "its site file has a person log in, in a browser; a pool logs in by itself";
            return Err(bad(what.to_owned()));
        }
        let mut users: Vec<&str> = self.accounts.iter().map(|account| &*account.user).collect();
        users.sort_unstable();
        match users.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => Err(bad(format!("the account `{}` is there twice", pair[0]))),
            None => Ok(()),
        }
    }
}

impl Account {
    /// An account with a password.
    pub fn new(user: impl Into<String>, password: Option<Secret<String>>) -> Self {
        Self {
            user: user.into(),
            password,
            otp: None,
            sessions: None,
        }
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account")
            .field("user", &self.user)
            .field("sessions", &self.sessions)
            .finish_non_exhaustive()
    }
}

impl Pool {
    /// Keeps a definition under its name, which must be free.
    ///
    /// # Errors
    ///
    /// [`PoolError::Taken`], [`PoolError::BadDefinition`].
    pub async fn define(vault: &Vault, definition: &Definition) -> Result<(), PoolError> {
        definition.check()?;
        let taken = PoolError::Taken {
            pool: definition.name.to_string(),
        };
        let plain = encode(definition);
        let row = definition.name.beside(Room::Pool);
        let written = vault.update(&row, move |there| match there {
            Some(_) => Err(taken),
            None => Ok(write(plain)),
        });
        written.await.map(drop)
    }

    /// The definition of a pool.
    ///
    /// # Errors
    ///
    /// [`PoolError::Unknown`] where there is none of that name.
    pub async fn definition(vault: &Vault, name: &Name) -> Result<Definition, PoolError> {
        let opened = vault.load(&name.beside(Room::Pool)).await?;
        let opened = opened.ok_or_else(|| unknown(vault, name))?;
        decode(name, &opened.plain)
    }

    /// Changes the definition of a pool. Whoever serves it takes new accounts, proxies, passwords and
    /// rules over at once, and accounts that were stopped are tried again; how a session logs in is as
    /// it was until the next one follows it.
    ///
    /// # Errors
    ///
    /// [`PoolError::Unknown`], [`PoolError::BadDefinition`], and what `change` answers.
    pub async fn redefine<T: Send + 'static>(
        vault: &Vault,
        name: &Name,
        change: impl FnOnce(&mut Definition) -> Result<T, PoolError> + Send + 'static,
    ) -> Result<T, PoolError> {
        let (sender, mut receiver) = tokio::sync::oneshot::channel();
        let (own, missing) = (name.clone(), unknown(vault, name));
        // Before: whoever sees the change tries them.
        super::accounts::restart(vault, name).await?;
        let row = name.beside(Room::Pool);
        let written = vault.update(&row, move |there: Option<&Opened>| {
            let mut definition = decode(&own, &there.ok_or_else(|| missing.clone())?.plain)?;
            let answer = change(&mut definition)?;
            definition.check()?;
            // Nobody waits for the answer of a change that was given up.
            let _given_up = sender.send(answer);
            Ok::<_, PoolError>(write(encode(&definition)))
        });
        written.await?;
        receiver.try_recv().map_err(|_gone| unknown(vault, name))
    }

    /// The names of all pools.
    ///
    /// # Errors
    ///
    /// [`PoolError::Store`].
    pub async fn names(vault: &Vault) -> Result<Vec<Name>, PoolError> {
        let rows = vault.list_room(Room::Pool, "").await?;
        let names = rows.iter().filter_map(|row| Some(row.name.room()?.1));
        Ok(names.collect())
    }
}

pub(super) fn unknown(vault: &Vault, name: &Name) -> PoolError {
    PoolError::Unknown {
        pool: name.to_string(),
        place: vault.place().to_owned(),
    }
}

/// A row that is written whoever else writes it.
pub(super) fn write(plain: Zeroizing<Vec<u8>>) -> NextPlain {
    NextPlain::Write {
        generation: 0,
        plain,
        fence: None,
    }
}

/// The version that is written.
const VERSION: u32 = 1;

#[derive(Deserialize, Serialize)]
struct Wire {
    version: u32,
    site: String,
    file: String,
    accounts: Vec<WireAccount>,
    proxies: Vec<String>,
    database_password: Option<String>,
}

#[derive(Deserialize, Serialize)]
struct WireAccount {
    user: String,
    password: Option<String>,
    otp: Option<String>,
    sessions: Option<u32>,
}

fn encode(definition: &Definition) -> Zeroizing<Vec<u8>> {
    let text = |secret: &Secret<String>| secret.expose().clone();
    let accounts = definition.accounts.iter().map(|account| WireAccount {
        user: account.user.clone(),
        password: account.password.as_ref().map(text),
        otp: account.otp.as_ref().map(|otp| text(&otp.to_address())),
        sessions: account.sessions,
    });
    let wire = Wire {
        version: VERSION,
        site: definition.site.source.clone(),
        file: definition.site.name.clone(),
        accounts: accounts.collect(),
        proxies: definition
            .proxies
            .iter()
            .map(|proxy| text(&proxy.url()))
            .collect(),
        database_password: definition.database_password.as_ref().map(text),
    };
    Zeroizing::new(serde_json::to_vec(&wire).expect("texts and numbers can be written"))
}

pub(super) fn decode(name: &Name, plain: &[u8]) -> Result<Definition, PoolError> {
    let unreadable = |what: String| PoolError::Unreadable {
        pool: name.to_string(),
        what,
    };
    let mut wire: Wire = serde_json::from_slice(plain).map_err(|fault| {
        // The fault's own words could show a value.
        unreadable(format!(
            "its definition is malformed near byte {}",
            fault.column()
        ))
    })?;
    if wire.version > VERSION {
        let what = format!("a newer Sessile wrote it, in format {}", wire.version);
        return Err(unreadable(what));
    }
    let site = Site::parse(&wire.site, &wire.file);
    let site = site.map_err(|faults| unreadable(faults.to_string()))?;
    let accounts = std::mem::take(&mut wire.accounts).into_iter();
    let accounts = accounts.map(|mut account| {
        Ok(Account {
            user: std::mem::take(&mut account.user),
            password: account.password.take().map(Secret::new),
            otp: match account.otp.take().map(Zeroizing::new) {
                Some(otp) => {
                    Some(OtpSecret::parse(&otp).map_err(|why| unreadable(why.to_string()))?)
                }
                None => None,
            },
            sessions: account.sessions,
        })
    });
    let accounts = accounts.collect::<Result<_, PoolError>>()?;
    let proxies = wire.proxies.iter().map(|text| text.parse::<Proxy>());
    let proxies = proxies.collect::<Result<_, _>>();
    Ok(Definition {
        name: name.clone(),
        site: Arc::new(site),
        accounts,
        proxies: proxies.map_err(|_bad| unreadable("a proxy of it is malformed".to_owned()))?,
        database_password: wire.database_password.take().map(Secret::new),
    })
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.proxies.zeroize();
        self.database_password.zeroize();
    }
}

impl Drop for WireAccount {
    fn drop(&mut self) {
        self.password.zeroize();
        self.otp.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definition(name: &str) -> Definition {
        let file = "base_url = \"http://a.test\"\n[login]\nurl = \"/login\"\n[pool]\nsize = 4\n";
        let site = Site::parse(file, "a.toml").unwrap();
        let mut definition = Definition::new(name.parse().unwrap(), Arc::new(site));
        let mut ada = Account::new("ada", Some("secret-of-ada".to_owned().into()));
        ada.sessions = Some(2);
        definition.accounts = vec![ada, Account::new("bob", None)];
        definition.proxies = vec!["http://u:secret-of-proxy@p.test:1".parse().unwrap()];
        definition
    }

    #[test]
    fn what_is_written_is_read() {
        let written = definition("a");
        let read = decode(&written.name, &encode(&written)).unwrap();
        assert_eq!(read.site, written.site);
        assert_eq!(read.proxies, written.proxies);
        assert_eq!(read.accounts[0].password, written.accounts[0].password);
        assert_eq!(read.size(), 3);
        let shown = format!("{read:?}");
        assert!(!shown.contains("secret-of"), "{shown}");
    }

    #[test]
    fn a_definition_keeps_the_rules() {
        check(&definition("a~b"), "a pool's name has no `~` in it");
        check(
            &definition(&"x".repeat(81)),
            "a pool's name has 80 characters at most",
        );
        let mut twice = definition("a");
        twice.accounts.push(Account::new("bob", None));
        check(&twice, "the account `bob` is there twice");
    }

    #[track_caller]
    fn check(definition: &Definition, expected: &str) {
        match definition.check() {
            Err(PoolError::BadDefinition { what, .. }) => assert_eq!(what, expected),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn malformed_rows_show_no_value() {
        let name: Name = "a".parse().unwrap();
        let error = decode(&name, b"{\"version\":1,\"site\":\"geheim").unwrap_err();
        assert!(!error.to_string().contains("geheim"), "{error}");
    }
}
