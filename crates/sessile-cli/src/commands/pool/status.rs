//! `sessile pool list` and `sessile pool status`.

use serde_json::{Value, json};
use sessile::pool::{AccountInfo, Pool, PoolView, SeatInfo};
use sessile_jar::Timestamp;

use super::super::failure::Purpose;
use super::super::show;
use super::super::work::{self, Work};
use crate::exit::{Exit, Failure, Outcome};
use crate::printer::plain;

/// Lists the pools.
pub(super) async fn list(work: &mut Work<'_>) -> Outcome {
    let vault = work.present_vault(Purpose::Manage).await?;
    let mut views = Vec::new();
    for name in Pool::names(&vault).await.map_err(Failure::from)? {
        views.push(Pool::look(&vault, &name).await.map_err(Failure::from)?);
    }
    if work.json() {
        let pools: Vec<Value> = views.iter().map(document).collect();
        work.printer.document(&json!({ "pools": pools }))?;
        return Ok(Exit::Done);
    }
    if views.is_empty() {
        work.printer.note(&format!("no pools in {}", vault.place()));
        return Ok(Exit::Done);
    }
    let rows: Vec<_> = views
        .iter()
        .map(|view| {
            [
                view.name.to_string(),
                plain(&view.site),
                format!("{} of {}", sessions(view), view.size),
                view.accounts.len().to_string(),
                view.owners.len().to_string(),
            ]
        })
        .collect();
    work.printer
        .table(["NAME", "SITE", "SESSIONS", "ACCOUNTS", "SERVED BY"], &rows)?;
    Ok(Exit::Done)
}

/// Shows one pool.
pub(super) async fn show(name: &str, work: &mut Work<'_>) -> Outcome {
    let name = work::name(name)?;
    let vault = work.present_vault(Purpose::Manage).await?;
    let view = Pool::look(&vault, &name).await.map_err(Failure::from)?;
    if work.json() {
        work.printer.document(&document(&view))?;
        return Ok(Exit::Done);
    }
    let owners = match view.owners.len() {
        0 => "nobody; `sessile serve` serves it".to_owned(),
        1 => "one process".to_owned(),
        many => format!("{many} processes"),
    };
    work.printer.line(&format!("pool       {name}"))?;
    work.printer
        .line(&format!("site       {}", plain(&view.site)))?;
    work.printer
        .line(&format!("sessions   {} of {}", sessions(&view), view.size))?;
    work.printer.line(&format!("served by  {owners}"))?;
    if !view.seats.is_empty() {
        work.printer.line("")?;
        let rows: Vec<_> = view.seats.iter().map(|seat| row(seat, view.now)).collect();
        let head = [
            "SESSION", "ACCOUNT", "PROXY", "TARGET", "AGE", "CHECKED", "USES", "STATE",
        ];
        work.printer.table(head, &rows)?;
    }
    if !view.accounts.is_empty() {
        work.printer.line("")?;
        let rows: Vec<_> = view.accounts.iter().map(account_row).collect();
        work.printer
            .table(["ACCOUNT", "SESSIONS", "STATE"], &rows)?;
    }
    if !view.proxies.is_empty() {
        work.printer.line("")?;
        let rows: Vec<_> = view
            .proxies
            .iter()
            .map(|proxy| proxy_row(proxy, &view))
            .collect();
        work.printer.table(["PROXY", "SESSIONS"], &rows)?;
    }
    if view
        .accounts
        .iter()
        .any(|account| account.stopped.is_some())
    {
        let line = format!("sessile pool account add {name} USER");
        work.printer.warn(&format!(
            "accounts that are stopped are tried again once you have seen to them: `{line}`"
        ));
    }
    for what in &view.unreadable {
        work.printer.warn(&plain(what));
    }
    Ok(Exit::Done)
}

fn sessions(view: &PoolView) -> usize {
    let seats = view.seats.iter().filter(|seat| seat.target.is_none());
    seats.filter(|seat| seat.session.is_some()).count()
}

fn row(seat: &SeatInfo, now: Timestamp) -> [String; 8] {
    let none = || "-".to_owned();
    let text = |text: &Option<String>| text.as_deref().map_or_else(none, plain);
    let (account, proxy, target) = (text(&seat.account), text(&seat.proxy), text(&seat.target));
    let Some(session) = &seat.session else {
        let seat = seat.seat.to_string();
        let state = "none yet".to_owned();
        return [seat, account, proxy, target, none(), none(), none(), state];
    };
    let state = match session.cools_until {
        Some(until) if until > now => {
            format!("rests for {}", show::length(show::between(now, until)))
        }
        _ if session.failures > 0 => format!("{} failures", session.failures),
        _ => "good".to_owned(),
    };
    [
        plain(&session.name),
        account,
        proxy,
        target,
        show::length(show::between(session.born, now)),
        session
            .validated
            .map_or_else(|| "never".to_owned(), |at| show::ago(at, now)),
        session.uses.to_string(),
        state,
    ]
}

fn account_row(account: &AccountInfo) -> [String; 3] {
    let state = match &account.stopped {
        Some((_at, why)) => format!("stopped: {}", plain(why)),
        None => "good".to_owned(),
    };
    let sessions = format!("{} of {}", account.seats, account.most);
    [plain(&account.user), sessions, state]
}

fn proxy_row(proxy: &str, view: &PoolView) -> [String; 2] {
    let seats = view
        .seats
        .iter()
        .filter(|seat| seat.proxy.as_deref() == Some(proxy));
    [plain(proxy), seats.count().to_string()]
}

fn document(view: &PoolView) -> Value {
    let seats: Vec<Value> = view
        .seats
        .iter()
        .map(|seat| seat_document(seat, view.now))
        .collect();
    let accounts = view.accounts.iter().map(|account| {
        let stopped = account.stopped.as_ref();
        json!({
            "user": account.user,
            "sessions": account.seats,
            "most": account.most,
            "stopped": stopped.map(|(at, why)| json!({ "at": show::time(*at), "why": why })),
        })
    });
    json!({
        "name": view.name.as_str(),
        "site": view.site,
        "size": view.size,
        "processes": view.owners,
        "seats": seats,
        "accounts": accounts.collect::<Vec<_>>(),
        "proxies": view.proxies,
        "unreadable": view.unreadable,
    })
}

fn seat_document(seat: &SeatInfo, now: Timestamp) -> Value {
    let session = seat.session.as_ref().map(|session| {
        json!({
            "name": session.name,
            "born": show::time(session.born),
            "ageSeconds": show::between(session.born, now).as_secs(),
            "validated": session.validated.map(show::time),
            "refreshed": session.refreshed.map(show::time),
            "uses": session.uses,
            "failures": session.failures,
            "restsUntil": session.cools_until.map(show::time),
        })
    });
    json!({
        "seat": seat.seat.as_str(),
        "target": seat.target,
        "account": seat.account,
        "proxy": seat.proxy,
        "session": session,
        "leaving": seat.leaving,
    })
}
