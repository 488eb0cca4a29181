//! Sorted batches into data files that the engine can search by their page index.

use std::{
    fs::{self, File},
    ops::Deref,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use arrow::{
    array::{Array, AsArray, BooleanArray, RecordBatch},
    compute::filter_record_batch,
    datatypes::UInt64Type,
};
use parquet::{
    arrow::ArrowWriter,
    basic::Compression,
    file::{
        metadata::SortingColumn,
        properties::{EnabledStatistics, WriterProperties},
    },
    schema::types::ColumnPath,
};
use uuid::Uuid;

use super::{PublishError, leftovers, rejects::Rejects};
use crate::{
    catalog::Dataset,
    storage::{StorageError, delta::NewFile, sync_folder},
};

/// Rows of a data page: what a look-up decodes. Smaller pages cost file size and page index, larger ones time.
const PAGE_ROWS: usize = 256;
/// Rows of a row group: the fixed part of a look-up grows with the pages in it.
const GROUP_ROWS: usize = 64 * 1024;
/// Rows of a file: so many that ten million rows are a handful of files.
const FILE_ROWS: u64 = 32 * GROUP_ROWS as u64;

/// The data files of a version in the making. Dropped before [`Finished::keep`], they are removed again.
pub(super) struct DataFiles {
    table: PathBuf,
    key: String,
    key_column: usize,
    properties: WriterProperties,
    open: Option<OpenFile>,
    done: Finished,
    rows: u64,
    last_key: Option<String>,
}

struct OpenFile {
    writer: ArrowWriter<File>,
    entry: NewFile,
}

/// Data files that are whole and durable, and not yet part of a version.
pub(super) struct Finished {
    table: PathBuf,
    files: Vec<NewFile>,
    kept: bool,
}

impl DataFiles {
    pub(super) fn new(dataset: &Dataset, table: &Path) -> Self {
        let key_column = dataset.field(dataset.key.as_str()).map_or(0, |(position, _)| position);
        Self {
            table: table.to_owned(),
            key: dataset.key.as_str().to_owned(),
            key_column,
            properties: properties(dataset, key_column),
            open: None,
            done: Finished { table: table.to_owned(), files: Vec::new(), kept: false },
            rows: 0,
            last_key: None,
        }
    }

    pub(super) fn rows(&self) -> u64 {
        self.rows
    }

    /// Write the rows of a sorted batch; of rows with the same key the first in the input stays.
    pub(super) fn write(&mut self, batch: &RecordBatch, rejects: &Mutex<Rejects>) -> Result<(), PublishError> {
        let keys = batch.column(self.key_column).as_string::<i32>();
        let lines = batch.column(batch.num_columns() - 1).as_primitive::<UInt64Type>();
        let mut unique = Vec::with_capacity(keys.len());
        for row in 0..keys.len() {
            let before = if row == 0 { self.last_key.as_deref() } else { Some(keys.value(row - 1)) };
            let is_new = before != Some(keys.value(row));
            if !is_new {
                let reason = "an earlier row has the same key".to_owned();
                let mut rejects = rejects.lock().unwrap_or_else(PoisonError::into_inner);
                rejects.add(lines.value(row), &[(self.key.clone(), reason)])?;
            }
            unique.push(is_new);
        }
        if let Some(last) = keys.len().checked_sub(1) {
            self.last_key = Some(keys.value(last).to_owned());
        }
        let kept = filter_record_batch(batch, &BooleanArray::from(unique)).map_err(write_failed)?;
        let stored = kept.project(&(0..kept.num_columns() - 1).collect::<Vec<_>>()).map_err(write_failed)?;
        self.append(stored)
    }

    fn append(&mut self, mut batch: RecordBatch) -> Result<(), PublishError> {
        while batch.num_rows() > 0 {
            let mut open = match self.open.take() {
                Some(open) => open,
                None => self.begin(&batch)?,
            };
            let room = usize::try_from(FILE_ROWS - open.entry.rows).unwrap_or(usize::MAX);
            let part = batch.slice(0, batch.num_rows().min(room));
            batch = batch.slice(part.num_rows(), batch.num_rows() - part.num_rows());
            open.writer.write(&part).map_err(PublishError::Write)?;
            open.entry.rows += part.num_rows() as u64;
            self.rows += part.num_rows() as u64;
            open.entry.key_max = part.column(self.key_column).as_string::<i32>().value(part.num_rows() - 1).to_owned();
            if open.entry.rows == FILE_ROWS {
                self.done.close(open)?;
            } else {
                self.open = Some(open);
            }
        }
        Ok(())
    }

    fn begin(&mut self, batch: &RecordBatch) -> Result<OpenFile, PublishError> {
        let name = leftovers::file_name(Uuid::new_v4());
        let path = self.table.join(&name);
        let file = File::create_new(&path).map_err(StorageError::file(&path, "written"))?;
        let entry = NewFile {
            name,
            bytes: 0,
            rows: 0,
            key: self.key.clone(),
            key_min: batch.column(self.key_column).as_string::<i32>().value(0).to_owned(),
            key_max: String::new(),
        };
        // Listed at once, so that it is removed again whatever happens next.
        self.done.files.push(entry.clone());
        let writer = ArrowWriter::try_new(file, Arc::clone(batch.schema_ref()), Some(self.properties.clone()));
        Ok(OpenFile { writer: writer.map_err(PublishError::Write)?, entry })
    }

    /// Close the last file and make all of them durable.
    pub(super) fn finish(mut self) -> Result<Finished, PublishError> {
        if let Some(open) = self.open.take() {
            self.done.close(open)?;
        }
        sync_folder(&self.table)?;
        Ok(self.done)
    }
}

impl Finished {
    fn close(&mut self, open: OpenFile) -> Result<(), PublishError> {
        let OpenFile { writer, mut entry } = open;
        let path = self.table.join(&entry.name);
        let file = writer.into_inner().map_err(PublishError::Write)?;
        file.sync_all().map_err(StorageError::file(&path, "made durable"))?;
        entry.bytes = file.metadata().map_err(StorageError::file(&path, "read"))?.len();
        if let Some(listed) = self.files.last_mut() {
            *listed = entry;
        }
        Ok(())
    }

    /// The files belong to a version now.
    pub(super) fn keep(mut self) {
        self.kept = true;
    }
}

impl Deref for Finished {
    type Target = [NewFile];
    fn deref(&self) -> &[NewFile] {
        &self.files
    }
}

impl Drop for Finished {
    fn drop(&mut self) {
        if !self.kept {
            for file in &self.files {
                // What cannot be removed is an orphan that no version names: it costs space, nothing else.
                let _ = fs::remove_file(self.table.join(&file.name));
            }
        }
    }
}

fn properties(dataset: &Dataset, key_column: usize) -> WriterProperties {
    let sorted = SortingColumn {
        column_idx: i32::try_from(key_column).unwrap_or_default(),
        descending: false,
        nulls_first: false,
    };
    let mut builder = WriterProperties::builder()
        .set_compression(Compression::LZ4_RAW)
        // A look-up reads one page; a dictionary would be one more to decode, for values that hardly repeat in a page.
        .set_dictionary_enabled(false)
        .set_data_page_row_count_limit(PAGE_ROWS)
        // The row limit is looked at between write batches only.
        .set_write_batch_size(PAGE_ROWS)
        .set_max_row_group_row_count(Some(GROUP_ROWS))
        .set_statistics_enabled(EnabledStatistics::Page)
        // Key bounds are kept whole: pages whose cut bounds touch would look as if they overlapped.
        .set_column_index_truncate_length(None)
        .set_sorting_columns(Some(vec![sorted]));
    for name in &dataset.secondary_keys {
        let column = ColumnPath::from(name.as_str());
        builder = builder
            .set_column_bloom_filter_enabled(column.clone(), true)
            .set_column_bloom_filter_max_ndv(column, GROUP_ROWS as u64);
    }
    builder.build()
}

fn write_failed(error: arrow::error::ArrowError) -> PublishError {
    PublishError::Write(error.into())
}
