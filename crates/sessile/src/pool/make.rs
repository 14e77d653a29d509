//! Makes a member for a seat: an account, a proxy, a login under a new name, a warm-up, a check.
//!
//! What is begun is written down first, so that whoever has the seat next finds what to remove; where
//! it fails, in whatever way, the answer to the action sees to that.

use std::sync::PoisonError;
use std::time::Duration;

use sessile_jar::Timestamp;
use tokio::time::timeout;

use super::state::{Fault, SeatId};
use super::trouble::Trouble;
use super::{Definition, PoolError, Shared, accounts, seat};
use crate::login::LoginError;
use crate::profile::ProfileChoice;
use crate::renew::{Identity, KeepError, Kept, Logins};
use crate::session::{Request, SessionState, Verdict};
use crate::site::WarmUp;
use crate::store::Name;
use crate::transport::Proxy;

/// Holds the logins of the session that serves, while another is made: on a site that allows one
/// session per user a login of the one would end the other.
struct Pause(Option<Kept>);

impl Pause {
    async fn begin(kept: Option<Kept>) -> Self {
        if let Some(kept) = &kept {
            kept.set_logins(Logins::Held);
            kept.login_done().await;
        }
        Self(kept)
    }

    /// The other one has taken over.
    fn replaced(mut self) {
        if let Some(kept) = self.0.take() {
            kept.set_logins(Logins::Closed);
        }
    }
}

impl Drop for Pause {
    fn drop(&mut self) {
        // One that was given up meanwhile stays so.
        if let Some(kept) = self.0.take_if(|kept| kept.logins() == Logins::Held) {
            kept.set_logins(Logins::Open);
        }
    }
}

/// What a login needs.
struct Plan {
    name: Name,
    account: Option<String>,
    proxy: Option<Proxy>,
    profile: crate::profile::Profile,
    target: Option<String>,
    target_proxy: Option<String>,
    before: Option<Kept>,
}

/// A member that was made and serves its seat from now on.
pub(super) struct Made {
    pub(super) kept: Kept,
    /// The proxy that the target had as it was begun.
    pub(super) target_proxy: Option<String>,
    pause: Pause,
}

impl Made {
    /// It has taken the seat over: the one before logs in no more.
    pub(super) fn take_over(self) -> Kept {
        self.pause.replaced();
        self.kept
    }

    /// Nobody uses it; what it has need not be stored.
    pub(super) fn dismiss(self) {
        self.kept.set_logins(Logins::Closed);
        self.kept.session().close();
    }
}

impl Shared {
    /// Makes the next member of a seat.
    pub(super) async fn make(&self, seat: SeatId) -> Result<Made, Trouble> {
        let definition = self.definition();
        let plan = self.plan(seat, &definition).await;
        let plan = plan.map_err(Trouble::untried)?;
        let pause = Pause::begin(plan.before.clone()).await;
        let kept = self.log_in(&plan, &definition).await?;
        let target_proxy = plan.target_proxy.clone();
        let made = Made {
            kept,
            target_proxy,
            pause,
        };
        match self.prove(&made.kept, &plan, &definition).await {
            Ok(()) => Ok(made),
            Err(trouble) => {
                made.dismiss();
                Err(trouble)
            }
        }
    }

    /// Chooses who the member is, and writes down that it is begun.
    async fn plan(&self, id: SeatId, definition: &Definition) -> Result<Plan, Trouble> {
        let (seat_name, row) = {
            let live = self.live();
            let seat = live.seats.get(&id).ok_or_else(Trouble::gone)?;
            (seat.name.clone(), seat.row.clone())
        };
        let account = self.account(&seat_name, definition).await;
        let account = account.map_err(|error| Trouble::of_pool(&error, self.now()))?;
        let proxy = self.proxy(&seat_name, &row, definition)?;
        let choice = definition.site.profile.clone().unwrap_or_default();
        let profile = match row.profile() {
            Some(profile) if choice.accepts(&profile) => profile,
            _ => choice.choose(),
        };
        let name = seat::member_name(&seat_name, row.generation + 1)?;
        let before = {
            let mut live = self.live();
            let serving = live.state.seat_view(id).and_then(|view| view.member);
            let before = serving.and_then(|member| live.members.get(&member));
            let before = before.map(|member| member.kept.clone());
            let seat = live.seats.get_mut(&id).ok_or_else(Trouble::gone)?;
            seat.row.generation += 1;
            seat.row.give_up();
            seat.row.making = Some(name.to_string());
            seat.row.account.clone_from(&account);
            seat.row.proxy = match &row.target_proxy {
                Some(_) => None,
                None => proxy.as_ref().map(ToString::to_string),
            };
            seat.row.profile = Some(profile.to_string());
            before
        };
        self.write_seat(id).await?;
        Ok(Plan {
            name,
            account,
            proxy,
            profile,
            target: row.target,
            target_proxy: row.target_proxy,
            before,
        })
    }

    /// The account of a seat, where the site has some.
    pub(super) async fn account(
        &self,
        seat: &Name,
        definition: &Definition,
    ) -> Result<Option<String>, PoolError> {
        if definition.accounts.is_empty() && !definition.needs_account() {
            return Ok(None);
        }
        let assigned = accounts::assign(&self.vault, definition, seat).await?;
        assigned.map(Some).map_err(|standing| PoolError::NoAccount {
            pool: self.name.to_string(),
            standing,
        })
    }

    fn proxy(
        &self,
        seat: &Name,
        row: &seat::SeatRow,
        definition: &Definition,
    ) -> Result<Option<Proxy>, Trouble> {
        if let Some(own) = &row.target_proxy {
            let own = own.parse().map_err(|_bad| {
                Trouble::new(Fault::NeedsPerson, "the target's proxy can't be read")
            });
            return own.map(Some);
        }
        let now = self.now();
        let health = self.proxies.lock().unwrap_or_else(PoisonError::into_inner);
        let place = (seat.as_str(), row.proxy.as_deref());
        match health.choose(&definition.proxies, place, now) {
            Ok(proxy) => Ok(proxy.cloned()),
            Err(until) => Err(Trouble::new(
                Fault::Later { until: Some(until) },
                "all proxies rest after failures",
            )),
        }
    }

    /// Logs in under the new name.
    async fn log_in(&self, plan: &Plan, definition: &Definition) -> Result<Kept, Trouble> {
        let account = plan
            .account
            .as_deref()
            .and_then(|user| definition.account(user));
        let mut login = definition.login(account);
        login.profile = ProfileChoice::from(plan.profile.clone());
        login.person = self.options.person.clone();
        let mut options = self.kept_options();
        if plan.proxy.is_none() {
            options.builder = options.builder.direct();
        }
        let identity = identity(plan, &definition.site.pool.cookies.device, self.now());
        let logged_in = Kept::log_in_as(&self.vault, &plan.name, identity, login, options).await;
        match logged_in {
            Ok((kept, report)) => {
                tracing::debug!(session = %plan.name, steps = ?report.steps, "logged in");
                Ok(kept)
            }
            Err(error) => {
                let proxy = plan.proxy.as_ref().map(ToString::to_string);
                self.proxy_failed(proxy.as_deref(), &error);
                Err(self.blame(plan, error).await)
            }
        }
    }

    /// Says whose fault a failed login is; an account that is refused isn't tried again.
    async fn blame(&self, plan: &Plan, error: KeepError) -> Trouble {
        let trouble = Trouble::of(&error, self.now());
        let KeepError::Login(error) = &error else {
            return trouble;
        };
        let Some(user) = plan.account.as_deref().filter(|_| is_accounts(error)) else {
            return trouble;
        };
        if !self.stop_account(user, error.to_string()).await {
            // Not knowing that it is stopped, nobody may try it again.
            return trouble;
        }
        // Another account may do; where there is none, that is found out at once.
        let fault = Fault::Later {
            until: Some(self.now()),
        };
        Trouble { fault, ..trouble }
    }

    /// Warms the member up and checks it.
    async fn prove(
        &self,
        kept: &Kept,
        plan: &Plan,
        definition: &Definition,
    ) -> Result<(), Trouble> {
        if let Some(warm_up) = &definition.site.pool.warm_up {
            let target = match &plan.target {
                None if warm_up.asks_for_target() => {
                    let target = self.some_target().await;
                    target.map_err(|error| Trouble::later(error.to_string()))?
                }
                own => own.clone(),
            };
            warm(kept, warm_up, target.as_deref()).await?;
        }
        let report = kept
            .check()
            .await
            .map_err(|error| self.trouble(kept, &error))?;
        if report.verdict != Verdict::Valid {
            return Err(Trouble::of_verdict(
                &report.verdict,
                &report.why,
                self.now(),
            ));
        }
        self.measure(kept, definition)?;
        kept.save()
            .await
            .map_err(|error| Trouble::of(&error, self.now()))
    }

    /// Refuses a session whose cookies have become too many for a header.
    pub(super) fn measure(&self, kept: &Kept, definition: &Definition) -> Result<(), Trouble> {
        let (limit, now) = (definition.site.pool.cookies.header_limit, self.now());
        let check = definition
            .site
            .check
            .as_ref()
            .map(|check| check.url.clone());
        let page = check.unwrap_or_else(|| definition.site.home());
        let Some(target) = crate::session::target(&page) else {
            return Ok(());
        };
        let context = sessile_jar::Context::default();
        let length = kept.session().read(|state| {
            let header = state.jar().cookie_header(&target, &context, now);
            header.map_or(0, |header| header.len())
        });
        if length <= limit {
            return Ok(());
        }
        let why = format!("its cookie header has {length} bytes, of {limit} at most");
        Err(Trouble::new(Fault::Failed, &why))
    }
}

/// Who the member is before it logs in: what the site knows the device by stays the same.
fn identity(plan: &Plan, device: &[String], now: Timestamp) -> Identity {
    let mut state = SessionState::new(plan.profile.clone());
    state.set_proxy(plan.proxy.clone());
    let Some(before) = &plan.before else {
        return Identity {
            state,
            last_code: None,
        };
    };
    let record = before.record();
    let is_devices = |name: &str| device.iter().any(|wanted| wanted == name);
    if !device.is_empty() {
        let mut jar = record.state.jar().clone();
        let names: Vec<String> = jar
            .iter()
            .map(|cookie| cookie.name_lossy().into_owned())
            .collect();
        for name in names.iter().filter(|name| !is_devices(name)) {
            jar.remove(name, now);
        }
        *state.jar_mut() = jar;
    }
    Identity {
        state,
        last_code: record.last.code,
    }
}

/// Sends the first request of a member.
async fn warm(kept: &Kept, warm_up: &WarmUp, target: Option<&str>) -> Result<(), Trouble> {
    let url = warm_up.address(target).map_err(Trouble::later)?;
    let limit: Duration = warm_up.timeout;
    let sending = async {
        let request = Request::get(url.as_str());
        let reply = kept.session().send(request).await?;
        let (verdict, status) = (reply.verdict().clone(), reply.status());
        reply.bytes().await?;
        Ok::<_, crate::Error>((verdict, status))
    };
    match timeout(limit, sending).await {
        Err(_elapsed) => Err(Trouble::later(format!(
            "the warm-up took longer than {} ms",
            limit.as_millis()
        ))),
        Ok(Err(error)) => Err(Trouble::later(format!("the warm-up failed: {error}"))),
        Ok(Ok((Verdict::Valid, status))) if status.is_client_error() => Err(Trouble::new(
            Fault::Failed,
            &format!("the warm-up was answered with {status}"),
        )),
        Ok(Ok((Verdict::Valid, _))) => Ok(()),
        Ok(Ok((verdict, status))) => {
            let why = format!("the warm-up was answered with {status}");
            // How long to wait is by the rules.
            Err(Trouble::of_verdict(
                &verdict,
                &why,
                Timestamp::from_millis(0),
            ))
        }
    }
}

/// Whether a login failed for the account's sake.
pub(super) fn is_accounts(error: &LoginError) -> bool {
    use crate::login::oauth2::OAuthError;
    matches!(
        error,
        LoginError::Refused { .. }
            | LoginError::CodeRefused { .. }
            | LoginError::Consent { .. }
            | LoginError::SecondFactor { .. }
            | LoginError::Unproven { .. }
            | LoginError::OAuth(OAuthError::Refused { .. })
    )
}
