//! Durable answers with their receipts: signed by batch, beside signed one by one.

use std::{fs, path::Path, sync::Arc};

use chrono::Utc;
use shuqiao::{
    audit::{
        Answered, Log, LogOptions, Operation, Record,
        receipt::{HeadSigner, Receipts},
    },
    identifiers::CallId,
    keys::{KeyRing, SigningKey},
};
use tokio::runtime::Runtime;

use crate::{
    home::{CLIENT, ITEM},
    look_up::closed_loop,
    options::Scale,
    report::Report,
    world::World,
};

const ISSUER: &str = "https://node.example";

/// A log, and who makes the receipts of its answers.
struct Desk {
    log: Arc<Log>,
    receipts: Arc<Receipts>,
}

pub(crate) fn run(world: &World, scale: Scale, report: &mut Report) {
    let dir = world.scratch("receipts");
    let keys = Arc::new(KeyRing::of(SigningKey::generate().unwrap()));
    let signer = HeadSigner { keys: Arc::clone(&keys), issuer: ISSUER.to_owned(), clock: Utc::now };
    let batched = Desk::open(&dir.path().join("batch"), &keys, Some(signer));
    let single = Desk::open(&dir.path().join("single"), &keys, None);
    let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
    for callers in [1, 64, 4096] {
        let turn = |_| {
            let (ours, ours_cost) = batched.answered(&runtime, callers, scale.turn_ms);
            let (theirs, theirs_cost) = single.answered(&runtime, callers, scale.turn_ms);
            ((ours, theirs), (ours_cost, theirs_cost))
        };
        let (rates, costs): (Vec<_>, Vec<_>) = (0..scale.rounds).map(turn).unzip();
        let name = format!("receipts: durable answers signed by batch, {callers} waiting, beside one by one");
        report.pair(&name, "a second", &rates, None);
        report.pair(&format!("receipts: the appender's share of one, {callers} waiting"), "us", &costs, None);
    }
}

impl Desk {
    fn open(dir: &Path, keys: &Arc<KeyRing>, heads: Option<HeadSigner>) -> Self {
        let options = LogOptions { queue_max: 65_536, heads, ..LogOptions::default() };
        let log = Arc::new(Log::open(dir, options).unwrap().0);
        let receipts = Arc::new(Receipts::new(Arc::clone(&log), Arc::clone(keys), ISSUER.to_owned()));
        Self { log, receipts }
    }

    /// Answers a second, and the processor time that one costs the appender, in microseconds.
    fn answered(&self, runtime: &Runtime, callers: usize, turn_ms: u64) -> (f64, f64) {
        let (record, receipts) = (Arc::new(record()), Arc::clone(&self.receipts));
        let before = (appender_micros(), self.log.head().size);
        let rate = closed_loop(runtime, callers, turn_ms, move |_| {
            let (receipts, record) = (Arc::clone(&receipts), Arc::clone(&record));
            async move {
                receipts.record(&record).await.unwrap();
            }
        });
        (rate, (appender_micros() - before.0) / (self.log.head().size - before.1) as f64)
    }
}

/// An answer as an ordinary call leaves it.
fn record() -> Record {
    let call = CallId::new(uuid::Uuid::from_u128(7));
    let mut record = Record::begin(call, Utc::now(), Operation::Verification, [1; 32]);
    record.caller(&CLIENT.parse().unwrap(), &"gz-civil-affairs".parse().unwrap());
    let (dataset, field) = ("natural-person".parse().unwrap(), "resident_id".parse().unwrap());
    let case = "CASE-7".parse().unwrap();
    let subject = format!("p1:{}", "00".repeat(32));
    record.call(&dataset, &ITEM.parse().unwrap(), Some(&case), &field, subject, &["name".parse().unwrap()]);
    record.agreement(Some(&"agr-0001".parse().unwrap()));
    record.allowed(vec!["verify-under-agreement".to_owned()], &["fold_not_found"], &"ab".repeat(32));
    let answered = Answered {
        outcome: "match".to_owned(),
        reason: None,
        dataset_version: Some(3),
        as_of: Some("2026-11-23T00:00:00.000Z".to_owned()),
        disclosed: Vec::new(),
    };
    record.answered(&answered, [2; 32]);
    record
}

/// Processor time of the threads that write a log, since they began; those of the other logs rest meanwhile.
fn appender_micros() -> f64 {
    let threads = fs::read_dir("/proc/self/task").unwrap().map(|thread| thread.unwrap().path());
    let appends = |thread: &Path| fs::read_to_string(thread.join("comm")).is_ok_and(|name| name == "audit-append\n");
    let spent = |thread: &Path| {
        let text = fs::read_to_string(thread.join("schedstat")).unwrap();
        text.split(' ').next().unwrap().parse::<f64>().unwrap() / 1000.0
    };
    threads.filter(|thread| appends(thread)).map(|thread| spent(&thread)).sum()
}
