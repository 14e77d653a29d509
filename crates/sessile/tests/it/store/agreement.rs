//! Stores of all kinds answer alike, whatever is asked of them.

use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::select;
use sessile::store::{Acquired, Lease, NextPlain, RowSummary, StoreError, Vault};

use super::conformance::Hands;
use super::support::*;

#[derive(Clone, Debug)]
enum Ask {
    Acquire(&'static str, &'static str),
    Advance(u64),
    Copy(&'static str, &'static str),
    Extend(usize),
    Fail(&'static str),
    Load(&'static str),
    Put(&'static str, u64),
    PutUnder(&'static str, usize),
    Release(usize),
    Remove(&'static str),
    Rename(&'static str, &'static str),
}

const NAMES: [&str; 3] = ["ann", "ben", "cem"];
const TTL: Duration = Duration::from_secs(10);

fn ask() -> impl Strategy<Value = Ask> {
    let name = || select(&NAMES[..]);
    prop_oneof![
        (name(), name()).prop_map(|(key, holder)| Ask::Acquire(key, holder)),
        (0..15_u64).prop_map(Ask::Advance),
        (name(), name()).prop_map(|(from, to)| Ask::Copy(from, to)),
        (0..4_usize).prop_map(Ask::Extend),
        name().prop_map(Ask::Fail),
        name().prop_map(Ask::Load),
        (name(), any::<u64>()).prop_map(|(name, generation)| Ask::Put(name, generation)),
        (name(), 0..4_usize).prop_map(|(name, lease)| Ask::PutUnder(name, lease)),
        (0..4_usize).prop_map(Ask::Release),
        name().prop_map(Ask::Remove),
        (name(), name()).prop_map(|(from, to)| Ask::Rename(from, to)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn memory_and_file_answer_alike(asks in prop::collection::vec(ask(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let place = Place::new();
            let [(clock, options), (file_clock, file_options)] = [manual(), manual()];
            let mut memory = Talk::new(Vault::in_memory(&options).await.unwrap(), Hands::Machine(clock));
            let file = place.try_open(&key(1), &file_options).await.unwrap();
            let mut file = Talk::new(file, Hands::Machine(file_clock));
            for ask in &asks {
                let answers = (memory.answer(ask).await, file.answer(ask).await);
                assert_eq!(answers.0, answers.1, "{ask:?} of {asks:?}");
            }
            assert_eq!(memory.vault.list().await, file.vault.list().await);
        });
    }
}

#[cfg(feature = "postgres")]
proptest! {
    #![proptest_config(ProptestConfig { cases: 16, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn memory_and_postgres_answer_alike(asks in prop::collection::vec(ask(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let database = Database::new().await;
            let (clock, options) = manual();
            let mut memory = Talk::new(Vault::in_memory(&options).await.unwrap(), Hands::Machine(clock));
            let vault = database.try_open(&key(1), &options).await.unwrap();
            database.stop_clock().await;
            let mut other = Talk::new(vault, Hands::Database(Box::new(database)));
            for ask in &asks {
                let [expected, answer] = [memory.answer(ask).await, other.answer(ask).await];
                // A database leaves numbers out that were drawn for nothing.
                let answers = (memory.ranked(&expected), other.ranked(&answer));
                assert_eq!(answers.0, answers.1, "{ask:?} of {asks:?}");
            }
            let listed = [format!("{:?}", memory.vault.list().await), format!("{:?}", other.vault.list().await)];
            assert_eq!(memory.ranked(&listed[0]), other.ranked(&listed[1]));
        });
    }
}

/// One store, the leases it gave, and the highest number seen.
struct Talk {
    vault: Vault,
    leases: Vec<Lease>,
    numbers: Vec<u64>,
    clock: Hands,
}

impl Talk {
    const fn new(vault: Vault, clock: Hands) -> Self {
        Self {
            vault,
            leases: Vec::new(),
            numbers: Vec::new(),
            clock,
        }
    }

    async fn answer(&mut self, ask: &Ask) -> String {
        let vault = self.vault.clone();
        match *ask {
            Ask::Acquire(key, by) => {
                let acquired = vault.acquire(&lease_key(key), &holder(by), TTL).await;
                if let Ok(Acquired::Granted(lease)) = &acquired {
                    self.number_grew(lease.number);
                    self.leases.push(lease.clone());
                }
                format!("{acquired:?}")
            }
            Ask::Advance(seconds) => {
                self.clock.advance(Duration::from_secs(seconds)).await;
                String::new()
            }
            Ask::Copy(from, to) => self.moved(&vault.copy(&name(from), &name(to)).await),
            Ask::Extend(lease) => match self.lease(lease) {
                Some(lease) => format!("{:?}", vault.extend(&lease, TTL).await),
                None => String::new(),
            },
            Ask::Fail(text) => {
                let failed = StoreError::UnknownName {
                    name: "mine".to_owned(),
                };
                format!(
                    "{:?}",
                    vault.update(&name(text), |_before| Err(failed)).await
                )
            }
            Ask::Load(text) => format!("{:?}", vault.load(&name(text)).await),
            Ask::Put(text, generation) => {
                let plain = text.as_bytes().to_vec().into();
                self.wrote(
                    text,
                    NextPlain::Write {
                        generation,
                        plain,
                        fence: None,
                    },
                )
                .await
            }
            Ask::PutUnder(text, lease) => match self.lease(lease) {
                Some(lease) => self.wrote(text, write_under(text, &lease)).await,
                None => String::new(),
            },
            Ask::Release(lease) => match self.lease(lease) {
                Some(lease) => format!("{:?}", vault.release(&lease).await),
                None => String::new(),
            },
            Ask::Remove(text) => format!("{:?}", vault.remove(&name(text)).await),
            Ask::Rename(from, to) => self.moved(&vault.rename(&name(from), &name(to)).await),
        }
    }

    /// One of the leases given lately.
    fn lease(&self, back: usize) -> Option<Lease> {
        self.leases.iter().rev().nth(back).cloned()
    }

    async fn wrote(&mut self, text: &str, next: NextPlain) -> String {
        let stored = self
            .vault
            .update(&name(text), |_before| Ok::<_, StoreError>(next))
            .await;
        if let Ok(Some(opened)) = &stored {
            self.number_grew(opened.version);
        }
        format!("{stored:?}")
    }

    fn moved(&mut self, outcome: &Result<RowSummary, StoreError>) -> String {
        if let Ok(row) = outcome {
            self.number_grew(row.version);
        }
        format!("{outcome:?}")
    }

    fn number_grew(&mut self, number: u64) {
        let highest = self.numbers.last();
        assert!(highest < Some(&number), "{number} after {highest:?}");
        self.numbers.push(number);
    }

    /// An answer with the rank of each version and lease in place of its number.
    #[cfg(feature = "postgres")]
    fn ranked(&self, answer: &str) -> String {
        let mut ranked = answer.to_owned();
        for field in ["version: ", "number: ", "held: "] {
            let parts: Vec<&str> = ranked.split(field).collect();
            let rest = parts.iter().skip(1).map(|part| {
                let end = part
                    .find(|c: char| !c.is_ascii_digit())
                    .unwrap_or(part.len());
                let (digits, after) = part.split_at(end);
                let number: u64 = digits.parse().unwrap();
                let rank = self.numbers.iter().position(|known| *known == number);
                format!("{field}#{}{after}", rank.unwrap())
            });
            ranked = parts[0].to_owned() + &rest.collect::<String>();
        }
        ranked
    }
}
