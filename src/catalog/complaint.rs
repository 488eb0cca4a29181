//! What is wrong with a declared file, where, and what to do about it.
//!
//! Uses nothing of ours. Promises that complaints are collected whole, stand in the order of the files, and are one line
//! each whatever the file holds. `agreements` declares in the same manner and complains with the same words.

use std::{cell::Cell, fmt};

/// One thing wrong in one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    /// The file as it was named to the loader.
    pub file: String,
    /// Counted from 1.
    pub line: u32,
    /// In characters, counted from 1.
    pub column: u32,
    /// The element, such as `items[3].materials[0].fields[2]`; empty for the file as a whole.
    pub path: String,
    /// One line, lower case, no final stop.
    pub message: String,
    /// What to do about it, as a sentence of its own, without its final stop.
    pub remedy: String,
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: ", self.file, self.line, self.column)?;
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        write!(f, "{}. {}", self.message, self.remedy)
    }
}

/// One line for a log: `what` does not hold together, the first complaint, and how many more there are.
pub(crate) struct Summary<'a> {
    pub(crate) what: &'a str,
    pub(crate) complaints: &'a [Complaint],
}

impl fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} do not hold together", self.what)?;
        match self.complaints {
            [] => Ok(()),
            [only] => write!(f, ": {only}"),
            [first, others @ ..] => write!(f, ": {first} ({} more)", others.len()),
        }
    }
}

/// A line and a column, both counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position {
    pub(crate) line: u32,
    pub(crate) column: u32,
}

impl Position {
    /// Where a complaint about a whole file points.
    pub(crate) const START: Self = Self { line: 1, column: 1 };
}

/// The way from a file down to an element; cheap to extend, spelled out only for a complaint.
#[derive(Clone, Copy)]
pub(crate) struct Path<'a> {
    file: &'a str,
    parent: Option<&'a Path<'a>>,
    step: Step<'a>,
}

#[derive(Clone, Copy)]
enum Step<'a> {
    Key(&'a str),
    Index(usize),
}

impl<'a> Path<'a> {
    pub(crate) fn file(file: &'a str) -> Self {
        Self { file, parent: None, step: Step::Key("") }
    }

    pub(crate) fn key(&'a self, key: &'a str) -> Path<'a> {
        Path { file: self.file, parent: Some(self), step: Step::Key(key) }
    }

    pub(crate) fn index(&'a self, index: usize) -> Path<'a> {
        Path { file: self.file, parent: Some(self), step: Step::Index(index) }
    }

    /// `file:line`, to point at from elsewhere.
    pub(crate) fn place(&self, position: Position) -> String {
        format!("{}:{}", self.file, position.line)
    }
}

/// Characters shown of a key: one that nobody expected may be anything.
const KEY_CHARS_MAX: usize = 64;

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(parent) = self.parent else { return Ok(()) };
        parent.fmt(f)?;
        match self.step {
            Step::Key(key) if parent.parent.is_none() => f.write_str(&on_one_line(key, KEY_CHARS_MAX)),
            Step::Key(key) => write!(f, ".{}", on_one_line(key, KEY_CHARS_MAX)),
            Step::Index(index) => write!(f, "[{index}]"),
        }
    }
}

/// Everything found wrong so far.
#[derive(Debug)]
pub(crate) struct Complaints {
    list: Vec<Complaint>,
    comparisons_left: Cell<usize>,
}

/// Names compared for suggestions in one load. A hostile file could otherwise make every one of its thousands of wrong
/// names be held against every one of its thousands of right ones.
const COMPARISONS_MAX: usize = 100_000;

/// Names longer than this are not compared.
const COMPARED_CHARS_MAX: usize = 64;

/// How alike two names must be for one to be suggested for the other; `natural-persons` and `natural-person` are at 0.99.
const LIKENESS_MIN: f64 = 0.8;

impl Complaints {
    pub(crate) fn new() -> Self {
        Self { list: Vec::new(), comparisons_left: Cell::new(COMPARISONS_MAX) }
    }

    pub(crate) fn add(
        &mut self,
        path: &Path<'_>,
        position: Position,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.push(Complaint {
            file: path.file.to_owned(),
            line: position.line,
            column: position.column,
            path: path.to_string(),
            message: message.into(),
            remedy: remedy.into(),
        });
    }

    pub(crate) fn push(&mut self, complaint: Complaint) {
        self.list.push(complaint);
    }

    /// `Ok` when nothing was wrong; else everything, in the order of files, lines and columns.
    pub(crate) fn into_result(mut self) -> Result<(), Vec<Complaint>> {
        if self.list.is_empty() {
            return Ok(());
        }
        self.list.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
        Err(self.list)
    }

    /// A remedy for a name that is not among the known ones: the nearest of them, or `otherwise`.
    pub(crate) fn nearest<'n>(
        &self,
        name: &str,
        known: impl IntoIterator<Item = &'n str>,
        otherwise: impl Into<String>,
    ) -> String {
        match self.likest(name, known) {
            Some(near) => format!("Did you mean `{near}`?"),
            None => otherwise.into(),
        }
    }

    fn likest<'n>(&self, name: &str, known: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
        if name.chars().count() > COMPARED_CHARS_MAX {
            return None;
        }
        let mut best: Option<(f64, &str)> = None;
        for candidate in known {
            let left = self.comparisons_left.get().checked_sub(1)?;
            self.comparisons_left.set(left);
            if candidate.len() > 4 * COMPARED_CHARS_MAX {
                continue;
            }
            let likeness = strsim::jaro_winkler(name, candidate);
            if likeness >= LIKENESS_MIN && best.is_none_or(|(most, _)| likeness > most) {
                best = Some((likeness, candidate));
            }
        }
        best.map(|(_, candidate)| candidate)
    }
}

/// The file's own words in backticks: what would break the line or change how it reads is escaped, long ones are cut.
pub(crate) fn quoted(text: &str) -> String {
    const SHOWN_CHARS_MAX: usize = 80;
    let cut = if text.chars().nth(SHOWN_CHARS_MAX).is_some() { "…" } else { "" };
    format!("`{}{cut}`", on_one_line(text, SHOWN_CHARS_MAX))
}

/// The first characters of a text, the invisible ones escaped.
pub(crate) fn on_one_line(text: &str, chars_max: usize) -> String {
    let mut shown = String::new();
    for c in text.chars().take(chars_max) {
        match c {
            '\'' | '"' | '\\' => shown.push(c),
            other => shown.extend(other.escape_debug()),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_reads_like_the_expression_that_reaches_the_element() {
        let file = Path::file("items.yaml");
        assert_eq!(file.to_string(), "");
        assert_eq!(
            file.key("items").index(3).key("materials").index(0).key("fields").index(2).to_string(),
            "items[3].materials[0].fields[2]"
        );
    }

    #[test]
    fn a_complaint_is_one_line_with_place_message_and_remedy() {
        let file = Path::file("a.yaml");
        let mut complaints = Complaints::new();
        complaints.add(
            &file.key("id"),
            Position { line: 7, column: 3 },
            format!("bad name {}", quoted("x\ny")),
            "Rename it",
        );
        complaints.add(&file.key("i\nd"), Position { line: 8, column: 1 }, "unknown key", "Remove it");
        complaints.add(&file, Position::START, "the file is too large", "Split it");
        let list = complaints.into_result().unwrap_err();
        let lines: Vec<String> = list.iter().map(Complaint::to_string).collect();
        assert_eq!(
            lines,
            [
                "a.yaml:1:1: the file is too large. Split it",
                "a.yaml:7:3: id: bad name `x\\ny`. Rename it",
                "a.yaml:8:1: i\\nd: unknown key. Remove it"
            ]
        );
    }

    #[test]
    fn the_nearest_name_is_suggested_and_a_far_one_is_not() {
        let complaints = Complaints::new();
        let known = ["natural-person", "legal-entity", "e-licence"];
        assert_eq!(complaints.nearest("natural_persons", known, "Declare it"), "Did you mean `natural-person`?");
        assert_eq!(complaints.nearest("zzz", known, "Declare it"), "Declare it");
        assert_eq!(complaints.nearest(&"n".repeat(100), known, "Declare it"), "Declare it");
    }

    #[test]
    fn suggestions_end_when_their_budget_is_spent() {
        let complaints = Complaints::new();
        complaints.comparisons_left.set(2);
        assert_eq!(complaints.nearest("abcd", ["abce"], "None"), "Did you mean `abce`?");
        assert_eq!(complaints.nearest("abcd", ["zzzz", "abce"], "None"), "None");
    }
}
