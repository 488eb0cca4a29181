//! The log as a whole: what is acknowledged survives, what is damaged is not opened, and nobody is told too early.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use proptest::{prelude::*, sample::Index};
use uuid::Uuid;

use super::{
    files::LOCK,
    segment::{HEADER_BYTES, SEGMENT_BYTES_MIN, encode_group},
    tree::tests::by_definition,
    *,
};
use crate::keys::{PublicKeys, SigningKey};

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

fn is_damage<T>(result: &Result<T, AuditError>) -> bool {
    matches!(result, Err(AuditError::LogDamaged { .. }))
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

/// A log of one segment, made by hand: group by group, as if each had been written and synced.
fn written(groups: &[Vec<Vec<u8>>]) -> (tempfile::TempDir, PathBuf, Vec<u8>, Vec<usize>) {
    let dir = tempfile::tempdir().unwrap();
    let begun = recovery::begin(dir.path(), LOG, SEGMENT_BYTES_MIN).unwrap();
    let path = begun.segment.path;
    let mut bytes = fs::read(&path).unwrap();
    let (mut at, mut first, mut starts) = (HEADER_BYTES, 0, Vec::new());
    for group in groups {
        let mut encoded = Vec::new();
        encode_group(&mut encoded, &LOG, first, group.iter().map(Vec::as_slice));
        bytes[at..at + encoded.len()].copy_from_slice(&encoded);
        starts.push(at);
        (at, first) = (at + encoded.len(), first + group.len() as u64);
    }
    starts.push(at);
    fs::write(&path, &bytes).unwrap();
    (dir, path, bytes, starts)
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
    while seen < 1000 {
        let now = contents(dir.path()).len();
        assert!(now >= seen);
        assert!(verify_log(dir.path(), None).unwrap().head.size >= now as u64);
        seen = now;
    }
    writer.join().unwrap();
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
fn failing(dir: &Path, device: &str) -> (Arc<appender::Shared>, tokio::sync::mpsc::Sender<appender::Entry>) {
    let mut recovered = recovery::begin(dir, LOG, SEGMENT_BYTES_MIN).unwrap();
    recovered.segment.file = fs::File::options().read(true).write(true).open(device).unwrap();
    let (appender, shared) = appender::Appender::new(dir.to_owned(), recovered, SEGMENT_BYTES_MIN);
    let (queue, entries) = tokio::sync::mpsc::channel(8);
    std::thread::spawn(move || appender.run(entries));
    (shared, queue)
}

#[test]
fn after_a_failed_write_or_sync_nobody_is_told_that_it_worked() {
    // A write to the one fails for want of space; the other takes every write and cannot be synced.
    for device in ["/dev/full", "/dev/null"] {
        let dir = tempfile::tempdir().unwrap();
        let (shared, queue) = failing(dir.path(), device);
        let (told, taken) = runtime().block_on(async {
            let (done, told) = tokio::sync::oneshot::channel();
            let entry = |done| appender::Entry { payload: vec![1], leaf: leaf_hash(&[1]), done };
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
fn a_full_queue_refuses_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = Log::open(dir.path(), LogOptions { queue_max: 1, ..options() }).unwrap();
    let results = runtime().block_on(async {
        let appends = (0..200).map(|_| log.append(vec![7; PAYLOAD_BYTES_MAX]));
        futures::future::join_all(appends).await
    });
    let acknowledged = results.iter().filter(|result| result.is_ok()).count();
    let overloaded = results.iter().filter(|result| matches!(result, Err(AuditError::Overloaded))).count();
    assert!(acknowledged >= 1 && overloaded >= 1 && acknowledged + overloaded == 200, "{acknowledged} {overloaded}");
    assert_eq!(contents(dir.path()).len(), acknowledged);
    assert!(log.is_healthy());
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
fn a_missing_or_foreign_or_shortened_segment_is_damage() {
    let dir = tempfile::tempdir().unwrap();
    append_all(&open(dir.path()).unwrap().0, &vec![vec![1; 20_000]; 30]);
    let other = tempfile::tempdir().unwrap();
    let foreign = LogOptions { id_if_new: Uuid::from_u128(2), ..options() };
    append_all(&Log::open(other.path(), foreign).unwrap().0, &vec![vec![1; 20_000]; 30]);
    let segments = segment_files(dir.path()).len();
    let harms: [(&str, &dyn Fn(&[PathBuf])); 5] = [
        ("first gone", &|files| fs::remove_file(&files[0]).unwrap()),
        ("middle gone", &|files| fs::remove_file(&files[2]).unwrap()),
        ("foreign", &|files| assert!(fs::copy(&segment_files(other.path())[1], &files[1]).is_ok())),
        ("renamed", &|files| {
            fs::rename(&files[1], files[1].with_file_name("segment-00000000000000000001.log")).unwrap()
        }),
        ("shortened", &|files| {
            fs::File::options().write(true).open(&files[segments - 1]).unwrap().set_len(90_000).unwrap()
        }),
    ];
    for (name, harm) in harms {
        let copy = as_killed(dir.path());
        harm(&segment_files(copy.path()));
        let error = open(copy.path()).unwrap_err();
        assert!(matches!(error, AuditError::LogDamaged { .. }), "{name}: {error}");
        assert!(matches!(verify_log(copy.path(), None), Err(AuditError::LogDamaged { .. })), "{name}");
    }
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

#[test]
fn a_torn_tail_is_reported_by_a_reader_and_taken_away_by_the_owner() {
    let groups = [numbered(3), numbered(2)];
    let (dir, path, mut bytes, starts) = written(&groups);
    bytes[starts[2] - 1] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let torn = verify_log(dir.path(), None).unwrap().torn.unwrap();
    assert_eq!((torn.path, torn.offset, torn.bytes), (path.clone(), starts[1] as u64, (starts[2] - starts[1]) as u64));
    assert_eq!(contents(dir.path()), numbered(3));
    let (log, recovery) = open(dir.path()).unwrap();
    assert_eq!(recovery, Recovery { records: 3, truncated_bytes: torn.bytes });
    assert!(fs::read(&path).unwrap()[starts[1]..].iter().all(|byte| *byte == 0));
    append_all(&log, &numbered(1));
    drop(log);
    assert_eq!(open(dir.path()).unwrap().1, Recovery { records: 4, truncated_bytes: 0 });
}

/// What a power cut may leave of a write: some of its pages, and the rest as it was before.
#[derive(Clone, Debug)]
enum Harm {
    /// Everything from here on did not arrive.
    Cut(Index),
    /// Only these of its 512-byte sectors arrived.
    Sectors(Vec<bool>),
    /// A sector was interrupted half-way.
    Garbled(Index, Vec<u8>),
}

fn harm() -> impl Strategy<Value = Harm> {
    prop_oneof![
        any::<Index>().prop_map(Harm::Cut),
        proptest::collection::vec(any::<bool>(), 1..40).prop_map(Harm::Sectors),
        (any::<Index>(), proptest::collection::vec(any::<u8>(), 1..64)).prop_map(|(at, with)| Harm::Garbled(at, with)),
    ]
}

fn apply(harm: &Harm, bytes: &mut [u8], start: usize, end: usize) {
    match harm {
        Harm::Cut(at) => bytes[start + at.index(end - start)..end].fill(0),
        Harm::Sectors(arrived) => {
            for at in start..end {
                if !arrived[at / 512 % arrived.len()] {
                    bytes[at] = 0;
                }
            }
        }
        Harm::Garbled(at, with) => {
            let at = start + at.index(end - start);
            let length = with.len().min(end - at);
            bytes[at..at + length].copy_from_slice(&with[..length]);
        }
    }
}

fn payloads() -> impl Strategy<Value = Vec<Vec<u8>>> {
    proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..1500), 1..6)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_left_of_the_last_group_the_acknowledged_ones_are_recovered_and_nothing_else(
        groups in proptest::collection::vec(payloads(), 1..5), harms in proptest::collection::vec(harm(), 1..3),
    ) {
        let (dir, path, mut bytes, starts) = written(&groups);
        let (start, end) = (starts[groups.len() - 1], starts[groups.len()]);
        harms.iter().for_each(|harm| apply(harm, &mut bytes, start, end));
        fs::write(&path, &bytes).unwrap();
        let all = groups.concat();
        let acknowledged = all.len() - groups[groups.len() - 1].len();

        let found = contents(dir.path());
        prop_assert!(found == all[..acknowledged] || found == all, "{} of {}", found.len(), all.len());
        let (log, recovery) = open(dir.path()).unwrap();
        prop_assert_eq!(recovery.records, found.len() as u64);
        append_all(&log, &[b"next".to_vec()]);
        drop(log);
        let after = [found, vec![b"next".to_vec()]].concat();
        prop_assert_eq!(contents(dir.path()), after);
        prop_assert_eq!(open(dir.path()).unwrap().1.truncated_bytes, 0);
    }

    #[test]
    fn any_bit_flipped_before_the_last_group_is_damage(
        groups in proptest::collection::vec(payloads(), 2..5), at: Index, bit in 0..8_u32,
    ) {
        let (dir, path, mut bytes, starts) = written(&groups);
        bytes[at.index(starts[groups.len() - 1])] ^= 1 << bit;
        fs::write(&path, &bytes).unwrap();
        let error = open(dir.path()).map(drop).unwrap_err();
        prop_assert!(matches!(&error, AuditError::LogDamaged { path: named, .. } if *named == path), "{}", error);
        let verdict = verify_log(dir.path(), None);
        prop_assert!(is_damage(&verdict));
        prop_assert_eq!(&fs::read(&path).unwrap(), &bytes, "a damaged log is left as it is");
    }

    #[test]
    fn any_bit_flipped_in_a_log_that_was_closed_is_damage_or_touches_no_record(
        payloads in payloads(), at: Index, bit in 0..8_u32,
    ) {
        let dir = tempfile::tempdir().unwrap();
        append_all(&open(dir.path()).unwrap().0, &payloads);
        let path = &segment_files(dir.path())[0];
        let mut bytes = fs::read(path).unwrap();
        let seal = segment::used(&bytes) - segment::GROUP_HEADER_BYTES;
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        fs::write(path, &bytes).unwrap();
        match open(dir.path()) {
            Err(AuditError::LogDamaged { .. }) => {}
            Err(other) => prop_assert!(false, "{}", other),
            Ok(_) => {
                prop_assert!(at >= seal, "byte {at} is before the closing mark at {seal}");
                prop_assert_eq!(contents(dir.path()), payloads);
            }
        }
    }

    #[test]
    fn any_file_in_place_of_a_segment_is_refused_without_a_panic(bytes: Vec<u8>) {
        let dir = tempfile::tempdir().unwrap();
        fs::write(files::segment_path(dir.path(), 0), bytes).unwrap();
        prop_assert!(is_damage(&open(dir.path())));
    }
}
