//! Schedules of faults among four processes, drawn by seeds. After each: no false answer, nothing answered twice, nothing
//! unwritten, every receipt verifies, and full service comes back by itself.
//!
//! ```sh
//! FEDERATION_FAULTS=1000 cargo t --test it -- federation::schedules --nocapture
//! FEDERATION_FAULTS=1 FEDERATION_SEED=17 cargo t --test it -- federation::schedules --nocapture
//! ```

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::time::{Instant, sleep, sleep_until};

use super::{
    faults::{Fault, Kind, draw, faketime},
    processes::{Asked, Four, Heard, NODES, ask},
    witness::Witness,
};
use crate::support::dice::Dice;

/// Schedules of the ordinary run.
const FEW: u64 = 6;
/// How soon after healing everything is as before, where schedules are run for their own sake.
const RECOVERY_MAX: Duration = Duration::from_secs(5);
/// Between two calls of one caller.
const PAUSE: Duration = Duration::from_millis(15);

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{variable} is no number")))
}

/// What came of one schedule.
struct Run {
    amiss: Vec<String>,
    calls: usize,
    uncertain: usize,
    recovery: Duration,
}

/// What came of all.
#[derive(Default)]
struct Tally {
    kinds: BTreeMap<Kind, usize>,
    calls: usize,
    uncertain: usize,
    slowest: Duration,
    failed: Vec<(u64, String)>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whatever_fails_between_four_nodes_no_answer_is_false_and_none_is_given_twice() {
    let (asked, first) = (number("FEDERATION_FAULTS"), number("FEDERATION_SEED").unwrap_or(1));
    let (count, started) = (asked.unwrap_or(FEW), Instant::now());
    // The few of the ordinary run are spread over the kinds.
    let seeds: Vec<_> = (0..count).map(|n| first + if asked.is_some() { n } else { n * 3 }).collect();
    if faketime().is_none() {
        eprintln!("skipped: ClockSkew by libfaketime, which is not installed (FEDERATION_FAKETIME names its file)");
    }
    let (mut four, mut witness) = (Four::found(first).await, Witness::default());
    let (mut tally, mut tokens) = (Tally::default(), four.tokens().await);
    four.recovered(&tokens).await.unwrap_or_else(|amiss| panic!("never in service: {amiss}"));
    for seed in seeds {
        let faults = draw(seed);
        let run = run(&mut four, &mut witness, &tokens, &faults, seed).await;
        let mut amiss = run.amiss;
        if asked.is_some() && run.recovery > RECOVERY_MAX {
            amiss.push(format!("full service came back after {:?}", run.recovery));
        }
        eprintln!("schedule {seed}: {faults:?}: {} calls, recovery {:?}", run.calls, run.recovery);
        for fault in &faults {
            *tally.kinds.entry(fault.kind).or_default() += 1;
        }
        tally.calls += run.calls;
        tally.uncertain += run.uncertain;
        tally.slowest = tally.slowest.max(run.recovery);
        if !amiss.is_empty() {
            let all = amiss.join("\n  ");
            eprintln!("schedule {seed} failed:\n  {all}");
            tally.failed.push((seed, all));
            (four, witness) = (Four::found(seed).await, witness.anew());
            tokens = four.tokens().await;
            let _ = four.recovered(&tokens).await;
        }
        if four.members.iter().any(|member| member.running.is_none()) {
            panic!("schedule {seed}: a node is not running after it");
        }
        tokens = four.tokens().await;
    }
    let Tally { kinds, calls, uncertain, slowest, failed } = &tally;
    eprintln!(
        "{count} schedules from seed {first} in {:?}: {calls} calls, {uncertain} of them indeterminate, {} receipts embedded, \
         slowest recovery {slowest:?}, {} failed\n{kinds:?}",
        started.elapsed(),
        witness.embedded,
        failed.len()
    );
    if let Some((seed, amiss)) = failed.first() {
        let seeds: Vec<_> = failed.iter().map(|(seed, _)| seed).collect();
        panic!(
            "schedules {seeds:?} failed; the first:\n  {amiss}\nagain: FEDERATION_FAULTS=1 FEDERATION_SEED={seed} cargo t \
             --test it -- federation::schedules --nocapture"
        );
    }
}

async fn run(four: &mut Four, witness: &mut Witness, tokens: &[String], faults: &[Fault], seed: u64) -> Run {
    let (heard, stop) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
    let callers: Vec<_> = (0..NODES.len())
        .map(|at| {
            let caller = (four.http.clone(), four.url(at), tokens[at].clone(), at);
            tokio::spawn(call_until(caller, Dice(seed + at as u64), Arc::clone(&stop), Arc::clone(&heard)))
        })
        .collect();
    let mut amiss = go_through(four, faults).await;
    four.network.heal();
    four.ready().await;
    stop.store(true, Ordering::Relaxed);
    let (later, recovery) = match four.recovered(tokens).await {
        Ok((later, recovery)) => (later, recovery),
        Err(never) => {
            amiss.push(format!("full service did not come back: {never}"));
            (Vec::new(), Duration::ZERO)
        }
    };
    for caller in callers {
        caller.await.unwrap();
    }
    let mut heard = std::mem::take(&mut *heard.lock().unwrap());
    let uncertain = heard.iter().filter(|heard| heard.json()["outcome"] == "indeterminate").count();
    heard.extend(later);
    amiss.extend(witness.examine(four, &heard));
    if amiss.is_empty() && seed % 16 == 1 {
        witness.assert_sees(&heard);
    }
    Run { amiss, calls: heard.len(), uncertain, recovery }
}

/// Each fault at its time, each undone at its time.
async fn go_through(four: &mut Four, faults: &[Fault]) -> Vec<String> {
    let mut moments: Vec<_> =
        faults.iter().flat_map(|fault| [(fault.from, fault, true), (fault.to, fault, false)]).collect();
    moments.sort_by_key(|(at, ..)| *at);
    let (started, mut amiss) = (Instant::now(), Vec::new());
    for (at, fault, begins) in moments {
        sleep_until(started + Duration::from_millis(at)).await;
        match begins {
            true => amiss.extend(fault.begin(four).await),
            false => fault.end(four),
        }
    }
    amiss
}

async fn call_until(
    (http, url, token, at): (reqwest::Client, String, String, usize),
    mut dice: Dice,
    stop: Arc<AtomicBool>,
    heard: Arc<Mutex<Vec<Heard>>>,
) {
    while !stop.load(Ordering::Relaxed) {
        let asked = Asked::number(at, dice.within(0..10_000));
        if let Some(one) = ask(http.clone(), url.clone(), token.clone(), at, asked).await {
            heard.lock().unwrap().push(one);
        }
        sleep(PAUSE).await;
    }
}
