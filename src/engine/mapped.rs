//! One Parquet file of a version: its bytes and a footer that was parsed once.

use std::{ops::Range, path::Path, sync::Arc};

use bytes::{Buf, Bytes, buf::Reader};
use datafusion::{
    datasource::{listing::PartitionedFile, physical_plan::ParquetFileReaderFactory},
    error::Result as DfResult,
    physical_plan::metrics::ExecutionPlanMetricsSet,
};
use futures::{
    FutureExt,
    future::{BoxFuture, ready},
};
use parquet::{
    arrow::{
        arrow_reader::ArrowReaderOptions,
        async_reader::{AsyncFileReader, MetadataFetch},
    },
    errors::{ParquetError, Result as ParquetResult},
    file::{
        metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader},
        reader::{ChunkReader, Length},
    },
};
use tokio::runtime::Handle;

use super::EngineError;
use crate::storage::{DataBytes, StorageError, delta::DataFile};

/// An open data file. Cheap to share; reading what is here is a copy from the page cache at most.
#[derive(Debug)]
pub(super) struct MappedFile {
    pub(super) name: String,
    bytes: DataBytes,
    pub(super) metadata: Arc<ParquetMetaData>,
}

impl MappedFile {
    /// Read the footer. Waits for the object store where the file is in one, so it must not be called on a thread of the
    /// runtime.
    pub(super) fn open(file: &DataFile) -> Result<Arc<Self>, EngineError> {
        let bytes = file.open()?;
        // Without the page index DataFusion would read it again on every call, and skip no page.
        let mut reader = ParquetMetaDataReader::new().with_page_index_policy(PageIndexPolicy::Required);
        let parsed = match &bytes {
            DataBytes::Mapped(whole) => reader.try_parse(whole).and_then(|()| reader.finish()),
            DataBytes::Cached(_) => Handle::current().block_on(reader.load_and_finish(Footer(&bytes), bytes.length())),
        };
        let metadata = match parsed {
            Ok(metadata) => Arc::new(metadata),
            Err(ParquetError::External(error)) => return Err(unread(error, &file.path)),
            Err(error) => return Err(not_ours(&file.path, error.to_string())),
        };
        let name = file.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Arc::new(Self { name, bytes, metadata }))
    }

    pub(super) fn rows(&self) -> u64 {
        u64::try_from(self.metadata.file_metadata().num_rows()).unwrap_or_default()
    }

    /// The file as DataFusion names it; its bytes travel along as an extension.
    pub(super) fn partitioned(self: &Arc<Self>) -> PartitionedFile {
        PartitionedFile::new(self.name.clone(), self.bytes.length()).with_extension(Arc::clone(self))
    }

    /// Are all bytes of it on this machine?
    pub(super) fn is_whole(&self) -> bool {
        matches!(self.bytes, DataBytes::Mapped(_))
    }

    /// The bytes of a range, if all of them are here: always, for a file of this machine.
    pub(super) fn here(&self, range: &Range<u64>) -> Option<Bytes> {
        self.bytes.here(range)
    }

    /// The bytes of each range; what is not here is fetched first, or is an error. Never a hole.
    pub(super) async fn read(&self, ranges: &[Range<u64>]) -> ParquetResult<Vec<Bytes>> {
        self.bytes.read(ranges).await.map_err(|error| ParquetError::External(Box::new(error)))
    }
}

impl Length for MappedFile {
    fn len(&self) -> u64 {
        self.bytes.length()
    }
}

/// What is copied rather than shared: pages as we write them.
const COPIED_BYTES_MAX: usize = 16 * 1024;

/// Reads what is here. What is not is an error, never a hole.
impl ChunkReader for MappedFile {
    type T = Reader<Bytes>;

    fn get_read(&self, start: u64) -> ParquetResult<Self::T> {
        self.get_bytes(start, usize::try_from(self.len().saturating_sub(start)).unwrap_or_default()).map(Buf::reader)
    }

    fn get_bytes(&self, start: u64, length: usize) -> ParquetResult<Bytes> {
        let range = start..start + length as u64;
        let missing = || ParquetError::EOF(format!("bytes {range:?} of `{}` are not here", self.name));
        let here = self.here(&range).ok_or_else(missing)?;
        // Slices of the map are counted at one place for all cores, and the library makes many of a page: of a copy.
        Ok(if length <= COPIED_BYTES_MAX { Bytes::copy_from_slice(&here) } else { here })
    }
}

pub(super) fn not_ours(path: &Path, reason: String) -> EngineError {
    EngineError::NotOurs { path: path.to_owned(), reason }
}

/// A store that did not answer says nothing about the file.
fn unread(error: Box<dyn std::error::Error + Send + Sync>, path: &Path) -> EngineError {
    match error.downcast::<StorageError>() {
        Ok(error) => EngineError::Storage(*error),
        Err(error) => not_ours(path, error.to_string()),
    }
}

struct Footer<'a>(&'a DataBytes);

impl MetadataFetch for Footer<'_> {
    fn fetch(&mut self, range: Range<u64>) -> BoxFuture<'_, ParquetResult<Bytes>> {
        let bytes = self.0;
        async move {
            let read = bytes.read(&[range]).await.map_err(|error| ParquetError::External(Box::new(error)))?;
            Ok(read.into_iter().next().unwrap_or_default())
        }
        .boxed()
    }
}

/// Gives DataFusion the bytes that came with the file.
#[derive(Debug)]
pub(super) struct MappedReaders;

impl ParquetFileReaderFactory for MappedReaders {
    fn create_reader(
        &self,
        _partition_index: usize,
        file: PartitionedFile,
        _metadata_size_hint: Option<usize>,
        _metrics: &ExecutionPlanMetricsSet,
    ) -> DfResult<Box<dyn AsyncFileReader + Send>> {
        match file.extension::<Arc<MappedFile>>() {
            Some(mapped) => Ok(Box::new(MappedReader(Arc::clone(mapped)))),
            None => datafusion::common::internal_err!("a file without its bytes"),
        }
    }
}

struct MappedReader(Arc<MappedFile>);

impl AsyncFileReader for MappedReader {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, ParquetResult<Bytes>> {
        match self.0.here(&range) {
            Some(slice) => ready(Ok(slice)).boxed(),
            None => async move { Ok(self.0.read(&[range]).await?.into_iter().next().unwrap_or_default()) }.boxed(),
        }
    }

    fn get_byte_ranges(&mut self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, ParquetResult<Vec<Bytes>>> {
        match ranges.iter().map(|range| self.0.here(range)).collect() {
            Some(slices) => ready(Ok(slices)).boxed(),
            // All at once: a page of each column is one round trip, not one each.
            None => async move { self.0.read(&ranges).await }.boxed(),
        }
    }

    fn get_metadata<'a>(
        &'a mut self,
        _options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, ParquetResult<Arc<ParquetMetaData>>> {
        ready(Ok(Arc::clone(&self.0.metadata))).boxed()
    }
}
