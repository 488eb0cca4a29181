//! Sorted batches into data files that the engine can search by their page index.
//!
//! Each worker has its own [`Writer`]; the files of all are kept together in [`Made`], which removes them again unless they
//! became a version.

use std::{
    fs::{self, File},
    mem,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use arrow::{
    array::{AsArray, RecordBatch},
    error::ArrowError,
};
use parquet::{
    arrow::ArrowWriter,
    basic::Compression,
    file::{
        metadata::{KeyValue, SortingColumn},
        properties::{EnabledStatistics, WriterProperties},
    },
    schema::types::ColumnPath,
};
use uuid::Uuid;

use super::{PublishError, leftovers};
use crate::{
    catalog::Dataset,
    engine::{KINDS, kinds},
    storage::{StorageError, delta::NewFile, sync_folder},
};

/// Rows of a data page: what a look-up decodes. Smaller pages cost file size and page index, larger ones time.
const PAGE_ROWS: usize = 128;
/// Rows of a row group: the fixed part of a look-up grows with the pages in it.
const GROUP_ROWS: usize = 64 * 1024;
/// Rows of a file: what is written anew where a change touches one of its keys. Four row groups; ten million rows are
/// forty files, and a county of Guangdong is a few.
pub const FILE_ROWS: u64 = 4 * GROUP_ROWS as u64;

/// The data files of a version in the making. Dropped before [`Made::keep`], they are removed again.
pub(super) struct Made {
    table: PathBuf,
    key: String,
    key_column: usize,
    properties: WriterProperties,
    files: Mutex<Vec<NewFile>>,
}

impl Made {
    pub(super) fn new(dataset: &Dataset, table: &Path) -> Self {
        let (key_column, _) = dataset.field(dataset.key.as_str()).expect("the catalogue's check has found the key");
        Self {
            table: table.to_owned(),
            key: dataset.key.as_str().to_owned(),
            key_column,
            properties: properties(dataset, key_column),
            files: Mutex::default(),
        }
    }

    /// All of them in the order of their keys; every file is durable, and so are their names after this.
    pub(super) fn finish(&self) -> Result<Vec<NewFile>, PublishError> {
        sync_folder(&self.table)?;
        let mut files = self.files().clone();
        files.sort_by(|one, other| one.key_min.cmp(&other.key_min));
        Ok(files)
    }

    /// The files belong to a version now.
    pub(super) fn keep(&self) {
        self.files().clear();
    }

    fn files(&self) -> MutexGuard<'_, Vec<NewFile>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        for file in mem::take(&mut *self.files()) {
            // What cannot be removed is an orphan that no version names: it costs space, nothing else.
            let _ = fs::remove_file(self.table.join(&file.name));
        }
    }
}

/// Writes sorted batches into files of about equal size.
pub(super) struct Writer<'a> {
    made: &'a Made,
    file_rows: u64,
    open: Option<OpenFile>,
}

struct OpenFile {
    writer: ArrowWriter<File>,
    entry: NewFile,
}

impl<'a> Writer<'a> {
    /// For `rows` rows, or some fewer: one file, unless that would be half as large again as a file is to be.
    pub(super) fn new(made: &'a Made, rows: u64) -> Self {
        let file_rows = if rows <= FILE_ROWS * 3 / 2 { rows.max(1) } else { rows.div_ceil(rows.div_ceil(FILE_ROWS)) };
        Self { made, file_rows, open: None }
    }

    /// Write the rows of a batch of the dataset's columns, whose keys follow those that were written before.
    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<(), PublishError> {
        let mut batch = batch.clone();
        while batch.num_rows() > 0 {
            let open = match &mut self.open {
                Some(open) => open,
                None => self.open.insert(self.made.begin(&batch)?),
            };
            let room = usize::try_from(self.file_rows - open.entry.rows).unwrap_or(usize::MAX);
            let part = batch.slice(0, batch.num_rows().min(room));
            batch = batch.slice(part.num_rows(), batch.num_rows() - part.num_rows());
            open.writer.write(&part).map_err(PublishError::Write)?;
            open.entry.rows += part.num_rows() as u64;
            open.entry.key_max = key_at(&part, self.made.key_column, part.num_rows() - 1);
            if open.entry.rows == self.file_rows {
                self.close()?;
            }
        }
        Ok(())
    }

    /// Close the last file.
    pub(super) fn finish(mut self) -> Result<(), PublishError> {
        self.close()
    }

    /// The open file is whole and durable after this.
    fn close(&mut self) -> Result<(), PublishError> {
        let Some(OpenFile { writer, mut entry }) = self.open.take() else { return Ok(()) };
        let path = self.made.table.join(&entry.name);
        let file = writer.into_inner().map_err(PublishError::Write)?;
        file.sync_all().map_err(StorageError::file(&path, "made durable"))?;
        entry.bytes = file.metadata().map_err(StorageError::file(&path, "read"))?.len();
        if let Some(listed) = self.made.files().iter_mut().find(|listed| listed.name == entry.name) {
            *listed = entry;
        }
        Ok(())
    }
}

impl Made {
    fn begin(&self, batch: &RecordBatch) -> Result<OpenFile, PublishError> {
        let entry = NewFile {
            name: leftovers::file_name(Uuid::new_v4()),
            bytes: 0,
            rows: 0,
            key: self.key.clone(),
            key_min: key_at(batch, self.key_column, 0),
            key_max: String::new(),
        };
        let path = self.table.join(&entry.name);
        // Listed before it is there, so that it is removed again whatever happens next.
        self.files().push(entry.clone());
        let file = File::create_new(&path).map_err(StorageError::file(&path, "written"))?;
        let writer = ArrowWriter::try_new(file, Arc::clone(batch.schema_ref()), Some(self.properties.clone()));
        Ok(OpenFile { writer: writer.map_err(PublishError::Write)?, entry })
    }
}

fn key_at(batch: &RecordBatch, key: usize, row: usize) -> String {
    batch.column(key).as_string::<i32>().value(row).to_owned()
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
        // Bounds of pages are kept for keys only (below): for the other columns they would cost more memory than they save.
        .set_statistics_enabled(EnabledStatistics::Chunk)
        // Key bounds are kept whole: pages whose cut bounds touch would look as if they overlapped.
        .set_column_index_truncate_length(None)
        .set_sorting_columns(Some(vec![sorted]))
        // A later catalogue may say otherwise of a field; the file then tells what it was.
        .set_key_value_metadata(Some(vec![KeyValue::new(KINDS.to_owned(), kinds(dataset))]));
    // The key's page is searched in every look-up; unpacking it would take longer than searching it.
    let key = ColumnPath::from(dataset.key.as_str());
    builder = builder
        .set_column_statistics_enabled(key.clone(), EnabledStatistics::Page)
        .set_column_compression(key, Compression::UNCOMPRESSED);
    for name in &dataset.secondary_keys {
        let column = ColumnPath::from(name.as_str());
        builder = builder
            .set_column_statistics_enabled(column.clone(), EnabledStatistics::Page)
            .set_column_bloom_filter_enabled(column.clone(), true)
            .set_column_bloom_filter_max_ndv(column, GROUP_ROWS as u64);
    }
    builder.build()
}

pub(super) fn write_failed(error: ArrowError) -> PublishError {
    PublishError::Write(error.into())
}
