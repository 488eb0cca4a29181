//! The rejects file: which rows were not published, and why. It holds no register value.

use std::{
    fs::File,
    io::BufWriter,
    path::{Path, PathBuf},
};

use super::PublishError;
use crate::storage::StorageError;

/// Writes `line,field,reason`; the file is made when the first bad row comes.
pub(super) struct Rejects {
    path: PathBuf,
    writer: Option<csv::Writer<BufWriter<File>>>,
    rows: u64,
}

impl Rejects {
    pub(super) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), writer: None, rows: 0 }
    }

    /// One bad row, with a reason for each bad field (an empty name where the row as a whole is bad).
    pub(super) fn add(&mut self, line: u64, reasons: &[(String, String)]) -> Result<(), PublishError> {
        self.rows += 1;
        self.write(line, reasons).map_err(|error| self.failed(error.into()))
    }

    fn write(&mut self, line: u64, reasons: &[(String, String)]) -> Result<(), csv::Error> {
        let writer = match &mut self.writer {
            Some(writer) => writer,
            None => {
                let mut writer = csv::Writer::from_writer(BufWriter::new(File::create(&self.path)?));
                writer.write_record(["line", "field", "reason"])?;
                self.writer.insert(writer)
            }
        };
        for (field, reason) in reasons {
            writer.write_record([line.to_string().as_str(), field, reason])?;
        }
        Ok(())
    }

    /// How many rows were bad; the file is whole after this.
    pub(super) fn finish(&mut self) -> Result<u64, PublishError> {
        if let Some(mut writer) = self.writer.take() {
            writer.flush().map_err(|error| self.failed(error))?;
        }
        Ok(self.rows)
    }

    fn failed(&self, error: std::io::Error) -> PublishError {
        StorageError::file(&self.path, "written")(error).into()
    }
}
