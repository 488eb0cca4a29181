//! The log as a node holds it: append, look at the head, sign the head.

use std::{
    fs::{self, File, TryLockError},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    thread::{self, JoinHandle},
};

use chrono::{DateTime, Utc};
use tokio::sync::{
    mpsc::{self, error::TrySendError},
    oneshot,
};
use uuid::Uuid;

use super::{
    AuditError, Checkpoint,
    appender::{Appender, Entry, Shared},
    checkpoint::Checkpoints,
    files::LOCK,
    receipt::{HeadSigner, batch::Batch},
    recovery::{self, Recovery},
    segment::{PAYLOAD_BYTES_MAX, SEGMENT_BYTES_MAX, SEGMENT_BYTES_MIN},
    tree::{Hash, leaf_hash},
};
use crate::keys::SigningKey;

/// How a log is opened.
#[derive(Clone, Debug)]
pub struct LogOptions {
    /// The id that the log gets if there is none in the directory yet; otherwise unused.
    pub id_if_new: Uuid,
    /// Length of the segments made from now on: 128 KiB to 1 GiB. Default 64 MiB.
    pub segment_bytes: u64,
    /// Most records that wait for the disk; more are refused at once. Beside them stand those that are being written, at
    /// most as many. Default 4096, at least 1.
    pub queue_max: usize,
    /// Signs one head for the receipts of each commit group. Default: nobody, and receipts are signed one by one.
    pub heads: Option<HeadSigner>,
}

impl Default for LogOptions {
    /// Segments of 64 MiB, 4096 records that wait, and a random id for a new log.
    fn default() -> Self {
        Self { id_if_new: Uuid::new_v4(), segment_bytes: 64 * 1024 * 1024, queue_max: 4096, heads: None }
    }
}

/// A record that is durable.
#[derive(Clone, Debug)]
pub struct Appended {
    /// Its place in the log, from 0.
    pub index: u64,
    /// Its leaf hash in the tree (RFC 6962): SHA-256(0x00 || payload).
    pub leaf: Hash,
    /// The signed batch that covers the receipt, where one was asked for.
    pub(super) batch: Option<Arc<Batch>>,
}

/// The tree over the first `size` records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TreeHead {
    pub size: u64,
    pub root: Hash,
}

/// An open log. One process at a time holds it.
///
/// ```
/// # use shuqiao::audit::{Log, LogOptions, read};
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let dir = tempfile::tempdir().unwrap();
/// let options = LogOptions { segment_bytes: 128 * 1024, ..LogOptions::default() };
/// let (log, recovery) = Log::open(dir.path(), options).unwrap();
/// assert_eq!(recovery.records, 0);
/// let appended = log.append(b"{}".to_vec()).await.unwrap(); // It is on the disk now.
/// assert_eq!(appended.index, 0);
/// assert_eq!(read(dir.path(), 0).unwrap().next().unwrap().unwrap(), (0, b"{}".to_vec()));
/// # });
/// ```
///
/// Dropping it writes what waits, ends the log cleanly and blocks for as long as that takes.
#[derive(Debug)]
pub struct Log {
    id: Uuid,
    signs_heads: bool,
    /// Taken when the log is dropped, which ends the appender.
    queue: Option<mpsc::Sender<Entry>>,
    appender: Option<JoinHandle<()>>,
    shared: Arc<Shared>,
    checkpoints: Mutex<Checkpoints>,
    /// Held until all of the above has ended.
    _lock: File,
}

impl Log {
    /// Open the log in a directory, or begin one there. Reads and checks all of it; blocks for that long.
    pub fn open(dir: &Path, options: LogOptions) -> Result<(Self, Recovery), AuditError> {
        if !(SEGMENT_BYTES_MIN..=SEGMENT_BYTES_MAX).contains(&options.segment_bytes) {
            return Err(AuditError::SegmentSize { bytes: options.segment_bytes });
        }
        fs::create_dir_all(dir).map_err(AuditError::file(dir, "created"))?;
        let lock = lock(dir)?;
        let checkpoints = Checkpoints::open(dir)?;
        let recovered = match recovery::recover(dir, checkpoints.latest())? {
            Some(recovered) => recovered,
            None => recovery::begin(dir, options.id_if_new, options.segment_bytes)?,
        };
        let recovery = Recovery { records: recovered.frontier.size(), truncated_bytes: recovered.truncated_bytes };
        let log = Self::start(dir, recovered, &options, checkpoints, lock)?;
        Ok((log, recovery))
    }

    fn start(
        dir: &Path,
        recovered: recovery::Recovered,
        options: &LogOptions,
        checkpoints: Checkpoints,
        lock: File,
    ) -> Result<Self, AuditError> {
        let id = recovered.log;
        let signs_heads = options.heads.is_some();
        let (appender, shared) = Appender::new(dir.to_owned(), recovered, options);
        let (queue, entries) = mpsc::channel(options.queue_max.max(1));
        let appender = thread::Builder::new()
            .name("audit-append".to_owned())
            .spawn(move || appender.run(entries))
            .map_err(AuditError::file(dir, "appended to"))?;
        let checkpoints = Mutex::new(checkpoints);
        Ok(Self { id, signs_heads, queue: Some(queue), appender: Some(appender), shared, checkpoints, _lock: lock })
    }

    /// The log's id, for ever the same.
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// Does each commit group get a signed head, which covers the receipts out of it?
    pub(super) fn signs_heads(&self) -> bool {
        self.signs_heads
    }

    /// Append a record of 1 to [`PAYLOAD_BYTES_MAX`] bytes; returns when it is durable.
    ///
    /// [`AuditError::Overloaded`] comes at once when too many wait. After [`AuditError::Unavailable`] it is not known
    /// whether the record is in the log; the same holds when the future is dropped.
    pub async fn append(&self, payload: Vec<u8>) -> Result<Appended, AuditError> {
        let leaf = leaf_hash(&payload); // Here and not in the appender: callers hash side by side.
        self.enter(payload, leaf, None).await
    }

    /// The same for an answer, to a log that signs heads; returns the receipt over these claims.
    ///
    /// INVARIANT: `leaf` is that of the payload; the caller has it, because the claims name it.
    pub(super) async fn append_with_receipt(
        &self,
        payload: Vec<u8>,
        leaf: Hash,
        claims: &[u8],
    ) -> Result<String, AuditError> {
        let appended = self.enter(payload, leaf, Some(leaf_hash(claims))).await?;
        let batch = appended.batch.expect("a log that signs heads gives a batch to whoever asks for a receipt");
        Ok(batch.receipt(appended.index, claims))
    }

    async fn enter(&self, payload: Vec<u8>, leaf: Hash, receipt: Option<Hash>) -> Result<Appended, AuditError> {
        if !(1..=PAYLOAD_BYTES_MAX).contains(&payload.len()) {
            return Err(AuditError::PayloadSize { bytes: payload.len() });
        }
        let Some(queue) = &self.queue else { return Err(AuditError::Unavailable) };
        let (done, appended) = oneshot::channel();
        queue.try_send(Entry { payload, leaf, receipt, done }).map_err(|error| match error {
            TrySendError::Full(_) => AuditError::Overloaded,
            TrySendError::Closed(_) => AuditError::Unavailable,
        })?;
        appended.await.map_err(|_| AuditError::Unavailable)
    }

    /// The tree over what is durable now.
    pub fn head(&self) -> TreeHead {
        let frontier = self.shared.durable();
        TreeHead { size: frontier.size(), root: frontier.root() }
    }

    /// Sign the head and keep it, in `checkpoint.latest` and in the month's history. Blocks for three syncs; where
    /// nothing was appended since the last one, it returns that.
    pub fn checkpoint(&self, key: &SigningKey, now: DateTime<Utc>) -> Result<Checkpoint, AuditError> {
        // The head is taken under the lock, so that checkpoints are written in the order of their sizes.
        let mut checkpoints = self.checkpoints.lock().unwrap_or_else(PoisonError::into_inner);
        checkpoints.write(self.id, self.head(), key, now)
    }

    /// Does the log take records? Once it does not, it never does again in this process.
    pub fn is_healthy(&self) -> bool {
        self.shared.is_healthy() && self.queue.as_ref().is_some_and(|queue| !queue.is_closed())
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.shared.close();
        drop(self.queue.take());
        if let Some(appender) = self.appender.take() {
            // A panic there has been reported there.
            let _ = appender.join();
        }
    }
}

/// Two processes that append would overwrite each other.
fn lock(dir: &Path) -> Result<File, AuditError> {
    let path: PathBuf = dir.join(LOCK);
    let file = File::options()
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(AuditError::file(&path, "created"))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(AuditError::InUse { dir: dir.to_owned() }),
        Err(TryLockError::Error(error)) => Err(AuditError::file(path, "locked")(error)),
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures::FutureExt;

    use super::*;

    #[test]
    fn a_full_queue_refuses_at_once_and_a_lost_appender_lets_nobody_wait() {
        let dir = tempfile::tempdir().unwrap();
        let recovered = recovery::begin(dir.path(), Uuid::from_u128(1), SEGMENT_BYTES_MIN).unwrap();
        let (_, shared) = Appender::new(dir.path().to_owned(), recovered, &LogOptions::default());
        let (queue, entries) = mpsc::channel(1); // Nobody takes anything out: the disk stands still.
        let log = Log {
            id: Uuid::from_u128(1),
            signs_heads: false,
            queue: Some(queue),
            appender: None,
            shared,
            checkpoints: Mutex::new(Checkpoints::open(dir.path()).unwrap()),
            _lock: lock(dir.path()).unwrap(),
        };
        let mut first = pin!(log.append(vec![1]));
        assert!(first.as_mut().now_or_never().is_none());
        assert!(matches!(log.append(vec![2]).now_or_never(), Some(Err(AuditError::Overloaded))));
        assert!(log.is_healthy());
        drop(entries);
        assert!(matches!(first.now_or_never(), Some(Err(AuditError::Unavailable))));
        assert!(matches!(log.append(vec![3]).now_or_never(), Some(Err(AuditError::Unavailable))));
        assert!(!log.is_healthy());
    }
}
