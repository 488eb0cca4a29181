//! What the bytes of a segment mean. Pure: bytes in, groups or flaws out; any bytes at all, without a panic.
//!
//! All numbers are little-endian.
//!
//! ```text
//! header (4096 bytes, so that no later write touches its sectors)
//!   0 magic 8 | 8 version u32 | 12 zero u32 | 16 first index u64 | 24 length of the file u64
//!   32 log id 16 | 48 root of the tree before the first index 32 | 80 CRC-32C of bytes 0 to 79 | zeros
//! groups, one after the other, then zeros to the end
//!   0 mark 4 | 4 CRC-32C of the log id and bytes 8 to 23 | 8 first index u64 | 16 records u32 | 20 bytes of frames u32
//!   frames: length u32 | CRC-32C of length and payload | payload (1 to 65536 bytes)
//! ```
//!
//! The mark begins with bytes that UTF-8 never holds, so no record of JSON can contain a group header. An empty group
//! (no records) says that the log was closed.

use uuid::Uuid;

use super::tree::Hash;

/// Longest record, in bytes.
pub const PAYLOAD_BYTES_MAX: usize = 64 * 1024;

/// Length of a segment's header.
pub(super) const HEADER_BYTES: usize = 4096;
/// Length of a group's header.
pub(super) const GROUP_HEADER_BYTES: usize = 24;
/// What comes before the payload in a frame.
pub(super) const FRAME_HEADER_BYTES: usize = 8;
/// Most bytes of frames in one group: longer writes make those wait who came in the meantime.
pub(super) const GROUP_BYTES_MAX: usize = 1024 * 1024;
/// A segment holds at least one group of one record of greatest length.
pub(super) const SEGMENT_BYTES_MIN: u64 = 128 * 1024;
/// A segment is read as a whole.
pub(super) const SEGMENT_BYTES_MAX: u64 = 1024 * 1024 * 1024;

const _: () = assert!(
    HEADER_BYTES + GROUP_HEADER_BYTES + FRAME_HEADER_BYTES + PAYLOAD_BYTES_MAX <= SEGMENT_BYTES_MIN as usize,
    "a segment takes any record"
);

const MAGIC: [u8; 8] = *b"shuqiao\x01";
const VERSION: u32 = 1;
const HEADER_USED: usize = 84;
const MARK: [u8; 4] = [0xFF, 0xFE, b'g', b'r'];

/// What a segment says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// Which log the segment is part of.
    pub(super) log: Uuid,
    /// Index of its first record; all below it were durable before the segment was made.
    pub(super) first: u64,
    /// Length of the file, from its beginning.
    pub(super) bytes: u64,
    /// Root of the tree over the records below `first`.
    pub(super) root: Hash,
}

impl Header {
    pub(super) fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.first.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.bytes.to_le_bytes());
        bytes[32..48].copy_from_slice(self.log.as_bytes());
        bytes[48..80].copy_from_slice(&self.root);
        let crc = crc32c::crc32c(&bytes[..80]);
        bytes[80..84].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    pub(super) fn parse(bytes: &[u8]) -> Result<Self, &'static str> {
        let Some((header, _)) = bytes.split_first_chunk::<HEADER_BYTES>() else {
            return Err("the file is shorter than a segment's header");
        };
        if header[..8] != MAGIC {
            return Err("the file does not begin as a segment of an audit log");
        }
        if crc32c::crc32c(&header[..80]) != u32_at(header, 80) || header[HEADER_USED..].iter().any(|byte| *byte != 0) {
            return Err("the segment's header does not match its checksum");
        }
        if u32_at(header, 8) != VERSION || u32_at(header, 12) != 0 {
            return Err("the segment is of a format that this version does not know");
        }
        let this = Self {
            log: Uuid::from_slice(&header[32..48]).map_err(|_| "the log id is cut")?,
            first: u64_at(header, 16),
            bytes: u64_at(header, 24),
            root: header[48..80].try_into().map_err(|_| "the root is cut")?,
        };
        if this.bytes != bytes.len() as u64 {
            return Err("the file is not as long as its header says");
        }
        Ok(this)
    }
}

/// Put a group into the buffer: its header and a frame for each payload.
///
/// INVARIANT: the payloads have 1 to `PAYLOAD_BYTES_MAX` bytes each and at most `GROUP_BYTES_MAX` with their frames; the
/// appender keeps it.
pub(super) fn encode_group<'a>(
    buffer: &mut Vec<u8>,
    log: &Uuid,
    first: u64,
    payloads: impl ExactSizeIterator<Item = &'a [u8]>,
) {
    let start = buffer.len();
    let records = u32::try_from(payloads.len()).expect("a megabyte holds fewer records than 2^32");
    buffer.extend([0; GROUP_HEADER_BYTES]);
    for payload in payloads {
        let length = u32::try_from(payload.len()).expect("a payload is at most 64 KiB").to_le_bytes();
        buffer.extend(length);
        buffer.extend(crc32c::crc32c_append(crc32c::crc32c(&length), payload).to_le_bytes());
        buffer.extend(payload);
    }
    let frames = buffer.len() - start - GROUP_HEADER_BYTES;
    let header = &mut buffer[start..start + GROUP_HEADER_BYTES];
    header[..4].copy_from_slice(&MARK);
    header[8..16].copy_from_slice(&first.to_le_bytes());
    header[16..20].copy_from_slice(&records.to_le_bytes());
    header[20..24].copy_from_slice(&u32::try_from(frames).expect("a group is at most a megabyte").to_le_bytes());
    let crc = group_crc(log, &header[8..]);
    header[4..8].copy_from_slice(&crc.to_le_bytes());
}

/// The log's id is part of the sum: a header of another log is no header here.
fn group_crc(log: &Uuid, fields: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(log.as_bytes()), fields)
}

/// A group whose every checksum is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Group {
    /// Index of its first record.
    pub(super) first: u64,
    pub(super) records: u64,
    /// Offset in the segment, of its header and of what follows it.
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Group {
    /// Its records, out of the bytes in which it was found.
    pub(super) fn payloads<'a>(&self, bytes: &'a [u8]) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let mut rest = &bytes[self.start + GROUP_HEADER_BYTES..self.end];
        std::iter::from_fn(move || {
            let (payload, after) = frame(rest).ok()?;
            rest = after;
            Some(payload)
        })
    }
}

/// What stands at an offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    Group(Group),
    /// Nothing but zeros.
    End,
    Flaw(Flaw),
}

/// Bytes that are not a group and not the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Flaw {
    /// Where the flaw was found.
    pub(super) at: usize,
    pub(super) what: &'static str,
    /// How far one interrupted write of a group can have reached; nothing, where no interrupted write explains the flaw.
    reach: Option<usize>,
}

/// Read the group at `start`, whose first record must have the index `expected`.
pub(super) fn next(bytes: &[u8], start: usize, log: &Uuid, expected: u64) -> Next {
    let rest = &bytes[start.min(bytes.len())..];
    if rest.first().is_none_or(|byte| *byte == 0) && is_zero(rest) {
        return Next::End;
    }
    let torn = |at, what, reach: usize| Next::Flaw(Flaw { at, what, reach: Some(reach.min(bytes.len())) });
    let damaged = |what| Next::Flaw(Flaw { at: start, what, reach: None });
    let Some(header) = GroupHeader::parse(rest, log) else {
        return torn(start, "no group begins here", start + GROUP_HEADER_BYTES + GROUP_BYTES_MAX);
    };
    // The header is intact from here on: what it says, it said when it was written.
    if header.first != expected {
        return damaged("a group begins with another index than is due");
    }
    let Some(frames) = rest[GROUP_HEADER_BYTES..].get(..header.bytes).filter(|_| header.bytes <= GROUP_BYTES_MAX)
    else {
        return damaged("a group is longer than any can be");
    };
    let end = start + GROUP_HEADER_BYTES + header.bytes;
    let (mut unread, mut records) = (frames, 0);
    while !unread.is_empty() {
        match frame(unread) {
            Ok((_, after)) => unread = after,
            Err(what) => return torn(end - unread.len(), what, end),
        }
        records += 1;
    }
    if records != header.records {
        return damaged("a group has another number of records than it says");
    }
    Next::Group(Group { first: header.first, records, start, end })
}

/// Is the flaw at the group that was begun at `start` explained by one write that was interrupted, before anybody was
/// told of what it held? The module `audit` says why this is the question.
pub(super) fn is_torn(bytes: &[u8], start: usize, flaw: &Flaw, log: &Uuid) -> bool {
    let Some(reach) = flaw.reach else { return false };
    is_zero(&bytes[reach..]) && !has_group_after(bytes, start, log)
}

fn has_group_after(bytes: &[u8], start: usize, log: &Uuid) -> bool {
    let mut rest = bytes.get(start + 1..).unwrap_or_default();
    while let Some(position) = rest.iter().position(|byte| *byte == MARK[0]) {
        rest = &rest[position..];
        if GroupHeader::parse(rest, log).is_some() {
            return true;
        }
        rest = &rest[1..];
    }
    false
}

/// Where the bytes end that are not zero.
pub(super) fn used(bytes: &[u8]) -> usize {
    bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1)
}

struct GroupHeader {
    first: u64,
    records: u64,
    bytes: usize,
}

impl GroupHeader {
    fn parse(bytes: &[u8], log: &Uuid) -> Option<Self> {
        let (header, _) = bytes.split_first_chunk::<GROUP_HEADER_BYTES>()?;
        let intact = header[..4] == MARK && u32_at(header, 4) == group_crc(log, &header[8..]);
        intact.then(|| Self {
            first: u64_at(header, 8),
            records: u64::from(u32_at(header, 16)),
            bytes: u32_at(header, 20) as usize,
        })
    }
}

/// The payload of the frame at the beginning of `bytes`, and what follows it.
fn frame(bytes: &[u8]) -> Result<(&[u8], &[u8]), &'static str> {
    let (header, rest) = bytes.split_first_chunk::<FRAME_HEADER_BYTES>().ok_or("a frame is cut")?;
    let length = u32_at(header, 0) as usize;
    if !(1..=PAYLOAD_BYTES_MAX).contains(&length) {
        return Err("a frame has an impossible length");
    }
    let (payload, after) = rest.split_at_checked(length).ok_or("a frame is cut")?;
    if crc32c::crc32c_append(crc32c::crc32c(&header[..4]), payload) != u32_at(header, 4) {
        return Err("a record does not match its checksum");
    }
    Ok((payload, after))
}

/// Sixteen bytes at a time: a segment's tail may be tens of megabytes of zeros.
fn is_zero(bytes: &[u8]) -> bool {
    let (chunks, rest) = bytes.as_chunks::<16>();
    chunks.iter().all(|chunk| u128::from_ne_bytes(*chunk) == 0) && rest.iter().all(|byte| *byte == 0)
}

fn u32_at<const N: usize>(bytes: &[u8; N], offset: usize) -> u32 {
    let mut value = [0; 4];
    value.copy_from_slice(&bytes[offset..offset + 4]);
    u32::from_le_bytes(value)
}

fn u64_at<const N: usize>(bytes: &[u8; N], offset: usize) -> u64 {
    let mut value = [0; 8];
    value.copy_from_slice(&bytes[offset..offset + 8]);
    u64::from_le_bytes(value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LOG: Uuid = Uuid::from_u128(7);

    fn segment(groups: &[&[&[u8]]]) -> (Vec<u8>, Vec<usize>) {
        let header = Header { log: LOG, first: 0, bytes: SEGMENT_BYTES_MIN, root: [0; 32] };
        let (mut bytes, mut starts, mut first) = (header.encode().to_vec(), Vec::new(), 0);
        for group in groups {
            starts.push(bytes.len());
            encode_group(&mut bytes, &LOG, first, group.iter().copied());
            first += group.len() as u64;
        }
        starts.push(bytes.len());
        bytes.resize(SEGMENT_BYTES_MIN as usize, 0);
        (bytes, starts)
    }

    #[test]
    fn groups_come_out_as_they_went_in() {
        let (bytes, starts) = segment(&[&[b"one", b"two"], &[], &[b"three"]]);
        let mut read = Vec::new();
        let (mut at, mut index) = (starts[0], 0);
        while let Next::Group(group) = next(&bytes, at, &LOG, index) {
            read.push(group.payloads(&bytes).map(<[u8]>::to_vec).collect::<Vec<_>>());
            (at, index) = (group.end, index + group.records);
        }
        assert_eq!(read, [vec![b"one".to_vec(), b"two".to_vec()], vec![], vec![b"three".to_vec()]]);
        assert_eq!((at, next(&bytes, at, &LOG, index)), (starts[3], Next::End));
        assert_eq!(used(&bytes), starts[3]);
        assert_eq!(Header::parse(&bytes).unwrap().bytes, SEGMENT_BYTES_MIN);
    }

    #[test]
    fn a_group_of_another_log_or_index_is_none() {
        let (bytes, starts) = segment(&[&[b"one"]]);
        assert!(matches!(next(&bytes, starts[0], &Uuid::from_u128(8), 0), Next::Flaw(_)));
        let Next::Flaw(flaw) = next(&bytes, starts[0], &LOG, 1) else { panic!("another index is a flaw") };
        assert!(!is_torn(&bytes, starts[0], &flaw, &LOG));
    }

    #[test]
    fn every_bit_of_the_header_counts() {
        let (bytes, _) = segment(&[]);
        for bit in 0..HEADER_BYTES * 8 {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(Header::parse(&changed).is_err(), "bit {bit}");
        }
        assert!(Header::parse(&bytes[..bytes.len() - 1]).is_err());
        assert!(Header::parse(&bytes[..100]).is_err());
    }

    #[test]
    fn a_flaw_is_torn_only_where_nothing_was_built_on_it() {
        let (mut bytes, starts) = segment(&[&[b"one"], &[b"two"]]);
        let flip = |bytes: &[u8], at: usize| {
            let mut changed = bytes.to_vec();
            changed[at] ^= 1;
            changed
        };
        let judged = |bytes: &[u8], start, index| match next(bytes, start, &LOG, index) {
            Next::Flaw(flaw) => is_torn(bytes, start, &flaw, &LOG),
            other => panic!("no flaw: {other:?}"),
        };
        for at in starts[1]..starts[2] {
            assert!(judged(&flip(&bytes, at), starts[1], 1), "byte {at} of the last group");
        }
        for at in starts[0]..starts[1] {
            assert!(!judged(&flip(&bytes, at), starts[0], 0), "byte {at} of an acknowledged group");
        }
        bytes[starts[2] + 5] = 1; // Beyond what the intact header of the last group explains.
        assert!(!judged(&flip(&bytes, starts[2] - 1), starts[1], 1));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes: Vec<u8>, start in 0..300_usize, expected: u64) {
            let _ = Header::parse(&bytes);
            if let Next::Flaw(flaw) = next(&bytes, start, &LOG, expected) {
                let _ = is_torn(&bytes, start, &flaw, &LOG);
            }
        }

        #[test]
        fn any_bytes_in_place_of_some_are_read_without_a_panic(
            at in 0..300_usize, garbage in proptest::collection::vec(any::<u8>(), 1..200), index in 0..3_u64,
        ) {
            let (mut bytes, starts) = segment(&[&[b"one", b"two"], &[&[7; 100]]]);
            let at = HEADER_BYTES + at;
            bytes[at..at + garbage.len()].copy_from_slice(&garbage);
            for start in starts {
                match next(&bytes, start, &LOG, index) {
                    Next::Flaw(flaw) => { let _ = is_torn(&bytes, start, &flaw, &LOG); }
                    Next::Group(group) => prop_assert_eq!(group.payloads(&bytes).count() as u64, group.records),
                    Next::End => {}
                }
            }
        }
    }
}
