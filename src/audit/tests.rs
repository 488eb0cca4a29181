//! The log as a whole: what is acknowledged survives, what is damaged is not opened, and nobody is told too early.

mod harm;
mod receipts;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use uuid::Uuid;

use super::{
    files::LOCK,
    segment::{HEADER_BYTES, SEGMENT_BYTES_MIN, encode_group},
    tree::tests::by_definition,
    *,
};
use crate::keys::{KeyRing, PublicKeys, SigningKey};

const LOG: Uuid = Uuid::from_u128(0xA0D1);

fn options() -> LogOptions {
    LogOptions { id_if_new: LOG, segment_bytes: SEGMENT_BYTES_MIN, ..LogOptions::default() }
}

fn open(dir: &Path) -> Result<(Log, Recovery), AuditError> {
    Log::open(dir, options())
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap()
}

/// Append one after the other, each in a group of its own.
fn append_all(log: &Log, payloads: &[Vec<u8>]) {
    runtime().block_on(async {
        for payload in payloads {
            log.append(payload.clone()).await.unwrap();
        }
    });
}

fn contents(dir: &Path) -> Vec<Vec<u8>> {
    let records: Vec<_> = read(dir, 0).unwrap().map(Result::unwrap).collect();
    assert!(records.iter().enumerate().all(|(index, record)| index as u64 == record.0));
    records.into_iter().map(|(_, payload)| payload).collect()
}

fn copy(from: &Path, to: &Path) {
    fs::copy(from, to).unwrap();
}

fn numbered(count: usize) -> Vec<Vec<u8>> {
    (0..count).map(|n| format!("{{\"n\":{n}}}").into_bytes()).collect()
}

fn segment_files(dir: &Path) -> Vec<PathBuf> {
    files::segments(dir).unwrap().into_iter().map(|segment| segment.path).collect()
}

/// The files as they are at this moment, as if the process had been killed.
fn as_killed(dir: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    let copied = |from: &Path, to: &Path| {
        for entry in fs::read_dir(from).unwrap().map(Result::unwrap).filter(|entry| entry.path().is_file()) {
            if entry.file_name() != LOCK {
                fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
            }
        }
    };
    copied(dir, copy.path());
    if dir.join("checkpoints").is_dir() {
        fs::create_dir(copy.path().join("checkpoints")).unwrap();
        copied(&dir.join("checkpoints"), &copy.path().join("checkpoints"));
    }
    copy
}

#[test]
fn what_is_acknowledged_is_read_back_after_a_clean_stop_and_after_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    let (log, recovery) = open(dir.path()).unwrap();
    assert_eq!((recovery, log.id()), (Recovery { records: 0, truncated_bytes: 0 }, LOG));
    append_all(&log, &numbered(50));
    let (head, killed) = (log.head(), as_killed(dir.path()));
    drop(log);
    for dir in [dir.path(), killed.path()] {
        let (log, recovery) = open(dir).unwrap();
        assert_eq!(recovery, Recovery { records: 50, truncated_bytes: 0 });
        assert_eq!((log.head(), log.id()), (head, LOG));
        append_all(&log, &numbered(3));
        assert_eq!(contents(dir), [numbered(50), numbered(3)].concat());
    }
}

#[test]
fn many_who_append_at_once_get_each_their_own_place() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = open(dir.path()).unwrap();
    let log = Arc::new(log);
    // Large enough together that segments are changed under way.
    let payload = |n: usize| format!("{{\"n\":{n},\"fill\":\"{}\"}}", "x".repeat(n % 900)).into_bytes();
    let mut places: Vec<_> = runtime().block_on(async {
        let append = |n| {
            let log = Arc::clone(&log);
            async move { (log.append(payload(n)).await.unwrap(), payload(n)) }
        };
        let tasks: Vec<_> = (0..1000).map(|n| tokio::spawn(append(n))).collect();
        futures::future::join_all(tasks).await.into_iter().map(Result::unwrap).collect()
    });
    let killed = as_killed(dir.path());
    places.sort_by_key(|(place, _)| place.index);
    assert!(segment_files(killed.path()).len() > 2);
    let (indexes, expected): (Vec<_>, Vec<_>) =
        places.iter().map(|(place, payload)| (place.index, payload.clone())).unzip();
    assert_eq!(indexes, (0..1000).collect::<Vec<_>>());
    assert_eq!(contents(killed.path()), expected);
    assert!(places.iter().all(|(place, payload)| place.leaf == leaf_hash(payload)));
    let leaves: Vec<_> = places.iter().map(|(place, _)| place.leaf).collect();
    assert_eq!(log.head(), TreeHead { size: 1000, root: by_definition(&leaves) });
    assert_eq!(open(killed.path()).unwrap().1, Recovery { records: 1000, truncated_bytes: 0 });
}

#[test]
fn a_reader_beside_the_writer_sees_a_growing_whole_beginning() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = open(dir.path()).unwrap();
    let log = Arc::new(log);
    let writer = {
        let log = Arc::clone(&log);
        std::thread::spawn(move || {
            runtime().block_on(async {
                for round in 0..40 {
                    let appends = (0..25).map(|n| log.append(vec![b'a' + (n % 26) as u8; 400 + round]));
                    assert!(futures::future::join_all(appends).await.iter().all(Result::is_ok));
                }
            });
        })
    };
    let mut seen = 0;
    while !writer.is_finished() {
        let now = contents(dir.path()).len();
        assert!(now >= seen);
        assert!(verify_log(dir.path(), None).unwrap().head.size >= now as u64);
        seen = now;
    }
    writer.join().unwrap();
    assert_eq!(contents(dir.path()).len(), 1000);
    let tail: Vec<_> = read(dir.path(), 990).unwrap().map(|record| record.unwrap().0).collect();
    assert_eq!(tail, (990..1000).collect::<Vec<_>>());
    assert_eq!(read(dir.path(), 5000).unwrap().count(), 0);
}

#[test]
fn a_record_of_any_permitted_size_fits_and_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = open(dir.path()).unwrap();
    let sizes = [1, PAYLOAD_BYTES_MAX, PAYLOAD_BYTES_MAX, 2, PAYLOAD_BYTES_MAX - 1];
    append_all(&log, &sizes.map(|size| vec![0; size]));
    for size in [0, PAYLOAD_BYTES_MAX + 1] {
        let refused = runtime().block_on(log.append(vec![1; size]));
        assert!(matches!(refused, Err(AuditError::PayloadSize { bytes }) if bytes == size));
    }
    drop(log);
    assert_eq!(contents(dir.path()).iter().map(Vec::len).collect::<Vec<_>>(), sizes);
    let too_small = LogOptions { segment_bytes: 4096, ..options() };
    assert!(matches!(Log::open(dir.path(), too_small), Err(AuditError::SegmentSize { bytes: 4096 })));
}

#[test]
fn two_processes_cannot_append_to_one_log() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = open(dir.path()).unwrap();
    let error = open(dir.path()).unwrap_err();
    assert!(matches!(error, AuditError::InUse { .. }) && error.to_string().contains("another process"), "{error}");
    drop(log);
    assert!(open(dir.path()).is_ok());
}

/// A log whose segment is this device file, so that the disk fails as the device does.
fn failing(
    dir: &Path,
    device: &str,
    options: LogOptions,
) -> (Arc<appender::Shared>, tokio::sync::mpsc::Sender<appender::Entry>) {
    let mut recovered = recovery::begin(dir, LOG, SEGMENT_BYTES_MIN).unwrap();
    recovered.segment.file = fs::File::options().read(true).write(true).open(device).unwrap();
    let (appender, shared) = appender::Appender::new(dir.to_owned(), recovered, &options);
    let (queue, entries) = tokio::sync::mpsc::channel(8);
    std::thread::spawn(move || appender.run(entries));
    (shared, queue)
}

#[test]
fn after_a_failed_write_or_sync_nobody_is_told_that_it_worked() {
    // A write to the one fails for want of space; the other takes every write and cannot be synced.
    for device in ["/dev/full", "/dev/null"] {
        let dir = tempfile::tempdir().unwrap();
        let (shared, queue) = failing(dir.path(), device, options());
        let (told, taken) = runtime().block_on(async {
            let (done, told) = tokio::sync::oneshot::channel();
            let entry = |done| appender::Entry { payload: vec![1], leaf: leaf_hash(&[1]), receipt: None, done };
            queue.send(entry(done)).await.unwrap();
            let told = told.await;
            assert!(!shared.is_healthy(), "{device}: unhealthy before anybody hears of it");
            queue.closed().await;
            (told, queue.try_send(entry(tokio::sync::oneshot::channel().0)).is_ok())
        });
        assert!(told.is_err() && !taken, "{device}");
        assert_eq!(shared.durable().size(), 0, "{device}");
    }
}

#[test]
fn a_log_without_room_goes_on_in_the_next_segment_and_stays_one_tree() {
    let dir = tempfile::tempdir().unwrap();
    let payloads: Vec<_> = (0..40_u8).map(|n| vec![n; 20_000]).collect();
    for part in payloads.chunks(11) {
        append_all(&open(dir.path()).unwrap().0, part);
    }
    assert!(segment_files(dir.path()).len() > 5);
    assert_eq!(contents(dir.path()), payloads);
    let leaves: Vec<_> = payloads.iter().map(|payload| leaf_hash(payload)).collect();
    let (report, size) = (verify_log(dir.path(), None).unwrap(), payloads.len() as u64);
    assert_eq!(report.head, TreeHead { size, root: by_definition(&leaves) });
    let path = inclusion_path(leaf_hashes(dir.path()).unwrap(), 17, size).unwrap();
    assert!(verify_inclusion(&leaves[17], 17, size, &path, &report.head.root));
    let old = by_definition(&leaves[..9]);
    let path = consistency_path(leaf_hashes(dir.path()).unwrap(), 9, size).unwrap();
    assert!(verify_consistency(9, &old, size, &report.head.root, &path));
}

#[test]
fn opening_and_closing_again_adds_nothing() {
    let dir = tempfile::tempdir().unwrap();
    append_all(&open(dir.path()).unwrap().0, &numbered(2));
    let closed = fs::read(&segment_files(dir.path())[0]).unwrap();
    drop(open(dir.path()).unwrap());
    assert_eq!(fs::read(&segment_files(dir.path())[0]).unwrap(), closed);
}

fn checkpointed() -> (tempfile::TempDir, SigningKey, Checkpoint) {
    let dir = tempfile::tempdir().unwrap();
    let key = SigningKey::generate().unwrap();
    let (log, _) = open(dir.path()).unwrap();
    append_all(&log, &numbered(10));
    let now = "2026-11-24T06:30:00Z".parse().unwrap();
    let first = log.checkpoint(&key, now).unwrap();
    assert_eq!(log.checkpoint(&key, now).unwrap(), first, "nothing new, nothing signed");
    append_all(&log, &numbered(7));
    let second = log.checkpoint(&key, "2026-12-01T06:30:00Z".parse().unwrap()).unwrap();
    assert_eq!((first.head.size, second.head), (10, log.head()));
    (as_killed(dir.path()), key, second)
}

#[test]
fn checkpoints_are_kept_and_verified() {
    let (dir, key, last) = checkpointed();
    let keys = PublicKeys::new([key.public()]);
    let report = verify_log(dir.path(), Some(&keys)).unwrap();
    let kid = Some(key.kid().to_owned());
    assert_eq!((report.checkpoints, report.log), (2, Some(LOG)));
    assert_eq!(report.last_checkpoint, Some(LastCheckpoint { head: last.head, time: last.time, kid }));
    assert_eq!(fs::read_to_string(dir.path().join("checkpoint.latest")).unwrap(), last.note);
    let stranger = PublicKeys::new([SigningKey::generate().unwrap().public()]);
    assert!(matches!(verify_log(dir.path(), Some(&stranger)), Err(AuditError::LogDamaged { .. })));
    assert_eq!(open(dir.path()).unwrap().1.records, 17);
}

#[test]
fn a_log_that_ends_before_its_checkpoint_or_was_written_anew_is_damage() {
    let (dir, _, _) = checkpointed();
    let bytes = fs::read(&segment_files(dir.path())[0]).unwrap();
    let mut shorter = bytes.clone();
    let used = segment::used(&bytes);
    shorter[used - 20..used].fill(0); // The last record, acknowledged and covered, and nothing behind it.
    fs::write(&segment_files(dir.path())[0], shorter).unwrap();
    let error = open(dir.path()).unwrap_err().to_string();
    assert!(error.contains("ends after 16 records, and a checkpoint covers 17"), "{error}");

    let (dir, _, _) = checkpointed();
    let another = tempfile::tempdir().unwrap();
    append_all(&open(another.path()).unwrap().0, &numbered(40)); // Longer, and each checksum right.
    fs::copy(&segment_files(another.path())[0], &segment_files(dir.path())[0]).unwrap();
    let error = open(dir.path()).unwrap_err().to_string();
    assert!(error.contains("another root at 17 records"), "{error}");

    let (dir, _, _) = checkpointed();
    segment_files(dir.path()).iter().for_each(|path| fs::remove_file(path).unwrap());
    assert!(matches!(open(dir.path()), Err(AuditError::LogDamaged { .. })));
    assert!(matches!(verify_log(dir.path(), None), Err(AuditError::LogDamaged { .. })));
}

#[test]
fn the_history_stands_in_for_a_latest_checkpoint_that_is_gone() {
    let (dir, key, _) = checkpointed();
    fs::remove_file(dir.path().join("checkpoint.latest")).unwrap();
    let path = &segment_files(dir.path())[0];
    let mut bytes = fs::read(path).unwrap();
    let used = segment::used(&bytes);
    bytes[used - 20..used].fill(0);
    fs::write(path, bytes).unwrap();
    assert!(matches!(open(dir.path()), Err(AuditError::LogDamaged { .. })));

    // A line that a power cut left unfinished is nobody's checkpoint.
    let (dir, _, _) = checkpointed();
    let history = dir.path().join("checkpoints/2026-12.jsonl");
    let whole = fs::read(&history).unwrap();
    fs::write(&history, [&whole[..], b"{\"time\":\"20"].concat()).unwrap();
    assert_eq!(verify_log(dir.path(), None).unwrap().checkpoints, 2);
    let (log, _) = open(dir.path()).unwrap();
    append_all(&log, &numbered(1));
    log.checkpoint(&key, "2026-12-01T06:40:00Z".parse().unwrap()).unwrap();
    assert_eq!(verify_log(dir.path(), None).unwrap().checkpoints, 3);

    fs::write(&history, [b"{}\n", &whole[..]].concat()).unwrap();
    assert!(matches!(verify_log(dir.path(), None), Err(AuditError::LogDamaged { offset: 0, .. })));
}
