//! The version that changes are applied to: its files, and the range of keys of each.

use std::{
    fs::File,
    path::{Path, PathBuf},
};

use arrow::datatypes::SchemaRef;
use parquet::{
    arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder},
    errors::{ParquetError, Result as ParquetResult},
    file::{
        metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader},
        page_index::column_index::ColumnIndexMetaData,
    },
};

use super::{PublishError, ranges::Bounds};
use crate::{
    catalog::Dataset,
    engine::{KINDS, arrow_schema, retyped},
    identifiers::VersionNo,
    storage::{StorageError, delta},
};

const BATCH_ROWS: usize = 8192;

/// A published version, file by file in the order of keys.
pub(super) struct Base {
    pub(super) version: VersionNo,
    pub(super) files: Vec<BaseFile>,
    schema: SchemaRef,
}

#[derive(Debug)]
pub(super) struct BaseFile {
    pub(super) path: PathBuf,
    pub(super) rows: u64,
    first: Key,
    last: Key,
}

impl Base {
    /// The newest version. Refuses one whose files were not written by `publish` for the catalogue as it is today: a merge
    /// with it would not be sorted, or lack a column.
    pub(super) async fn newest(table: &Path, dataset: &Dataset) -> Result<Self, PublishError> {
        let Some(newest) = delta::read(table).await? else {
            return Err(PublishError::NoBase { dataset: dataset.id.clone() });
        };
        let unfit = |reason: &str| PublishError::UnfitBase { dataset: dataset.id.clone(), reason: reason.to_owned() };
        let mut files = Vec::with_capacity(newest.files.len());
        for file in newest.files {
            let metadata = footer(&file.path)?;
            let told = metadata.file_metadata().key_value_metadata().into_iter().flatten().find(|one| one.key == KINDS);
            if let Some(reason) = told.and_then(|told| retyped(dataset, told.value.as_deref()?)) {
                let reason = reason.trim_end_matches(". Publish the register again");
                return Err(unfit(reason));
            }
            let (first, last) = key_range(&metadata, dataset).ok_or_else(|| unfit("a file has no page index"))?;
            let rows = u64::try_from(metadata.file_metadata().num_rows()).unwrap_or_default();
            files.push(BaseFile { path: file.path, rows, first, last });
        }
        files.sort_by(|one, other| one.first.cmp(&other.first));
        if files.windows(2).any(|pair| pair[0].last >= pair[1].first) {
            return Err(unfit("the keys of its files overlap"));
        }
        let base = Self { version: newest.version, files, schema: arrow_schema(dataset) };
        // The first tells it at once; the others are looked at when they are read.
        let first = base.files.first().ok_or_else(|| unfit("it holds no record"))?;
        match base.read(first)? {
            Some(_) => Ok(base),
            None => Err(unfit("its columns are not those of the catalogue")),
        }
    }

    /// One range for each file: the keys from its first one on.
    pub(super) fn bounds(&self) -> Bounds {
        Bounds::new(self.files.iter().skip(1).map(|file| file.first.clone()))
    }

    /// The rows of a file; nothing where its columns are not the catalogue's.
    pub(super) fn read(&self, file: &BaseFile) -> Result<Option<ParquetRecordBatchReader>, PublishError> {
        let opened = File::open(&file.path).map_err(StorageError::file(&file.path, "opened"))?;
        let reader = ParquetRecordBatchReaderBuilder::try_new(opened).map_err(PublishError::ReadBase)?;
        let found = reader.schema().fields().iter().map(|field| (field.name(), field.data_type()));
        if !found.eq(self.schema.fields().iter().map(|field| (field.name(), field.data_type()))) {
            return Ok(None);
        }
        reader.with_batch_size(BATCH_ROWS).build().map(Some).map_err(PublishError::ReadBase)
    }
}

fn footer(path: &Path) -> Result<ParquetMetaData, PublishError> {
    let file = File::open(path).map_err(StorageError::file(path, "opened"))?;
    let mut reader = ParquetMetaDataReader::new().with_page_index_policy(PageIndexPolicy::Optional);
    let parsed: ParquetResult<_> = reader.try_parse(&file).and_then(|()| reader.finish());
    parsed.map_err(|error: ParquetError| PublishError::ReadBase(error))
}

type Key = Box<[u8]>;

/// The first and the last key, which the page index holds whole.
fn key_range(metadata: &ParquetMetaData, dataset: &Dataset) -> Option<(Key, Key)> {
    let columns = metadata.file_metadata().schema_descr().columns();
    let key = columns.iter().position(|column| column.name() == dataset.key.as_str())?;
    let index = |group: &[ColumnIndexMetaData]| match group.get(key) {
        Some(ColumnIndexMetaData::BYTE_ARRAY(index)) => {
            let pages = usize::try_from(index.num_pages()).ok()?;
            Some::<(Key, Key)>((index.min_value(0)?.into(), index.max_value(pages.checked_sub(1)?)?.into()))
        }
        _ => None,
    };
    let groups = metadata.column_index()?;
    let ((first, _), (_, last)) = (index(groups.first()?)?, index(groups.last()?)?);
    Some((first, last))
}
