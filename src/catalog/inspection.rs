//! Turning declared texts into checked values, complaining where they are not.
//!
//! Uses `yaml` and `complaint`; shared by the catalogue and by `agreements`. Each function gives `None` after it has
//! complained, so that the caller goes on and finds the rest.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    str::FromStr,
};

use chrono::NaiveDate;

use super::{
    Dataset, Field,
    complaint::{Complaint, Complaints, Path, Position, quoted},
    yaml::At,
};
use crate::identifiers::{DivisionCode, IdentifierError};

/// Longest name or sentence in a declaration, in characters.
const WORDS_CHARS_MAX: usize = 500;

/// One pass over declared files.
pub(crate) struct Inspection {
    pub(crate) complaints: Complaints,
    /// Could every file be read? If not, a name that is declared nowhere may stand in one that could not.
    complete: bool,
}

/// Everything declared under one heading, by its text. `sound` is `None` where the declaration itself has been complained
/// about: what refers to it is then not judged, because the answer would change with the repair.
pub(crate) type Declared<T> = BTreeMap<String, Declaration<T>>;

#[derive(Debug)]
pub(crate) struct Declaration<T> {
    /// `file:line`, for the complaint about a second one.
    pub(crate) place: String,
    pub(crate) sound: Option<T>,
}

impl Inspection {
    /// Begin with the files that could not be read.
    pub(crate) fn new(unread: Vec<Complaint>) -> Self {
        let complete = unread.is_empty();
        let mut complaints = Complaints::new();
        for complaint in unread {
            complaints.push(complaint);
        }
        Self { complaints, complete }
    }

    /// Could every file be read?
    pub(crate) fn is_complete(&self) -> bool {
        self.complete
    }

    /// The text as an identifier, in its canonical spelling: two spellings of one name would be two declarations.
    pub(crate) fn parse<T>(&mut self, path: &Path<'_>, text: &At<String>) -> Option<T>
    where
        T: FromStr<Err = IdentifierError> + fmt::Display,
    {
        let (message, remedy) = match text.value.parse::<T>() {
            Ok(value) if value.to_string() == text.value => return Some(value),
            Ok(value) => ("is not in its standard spelling".to_owned(), format!("Write it as {value}")),
            Err(error) => (format!("is not accepted here: {}", error.reason), "Correct it".to_owned()),
        };
        self.complaints.add(path, text.position, format!("{} {message}", quoted(&text.value)), remedy);
        None
    }

    /// A GB/T 2260 code that is in use and known by name. Abolished ones live on in people's numbers, but nobody
    /// administers them.
    pub(crate) fn division(&mut self, path: &Path<'_>, text: &At<String>) -> Option<DivisionCode> {
        let in_use = |code: &DivisionCode| code.name().is_some() && !code.is_abolished();
        let message = match text.value.parse::<DivisionCode>() {
            Ok(code) if in_use(&code) && code.as_str() == text.value => return Some(code),
            Ok(code) if code.is_abolished() => {
                let remedy = match code.successor() {
                    Some(successor) => format!("Name {successor}, which took its place"),
                    None => "Name the division that took its place".to_owned(),
                };
                let message = format!("the division {} has been abolished", quoted(&text.value));
                self.complaints.add(path, text.position, message, remedy);
                return None;
            }
            Ok(_) => format!("unknown division {}", quoted(&text.value)),
            Err(error) => format!("unknown division {}: {}", quoted(&text.value), error.reason),
        };
        let known: Vec<DivisionCode> = DivisionCode::all_known().filter(in_use).collect();
        let codes = known.iter().map(DivisionCode::as_str);
        let remedy = self.complaints.nearest(&text.value, codes, "Use a GB/T 2260 code that is in use");
        self.complaints.add(path, text.position, message, remedy);
        None
    }

    /// A day, in the one notation of the files.
    pub(crate) fn date(&mut self, path: &Path<'_>, text: &At<String>) -> Option<NaiveDate> {
        let date = super::parse_date(&text.value).filter(|date| date.to_string() == text.value);
        if date.is_none() {
            let message = format!("{} is not a date", quoted(&text.value));
            self.complaints.add(path, text.position, message, "Write it as 2020-01-31");
        }
        date
    }

    /// First and last day of something, in order. The outer `None` means that one of them was wrong.
    pub(crate) fn period(
        &mut self,
        path: &Path<'_>,
        from: &At<String>,
        until: Option<&At<String>>,
    ) -> Option<(NaiveDate, Option<NaiveDate>)> {
        let first = self.date(&path.key("valid_from"), from);
        let Some(until) = until else { return Some((first?, None)) };
        let last = self.date(&path.key("valid_until"), until);
        let (first, last) = (first?, last?);
        if last < first {
            let message = format!("`valid_until` {last} lies before `valid_from` {first}");
            self.complaints.add(&path.key("valid_until"), until.position, message, "Correct one of the two");
            return None;
        }
        Some((first, Some(last)))
    }

    /// Words for people: something to read, on one line.
    pub(crate) fn words(&mut self, path: &Path<'_>, text: &At<String>) -> Option<String> {
        let wrong = if text.value.trim().is_empty() {
            Some("the text is empty")
        } else if text.value.trim() != text.value {
            Some("the text begins or ends with white space")
        } else if text.value.chars().count() > WORDS_CHARS_MAX {
            Some("the text is longer than 500 characters")
        } else if text.value.chars().any(char::is_control) {
            Some("the text holds a line break or another control character")
        } else {
            None
        };
        match wrong {
            Some(message) => {
                self.complaints.add(path, text.position, message, "Write a short text on one line");
                None
            }
            None => Some(text.value.clone()),
        }
    }

    /// What a name refers to among everything declared. `kind` is the word for it, such as `department`. A name that may
    /// be declared in a file that could not be read is let pass.
    pub(crate) fn refer<'d, T>(
        &mut self,
        path: &Path<'_>,
        kind: &str,
        name: &At<String>,
        declared: &'d Declared<T>,
    ) -> Option<&'d T> {
        if !self.complete && !declared.contains_key(&name.value) {
            return None;
        }
        self.refer_within(path, kind, name, declared)
    }

    /// What a name refers to among what the same declaration holds.
    pub(crate) fn refer_within<'d, T>(
        &mut self,
        path: &Path<'_>,
        kind: &str,
        name: &At<String>,
        declared: &'d Declared<T>,
    ) -> Option<&'d T> {
        if let Some(declaration) = declared.get(&name.value) {
            return declaration.sound.as_ref();
        }
        let known = declared.keys().map(String::as_str);
        let remedy = self.complaints.nearest(&name.value, known, format!("Declare the {kind}, or name another"));
        let message = format!("unknown {kind} {}", quoted(&name.value));
        self.complaints.add(path, name.position, message, remedy);
        None
    }

    /// The field of that name in a dataset that is sound.
    pub(crate) fn field<'d>(&mut self, path: &Path<'_>, name: &At<String>, dataset: &'d Dataset) -> Option<&'d Field> {
        let found = dataset.field(&name.value).map(|(_, field)| field);
        if found.is_none() {
            let known = dataset.fields.iter().map(|field| field.name.as_str());
            let otherwise = format!("Name a field of `{}`", dataset.id);
            let remedy = self.complaints.nearest(&name.value, known, otherwise);
            let message = format!("the dataset `{}` has no field {}", dataset.id, quoted(&name.value));
            self.complaints.add(path, name.position, message, remedy);
        }
        found
    }

    /// Complain about each name that stands twice in one list.
    pub(crate) fn distinct(&mut self, path: &Path<'_>, names: &[At<String>]) {
        let mut seen = BTreeSet::new();
        for (index, name) in names.iter().enumerate() {
            if !seen.insert(name.value.as_str()) {
                let message = format!("{} stands twice in the list", quoted(&name.value));
                self.complaints.add(&path.index(index), name.position, message, "Remove one of the two");
            }
        }
    }

    /// Complain about a list with nothing in it.
    pub(crate) fn not_empty<T>(&mut self, path: &Path<'_>, list: &At<Vec<T>>) {
        if list.value.is_empty() {
            self.complaints.add(path, list.position, "the list is empty", "Name at least one");
        }
    }

    /// Remember a declaration under its text, complaining about a second one of the same text.
    pub(crate) fn declare<T>(
        &mut self,
        path: &Path<'_>,
        kind: &str,
        (text, position): (String, Position),
        sound: Option<T>,
        declared: &mut Declared<T>,
    ) {
        if let Some(first) = declared.get(&text) {
            let message = format!("the {kind} {} is declared twice", quoted(&text));
            let remedy = format!("Rename or remove one; the first stands at {}", first.place);
            self.complaints.add(path, position, message, remedy);
            return;
        }
        declared.insert(text, Declaration { place: path.place(position), sound });
    }
}

/// What is sound of everything declared, once nothing has been complained about.
pub(crate) fn sound<T>(declared: Declared<T>) -> impl Iterator<Item = T> {
    declared.into_values().filter_map(|declaration| declaration.sound)
}
