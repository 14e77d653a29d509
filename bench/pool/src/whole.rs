//! The pool as programs use it: `Pool::lease`, then `Lease::finish` or the end of the handle.

use std::hint::black_box;
use std::time::{Duration, Instant};

use sessile::pool::{Assign, Outcome, Pool, Wish};
use sessile::store::{StoreOptions, Vault};
use tokio::runtime::Builder;

use crate::site::{self, Seats};
use crate::{COUNTED, WARM, busy_seconds};

pub fn measure(members: usize) {
    let runtime = Builder::new_multi_thread().worker_threads(3).enable_all().build().expect("there are threads");
    runtime.block_on(async {
        let pool = opened(Seats::Shared(members)).await;
        let wish = Wish::default;
        let targets = || (0..1000.min(members)).map(|at| wish().assign(Assign::Sticky).target(site::target(at)));
        let cases = [
            ("round-robin", vec![wish()]),
            ("random", vec![wish().assign(Assign::Random)]),
            ("least-used", vec![wish().assign(Assign::LeastUsed)]),
            ("sticky, 1,000 targets", targets().collect()),
            ("exclusive", vec![wish().exclusive()]),
            ("random, exclusive", vec![wish().assign(Assign::Random).exclusive()]),
        ];
        for (what, wishes) in cases {
            run(&pool, &format!("{what}, finished"), &wishes, End::Finish).await;
        }
        run(&pool, "round-robin, dropped", &[wish()], End::Drop).await;
        pool.close(Duration::ZERO).await;
        drop(pool);
        let pool = opened(Seats::Targets(members)).await;
        let wishes: Vec<Wish> = (0..members).map(|at| wish().target(site::target(at))).collect();
        run(&pool, "own seat of a target, finished", &wishes, End::Finish).await;
        pool.close(Duration::ZERO).await;
    });
}

#[derive(Clone, Copy)]
enum End {
    Drop,
    Finish,
}

async fn opened(seats: Seats) -> Pool {
    let vault = Vault::in_memory(&StoreOptions::default()).await.expect("there is memory");
    site::define(&vault, seats).await;
    let pool = site::open(&vault).await;
    let took = site::fill(&pool, seats).await;
    eprintln!("made in {:.1} s", took.as_secs_f64());
    pool
}

/// With one thread by the processor's time, with two by the clock.
async fn run(pool: &Pool, what: &str, wishes: &[Wish], end: End) {
    let members = pool.stats().valid;
    for threads in [1, 2] {
        let running: Vec<_> = (0..threads)
            .map(|_| {
                let (pool, wishes) = (pool.clone(), wishes.to_vec());
                tokio::task::spawn_blocking(move || {
                    tokio::runtime::Handle::current().block_on(async {
                        during(&pool, &wishes, end, WARM).await;
                        during(&pool, &wishes, end, COUNTED).await
                    })
                })
            })
            .collect();
        let (mut by_processor, mut by_clock) = (0.0, 0.0);
        for one in running {
            let rate = one.await.expect("nobody panics");
            (by_processor, by_clock) = (by_processor + rate.0, by_clock + rate.1);
        }
        match threads {
            1 => println!("{what}\t{members}\t{by_processor:.0}"),
            _ => println!("{what}, 2 threads\t{members}\t{by_clock:.0}"),
        }
    }
}

/// Leases a second of processor time, and of time.
async fn during(pool: &Pool, wishes: &[Wish], end: End, time: Duration) -> (f64, f64) {
    let (begun, busy) = (Instant::now(), busy_seconds());
    let (mut done, mut at) = (0_u32, 0);
    while begun.elapsed() < time {
        for _ in 0..256 {
            at = (at + 7919) % wishes.len();
            let lease = pool.lease(&wishes[at], Duration::ZERO).await.expect("there is room");
            match end {
                End::Drop => drop(black_box(lease)),
                End::Finish => black_box(lease).finish(Outcome::Ok).expect("it runs"),
            }
        }
        done += 256;
    }
    let done = f64::from(done);
    (done / (busy_seconds() - busy), done / begun.elapsed().as_secs_f64())
}
