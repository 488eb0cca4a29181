//! A scan of whole files, put together by hand: which files, which columns, which predicate.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::{
    config::TableParquetOptions,
    datasource::{
        listing::PartitionedFile,
        object_store::ObjectStoreUrl,
        physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource},
        source::DataSourceExec,
    },
    error::Result as DfResult,
    physical_expr::PhysicalExpr,
};

use super::mapped::MappedReaders;

/// Read what a predicate leaves of whole files: row groups, bloom filters and pages are pruned, then rows filtered.
pub(super) fn files(
    groups: Vec<Vec<PartitionedFile>>,
    schema: &SchemaRef,
    columns: Option<Vec<usize>>,
    predicate: Option<Arc<dyn PhysicalExpr>>,
    limit: Option<usize>,
) -> DfResult<Arc<DataSourceExec>> {
    let mut source = ParquetSource::new(Arc::clone(schema))
        .with_table_parquet_options(TableParquetOptions::default())
        .with_parquet_file_reader_factory(Arc::new(MappedReaders))
        .with_enable_page_index(true)
        .with_bloom_filter_on_read(true)
        .with_pushdown_filters(true);
    if let Some(predicate) = predicate {
        source = source.with_predicate(predicate);
    }
    let config = FileScanConfigBuilder::new(ObjectStoreUrl::local_filesystem(), Arc::new(source))
        .with_projection_indices(columns)?
        .with_file_groups(groups.into_iter().map(FileGroup::new).collect())
        .with_limit(limit)
        .build();
    Ok(DataSourceExec::from_data_source(config))
}
