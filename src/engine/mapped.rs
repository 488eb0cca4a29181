//! One Parquet file of a version: mapped bytes and a footer that was parsed once.

use std::{ops::Range, path::Path, sync::Arc};

use bytes::Bytes;
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
    arrow::{arrow_reader::ArrowReaderOptions, async_reader::AsyncFileReader},
    errors::{ParquetError, Result as ParquetResult},
    file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader},
};

use super::EngineError;
use crate::storage::{delta::DataFile, map_file};

/// An open data file. Cheap to share; reading it is a copy from the page cache at most.
#[derive(Debug)]
pub(super) struct MappedFile {
    pub(super) name: String,
    pub(super) bytes: Bytes,
    pub(super) metadata: Arc<ParquetMetaData>,
}

impl MappedFile {
    pub(super) fn open(file: &DataFile) -> Result<Arc<Self>, EngineError> {
        let bytes = map_file(&file.path)?;
        // Without the page index DataFusion would read it again on every call, and skip no page.
        let mut reader = ParquetMetaDataReader::new().with_page_index_policy(PageIndexPolicy::Required);
        let parsed = reader.try_parse(&bytes).and_then(|()| reader.finish());
        let metadata = parsed.map_err(|error| not_ours(&file.path, error.to_string()))?;
        let name = file.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Arc::new(Self { name, bytes, metadata: Arc::new(metadata) }))
    }

    pub(super) fn rows(&self) -> u64 {
        u64::try_from(self.metadata.file_metadata().num_rows()).unwrap_or_default()
    }

    /// The file as DataFusion names it; the mapped bytes travel along as an extension.
    pub(super) fn partitioned(self: &Arc<Self>) -> PartitionedFile {
        PartitionedFile::new(self.name.clone(), self.bytes.len() as u64).with_extension(Arc::clone(self))
    }
}

pub(super) fn not_ours(path: &Path, reason: String) -> EngineError {
    EngineError::NotOurs { path: path.to_owned(), reason }
}

/// Gives DataFusion the mapped bytes that came with the file.
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
            None => datafusion::common::internal_err!("a file without its map"),
        }
    }
}

struct MappedReader(Arc<MappedFile>);

impl AsyncFileReader for MappedReader {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, ParquetResult<Bytes>> {
        let length = self.0.bytes.len() as u64;
        let slice = if range.start <= range.end && range.end <= length {
            Ok(self.0.bytes.slice(range.start as usize..range.end as usize))
        } else {
            Err(ParquetError::EOF(format!("bytes {range:?} of a file of {length}")))
        };
        ready(slice).boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        _options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, ParquetResult<Arc<ParquetMetaData>>> {
        ready(Ok(Arc::clone(&self.0.metadata))).boxed()
    }
}
