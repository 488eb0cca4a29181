//! The rejects file: which rows were not published, and why. It holds no register value.
//!
//! Workers find bad rows in no order; the file lists those of the first part of the input first, however fast its worker
//! was, so that two runs write the same file.

use std::{
    collections::BTreeMap,
    fs::File,
    io::BufWriter,
    mem,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use super::PublishError;
use crate::storage::StorageError;

/// What was found bad in one part of the work.
#[derive(Debug, Default)]
pub(super) struct Reasons {
    rows: u64,
    line: u64,
    list: Vec<(u64, String, String)>,
}

impl Reasons {
    /// One more bad row; what is wrong with it follows.
    pub(super) fn row(&mut self, line: u64) {
        self.rows += 1;
        self.line = line;
    }

    /// A reason for a field; an empty name where the row as a whole is bad.
    pub(super) fn reason(&mut self, field: &str, reason: String) {
        self.list.push((self.line, field.to_owned(), reason));
    }
}

/// Writes `line,field,reason`; the file is made when the first bad row comes.
pub(super) struct Rejects {
    path: PathBuf,
    file: Mutex<Listed>,
}

#[derive(Default)]
struct Listed {
    writer: Option<csv::Writer<BufWriter<File>>>,
    rows: u64,
    /// Whose turn it is, and those who came too early.
    turn: u64,
    early: BTreeMap<u64, Reasons>,
}

impl Rejects {
    pub(super) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), file: Mutex::default() }
    }

    /// Write down what was found in part number `turn`. Every part from 0 on has to come, also one without bad rows.
    pub(super) fn add(&self, turn: u64, reasons: Reasons) -> Result<(), PublishError> {
        let mut listed = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        listed.early.insert(turn, reasons);
        loop {
            let turn = listed.turn;
            let Some(reasons) = listed.early.remove(&turn) else { return Ok(()) };
            listed.write(&self.path, reasons).map_err(|error| self.failed(error.into()))?;
            listed.turn += 1;
        }
    }

    /// Parts are numbered from 0 again.
    pub(super) fn second_round(&self) {
        self.file.lock().unwrap_or_else(PoisonError::into_inner).turn = 0;
    }

    /// How many rows were bad; the file is whole after this.
    pub(super) fn finish(&self) -> Result<u64, PublishError> {
        let mut listed = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(mut writer) = listed.writer.take() {
            writer.flush().map_err(|error| self.failed(error))?;
        }
        Ok(listed.rows)
    }

    fn failed(&self, error: std::io::Error) -> PublishError {
        StorageError::file(&self.path, "written")(error).into()
    }
}

impl Listed {
    fn write(&mut self, path: &Path, mut reasons: Reasons) -> Result<(), csv::Error> {
        self.rows += reasons.rows;
        for (line, field, reason) in mem::take(&mut reasons.list) {
            let writer = match &mut self.writer {
                Some(writer) => writer,
                None => {
                    let mut writer = csv::Writer::from_writer(BufWriter::new(File::create(path)?));
                    writer.write_record(["line", "field", "reason"])?;
                    self.writer.insert(writer)
                }
            };
            writer.write_record([line.to_string().as_str(), &field, &reason])?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_in_the_order_of_the_parts_and_not_of_the_workers() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("rejects.csv");
        let rejects = Rejects::new(&path);
        for turn in [2, 0, 3, 1] {
            let mut reasons = Reasons::default();
            if turn != 0 {
                reasons.row(turn);
                reasons.reason("name", "bad".to_owned());
            }
            rejects.add(turn, reasons).unwrap();
        }
        assert_eq!(rejects.finish().unwrap(), 3);
        assert_eq!(std::fs::read_to_string(path).unwrap(), "line,field,reason\n1,name,bad\n2,name,bad\n3,name,bad\n");
    }
}
