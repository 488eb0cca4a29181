//! The one thread that writes the log.
//!
//! It takes all that waits, writes it as one group, syncs, and tells those who wait; meanwhile the next group gathers.
//! No timer holds a group back. After the first error it stops for good: what the disk has of a failed write cannot be
//! known, and a second sync may report a success that is none.

use std::{
    collections::VecDeque,
    fs::File,
    io,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
};

use metrics::{counter, histogram};
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use super::{
    AuditError,
    files::{self, SPARE, Segment},
    log::{Appended, LogOptions},
    receipt::{HeadSigner, batch::Batch},
    recovery::Recovered,
    segment::{FRAME_HEADER_BYTES, GROUP_BYTES_MAX, GROUP_HEADER_BYTES, HEADER_BYTES, Header, encode_group},
    tree::{Frontier, Hash},
};

/// A record on its way, and whom to tell.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) payload: Vec<u8>,
    pub(super) leaf: Hash,
    /// Leaf of the receipt's claims, where the record is to have a receipt out of a batch.
    pub(super) receipt: Option<Hash>,
    /// Dropped without a word when the log fails.
    pub(super) done: oneshot::Sender<Appended>,
}

/// What the appender and the log's owner both see.
#[derive(Debug)]
pub(super) struct Shared {
    /// The tree over the durable records.
    durable: Mutex<Frontier>,
    healthy: AtomicBool,
    /// Ends the making of a spare segment early.
    closing: AtomicBool,
}

impl Shared {
    pub(super) fn durable(&self) -> Frontier {
        self.durable.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn is_healthy(&self) -> bool {
        self.healthy.load(Ordering::Acquire)
    }

    /// Nothing further will be appended.
    pub(super) fn close(&self) {
        self.closing.store(true, Ordering::Release);
    }
}

#[derive(Debug)]
pub(super) struct Appender {
    dir: PathBuf,
    log: Uuid,
    segment_bytes: u64,
    segment: Segment,
    sealed: bool,
    tree: Frontier,
    spare: Option<JoinHandle<io::Result<File>>>,
    heads: Option<Arc<HeadSigner>>,
    shared: Arc<Shared>,
    /// The group that is being written; kept for its allocation.
    buffer: Vec<u8>,
}

impl Appender {
    pub(super) fn new(dir: PathBuf, recovered: Recovered, options: &LogOptions) -> (Self, Arc<Shared>) {
        let Recovered { log, frontier, segment, sealed, truncated_bytes: _ } = recovered;
        let shared = Arc::new(Shared {
            durable: Mutex::new(frontier.clone()),
            healthy: AtomicBool::new(true),
            closing: AtomicBool::new(false),
        });
        let (tree, buffer, spare) = (frontier, Vec::new(), None);
        let (segment_bytes, heads) = (options.segment_bytes, options.heads.clone().map(Arc::new));
        let this =
            Self { dir, log, segment_bytes, segment, sealed, tree, spare, heads, shared: Arc::clone(&shared), buffer };
        (this, shared)
    }

    /// Write until nobody can append any more, or the disk fails.
    pub(super) fn run(mut self, mut queue: mpsc::Receiver<Entry>) {
        if let Err(error) = self.serve(&mut queue) {
            self.shared.healthy.store(false, Ordering::Release);
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "the audit log failed and takes no further records"
            );
        }
        self.end_spare();
    }

    fn serve(&mut self, queue: &mut mpsc::Receiver<Entry>) -> Result<(), AuditError> {
        self.begin_spare();
        let (mut arrived, mut waiting) = (Vec::new(), VecDeque::new());
        while queue.blocking_recv_many(&mut arrived, queue.max_capacity()) > 0 {
            waiting.extend(arrived.drain(..));
            while !waiting.is_empty() {
                let group = self.take_group(&mut waiting);
                self.commit(group)?;
            }
        }
        self.seal()
    }

    /// As many of those who wait as one group takes, in their order.
    fn take_group(&self, waiting: &mut VecDeque<Entry>) -> Vec<Entry> {
        let room = GROUP_BYTES_MAX.min(self.segment_bytes as usize - HEADER_BYTES - GROUP_HEADER_BYTES);
        let mut bytes = 0;
        let fits = |entry: &&Entry| {
            bytes += FRAME_HEADER_BYTES + entry.payload.len();
            bytes <= room
        };
        let count = waiting.iter().take_while(fits).count();
        waiting.drain(..count).collect()
    }

    /// Write a group, wait until it is durable, then tell.
    fn commit(&mut self, group: Vec<Entry>) -> Result<(), AuditError> {
        let batch = self.batch(&group);
        if let Err(error) = self.write(&group) {
            // Before the group goes: who is told `unavailable` finds the log unhealthy.
            self.shared.healthy.store(false, Ordering::Release);
            return Err(error);
        }
        self.sealed = false;
        let first = self.tree.size();
        group.iter().for_each(|entry| self.tree.push(entry.leaf));
        *self.shared.durable.lock().unwrap_or_else(PoisonError::into_inner) = self.tree.clone();
        for (index, entry) in (first..).zip(group) {
            // Who no longer listens hung up; the record stands all the same.
            let batch = entry.receipt.and_then(|_| batch.clone());
            let _ = entry.done.send(Appended { index, leaf: entry.leaf, batch });
        }
        Ok(())
    }

    /// The tree for the receipts of a group, if it has any. Nobody sees it before the group is durable.
    fn batch(&self, group: &[Entry]) -> Option<Arc<Batch>> {
        let signer = self.heads.as_ref().filter(|_| group.iter().any(|entry| entry.receipt.is_some()))?;
        let leaves = group.iter().map(|entry| entry.receipt.unwrap_or(entry.leaf)).collect();
        Some(Arc::new(Batch::new(Arc::clone(signer), self.log, self.tree.size(), leaves)))
    }

    fn write(&mut self, group: &[Entry]) -> Result<(), AuditError> {
        self.buffer.clear();
        encode_group(&mut self.buffer, &self.log, self.tree.size(), group.iter().map(|entry| entry.payload.as_slice()));
        if !self.segment.has_room_for(self.buffer.len()) {
            self.roll()?;
        }
        let syncing = std::time::Instant::now();
        self.segment.append(&self.buffer).map_err(AuditError::file(&self.segment.path, "written"))?;
        histogram!("shuqiao_audit_sync_seconds").record(syncing.elapsed().as_secs_f64());
        counter!("shuqiao_audit_records_total").increment(group.len() as u64);
        Ok(())
    }

    /// Go on in a new segment. All before it is durable: the header says so to whoever reads the log again.
    fn roll(&mut self) -> Result<(), AuditError> {
        let made = self.spare.take().and_then(|spare| spare.join().ok()).and_then(Result::ok);
        let spare = match made {
            Some(spare) => spare,
            // The one made ahead failed, perhaps for want of space that is there by now.
            None => files::make_spare(&self.dir, self.segment_bytes, false, &AtomicBool::new(false))
                .map_err(AuditError::file(self.dir.join(SPARE), "created"))?,
        };
        let (first, root) = (self.tree.size(), self.tree.root());
        let header = Header { log: self.log, first, bytes: self.segment_bytes, root };
        self.segment = files::install(spare, &self.dir, &header)?;
        self.begin_spare();
        Ok(())
    }

    /// Make the next segment while this one fills.
    fn begin_spare(&mut self) {
        let (dir, bytes, shared) = (self.dir.clone(), self.segment_bytes, Arc::clone(&self.shared));
        let make = move || files::make_spare(&dir, bytes, true, &shared.closing);
        // Without the thread the segment is made when it is needed, and appends wait for it.
        self.spare = thread::Builder::new().name("audit-spare".to_owned()).spawn(make).ok();
    }

    fn end_spare(&mut self) {
        self.shared.close();
        if let Some(spare) = self.spare.take() {
            let _ = spare.join();
            // Left behind, it would be removed when the log is opened.
            let _ = std::fs::remove_file(self.dir.join(SPARE));
        }
    }

    /// End the log with an empty group, which stands for the one before it.
    fn seal(&mut self) -> Result<(), AuditError> {
        self.buffer.clear();
        encode_group(&mut self.buffer, &self.log, self.tree.size(), std::iter::empty());
        if self.sealed || !self.segment.has_room_for(self.buffer.len()) {
            return Ok(());
        }
        self.segment.append(&self.buffer).map_err(AuditError::file(&self.segment.path, "written"))
    }
}
