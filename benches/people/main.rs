//! What people wait for: sign-ins beside bare hashing, a rush of them, and everything that hashes no password.
//!
//! `scripts/with-services cargo bench --bench people`; one of the words `sign-ins`, `rush` and `pages` after `--` asks for that
//! part only. The server is a process of its own, as in production; the load comes
//! from this one or from `wrk`, over keep-alive connections on the same machine. Each figure stands beside what it is compared with in
//! the same run. See `bench/README.md`.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods, reason = "a benchmark may stop")]

mod crowd;
mod figures;
mod hashing;
#[path = "../load/mod.rs"]
mod load;
mod server;

use std::{path::Path, time::Duration};

use figures::Figures;
use load::{median, wrk_with};
use server::Server;

/// Rounds of sign-ins and of bare hashing, in turns.
const ROUNDS: usize = 5;
/// Hashes of a round.
const ROUND: usize = 256;
/// Those who sign in at once, or are signed in and look around.
const CROWD: usize = 1000;
/// How long a person looks at what came before asking for more.
const THINKING: Duration = Duration::from_secs(1);

fn main() {
    deodar::crypto::install();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = runtime.block_on(Server::start(CROWD));
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let asked = |part: &str| words.is_empty() || words.iter().any(|word| word == part);
    if asked("sign-ins") {
        sign_ins(&server);
    }
    if asked("rush") {
        runtime.block_on(rush(&server));
    }
    if asked("pages") {
        runtime.block_on(everything_else(&server));
    }
    runtime.block_on(server.stop());
}

/// At least 0.9 of what the threads could hash if nothing else had to be done: with the ID token that a sign-in brings unless
/// the client asks for less, and, to show what its RSA signature takes of that, without.
fn sign_ins(server: &Server) {
    let threads = std::thread::available_parallelism().unwrap().get();
    let mut bare = hashing::Bare::new(threads);
    // Few enough for the queue, enough for every thread to have work.
    let callers = format!("-c{}", threads * 4);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("bench/people/sign_in.lua");
    let (url, form) = (format!("{}/oauth/token", server.base), server.sign_in_form("@"));
    let sign_in = |body: &str, length| {
        wrk_with(&["-t1", &callers, length, "--timeout=10s"], &script, &url, &[&CROWD.to_string(), body])
    };
    sign_in(&form, "-d1s");
    bare.hash(threads);
    for (what, body) in [("", form.clone()), (", without an ID token,", format!("{form}&scope=profile"))] {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            ours.push(sign_in(&body, "-d4s"));
            theirs.push(bare.hash(ROUND));
        }
        let mut ratios: Vec<f64> = ours.iter().zip(&theirs).map(|(ours, theirs)| ours / theirs).collect();
        let (ours, theirs, ratio) = (median(&mut ours), median(&mut theirs), median(&mut ratios));
        println!(
            "{ratio:>9.3} sign-ins a second{what} ÷ bare hashes on as many threads (at least 0.9): {ours:.1} ÷ {theirs:.1}"
        );
    }
}

/// Nothing fails but by 503 with `Retry-After`, memory stays bounded, and checks are answered meanwhile.
async fn rush(server: &Server) {
    let quiet = crowd::checks_until(server, tokio::time::sleep(Duration::from_secs(15))).await;
    let (busy, rush) = crowd::checks_during(server, crowd::rush(server, CROWD)).await;
    println!(
        "{:>9} of {CROWD} who sign in at once are in after {:.1} s; {} times 503 with Retry-After, {} failures (none)",
        rush.signed_in,
        rush.took.as_secs_f64(),
        rush.busy,
        rush.failures.len()
    );
    for failure in rush.failures.iter().take(5) {
        println!("          {failure}");
    }
    println!("{:>9.1} MB resident at most (below 300)", server.peak_megabytes());
    let (during, alone) = (busy.percentile(99.0), quiet.percentile(99.0));
    println!(
        "{:>9.2} p99 of a check meanwhile ÷ alone (at most 3): {during:.2} ms ÷ {alone:.2} ms, {} and {} checks",
        during / alone,
        busy.count(),
        quiet.count()
    );
}

/// 95 of 100 answers within 100 ms.
async fn everything_else(server: &Server) {
    let people = crowd::People::sign_in(server, 20).await;
    let (all, failures) = crowd::look_around(server, &people, CROWD, THINKING, Duration::from_secs(20)).await;
    let mut whole = Figures::default();
    for (what, figures) in &all {
        println!("{:>9.1} ms p95 of {} {what}", figures.percentile(95.0), figures.count());
        whole.add_all(figures);
    }
    println!(
        "{:>9.1} ms p95 of all {} answers to {CROWD} people on keep-alive connections (below 100), {failures} failures",
        whole.percentile(95.0),
        whole.count()
    );
}
