//! A CSV cut at ends of records into pieces that can be checked apart.
//!
//! Whoever cuts looks at line ends and quotes only, at the speed of memory; what is between them is the workers' matter.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    mem,
};

use memchr::{memchr, memchr_iter, memchr2, memchr3, memrchr2};

/// Bytes of a piece: so many that handing it over costs nothing, so few that the pieces in hand are no memory to speak of.
const PIECE_BYTES: usize = 1 << 20;
/// Bytes of a record; a quote that is never closed would otherwise take the rest of the file into memory.
const RECORD_BYTES_MAX: usize = 64 << 20;

/// Whole records of a CSV.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) text: Vec<u8>,
    /// Line of the file on which it begins.
    pub(super) line: u64,
}

/// Cuts a file piece by piece.
pub(super) struct Pieces {
    file: File,
    /// What follows the last whole record.
    rest: Vec<u8>,
    line: u64,
    done: u64,
    ended: bool,
}

impl Pieces {
    /// The records that begin at byte `start`, which is on line `line`.
    pub(super) fn new(mut file: File, start: u64, line: u64) -> io::Result<Self> {
        file.seek(SeekFrom::Start(start))?;
        Ok(Self { file, rest: Vec::new(), line, done: start, ended: false })
    }

    /// Bytes handed out so far.
    pub(super) fn done(&self) -> u64 {
        self.done
    }

    pub(super) fn next(&mut self) -> io::Result<Option<Piece>> {
        let mut text = mem::take(&mut self.rest);
        let end = loop {
            if self.ended {
                break text.len();
            }
            let before = text.len();
            text.reserve(PIECE_BYTES);
            let read = self.file.by_ref().take(PIECE_BYTES as u64).read_to_end(&mut text)?;
            self.ended = read < PIECE_BYTES;
            match whole_records(&text) {
                0 if text.len() > RECORD_BYTES_MAX => return Err(endless(self.line)),
                0 => debug_assert!(self.ended || text.len() > before),
                end if !self.ended => break end,
                _ => {}
            }
        };
        if text.is_empty() {
            return Ok(None);
        }
        self.rest = text.split_off(end);
        let line = self.line;
        self.line += memchr_iter(b'\n', &text).count() as u64;
        self.done += text.len() as u64;
        Ok(Some(Piece { text, line }))
    }
}

fn endless(line: u64) -> io::Error {
    let limit = RECORD_BYTES_MAX >> 20;
    io::Error::other(format!("the record on line {line} is longer than {limit} MiB. Is a quote left open there?"))
}

/// How many bytes of `text`, which begins with a record, are whole records.
///
/// The rules are those of the `csv` crate: a quote counts only where a cell begins with it, two of them are one, and a
/// record ends with `\n`, `\r` or both.
fn whole_records(text: &[u8]) -> usize {
    if memchr(b'"', text).is_none() {
        return memrchr2(b'\n', b'\r', text).map_or(0, |at| at + 1);
    }
    let (mut at, mut end) = (0, 0);
    // Each turn is one cell.
    while let Some(&first) = text.get(at) {
        if first == b'"' {
            match after_quotes(text, at + 1) {
                Some(after) => at = after,
                None => return end,
            }
        }
        match memchr3(b',', b'\n', b'\r', &text[at..]) {
            Some(length) => at += length + 1,
            None => return end,
        }
        if text[at - 1] != b',' {
            end = at;
            // Lines without a quote are taken as a whole.
            let quote = memchr(b'"', &text[at..]).map_or(text.len(), |length| at + length);
            if let Some(length) = memrchr2(b'\n', b'\r', &text[at..quote]) {
                at += length + 1;
                end = at;
            }
        }
    }
    end
}

/// Where the text goes on after the closing quote of a cell whose text begins at `at`.
fn after_quotes(text: &[u8], mut at: usize) -> Option<usize> {
    loop {
        at += memchr(b'"', text.get(at..)?)? + 1;
        if text.get(at) != Some(&b'"') {
            return Some(at);
        }
        at += 1;
    }
}

/// Does the plain way suffice: records end with `\n` and nothing is quoted?
pub(super) fn is_plain(text: &[u8]) -> bool {
    memchr2(b'"', b'\r', text).is_none()
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use proptest::prelude::*;

    use super::*;

    fn records(text: &[u8]) -> Vec<csv::ByteRecord> {
        let mut reader = csv::ReaderBuilder::new().flexible(true).has_headers(false).from_reader(text);
        reader.byte_records().map(Result::unwrap).collect()
    }

    fn fields(records: &[csv::ByteRecord]) -> Vec<Vec<Vec<u8>>> {
        records.iter().map(|record| record.iter().map(<[u8]>::to_vec).collect()).collect()
    }

    proptest! {
        #[test]
        fn records_are_the_same_wherever_the_text_is_cut(text in "[ab,\"\n\r]{0,60}", cut in 0..60usize) {
            let text = text.as_bytes();
            let cut = cut.min(text.len());
            let end = whole_records(&text[..cut]);
            let (first, second) = text.split_at(end);
            let mut parts = fields(&records(first));
            parts.extend(fields(&records(second)));
            prop_assert_eq!(parts, fields(&records(text)));
        }
    }

    #[test]
    fn as_much_as_can_be_is_handed_out() {
        for (text, expect) in [
            ("a,b\nc,d\ne", 8),
            ("a,\"b\nc\",d\ne", 10),
            ("a,\"b\nc", 0),
            ("a\"b\nc\nd\"", 6),
            ("\"a\"\"\n\",b\n\"c", 9),
            ("a\r\nb", 3),
            ("", 0),
        ] {
            assert_eq!(whole_records(text.as_bytes()), expect, "{text:?}");
        }
    }

    #[test]
    fn lines_are_counted_on_from_piece_to_piece() {
        let mut file = tempfile::tempfile().unwrap();
        let record = format!("{},\"{}\n{}\"\n", "a".repeat(300_000), "b".repeat(300_000), "c".repeat(300_000));
        file.write_all(b"head\n").unwrap();
        for _ in 0..5 {
            file.write_all(record.as_bytes()).unwrap();
        }
        let mut pieces = Pieces::new(file, 5, 2).unwrap();
        let (mut lines, mut bytes) = (Vec::new(), 0);
        while let Some(piece) = pieces.next().unwrap() {
            lines.push(piece.line);
            bytes += piece.text.len();
            assert_eq!(piece.text.len() % record.len(), 0);
        }
        assert_eq!((lines, bytes), (vec![2, 4, 6, 8, 10], 5 * record.len()));
    }

    #[test]
    fn a_quote_that_is_never_closed_ends_the_reading_and_not_the_memory() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"a\n\"").unwrap();
        file.write_all(&vec![b'x'; RECORD_BYTES_MAX + 2 * PIECE_BYTES]).unwrap();
        let mut pieces = Pieces::new(file, 0, 1).unwrap();
        let error = loop {
            match pieces.next() {
                Ok(piece) => assert!(piece.is_some()),
                Err(error) => break error.to_string(),
            }
        };
        assert!(error.contains("line 2"), "{error}");
    }
}
