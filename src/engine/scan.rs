//! Physical plans put together by hand: which file, which rows, which columns.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::{
    config::TableParquetOptions,
    datasource::{
        listing::PartitionedFile,
        object_store::ObjectStoreUrl,
        physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource, parquet::ParquetAccessPlan},
        source::DataSourceExec,
    },
    error::Result as DfResult,
    physical_expr::PhysicalExpr,
};
use parquet::arrow::arrow_reader::{RowSelection, RowSelector};

use super::{
    keypages::Place,
    mapped::{MappedFile, MappedReaders},
};

/// Read the rows of one page.
pub(super) fn page(
    file: &Arc<MappedFile>,
    place: Place,
    schema: &SchemaRef,
    columns: Vec<usize>,
) -> DfResult<Arc<DataSourceExec>> {
    let groups = file.metadata.row_groups();
    let (group, first, rows) = (place.group as usize, place.first as usize, place.rows as usize);
    let total = usize::try_from(groups[group].num_rows()).unwrap_or_default();
    let mut access = ParquetAccessPlan::new_none(groups.len());
    access.scan(group);
    access.scan_selection(
        group,
        RowSelection::from(vec![
            RowSelector::skip(first),
            RowSelector::select(rows),
            RowSelector::skip(total - first - rows),
        ]),
    );
    let partitioned = file.partitioned().with_extension(access);
    let source = ParquetSource::new(Arc::clone(schema)).with_parquet_file_reader_factory(Arc::new(MappedReaders));
    let config = FileScanConfigBuilder::new(ObjectStoreUrl::local_filesystem(), Arc::new(source))
        .with_projection_indices(Some(columns))?
        .with_file(partitioned)
        .build();
    Ok(DataSourceExec::from_data_source(config))
}

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
