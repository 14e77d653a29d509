//! A one-time code on its way from whoever has it to a login that waits for it.
//!
//! It lies sealed in the store, beside the session's record and in a row of its own, so that a first
//! login can wait too. Emptied when the code is taken and when the wait is over; what a killed login
//! leaves ends by itself. What codes are for is `login`'s business.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use sessile_jar::Timestamp;
use tokio::time::sleep;
use zeroize::{Zeroize, Zeroizing};

use super::KeepError;
use crate::secret::Secret;
use crate::store::{Name, NextPlain, Opened, Room, StoreError, Vault};

/// How often either side looks.
const LOOK: Duration = Duration::from_millis(50);

/// How long a code may lie before whoever waited for it must be gone.
const TAKEN_WITHIN: Duration = Duration::from_secs(15);

/// Where codes for one session are handed over.
#[derive(Clone, Debug)]
pub(super) struct Mailbox {
    vault: Vault,
    row: Name,
}

/// What lies in the store.
#[derive(Deserialize, Serialize)]
struct Content {
    /// Differs for each wait.
    id: String,
    /// When the wait is over, in milliseconds.
    until: i64,
    code: Option<String>,
}

/// What one look shows.
enum Seen {
    Code(Secret<String>),
    Gone,
    Nothing,
}

impl Mailbox {
    pub(super) fn new(vault: &Vault, name: &Name) -> Self {
        Self {
            vault: vault.clone(),
            row: name.beside(Room::Code),
        }
    }

    /// Waits for a code; `None` where none came in time, or where a later login waits in place of
    /// this one.
    pub(super) async fn wait(
        &self,
        now: Timestamp,
        limit: Duration,
    ) -> Result<Option<Secret<String>>, StoreError> {
        let id = format!("{:016x}", getrandom::u64().unwrap_or(0));
        let content = Content {
            id: id.clone(),
            until: now.plus(limit).as_millis(),
            code: None,
        };
        self.change(move |_before| Some(write(&content))).await?;
        let mut waited = Duration::ZERO;
        while waited < limit {
            sleep(LOOK).await;
            waited += LOOK;
            match self.look(&id).await? {
                Seen::Code(code) => {
                    self.empty(&id).await?;
                    return Ok(Some(code));
                }
                Seen::Gone => return Ok(None),
                Seen::Nothing => {}
            }
        }
        self.empty(&id).await?;
        Ok(None)
    }

    async fn look(&self, id: &str) -> Result<Seen, StoreError> {
        let found = self.vault.load(&self.row).await?.as_ref().and_then(read);
        Ok(match found {
            Some(mut content) if content.id == id => match content.code.take() {
                Some(code) => Seen::Code(code.into()),
                None => Seen::Nothing,
            },
            Some(_) | None => Seen::Gone,
        })
    }

    async fn empty(&self, id: &str) -> Result<(), StoreError> {
        let id = id.to_owned();
        let is_ours = move |content: Option<Content>| content.is_some_and(|it| it.id == id);
        self.change(move |before| is_ours(before).then_some(NextPlain::Remove { fence: None }))
            .await
    }

    /// Puts a code there and sees it taken.
    async fn put(&self, code: Secret<String>, now: Timestamp) -> Result<bool, StoreError> {
        let (sender, mut receiver) = tokio::sync::oneshot::channel();
        self.change(move |before| {
            let mut content = before.filter(|content| content.until > now.as_millis())?;
            content.code = Some(code.expose().clone());
            // Nobody hears of a change that was given up.
            let _given_up = sender.send(content.id.clone());
            Some(write(&content))
        })
        .await?;
        let Ok(id) = receiver.try_recv() else {
            return Ok(false);
        };
        let mut waited = Duration::ZERO;
        while waited < TAKEN_WITHIN {
            match self.look(&id).await? {
                Seen::Gone => return Ok(true),
                Seen::Code(_) | Seen::Nothing => sleep(LOOK).await,
            }
            waited += LOOK;
        }
        self.empty(&id).await?;
        Ok(false)
    }

    async fn change(
        &self,
        change: impl FnOnce(Option<Content>) -> Option<NextPlain> + Send + 'static,
    ) -> Result<(), StoreError> {
        let decide = move |opened: Option<&Opened>| {
            Ok::<_, StoreError>(change(opened.and_then(read)).unwrap_or(NextPlain::Keep))
        };
        self.vault.update(&self.row, decide).await.map(drop)
    }
}

/// Hands a one-time code to the login of this session that waits for one; returns once it is taken.
///
/// # Errors
///
/// [`KeepError::NobodyWaits`] where none does; the code is not kept then.
pub async fn hand_over_code(
    vault: &Vault,
    name: &Name,
    code: Secret<String>,
    now: Timestamp,
) -> Result<(), KeepError> {
    match Mailbox::new(vault, name).put(code, now).await? {
        true => Ok(()),
        false => Err(KeepError::NobodyWaits {
            name: name.to_string(),
        }),
    }
}

fn write(content: &Content) -> NextPlain {
    let plain = serde_json::to_vec(content).expect("strings and numbers are always JSON");
    NextPlain::Write {
        generation: 0,
        plain: Zeroizing::new(plain),
        fence: None,
    }
}

/// What another version of the program left there can't be meant for this one.
fn read(opened: &Opened) -> Option<Content> {
    serde_json::from_slice(&opened.plain).ok()
}

impl Drop for Content {
    fn drop(&mut self) {
        self.code.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::join;

    use super::*;
    use crate::store::StoreOptions;

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
    const MINUTE: Duration = Duration::from_secs(60);

    async fn vault() -> (Vault, Name) {
        let vault = Vault::in_memory(&StoreOptions::default()).await.unwrap();
        (vault, "shop".parse().unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn a_code_is_taken_by_who_waits_and_leaves_nothing() {
        let (vault, name) = vault().await;
        let mailbox = Mailbox::new(&vault, &name);
        let hand_over = async {
            sleep(Duration::from_secs(5)).await;
            hand_over_code(&vault, &name, "123456".to_owned().into(), NOW).await
        };
        let (taken, handed) = join(mailbox.wait(NOW, MINUTE), hand_over).await;
        assert_eq!(taken.unwrap().unwrap().expose(), "123456");
        handed.unwrap();
        assert!(
            vault
                .load(&name.beside(Room::Code))
                .await
                .unwrap()
                .is_none()
        );
        assert!(vault.list().await.unwrap().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn where_nobody_waits_a_code_is_refused() {
        let (vault, name) = vault().await;
        let mailbox = Mailbox::new(&vault, &name);
        let hand_over = |now| hand_over_code(&vault, &name, "123456".to_owned().into(), now);
        assert!(hand_over(NOW).await.is_err());
        assert!(mailbox.wait(NOW, MINUTE).await.unwrap().is_none());
        assert!(hand_over(NOW).await.is_err());

        // A login that was killed while it waited.
        let killed = tokio::time::timeout(LOOK * 3, mailbox.wait(NOW, MINUTE)).await;
        assert!(killed.is_err());
        assert!(hand_over(NOW.plus(MINUTE)).await.is_err());
        assert!(hand_over(NOW).await.is_err());
        assert!(
            vault
                .load(&name.beside(Room::Code))
                .await
                .unwrap()
                .is_none()
        );
    }

    #[tokio::test(start_paused = true)]
    async fn the_later_of_two_waits_gets_the_code() {
        let (vault, name) = vault().await;
        let mailbox = Mailbox::new(&vault, &name);
        let later = async {
            sleep(Duration::from_secs(1)).await;
            let hand_over = async {
                sleep(Duration::from_secs(1)).await;
                hand_over_code(&vault, &name, "123456".to_owned().into(), NOW).await
            };
            join(mailbox.wait(NOW, MINUTE), hand_over).await
        };
        let (earlier, (later, handed)) = join(mailbox.wait(NOW, MINUTE), later).await;
        assert!(earlier.unwrap().is_none());
        assert!(later.unwrap().is_some());
        handed.unwrap();
    }
}
