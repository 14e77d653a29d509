//! What every store does; one module for each kind.

use std::sync::Arc;
use std::time::Duration;

use sessile::clock::{Clock as _, ManualClock, Timestamp};
use sessile::store::{Acquired, NextPlain, Opened, Room, StoreError, Vault};

use tokio::task::JoinSet;

use super::support::*;

mod memory {
    use super::*;

    #[tokio::test]
    async fn conforms() {
        let (clock, options) = manual();
        let vault = Vault::in_memory(&options).await.unwrap();
        all(&vault, &Hands::Machine(clock)).await;
    }
}

mod sqlite {
    use super::*;

    #[tokio::test]
    async fn conforms() {
        let (clock, options) = manual();
        let place = Place::new();
        let vault = place.try_open(&key(1), &options).await.unwrap();
        all(&vault, &Hands::Machine(clock)).await;
    }
}

#[cfg(feature = "postgres")]
mod postgres {
    use super::*;

    #[tokio::test]
    async fn conforms() {
        let database = Database::new().await;
        // A clock of the machine that is far off changes nothing.
        let (_clock, options) = manual();
        let vault = database.try_open(&key(1), &options).await.unwrap();
        database.stop_clock().await;
        all(&vault, &Hands::Database(Box::new(database))).await;
    }
}

/// The clock that a store goes by, moved by hand.
pub(super) enum Hands {
    #[cfg(feature = "postgres")]
    Database(Box<Database>),
    Machine(Arc<ManualClock>),
}

impl Hands {
    async fn now(&self) -> Timestamp {
        match self {
            #[cfg(feature = "postgres")]
            Self::Database(database) => database.now().await,
            Self::Machine(clock) => clock.now(),
        }
    }

    pub(super) async fn advance(&self, span: Duration) {
        match self {
            #[cfg(feature = "postgres")]
            Self::Database(database) => database.advance(span).await,
            Self::Machine(clock) => clock.advance(span),
        }
    }
}

/// Every rule, one after the other on one store; each uses names of its own.
async fn all(vault: &Vault, clock: &Hands) {
    rows_come_back_as_written(vault, clock).await;
    versions_grow_even_after_a_removal(vault).await;
    a_failed_or_panicking_change_changes_nothing(vault).await;
    leases_exclude_expire_and_fence(vault, clock).await;
    a_lease_given_back_is_free(vault).await;
    copies_and_renames(vault, clock).await;
    lists_are_complete_and_in_order(vault).await;
    rooms_are_apart(vault).await;
    changes_move(vault).await;
    one_bad_change_in_a_group_fails_alone(vault).await;
    a_change_that_nobody_waits_for_is_finished(vault).await;
    keys_rotate_under_writers(vault).await;
    a_closed_store_says_so(vault).await;
}

async fn rows_come_back_as_written(vault: &Vault, clock: &Hands) {
    assert_eq!(vault.load(&name("none")).await, Ok(None));
    let born = clock.now().await;
    let next = NextPlain::Write {
        generation: 7,
        plain: vec![0, 255, 10].into(),
        fence: None,
    };
    let bytes = name("bytes");
    let stored = vault.update(&bytes, |before| {
        assert!(before.is_none());
        Ok::<_, StoreError>(next)
    });
    let stored = stored.await.unwrap().unwrap();
    clock.advance(Duration::from_secs(5)).await;
    let loaded = vault.load(&name("bytes")).await.unwrap().unwrap();
    assert_eq!(loaded, stored);
    assert_eq!(
        (loaded.generation, loaded.plain.as_slice()),
        (7, &[0, 255, 10][..])
    );
    assert_eq!((loaded.created, loaded.updated), (born, born));
    let again = put(vault, "bytes", "later").await.unwrap();
    assert_eq!((again.created, again.updated), (born, clock.now().await));
    assert_eq!(vault.load(&name("bytes")).await.unwrap().unwrap(), again);
}

async fn versions_grow_even_after_a_removal(vault: &Vault) {
    let first = put(vault, "grow", "1").await.unwrap().version;
    let other = put(vault, "grow too", "1").await.unwrap().version;
    let second = put(vault, "grow", "2").await.unwrap().version;
    assert_eq!(vault.remove(&name("grow")).await, Ok(true));
    assert_eq!(vault.remove(&name("grow")).await, Ok(false));
    let third = put(vault, "grow", "3").await.unwrap().version;
    assert!(first < other && other < second && second < third);
}

async fn a_failed_or_panicking_change_changes_nothing(vault: &Vault) {
    let firm = name("firm");
    let before = put(vault, "firm", "kept").await.unwrap();
    let failed = vault.update(&firm, |_before| {
        Err::<NextPlain, _>(StoreError::UnknownName {
            name: "mine".to_owned(),
        })
    });
    assert_eq!(
        failed.await,
        Err(StoreError::UnknownName {
            name: "mine".to_owned()
        })
    );
    let panicked = vault.update(&firm, |_before| -> Result<NextPlain, StoreError> {
        panic!("on purpose")
    });
    assert_eq!(
        panicked.await,
        Err(StoreError::ChangePanicked {
            subject: "firm".to_owned()
        })
    );
    let kept = vault.update(&firm, |_before| Ok::<_, StoreError>(NextPlain::Keep));
    assert_eq!(kept.await, Ok(Some(before)));
}

async fn leases_exclude_expire_and_fence(vault: &Vault, clock: &Hands) {
    let (key, ttl) = (lease_key("shop login"), Duration::from_secs(30));
    let [ann, ben] = ["ann", "ben"].map(holder);
    let first = granted(vault.acquire(&key, &ann, ttl).await);
    let busy = Acquired::Busy {
        holder: ann.clone(),
        until: first.until,
    };
    assert_eq!(vault.acquire(&key, &ben, ttl).await, Ok(busy));
    clock.advance(Duration::from_secs(20)).await;
    let first = vault.extend(&first, ttl).await.unwrap();
    clock.advance(Duration::from_secs(29)).await;
    assert!(matches!(
        vault.acquire(&key, &ben, ttl).await,
        Ok(Acquired::Busy { .. })
    ));
    clock.advance(Duration::from_secs(1)).await;
    // Expired, but nobody took it: its holder may still write.
    update(vault, "fenced", write_under("by ann", &first))
        .await
        .unwrap();
    let second = granted(vault.acquire(&key, &ben, ttl).await);
    assert!(second.number > first.number);
    let lost = StoreError::Fenced {
        key: "shop login".to_owned(),
        held: first.number,
    };
    assert_eq!(
        update(vault, "fenced", write_under("late", &first)).await,
        Err(lost.clone())
    );
    assert_eq!(vault.extend(&first, ttl).await, Err(lost.clone()));
    let removal = NextPlain::Remove {
        fence: Some(first.fence()),
    };
    assert_eq!(update(vault, "fenced", removal).await, Err(lost));
    vault.release(&first).await.unwrap();
    assert!(matches!(
        vault.acquire(&key, &ann, ttl).await,
        Ok(Acquired::Busy { .. })
    ));
    update(vault, "fenced", write_under("by ben", &second))
        .await
        .unwrap();
    assert_eq!(
        get(vault, "fenced").await.unwrap().as_deref(),
        Some("by ben")
    );
}

async fn a_lease_given_back_is_free(vault: &Vault) {
    let (key, ttl) = (lease_key("given back"), Duration::from_secs(30));
    let first = granted(vault.acquire(&key, &holder("ann"), ttl).await);
    vault.release(&first).await.unwrap();
    let fenced = vault.extend(&first, ttl).await;
    assert!(
        matches!(fenced, Err(StoreError::Fenced { .. })),
        "{fenced:?}"
    );
    let second = granted(vault.acquire(&key, &holder("ben"), ttl).await);
    let again = granted(vault.acquire(&key, &holder("ben"), ttl).await);
    assert!(first.number < second.number && second.number < again.number);
}

async fn copies_and_renames(vault: &Vault, clock: &Hands) {
    let original = put(vault, "from", "content").await.unwrap();
    put(vault, "taken", "other").await.unwrap();
    clock.advance(Duration::from_secs(1)).await;
    let copy = vault.copy(&name("from"), &name("copy")).await.unwrap();
    assert_eq!(copy.created, clock.now().await);
    let renamed = vault.rename(&name("from"), &name("to")).await.unwrap();
    assert_eq!(renamed.created, original.created);
    assert!(original.version < copy.version && copy.version < renamed.version);
    for (text, expected) in [
        ("from", None),
        ("copy", Some("content")),
        ("to", Some("content")),
    ] {
        assert_eq!(
            get(vault, text).await.unwrap().as_deref(),
            expected,
            "{text}"
        );
    }
    let taken = vault.rename(&name("to"), &name("taken")).await;
    assert_eq!(
        taken,
        Err(StoreError::NameTaken {
            name: "taken".to_owned()
        })
    );
    let unknown = vault.copy(&name("from"), &name("free")).await;
    assert_eq!(
        unknown,
        Err(StoreError::UnknownName {
            name: "from".to_owned()
        })
    );
}

async fn lists_are_complete_and_in_order(vault: &Vault) {
    for number in 0..1100 {
        put(vault, &format!("list {number:04}"), "x").await.unwrap();
    }
    let rows = vault.list().await.unwrap();
    let listed: Vec<String> = rows.iter().map(|row| row.name.to_string()).collect();
    let mut ordered = listed.clone();
    ordered.sort();
    assert_eq!(listed, ordered);
    let of_this_rule = listed.iter().filter(|name| name.starts_with("list "));
    assert_eq!(of_this_rule.count(), 1100);
}

async fn rooms_are_apart(vault: &Vault) {
    let sessions = vault.list().await.unwrap().len();
    for text in ["apart", "apart.1", "apart.2", "apart3", "b"] {
        let row = name(text).beside(Room::Seat);
        let written = vault.update(&row, |_before| Ok::<_, StoreError>(write("x")));
        assert!(written.await.unwrap().is_some());
    }
    assert_eq!(vault.list().await.unwrap().len(), sessions);
    for (room, start, expected) in [
        (Room::Pool, "", &[][..]),
        (
            Room::Seat,
            "",
            &["apart", "apart.1", "apart.2", "apart3", "b"],
        ),
        (Room::Seat, "apart.", &["apart.1", "apart.2"]),
    ] {
        let rows = vault.list_room(room, start).await.unwrap();
        let names = rows.iter().map(|row| row.name.room().unwrap().1);
        let names: Vec<String> = names.map(|name| name.to_string()).collect();
        assert_eq!(names, expected, "{room:?} {start}");
    }
}

async fn changes_move(vault: &Vault) {
    let before = settled(vault).await;
    put(vault, "moved", "x").await.unwrap();
    assert_ne!(vault.changes().unwrap(), before);
    let (key, holder) = (lease_key("moved"), holder("ann"));
    let before = settled(vault).await;
    let lease = granted(vault.acquire(&key, &holder, Duration::from_secs(30)).await);
    assert_ne!(vault.changes().unwrap(), before);
    vault.release(&lease).await.unwrap();
    settled(vault).await;
}

/// The number, once nothing moves it. A store that others reach too may take a moment.
async fn settled(vault: &Vault) -> u64 {
    for _try in 0..3000 {
        let seen = vault.changes().unwrap();
        vault.load(&name("moved")).await.unwrap();
        if vault.changes().unwrap() == seen {
            return seen;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("changes are told without end");
}

async fn a_change_that_nobody_waits_for_is_finished(vault: &Vault) {
    for number in 0..20 {
        let text = format!("left alone {number}");
        let subject = name(&text);
        let mut change =
            Box::pin(vault.update(&subject, |_before| Ok::<_, StoreError>(write("x"))));
        // It is asked for, and the question dropped at once.
        let asked = std::future::poll_fn(|context| {
            std::task::Poll::Ready(change.as_mut().poll(context).is_ready())
        });
        asked.await;
        drop(change);
    }
    for number in 0..20 {
        let text = format!("left alone {number}");
        wait_for_row(vault, &text).await;
    }
}

async fn wait_for_row(vault: &Vault, text: &str) {
    for _try in 0..3000 {
        if get(vault, text).await.unwrap().is_some() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{text} was never stored");
}

async fn one_bad_change_in_a_group_fails_alone(vault: &Vault) {
    let mut tasks = JoinSet::new();
    for number in 0..64 {
        let vault = vault.clone();
        tasks.spawn(async move {
            let change = move |_before: Option<&Opened>| match number % 8 {
                3 => panic!("on purpose"),
                5 => Err(StoreError::UnknownName {
                    name: "mine".to_owned(),
                }),
                _ => Ok(write("x")),
            };
            (
                number,
                vault
                    .update(&name(&format!("group {number}")), change)
                    .await,
            )
        });
    }
    for (number, outcome) in tasks.join_all().await {
        assert_eq!(
            outcome.is_err(),
            matches!(number % 8, 3 | 5),
            "{number}: {outcome:?}"
        );
        let stored = get(vault, &format!("group {number}")).await.unwrap();
        assert_eq!(stored.is_some(), outcome.is_ok(), "{number}");
    }
}

async fn keys_rotate_under_writers(vault: &Vault) {
    let start = put(vault, "rotating", "0").await.unwrap();
    let (mut writer, rotating) = (JoinSet::new(), vault.clone());
    writer.spawn(async move {
        for number in 1..=100 {
            put(&rotating, "rotating", &number.to_string())
                .await
                .unwrap();
            assert!(get(&rotating, "rotating").await.unwrap().is_some());
        }
    });
    let mut last = 0;
    let reached = vault
        .rotate_key(&key(9), |progress| last = progress.done, || Ok(()))
        .await
        .unwrap();
    assert!(
        reached.done > 1100 && reached.done == last && reached.unreadable == 0,
        "{reached:?}"
    );
    writer.join_all().await;
    let end = vault.load(&name("rotating")).await.unwrap().unwrap();
    assert_eq!(
        (end.plain.as_slice(), end.created),
        (&b"100"[..], start.created)
    );
    assert_eq!(get(vault, "list 0001").await.unwrap().as_deref(), Some("x"));
    assert_eq!(vault.check().await.unwrap(), Vec::<String>::new());
}

async fn a_closed_store_says_so(vault: &Vault) {
    vault.close().await.unwrap();
    let place = vault.place().to_owned();
    let closed = StoreError::Closed { place };
    assert_eq!(put(vault, "late", "x").await, Err(closed.clone()));
    assert_eq!(vault.load(&name("late")).await, Err(closed));
    vault.close().await.unwrap();
}

async fn update(vault: &Vault, text: &str, next: NextPlain) -> Result<Option<Opened>, StoreError> {
    vault.update(&name(text), |_before| Ok(next)).await
}
