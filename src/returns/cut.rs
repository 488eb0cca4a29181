//! The cut itself: of a batch of a register, the rows of one area and the columns that leave. Pure.

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, AsArray, BooleanArray, RecordBatch, RecordBatchOptions, StringArray},
    compute::filter,
    datatypes::{DataType, Field, Schema, SchemaRef},
    error::ArrowError,
};

use super::{ReturnError, Terms};
use crate::{
    catalog::{MaskStyle, Value},
    identifiers::DivisionCode,
    verification::mask,
};

/// The terms, found in the columns of the batches that come.
#[derive(Clone, Debug)]
pub struct Cut {
    area: DivisionCode,
    division: usize,
    /// Column of the batch, and how it is masked.
    columns: Vec<(usize, Option<MaskStyle>)>,
    schema: SchemaRef,
}

impl Cut {
    /// For batches of that schema, which has the columns of [`Terms::columns`].
    pub fn new(terms: &Terms, schema: &Schema) -> Result<Self, ReturnError> {
        let wrong = |reason: String| ReturnError::Layout { dataset: terms.dataset.clone(), reason };
        let place = |name: &str| {
            let text = |found: &Field| *found.data_type() == DataType::Utf8;
            let at = schema.index_of(name).map_err(|_| wrong(format!("it has no column `{name}`")))?;
            Ok::<_, ReturnError>((at, text(schema.field(at))))
        };
        let (division, true) = place(terms.division.as_str())? else {
            return Err(wrong(format!("`{}` is no text", terms.division)));
        };
        let mut columns = Vec::with_capacity(terms.leaving.len());
        for one in &terms.leaving {
            let (at, is_text) = place(one.field.as_str())?;
            if one.mask.is_some() && !is_text {
                return Err(wrong(format!("`{}` is to be masked and is no text", one.field)));
            }
            columns.push((at, one.mask));
        }
        let fields: Vec<_> = columns.iter().map(|(at, _)| schema.field(*at).clone()).collect();
        Ok(Self { area: terms.area, division, columns, schema: Arc::new(Schema::new(fields)) })
    }

    /// The schema of what leaves.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// What leaves of a batch.
    pub fn cut(&self, batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        let divisions = batch.column(self.division).as_string::<i32>();
        let concerned: BooleanArray =
            divisions.iter().map(|code| Some(code.is_some_and(|code| self.concerns(code)))).collect();
        let column = |(at, style): &(usize, Option<MaskStyle>)| {
            let kept = filter(batch.column(*at), &concerned)?;
            Ok(style.map_or_else(|| Arc::clone(&kept), |style| masked(&kept, style)))
        };
        let columns = self.columns.iter().map(column).collect::<Result<Vec<_>, ArrowError>>()?;
        let rows = RecordBatchOptions::new().with_row_count(Some(concerned.true_count()));
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &rows)
    }

    /// A record that does not say where it belongs, belongs to nobody's division. Old codes count as those that took their
    /// place.
    fn concerns(&self, code: &str) -> bool {
        let place: Option<DivisionCode> = code.parse().ok();
        place.is_some_and(|place| self.area.contains(&place.successor().unwrap_or(place)))
    }
}

fn masked(column: &ArrayRef, style: MaskStyle) -> ArrayRef {
    let shown = |text: &str| mask(style, &Value::Text(text.to_owned()));
    Arc::new(column.as_string::<i32>().iter().map(|cell| cell.map(shown)).collect::<StringArray>())
}
