//! A slice as a file: written once, on the way through the cut, and checked where it arrives.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom, Write},
    path::Path,
    sync::Arc,
};

use arrow::array::RecordBatch;
use aws_lc_rs::digest::{Context, SHA256};
use futures::StreamExt;
use parquet::{
    arrow::ArrowWriter,
    basic::Compression,
    file::{metadata::ParquetMetaDataReader, properties::WriterProperties},
};
use tokio::sync::mpsc;

use super::{Cut, Manifest, ReturnError};
use crate::{audit::Digest, engine::BatchStream};

/// Batches between the reader and the writer: what one is ahead of the other is memory.
const BATCHES_AHEAD: usize = 2;
/// Rows that the writer holds in memory before it writes them.
const GROUP_ROWS: usize = 64 * 1024;
/// What is read of a file at a time.
const PIECE_BYTES: usize = 256 * 1024;

/// What leaves, on the disk of the source. The file has no name: it is gone with the process, however that ends.
#[derive(Debug)]
pub struct Slice {
    pub file: File,
    pub rows: u64,
    pub bytes: u64,
    pub sha256: Digest,
}

/// Cut every batch and write what is left of it to a file in that folder.
///
/// Dropping the future stops the work and leaves nothing behind.
pub async fn spool(folder: &Path, cut: Cut, mut batches: BatchStream) -> Result<Slice, ReturnError> {
    let (ahead, behind) = mpsc::channel(BATCHES_AHEAD);
    let folder = folder.to_owned();
    let writing = tokio::task::spawn_blocking(move || write(&folder, &cut, behind));
    while let Some(batch) = batches.next().await {
        // A writer that has failed takes no more; what it says counts.
        if ahead.send(batch?).await.is_err() {
            break;
        }
    }
    drop(ahead);
    writing.await?
}

fn write(folder: &Path, cut: &Cut, mut batches: mpsc::Receiver<RecordBatch>) -> Result<Slice, ReturnError> {
    std::fs::create_dir_all(folder).map_err(ReturnError::file(folder, "made"))?;
    let file = tempfile::tempfile_in(folder).map_err(ReturnError::file(folder, "written to"))?;
    let properties = WriterProperties::builder()
        .set_compression(Compression::LZ4_RAW)
        .set_max_row_group_row_count(Some(GROUP_ROWS))
        .build();
    let hashing = Hashing { file, hash: Context::new(&SHA256), bytes: 0 };
    let mut writer =
        ArrowWriter::try_new(hashing, Arc::clone(cut.schema()), Some(properties)).map_err(ReturnError::Write)?;
    let mut rows = 0;
    while let Some(batch) = batches.blocking_recv() {
        let kept = cut.cut(&batch).map_err(|error| ReturnError::Write(error.into()))?;
        rows += kept.num_rows() as u64;
        writer.write(&kept).map_err(ReturnError::Write)?;
    }
    let Hashing { mut file, hash, bytes } = writer.into_inner().map_err(ReturnError::Write)?;
    file.seek(SeekFrom::Start(0)).map_err(ReturnError::file(folder, "read"))?;
    Ok(Slice { file, rows, bytes, sha256: finished(hash) })
}

/// Everything that passes is hashed and counted.
struct Hashing {
    file: File,
    hash: Context,
    bytes: u64,
}

impl Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hash.update(&bytes[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn finished(hash: Context) -> Digest {
    let mut digest = [0; 32];
    digest.copy_from_slice(hash.finish().as_ref());
    Digest(digest)
}

/// Is this file what the manifest states: these bytes, so many rows?
pub fn check(path: &Path, manifest: &Manifest) -> Result<(), ReturnError> {
    let wrong = |reason: &str| ReturnError::Bytes { reason: reason.to_owned() };
    let read = || ReturnError::file(path, "read");
    let mut file = File::open(path).map_err(read())?;
    let (mut hash, mut bytes, mut piece) = (Context::new(&SHA256), 0, vec![0; PIECE_BYTES]);
    loop {
        match file.read(&mut piece).map_err(read())? {
            0 => break,
            length => {
                hash.update(&piece[..length]);
                bytes += length as u64;
            }
        }
    }
    if bytes != manifest.bytes {
        return Err(wrong("it is not as long as the manifest says"));
    }
    if finished(hash) != manifest.sha256 {
        return Err(wrong("its SHA-256 is not that of the manifest"));
    }
    let parsed = ParquetMetaDataReader::new().parse_and_finish(&file).map_err(|_| wrong("it is no Parquet file"))?;
    match u64::try_from(parsed.file_metadata().num_rows()) == Ok(manifest.rows) {
        true => Ok(()),
        false => Err(wrong("it has not as many rows as the manifest says")),
    }
}
