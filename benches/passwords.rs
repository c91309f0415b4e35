//! What the pool adds to hashing a password: its rate beside that of bare Argon2id on as many threads.
//!
//! Both make the same hashes with memory that is reused, in turns, so that what else the machine does meets both. The bare
//! threads have the priority of the pool's: what yielding costs on a busy machine is a choice, not an overhead.

#![expect(clippy::unwrap_used, reason = "a benchmark may stop")]

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use argon2::{Algorithm, Argon2, Block, Params, Version};
use deodar::{
    crypto::{Password, Passwords, PoolSettings},
    model::Secret,
};
use thread_priority::{ThreadPriority, set_current_thread_priority};

const MEMORY_KIB: u32 = 19_456;
const ITERATIONS: u32 = 2;
const TEXT: &str = "mauve otter dry trombone";
/// Hashes in a round; long enough that starting and ending do not count.
const ROUND: usize = 128;
const ROUNDS: usize = 9;
/// Callers for each thread, so that the pool always has work.
const CALLERS: usize = 4;

fn main() {
    let threads = thread::available_parallelism().unwrap().get();
    let passwords = Passwords::new(PoolSettings {
        threads,
        queue: threads * CALLERS,
        patience: Duration::from_secs(60),
        memory_kib: MEMORY_KIB,
        iterations: ITERATIONS,
    });
    let passwords = passwords.unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut memories: Vec<_> = (0..threads).map(|_| vec![Block::new(); MEMORY_KIB as usize]).collect();

    // The first round of each makes its memory resident.
    runtime.block_on(pooled(&passwords, threads * CALLERS));
    bare(&mut memories);
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        ours.push(runtime.block_on(pooled(&passwords, threads * CALLERS)));
        theirs.push(bare(&mut memories));
    }
    let mut ratios: Vec<f64> = ours.iter().zip(&theirs).map(|(ours, theirs)| ours / theirs).collect();
    let (ours, theirs, ratio) = (median(&mut ours), median(&mut theirs), median(&mut ratios));
    println!("{threads} threads, {} callers, medians of {ROUNDS} rounds of {ROUND} hashes", threads * CALLERS);
    println!("{ours:>9.1} hashes a second through the pool");
    println!("{theirs:>9.1} hashes a second bare");
    println!("{ratio:>9.3} pool ÷ bare, median of the rounds' ratios (at least 0.9)");
}

/// Hashes a second of `callers` concurrent callers.
async fn pooled(passwords: &Passwords, callers: usize) -> f64 {
    let password = Password::parse(&Secret::new(TEXT.to_owned())).unwrap();
    let start = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for caller in 0..callers {
        let (passwords, password) = (passwords.clone(), password.clone());
        tasks.spawn(async move {
            for _ in (caller..ROUND).step_by(callers) {
                passwords.hash(&password).await.unwrap();
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    rate(start)
}

/// Hashes a second of one thread for each memory.
fn bare(memories: &mut [Vec<Block>]) -> f64 {
    let params = Params::new(MEMORY_KIB, ITERATIONS, 1, Some(32)).unwrap();
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let done = AtomicUsize::new(0);
    let start = Instant::now();
    thread::scope(|scope| {
        for memory in memories {
            scope.spawn(|| {
                set_current_thread_priority(ThreadPriority::Crossplatform(25.try_into().unwrap())).unwrap();
                let mut tag = [0; 32];
                while done.fetch_add(1, Ordering::Relaxed) < ROUND {
                    let salt = [0; 16];
                    argon2.hash_password_into_with_memory(TEXT.as_bytes(), &salt, &mut tag, &mut *memory).unwrap();
                }
            });
        }
    });
    rate(start)
}

fn rate(start: Instant) -> f64 {
    ROUND as f64 / start.elapsed().as_secs_f64()
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
