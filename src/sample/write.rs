//! Rows into a CSV or Parquet file: made on all cores, written in order, there only when whole.

use std::{
    fs::{File, Permissions},
    io::{self, BufWriter, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::{Arc, mpsc},
    thread,
};

use arrow::{
    array::{ArrayRef, BooleanArray, Date32Array, Int64Array, RecordBatch, StringArray},
    datatypes::{DataType, Date32Type, Field, Schema, SchemaRef},
};
use parquet::{
    arrow::ArrowWriter,
    basic::{Compression, ZstdLevel},
    errors::ParquetError,
    file::properties::WriterProperties,
};

use super::{Cell, Register, Row, SampleRequest, World};
use crate::problem::Code;

/// Rows that one worker makes at a time.
const CHUNK_ROWS: u64 = 8_192;
/// Chunks that a worker may be ahead of the writer: memory stays bounded at any size.
const CHUNKS_AHEAD: usize = 4;

/// What was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Made {
    pub rows: u64,
    pub bytes: u64,
}

/// Why no sample was made.
#[derive(Debug, thiserror::Error)]
pub enum SampleError {
    #[error("`{0}` is neither `.csv` nor `.parquet`")]
    UnknownFormat(PathBuf),
    #[error("`{path}` could not be written")]
    File {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

impl SampleError {
    pub fn code(&self) -> Code {
        match self {
            Self::UnknownFormat(_) => Code::InvalidValue,
            Self::File { .. } => Code::StorageFailed,
        }
    }
}

/// Make a register and write it to `out`; `progress` is told the rows written so far.
///
/// The file appears under its name only when it is whole; one that was there stays until then.
pub fn write(request: &SampleRequest, out: &Path, progress: &dyn Fn(u64)) -> Result<Made, SampleError> {
    let extension = out.extension().map(|text| text.to_ascii_lowercase());
    let as_parquet = match extension.as_ref().and_then(|text| text.to_str()) {
        Some("csv") => false,
        Some("parquet") => true,
        _ => return Err(SampleError::UnknownFormat(out.to_owned())),
    };
    let bytes = whole(out, |file| match as_parquet {
        true => write_parquet(request, file, progress),
        false => write_csv(request, file, progress),
    })?;
    Ok(Made { rows: request.rows, bytes })
}

/// The same for rows that were chosen, as CSV.
pub fn write_rows<R: Row>(register: Register, rows: impl Iterator<Item = R>, out: &Path) -> Result<Made, SampleError> {
    let mut made = 0;
    let bytes = whole(out, |file| {
        let mut writer = BufWriter::with_capacity(1 << 20, file);
        writeln!(writer, "{}", register.columns().join(","))?;
        let mut line = Vec::new();
        for row in rows {
            line.clear();
            csv_line(&mut line, &row);
            writer.write_all(&line)?;
            made += 1;
        }
        writer.flush()
    })?;
    Ok(Made { rows: made, bytes })
}

/// Fill a file that appears under its name when it is whole; its size.
fn whole(out: &Path, fill: impl FnOnce(File) -> io::Result<()>) -> Result<u64, SampleError> {
    let failed = |source| SampleError::File { path: out.to_owned(), source };
    let folder = out.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Readable as any file that the user makes; a temporary file by itself would be the owner's only.
    let permissions = Permissions::from_mode(0o666);
    let temporary = tempfile::Builder::new().permissions(permissions).tempfile_in(folder).map_err(failed)?;
    let file = temporary.reopen().map_err(failed)?;
    fill(file).map_err(failed)?;
    let bytes = temporary.as_file().metadata().map_err(failed)?.len();
    temporary.persist(out).map_err(|error| failed(error.error))?;
    Ok(bytes)
}

fn write_csv(request: &SampleRequest, file: File, progress: &dyn Fn(u64)) -> io::Result<()> {
    let mut writer = BufWriter::with_capacity(1 << 20, file);
    writeln!(writer, "{}", request.register.columns().join(","))?;
    in_order(request, csv_chunk, |chunk, done| {
        writer.write_all(&chunk)?;
        progress(done);
        Ok(())
    })?;
    writer.flush()
}

fn write_parquet(request: &SampleRequest, file: File, progress: &dyn Fn(u64)) -> io::Result<()> {
    let schema = schema(request.register);
    let compression = Compression::ZSTD(ZstdLevel::try_new(1).map_err(io_error)?);
    let properties = WriterProperties::builder().set_compression(compression).build();
    let mut writer = ArrowWriter::try_new(file, Arc::clone(&schema), Some(properties)).map_err(io_error)?;
    let make = |world: &World, register, first, last| batch(world, register, first, last, &schema);
    in_order(request, make, |batch, done| {
        writer.write(&batch?).map_err(io_error)?;
        progress(done);
        Ok(())
    })?;
    writer.close().map_err(io_error)?;
    Ok(())
}

fn io_error(error: ParquetError) -> io::Error {
    io::Error::other(error)
}

/// Make chunks on every core and take them in their order. Worker w makes chunks w, w + n, w + 2n, ...
fn in_order<T: Send>(
    request: &SampleRequest,
    make: impl Fn(&World, Register, u64, u64) -> T + Sync,
    mut take: impl FnMut(T, u64) -> io::Result<()>,
) -> io::Result<()> {
    let world = World::new(request.seed, request.as_of, request.persons);
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let chunks = request.rows.div_ceil(CHUNK_ROWS);
    thread::scope(|scope| {
        let mut made = Vec::new();
        for worker in 0..workers as u64 {
            let (sender, receiver) = mpsc::sync_channel(CHUNKS_AHEAD);
            made.push(receiver);
            let (world, make) = (&world, &make);
            scope.spawn(move || {
                for chunk in (worker..chunks).step_by(workers) {
                    let first = chunk * CHUNK_ROWS;
                    let last = (first + CHUNK_ROWS).min(request.rows);
                    if sender.send(make(world, request.register, first, last)).is_err() {
                        return; // The writer has failed and gone.
                    }
                }
            });
        }
        for chunk in 0..chunks {
            let next = made[(chunk % workers as u64) as usize].recv();
            let done = ((chunk + 1) * CHUNK_ROWS).min(request.rows);
            take(next.map_err(|_| io::Error::other("a worker stopped"))?, done)?;
        }
        Ok(())
    })
}

fn row(world: &World, register: Register, number: u64) -> Box<dyn Row> {
    match register {
        Register::NaturalPerson => Box::new(world.person(number)),
        Register::LegalEntity => Box::new(world.firm(number)),
        Register::SocialCredit => Box::new(world.credit(number)),
        Register::ELicence => Box::new(world.licence(number)),
    }
}

/// RFC 4180 lines. Our texts hold no comma, quote or line break, so nothing is quoted; a test reads them back.
fn csv_chunk(world: &World, register: Register, first: u64, last: u64) -> Vec<u8> {
    let mut text = Vec::with_capacity(usize::try_from(last - first).unwrap_or(0) * 160);
    for number in first..last {
        csv_line(&mut text, row(world, register, number).as_ref());
    }
    text
}

fn csv_line(text: &mut Vec<u8>, row: &dyn Row) {
    for (position, cell) in row.cells().into_iter().enumerate() {
        if position > 0 {
            text.push(b',');
        }
        let written = match cell {
            Cell::Nothing => Ok(()),
            Cell::Text(value) => text.write_all(value.as_bytes()),
            Cell::Date(day) => write!(text, "{day}"),
            Cell::Integer(number) => write!(text, "{number}"),
            Cell::Boolean(truth) => write!(text, "{truth}"),
        };
        written.expect("a vector takes every byte");
    }
    text.push(b'\n');
}

/// The Arrow schema of a register's sample: dates, numbers and truth values typed, all else text.
fn schema(register: Register) -> SchemaRef {
    let kind = |name: &str| match name {
        "birth_date" | "status_date" | "established_on" | "dishonest_since" | "updated_on" | "issued_on"
        | "valid_from" | "valid_until" => DataType::Date32,
        "registered_capital" | "penalties_3y" => DataType::Int64,
        "dishonest" | "serious_violation" | "abnormal_operation" => DataType::Boolean,
        _ => DataType::Utf8,
    };
    let fields = register.columns().iter().map(|name| Field::new(*name, kind(name), true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

fn batch(world: &World, register: Register, first: u64, last: u64, schema: &SchemaRef) -> io::Result<RecordBatch> {
    let rows: Vec<_> = (first..last).map(|number| row(world, register, number)).collect();
    let cells: Vec<_> = rows.iter().map(|row| row.cells()).collect();
    let column = |position: usize| -> ArrayRef {
        let column = cells.iter().map(|row| row[position]);
        match schema.field(position).data_type() {
            DataType::Date32 => Arc::new(Date32Array::from_iter(column.map(|cell| match cell {
                Cell::Date(day) => Some(Date32Type::from_naive_date(day)),
                _ => None,
            }))),
            DataType::Int64 => Arc::new(Int64Array::from_iter(column.map(|cell| match cell {
                Cell::Integer(number) => Some(number),
                _ => None,
            }))),
            DataType::Boolean => Arc::new(BooleanArray::from_iter(column.map(|cell| match cell {
                Cell::Boolean(truth) => Some(truth),
                _ => None,
            }))),
            _ => Arc::new(StringArray::from_iter(column.map(|cell| match cell {
                Cell::Text(text) => Some(text),
                _ => None,
            }))),
        }
    };
    let columns = (0..schema.fields().len()).map(column).collect();
    RecordBatch::try_new(Arc::clone(schema), columns).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn request(register: Register, rows: u64) -> SampleRequest {
        SampleRequest { register, rows, seed: 1, as_of: "2026-11-01".parse().unwrap(), persons: rows }
    }

    fn made(register: Register, rows: u64, name: &str) -> Vec<u8> {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join(name);
        write(&request(register, rows), &out, &|_| {}).unwrap();
        std::fs::read(out).unwrap()
    }

    #[test]
    fn the_same_seed_makes_the_same_bytes_and_a_smaller_register_is_the_beginning_of_a_larger_one() {
        for &register in Register::ALL {
            let large = made(register, 20_000, "large.csv");
            assert_eq!(large, made(register, 20_000, "again.csv"), "{register:?}");
            // Holders and representatives are drawn from the persons, so their number must be the same.
            let dir = tempfile::tempdir().unwrap();
            let out = dir.path().join("small.csv");
            write(&SampleRequest { rows: 9_000, ..request(register, 20_000) }, &out, &|_| {}).unwrap();
            assert!(large.starts_with(&std::fs::read(out).unwrap()), "{register:?}");
        }
    }

    #[test]
    fn no_two_rows_share_a_key() {
        let world = World::new(7, "2026-11-01".parse().unwrap(), 1 << 40);
        // A stretch from the start, and one far out, in one set: rounds must not collide either.
        let numbers = || (0..150_000).chain(100_000_000..100_150_000);
        let ids: HashSet<_> = numbers().map(|number| world.person(number).resident_id).collect();
        assert_eq!(ids.len(), 300_000);
        let codes: HashSet<_> = (0..150_000).map(|number| world.firm(number).credit_code).collect();
        assert_eq!(codes.len(), 150_000);
    }

    #[test]
    fn the_shares_are_those_of_life() {
        let world = World::new(1, "2026-11-01".parse().unwrap(), 100_000);
        let people: Vec<_> = (0..50_000).map(|number| world.person(number)).collect();
        let share = |wanted: &dyn Fn(&super::super::Person) -> bool| {
            people.iter().filter(|person| wanted(person)).count() as f64 / people.len() as f64
        };
        assert!((0.01..0.08).contains(&share(&|person| person.status == "9")), "deceased");
        assert!((0.02..0.04).contains(&share(&|person| person.former_name.is_some())), "former names");
        assert!(
            (0.45..0.55).contains(&share(&|person| person.resident_id.sex() == crate::identifiers::Sex::Male)),
            "men"
        );
        assert!((0.0005..0.01).contains(&share(&|person| person.name.contains('·'))), "dotted names");
        let abolished = |person: &super::super::Person| person.resident_id.division_digits() != person.division;
        assert!((0.005..0.2).contains(&share(&abolished)), "abolished divisions");
    }

    #[test]
    fn the_residents_of_an_area_are_persons_of_the_world_and_an_area_without_any_has_none() {
        let world = World::new(1, "2026-11-01".parse().unwrap(), 1_000);
        let of = |area: &str| world.residents(area.parse().unwrap());
        let there: Vec<_> = (0..2_000).map(|number| world.person(number)).collect();
        let there: Vec<_> = there.into_iter().filter(|person| person.division.starts_with("4403")).collect();
        assert!(there.len() > 50 && of("440300").take(there.len()).eq(there.iter().cloned()));
        assert_eq!(of("110000").count(), 0);
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("chosen.csv");
        write_rows(Register::NaturalPerson, of("440000").take(500), &out).unwrap();
        assert_eq!(std::fs::read(out).unwrap(), made(Register::NaturalPerson, 500, "all.csv"));
    }

    #[test]
    fn a_file_that_cannot_be_made_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let request = request(Register::NaturalPerson, 10);
        assert!(matches!(write(&request, &dir.path().join("a.xlsx"), &|_| {}), Err(SampleError::UnknownFormat(_))));
        assert!(matches!(write(&request, &dir.path().join("no/such/a.csv"), &|_| {}), Err(SampleError::File { .. })));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
