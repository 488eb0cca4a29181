//! All values of a field, one after the other: for who makes an index of them.

use arrow::{array::AsArray, compute::cast, datatypes::DataType};
use datafusion::error::DataFusionError;
use futures::StreamExt;

use super::{Engine, EngineError, Serving};
use crate::identifiers::{DatasetId, FieldName};

impl Engine {
    /// Hand over every value of a field in the version that is served, which is returned. None: nothing is served, or
    /// another version by the end.
    pub async fn each_value(
        &self,
        dataset: &DatasetId,
        field: &FieldName,
        mut take: impl FnMut(&str) + Send,
    ) -> Result<Option<Serving>, EngineError> {
        let Some(serving) = self.serving(dataset) else { return Ok(None) };
        // Both names are slugs of the catalogue: there is nothing in them that would have to be escaped.
        let text = format!("SELECT \"{field}\" FROM \"{dataset}\" WHERE \"{field}\" IS NOT NULL");
        let frame = Box::pin(self.session.sql(&text)).await?;
        let mut batches = Box::pin(frame.execute_stream()).await?;
        while let Some(batch) = batches.next().await {
            let column = cast(batch?.column(0), &DataType::Utf8).map_err(DataFusionError::from)?;
            column.as_string::<i32>().iter().flatten().for_each(&mut take);
        }
        Ok(Some(serving).filter(|before| self.serving(dataset).as_ref() == Some(before)))
    }
}
