//! The local copy of one remote file: sparse, mapped, filled block by block.
//!
//! ```text
//! [ bytes of the file, at their own offsets, with holes ][ to a page border ][ header ][ one entry a block ]
//! ```
//!
//! An entry is written after its block and holds the block's checksum. Nothing is synced: after a crash or a power cut an
//! entry may be there without its block or the other way round, and the checksum tells. What was there when the copy was
//! opened is therefore only claimed, and checked before its first use; a block that fails is fetched again.

use std::{
    fs::{self, File, OpenOptions},
    io,
    ops::Range,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU8, AtomicU64, Ordering},
    },
};

use bytes::Bytes;

use super::{StorageError, map::map_open_file};

const MAGIC: [u8; 8] = *b"SQBLOCK1";
const HEADER_BYTES: u64 = 64;
const ENTRY_BYTES: u64 = 8;
const PAGE: u64 = 4096;
/// Set in every entry of a block that is there, so that no entry is zero like a hole.
const THERE: u64 = 1 << 32;

/// What is known of a block.
const ABSENT: u8 = 0;
const CLAIMED: u8 = 1;
const PRESENT: u8 = 2;

/// Digest of the tag under which the store serves the object.
pub(super) type Identity = [u8; 32];

#[derive(Debug)]
pub(super) struct LocalCopy {
    path: PathBuf,
    file: File,
    /// The whole file as the kernel pages it in. INVARIANT: handed out only where blocks are present, and those are never
    /// written again in this copy.
    map: Bytes,
    length: u64,
    block_bytes: u64,
    states: Box<[AtomicU8]>,
    held: AtomicU64,
    identity: Mutex<Option<Identity>>,
}

impl LocalCopy {
    /// Open the copy at `path` of a file of this length; make an empty one where there is none that fits.
    pub(super) fn open(path: &Path, length: u64, block_bytes: u64) -> Result<Self, StorageError> {
        let failed = || StorageError::file(path, "opened");
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
        let file = file.map_err(failed())?;
        let wanted = trailer_at(length) + HEADER_BYTES + ENTRY_BYTES * blocks(length, block_bytes);
        let found = file.metadata().map_err(failed())?.len();
        if found == 0 {
            file.set_len(wanted).map_err(failed())?;
        }
        let mut trailer = vec![0; usize::try_from(wanted - trailer_at(length)).unwrap_or_default()];
        let whole = found == 0 || found == wanted && file.read_exact_at(&mut trailer, trailer_at(length)).is_ok();
        let (header, entries) = trailer.split_at(HEADER_BYTES as usize);
        let fresh = header.iter().all(|&byte| byte == 0);
        let identity = if whole && !fresh { read_header(header, length, block_bytes) } else { None };
        if !whole || (!fresh && identity.is_none()) {
            // Of another file, another block size or another program. Never cut short: somebody may have mapped it.
            return Self::fresh(path, length, block_bytes);
        }
        let claimed = |entry: &[u8]| identity.is_some() && entry.iter().any(|&byte| byte != 0);
        let states: Box<[_]> = entries
            .chunks_exact(ENTRY_BYTES as usize)
            .map(|entry| AtomicU8::new(if claimed(entry) { CLAIMED } else { ABSENT }))
            .collect();
        let held = states.iter().filter(|state| state.load(Ordering::Relaxed) == CLAIMED).count() as u64 * block_bytes;
        let map = map_open_file(&file, path)?;
        let (held, identity) = (AtomicU64::new(held), Mutex::new(identity));
        Ok(Self { path: path.to_owned(), file, map, length, block_bytes, states, held, identity })
    }

    /// An empty copy in place of whatever is there. Who has mapped the old one goes on reading it.
    pub(super) fn fresh(path: &Path, length: u64, block_bytes: u64) -> Result<Self, StorageError> {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(StorageError::file(path, "removed")(error)),
            _ => Self::open(path, length, block_bytes),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes of the blocks that are here, checked or not.
    pub(super) fn held(&self) -> u64 {
        self.held.load(Ordering::Relaxed)
    }

    /// The blocks that a range touches.
    pub(super) fn blocks_of(&self, range: &Range<u64>) -> Range<u64> {
        if range.is_empty() { 0..0 } else { range.start / self.block_bytes..range.end.div_ceil(self.block_bytes) }
    }

    pub(super) fn bytes_of(&self, blocks: &Range<u64>) -> Range<u64> {
        blocks.start * self.block_bytes..(blocks.end * self.block_bytes).min(self.length)
    }

    pub(super) fn is_present(&self, block: u64) -> bool {
        self.state(block) == PRESENT
    }

    fn state(&self, block: u64) -> u8 {
        // Acquire: whoever sees a block as present sees its bytes.
        self.states.get(block as usize).map_or(ABSENT, |state| state.load(Ordering::Acquire))
    }

    /// The bytes, if every block of the range is here and has been checked. No lock, no copy.
    pub(super) fn slice(&self, range: &Range<u64>) -> Option<Bytes> {
        let here = range.end <= self.length && self.blocks_of(range).all(|block| self.is_present(block));
        here.then(|| self.map.slice(range.start as usize..range.end as usize))
    }

    /// Check the claimed blocks among these, and say which are not here. Reads the disk.
    pub(super) fn missing(&self, blocks: Range<u64>) -> Vec<u64> {
        let mut missing = Vec::new();
        for block in blocks {
            if self.state(block) == CLAIMED {
                let good = self.is_as_claimed(block);
                self.set(block, if good { PRESENT } else { ABSENT });
                if !good {
                    self.held.fetch_sub(self.block_bytes, Ordering::Relaxed);
                    tracing::warn!(file = %self.path.display(), block, "a cached block is damaged; it is fetched again");
                }
            }
            if self.state(block) == ABSENT {
                missing.push(block);
            }
        }
        missing
    }

    fn is_as_claimed(&self, block: u64) -> bool {
        let mut entry = [0; ENTRY_BYTES as usize];
        let range = self.bytes_of(&(block..block + 1));
        let mut bytes = vec![0; (range.end - range.start) as usize];
        // Read rather than mapped: a disk that fails is then an error and no signal.
        self.file.read_exact_at(&mut entry, self.entry_at(block)).is_ok()
            && self.file.read_exact_at(&mut bytes, range.start).is_ok()
            && u64::from_le_bytes(entry) == claim(block, &bytes)
    }

    /// Write blocks as they came from the object of that identity. Refuses those of another object.
    pub(super) fn write(&self, blocks: Range<u64>, bytes: &[u8], identity: Identity) -> Result<(), StorageError> {
        self.admit(identity)?;
        let failed = || StorageError::file(&self.path, "written");
        for (block, part) in blocks.zip(bytes.chunks(self.block_bytes as usize)) {
            if self.is_present(block) {
                continue;
            }
            self.file.write_all_at(part, block * self.block_bytes).map_err(failed())?;
            let entry = claim(block, part).to_le_bytes();
            self.file.write_all_at(&entry, self.entry_at(block)).map_err(failed())?;
            self.set(block, PRESENT);
            self.held.fetch_add(self.block_bytes, Ordering::Relaxed);
        }
        Ok(())
    }

    /// The first block says which object this is a copy of.
    fn admit(&self, identity: Identity) -> Result<(), StorageError> {
        let mut known = self.identity.lock().unwrap_or_else(PoisonError::into_inner);
        match *known {
            Some(known) if known == identity => Ok(()),
            Some(_) => Err(StorageError::Unsupported {
                path: self.path.clone(),
                reason:
                    "the object of which it is the copy was replaced under its name. If the store was restored from \
                         a backup, remove the cache folder and restart"
                        .to_owned(),
            }),
            None => {
                let header = header(self.length, self.block_bytes, &identity);
                let written = self.file.write_all_at(&header, trailer_at(self.length));
                written.map_err(StorageError::file(&self.path, "written"))?;
                *known = Some(identity);
                Ok(())
            }
        }
    }

    fn set(&self, block: u64, state: u8) {
        if let Some(known) = self.states.get(block as usize) {
            known.store(state, Ordering::Release);
        }
    }

    fn entry_at(&self, block: u64) -> u64 {
        trailer_at(self.length) + HEADER_BYTES + ENTRY_BYTES * block
    }
}

fn blocks(length: u64, block_bytes: u64) -> u64 {
    length.div_ceil(block_bytes)
}

fn trailer_at(length: u64) -> u64 {
    length.next_multiple_of(PAGE)
}

/// The block's number goes into its checksum, so that a block in another's place is no block.
fn claim(block: u64, bytes: &[u8]) -> u64 {
    THERE | u64::from(crc32c::crc32c_append(block as u32, bytes))
}

fn header(length: u64, block_bytes: u64, identity: &Identity) -> [u8; HEADER_BYTES as usize] {
    let mut header = [0; HEADER_BYTES as usize];
    header[..8].copy_from_slice(&MAGIC);
    header[8..16].copy_from_slice(&length.to_le_bytes());
    header[16..24].copy_from_slice(&block_bytes.to_le_bytes());
    header[24..56].copy_from_slice(identity);
    let sum = crc32c::crc32c(&header[..56]);
    header[56..60].copy_from_slice(&sum.to_le_bytes());
    header
}

/// The identity, if the header is whole and about a file of this length in blocks of this size.
fn read_header(found: &[u8], length: u64, block_bytes: u64) -> Option<Identity> {
    let identity: Identity = found.get(24..56)?.try_into().ok()?;
    (header(length, block_bytes, &identity) == found).then_some(identity)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOCK: u64 = 4096;
    const LENGTH: u64 = 3 * BLOCK + 100;

    fn content() -> Vec<u8> {
        (0..LENGTH).map(|n| (n % 251) as u8 | 1).collect()
    }

    fn open(dir: &Path) -> LocalCopy {
        LocalCopy::open(&dir.join("copy"), LENGTH, BLOCK).unwrap()
    }

    /// A copy with blocks 1 and 3, the last one short.
    fn filled(dir: &Path) -> LocalCopy {
        let (copy, content) = (open(dir), content());
        for block in [1, 3] {
            let range = copy.bytes_of(&(block..block + 1));
            let bytes = &content[range.start as usize..range.end as usize];
            copy.write(block..block + 1, bytes, [7; 32]).unwrap();
        }
        copy
    }

    #[test]
    fn only_blocks_that_were_written_are_handed_out() {
        let dir = tempfile::tempdir().unwrap();
        let copy = filled(dir.path());
        let content = content();
        for (range, here) in [
            (BLOCK..2 * BLOCK, true),
            (BLOCK + 5..BLOCK + 9, true),
            (3 * BLOCK..LENGTH, true),
            (0..1, false),
            (BLOCK..2 * BLOCK + 1, false),
            (LENGTH - 1..LENGTH + 1, false),
        ] {
            let slice = copy.slice(&range);
            assert_eq!(slice.is_some(), here, "{range:?}");
            if let Some(slice) = slice {
                assert_eq!(slice, content[range.start as usize..range.end as usize]);
            }
        }
        assert_eq!(copy.missing(0..4), [0, 2]);
    }

    #[test]
    fn what_was_there_is_there_again_after_it_was_checked() {
        let dir = tempfile::tempdir().unwrap();
        drop(filled(dir.path()));
        let copy = open(dir.path());
        assert!(copy.slice(&(BLOCK..2 * BLOCK)).is_none(), "it is only claimed");
        assert_eq!((copy.held(), copy.missing(0..4)), (2 * BLOCK, vec![0, 2]));
        assert_eq!(copy.slice(&(BLOCK..2 * BLOCK)).unwrap(), content()[BLOCK as usize..2 * BLOCK as usize]);
    }

    #[test]
    fn a_block_that_was_torn_is_missing() {
        // A byte of the block, of its entry, and the entry of another block.
        let entries = trailer_at(LENGTH) + HEADER_BYTES;
        for (at, byte) in [(BLOCK + 17, 0), (entries + ENTRY_BYTES, 0xff), (2 * BLOCK - 1, 0)] {
            let dir = tempfile::tempdir().unwrap();
            let copy = filled(dir.path());
            copy.file.write_all_at(&[byte], at).unwrap();
            drop(copy);
            let copy = open(dir.path());
            assert_eq!(copy.missing(0..4), [0, 1, 2], "byte {at}");
            assert_eq!(copy.held(), BLOCK);
        }
    }

    #[test]
    fn a_copy_of_another_file_is_begun_anew() {
        for (length, block_bytes) in [(LENGTH, 2 * BLOCK), (LENGTH - 1, BLOCK), (LENGTH + PAGE, BLOCK)] {
            let dir = tempfile::tempdir().unwrap();
            let before = filled(dir.path());
            let copy = LocalCopy::open(before.path(), length, block_bytes).unwrap();
            assert_eq!(copy.held(), 0);
            assert!(before.slice(&(BLOCK..2 * BLOCK)).is_some(), "who had mapped it goes on");
        }
    }

    #[test]
    fn a_header_that_was_torn_begins_anew() {
        let dir = tempfile::tempdir().unwrap();
        let copy = filled(dir.path());
        copy.file.write_all_at(&[9], trailer_at(LENGTH) + 30).unwrap();
        drop(copy);
        assert_eq!(open(dir.path()).missing(0..4), [0, 1, 2, 3]);
    }

    #[test]
    fn blocks_of_another_object_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let copy = filled(dir.path());
        let refused = copy.write(0..1, &content()[..BLOCK as usize], [8; 32]).unwrap_err();
        assert!(refused.to_string().contains("replaced under its name"), "{refused}");
    }
}
