//! Rows against the catalogue: every cell typed, or the row rejected with every reason.

use std::sync::Arc;

use chrono::NaiveDate;

use super::{
    input::CHANGE,
    packed::Packer,
    rejects::Reasons,
    rows::{Given, Row},
};
use crate::catalog::{Cell, Dataset, Field};

/// Bytes of a key; far above every identifier, far below what a packed row can hold.
const KEY_BYTES_MAX: usize = 4096;

/// Checks rows one by one.
pub(super) struct Checker {
    dataset: Arc<Dataset>,
    today: NaiveDate,
    key: usize,
    /// Is the file one of changes?
    changes: bool,
    packer: Packer,
}

impl Checker {
    pub(super) fn new(dataset: &Arc<Dataset>, today: NaiveDate, changes: bool) -> Self {
        let (key, _) = dataset.field(dataset.key.as_str()).expect("the catalogue's check has found the key");
        Self { dataset: Arc::clone(dataset), today, key, changes, packer: Packer::new() }
    }

    /// The row's key and the row, packed; or nothing, and the reasons are written down.
    pub(super) fn check(&mut self, row: &Row<'_>, rejects: &mut Reasons) -> Option<(&[u8], &[u8])> {
        if let Some(reason) = row.misshapen() {
            rejects.row(row.line);
            rejects.reason("", reason);
            return None;
        }
        match self.pack(row) {
            true => Some(self.packer.end()),
            false => {
                self.explain(row, rejects);
                None
            }
        }
    }

    /// Type and pack every cell; false where one is bad.
    fn pack(&mut self, row: &Row<'_>) -> bool {
        let Self { dataset, today, key, changes, packer } = self;
        let Ok(deletion) = is_deletion(row, *changes) else { return false };
        let Ok(Some(Cell::Text(text))) = key_cell(&dataset.fields[*key], row.cell(*key), *today) else { return false };
        packer.begin(row.line, deletion, &text);
        for (position, field) in dataset.fields.iter().enumerate().filter(|(position, _)| position != key) {
            if deletion {
                packer.cell(None); // Whatever else stands in the row of a deletion does not count.
                continue;
            }
            match typed(field, row.cell(position), *today) {
                Ok(cell) => packer.cell(cell.as_ref()),
                Err(_) => return false,
            }
        }
        true
    }

    /// Write down everything that is wrong with a row.
    fn explain(&self, row: &Row<'_>, rejects: &mut Reasons) {
        rejects.row(row.line);
        let deletion = is_deletion(row, self.changes);
        for (position, field) in self.dataset.fields.iter().enumerate() {
            let cell = row.cell(position);
            let told = match position == self.key {
                true => key_cell(field, cell, self.today),
                false if deletion == Ok(true) => Ok(None),
                false => typed(field, cell, self.today),
            };
            if let Err(reason) = told {
                rejects.reason(field.name.as_str(), reason);
            }
        }
        if let Err(reason) = deletion {
            rejects.reason(CHANGE, reason.to_owned());
        }
    }
}

fn is_deletion(row: &Row<'_>, changes: bool) -> Result<bool, &'static str> {
    match row.change() {
        _ if !changes => Ok(false),
        Given::Text("upsert") => Ok(false),
        Given::Text("delete") => Ok(true),
        _ => Err("it is neither `upsert` nor `delete`"),
    }
}

/// The key is there, whatever the catalogue says: a record without one would never be found.
fn key_cell<'a>(field: &Field, cell: Given<'a>, today: NaiveDate) -> Result<Option<Cell<'a>>, String> {
    match typed(field, cell, today)? {
        Some(Cell::Text(text)) if text.len() <= KEY_BYTES_MAX => Ok(Some(Cell::Text(text))),
        Some(Cell::Text(_)) => Err(format!("a key has at most {KEY_BYTES_MAX} bytes")),
        _ => Err("a required value is missing".to_owned()),
    }
}

fn typed<'a>(field: &Field, cell: Given<'a>, today: NaiveDate) -> Result<Option<Cell<'a>>, String> {
    match cell {
        Given::Missing if field.required => Err("a required value is missing".to_owned()),
        Given::Missing => Ok(None),
        Given::NotText => Err("the text is not UTF-8".to_owned()),
        Given::Text(text) => field.kind.read(text, today).map(Some).map_err(|error| error.reason),
    }
}
