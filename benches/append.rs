//! Durable audit records, beside the machine's serial fdatasync; and answers with their receipts, signed by batch beside
//! signed one by one.

use std::{
    fs::{self, File},
    os::unix::fs::FileExt,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use chrono::Utc;
use shuqiao::{
    audit::{
        Answered, Log, LogOptions, Operation, Record,
        receipt::{HeadSigner, Receipts},
    },
    identifiers::CallId,
    keys::SigningKey,
};

use crate::{
    Scale,
    look_up::closed_loop,
    pairs::{Report, median},
    world::{CLIENT, ITEM},
};

const RECORD_BYTES: usize = 400;
const ISSUER: &str = "https://node.example";
/// More than wait at once in any measurement.
const QUEUE_MAX: usize = 65_536;

pub(crate) async fn run(scale: Scale, report: &mut Report) {
    let dir = tempfile::tempdir().unwrap();
    records(dir.path(), scale, report).await;
    answers(dir.path(), scale, report).await;
}

async fn records(dir: &Path, scale: Scale, report: &mut Report) {
    let options = LogOptions { queue_max: QUEUE_MAX, ..LogOptions::default() };
    let (log, _) = Log::open(&dir.join("audit"), options).unwrap();
    let log = Arc::new(log);
    for callers in [1, 64, 4096] {
        let (mut turns, mut costs) = (Vec::new(), Vec::new());
        for _ in 0..scale.rounds {
            let (log, before) = (Arc::clone(&log), (appender_micros(), log.head().size));
            let appending = Arc::clone(&log);
            let ours = closed_loop(callers, scale.turn_ms, move |_| {
                let log = Arc::clone(&appending);
                async move {
                    log.append(vec![b'x'; RECORD_BYTES]).await.unwrap();
                }
            })
            .await;
            costs.push((appender_micros() - before.0) / (log.head().size - before.1) as f64);
            turns.push((ours, serial_syncs(dir, scale.turn_ms)));
        }
        report.pair(&format!("durable audit records, {callers} waiting, beside serial fdatasync"), "a second", &turns);
        report.note("the same: processor time of the appender, a record", median(costs.into_iter()), "us");
    }
}

async fn answers(dir: &Path, scale: Scale, report: &mut Report) {
    let key = Arc::new(SigningKey::generate().unwrap());
    let open = |name: &str, heads: Option<HeadSigner>| {
        let options = LogOptions { queue_max: QUEUE_MAX, heads, ..LogOptions::default() };
        let log = Arc::new(Log::open(&dir.join(name), options).unwrap().0);
        (Arc::clone(&log), Arc::new(Receipts::new(log, Arc::clone(&key), ISSUER.to_owned())))
    };
    let signer = HeadSigner { key: Arc::clone(&key), issuer: ISSUER.to_owned(), clock: Utc::now };
    let (batched, batches) = open("batched", Some(signer));
    let (single, singles) = open("single", None);
    for callers in [1, 64, 4096] {
        let (mut turns, mut costs) = (Vec::new(), Vec::new());
        for _ in 0..scale.rounds {
            let ours = answered(&batched, &batches, callers, scale.turn_ms).await;
            let theirs = answered(&single, &singles, callers, scale.turn_ms).await;
            turns.push((ours.0, theirs.0));
            costs.push((ours.1, theirs.1));
        }
        let name = format!("durable answers with receipts by batch, {callers} waiting, beside receipts one by one");
        report.pair(&name, "a second", &turns);
        report.pair("the same: processor time of the appender, an answer", "us", &costs);
    }
}

/// Answers a second, and what one costs the appender in microseconds.
async fn answered(log: &Log, receipts: &Arc<Receipts>, callers: usize, turn_ms: u64) -> (f64, f64) {
    let (record, receipts) = (Arc::new(record()), Arc::clone(receipts));
    let before = (appender_micros(), log.head().size);
    let rate = closed_loop(callers, turn_ms, move |_| {
        let (receipts, record) = (Arc::clone(&receipts), Arc::clone(&record));
        async move {
            receipts.record(&record).await.unwrap();
        }
    })
    .await;
    (rate, (appender_micros() - before.0) / (log.head().size - before.1) as f64)
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

/// Processor time of the thread that writes the log, since it began. There is one such thread at a time.
fn appender_micros() -> f64 {
    let threads = fs::read_dir("/proc/self/task").unwrap().map(|thread| thread.unwrap().path());
    let appends = |thread: &Path| fs::read_to_string(thread.join("comm")).is_ok_and(|name| name == "audit-append\n");
    let spent = |thread: &Path| {
        let text = fs::read_to_string(thread.join("schedstat")).unwrap();
        text.split(' ').next().unwrap().parse::<f64>().unwrap() / 1000.0
    };
    threads.filter(|thread| appends(thread)).map(|thread| spent(&thread)).sum()
}

/// Write 4 KiB, sync, again: how many a second.
fn serial_syncs(dir: &Path, turn_ms: u64) -> f64 {
    const FILE_BYTES: u64 = 16 << 20;
    let file = File::options().create(true).truncate(true).read(true).write(true).open(dir.join("raw")).unwrap();
    file.write_all_at(&vec![0; FILE_BYTES as usize], 0).unwrap();
    file.sync_all().unwrap();
    let started = Instant::now();
    let mut done = 0_u64;
    while started.elapsed() < Duration::from_millis(turn_ms) {
        file.write_all_at(&[1; 4096], done * 4096 % FILE_BYTES).unwrap();
        file.sync_data().unwrap();
        done += 1;
    }
    done as f64 / started.elapsed().as_secs_f64()
}
