//! What a power cut, a bad disk or a hand may do to the files, and what becomes of the log.

use proptest::{prelude::*, sample::Index};

use super::*;

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

fn is_damage<T>(result: &Result<T, AuditError>) -> bool {
    matches!(result, Err(AuditError::LogDamaged { .. }))
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

#[test]
fn a_group_that_was_being_written_while_it_was_read_is_no_damage() {
    let (dir, path, bytes, starts) = written(&[numbered(1), numbered(2)]);
    let harmed = |at: usize| {
        let mut harmed = bytes.clone();
        harmed[at] ^= 1;
        fs::write(&path, harmed).unwrap();
    };
    harmed(starts[1] - 1); // The first group is half there, the second whole: as a reader may see two quick writes.
    let mut walk = walk::Walk::new(dir.path(), 0).unwrap();
    assert!(matches!(walk.next(), Ok(Some(walk::Event::Segment(_)))));
    fs::write(&path, &bytes).unwrap();
    let groups: Vec<_> = std::iter::from_fn(|| walk.next().unwrap()).collect();
    assert_eq!(groups.len(), 2);
    harmed(starts[1] - 1);
    assert!(read(dir.path(), 0).unwrap().next().unwrap().is_err(), "it stays as it is: damage");
}

#[test]
fn a_missing_or_foreign_or_shortened_segment_is_damage() {
    let dir = tempfile::tempdir().unwrap();
    append_all(&open(dir.path()).unwrap().0, &vec![vec![1; 20_000]; 30]);
    let other = tempfile::tempdir().unwrap();
    let foreign = LogOptions { id_if_new: Uuid::from_u128(2), ..options() };
    append_all(&Log::open(other.path(), foreign).unwrap().0, &vec![vec![1; 20_000]; 30]);
    let rewritten = tempfile::tempdir().unwrap();
    append_all(&open(rewritten.path()).unwrap().0, &vec![vec![2; 20_000]; 30]);
    let segments = segment_files(dir.path()).len();
    type Harm<'a> = (&'a str, &'a dyn Fn(&[PathBuf]));
    let harms: [Harm<'_>; 6] = [
        ("first gone", &|files| fs::remove_file(&files[0]).unwrap()),
        ("middle gone", &|files| fs::remove_file(&files[2]).unwrap()),
        ("foreign", &|files| copy(&segment_files(other.path())[1], &files[1])),
        ("rewritten", &|files| copy(&segment_files(rewritten.path())[0], &files[0])),
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
