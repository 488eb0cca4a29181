//! Step two: each thing said becomes a checked value of its type, or a complaint.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use url::Url;

use super::{
    Complaint,
    audit::ReceiptForm,
    enumeration::EnumerationMode,
    federation::{CardFile, Endpoint, PeerListen},
    flight::FlightListen,
    key::{Key, Rule},
    ledger::LedgerStore,
    limits::{Limit, Unit},
    log::{LogFilter, LogFormat},
    paths::WorkdayFile,
    raw::{Loose, Origin, RawSettings, Said},
    tables::{StoreEndpoint, TableStore},
    uplink::UplinkFile,
    value::{BaseUrl, ForeignTokenType, SignatureAlgorithm, key_set_url},
};
use crate::identifiers::{DepartmentId, NodeId};

/// A value that holds, and where it came from.
#[derive(Clone, Debug)]
pub(super) struct Explained {
    pub(super) path: String,
    pub(super) value: String,
    pub(super) origin: Origin,
}

/// Takes keys out of the raw settings and notes what it found.
pub(super) struct Reader<'a> {
    raw: &'a RawSettings,
    /// Which element of a list of sections is being read.
    index: usize,
    pub(super) complaints: Vec<Complaint>,
    pub(super) explained: Vec<Explained>,
}

/// One value on its way in: what was said, by what rule, and the folder that relative paths start from.
pub(super) struct Incoming<'a> {
    value: &'a Loose,
    rule: Rule,
    folder: &'a Path,
}

/// A type that a key may have. Reasons are lower case; a remedy may follow after a full stop.
pub(super) trait Setting: Sized {
    fn parse(incoming: &Incoming<'_>) -> Result<Self, String>;
    fn shown(&self, rule: Rule) -> String;
}

impl<'a> Reader<'a> {
    pub(super) fn new(raw: &'a RawSettings) -> Self {
        Self { raw, index: 0, complaints: Vec::new(), explained: Vec::new() }
    }

    /// Keys of a list are read from the element of that number from now on.
    pub(super) fn at_element(&mut self, index: usize) {
        self.index = index;
    }

    /// The value of a key: what was said, else its default. Without either, there is a complaint.
    pub(super) fn take<T: Setting>(&mut self, key: &Key) -> Option<T> {
        let path = key.path().replace("[]", &format!("[{}]", self.index));
        let said = match self.raw.get(&path) {
            Some(said) => said.clone(),
            None => self.default_of(key, &path)?,
        };
        let folder = self.raw.folder_of(&said.origin);
        match T::parse(&Incoming { value: &said.value, rule: key.rule, folder }) {
            Ok(value) => {
                self.explained.push(Explained { path, value: value.shown(key.rule), origin: said.origin });
                Some(value)
            }
            Err(reason) => {
                let (reason, remedy) = match reason.split_once(". ") {
                    Some((reason, remedy)) => (reason.to_owned(), Some(remedy.to_owned())),
                    None => (reason, None),
                };
                self.complaints.push(Complaint {
                    place: said.origin.to_string(),
                    reason: format!("`{path}`: {reason}"),
                    remedy,
                });
                None
            }
        }
    }

    fn default_of(&mut self, key: &Key, path: &str) -> Option<Said> {
        let value = match key.rule {
            Rule::Text { default, .. } => Loose::Text(default.to_owned()),
            Rule::List { default, .. } => {
                Loose::List(default.iter().map(|one| Loose::Text((*one).to_owned())).collect())
            }
            Rule::Number(limit) => Loose::Number(i128::from(limit.default)),
            // The other key is read before; if it was refused, that complaint is enough.
            Rule::SameAs { key, .. } => {
                Loose::Text(self.explained.iter().find(|explained| explained.path == key)?.value.clone())
            }
            Rule::Required { shape } | Rule::RequiredList { shape } => {
                self.complaints.push(Complaint {
                    place: path.to_owned(),
                    reason: format!("`{path}` is missing"),
                    remedy: Some(format!("Set it to a {shape}")),
                });
                return None;
            }
        };
        Some(Said { value, origin: Origin::Default })
    }
}

impl Incoming<'_> {
    fn text(&self) -> Result<&str, String> {
        match self.value {
            Loose::Text(text) if text.trim().is_empty() => Err(format!("is empty. Write {}", shape(self.rule))),
            Loose::Text(text) => Ok(text),
            other => Err(format!("is {}. Write {} in quotes", name_of(other), shape(self.rule))),
        }
    }

    /// A number within the bounds of its key, in the key's unit.
    fn number(&self) -> Result<u64, String> {
        let Rule::Number(limit) = self.rule else {
            return Err("is no number".to_owned()); // the declarations of all keys are read in the tests
        };
        let number = match self.value {
            Loose::Number(number) => *number,
            Loose::Text(text) => number_in(text, limit)?,
            other => return Err(format!("is {}. Write a whole number of {}", name_of(other), unit_name(limit.unit))),
        };
        u64::try_from(number).ok().filter(|number| (limit.least..=limit.most).contains(number)).ok_or_else(|| {
            format!(
                "{number} is out of bounds. Set it from {} to {}: {}",
                amount(limit.least, limit.unit),
                amount(limit.most, limit.unit),
                limit.why
            )
        })
    }

    fn parsed<T>(&self, parse: impl FnOnce(&str) -> Result<T, String>) -> Result<T, String> {
        parse(self.text()?)
    }
}

/// Variables and flags are text, so a number may come as one; bytes may carry their unit.
fn number_in(text: &str, limit: &Limit) -> Result<i128, String> {
    let bytes = limit.unit == Unit::Bytes;
    let units = [("KiB", 1_i128 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];
    let unit = units.into_iter().find(|(name, _)| bytes && text.ends_with(name));
    let (digits, factor) = unit.map_or((text, 1), |(name, factor)| (text.trim_end_matches(name), factor));
    let number = digits.trim().replace('_', "").parse::<i64>().map(i128::from);
    let example = if bytes { ", such as `65536` or `\"64 KiB\"`" } else { "" };
    number
        .map(|number| number * factor)
        .map_err(|_| format!("`{text}` is no number. Write a whole number of {}{example}", unit_name(limit.unit)))
}

fn shape(rule: Rule) -> String {
    match rule {
        Rule::Text { shape, .. }
        | Rule::Required { shape }
        | Rule::SameAs { shape, .. }
        | Rule::List { shape, .. }
        | Rule::RequiredList { shape } => format!("a {shape}"),
        Rule::Number(limit) => format!("a whole number of {}", unit_name(limit.unit)),
    }
}

fn name_of(value: &Loose) -> &'static str {
    match value {
        Loose::Text(_) => "a text",
        Loose::Number(_) => "a number",
        Loose::List(_) => "a list",
        Loose::Other(name) => name,
    }
}

pub(super) fn unit_name(unit: Unit) -> &'static str {
    match unit {
        Unit::Milliseconds => "milliseconds",
        Unit::Seconds => "seconds",
        Unit::Bytes => "bytes",
        Unit::Count(name) => name,
    }
}

/// A number with its unit, as a person reads it: `64 KiB`, `800 ms`.
pub(super) fn amount(number: u64, unit: Unit) -> String {
    let binary = [("GiB", 30), ("MiB", 20), ("KiB", 10)];
    match unit {
        Unit::Milliseconds => format!("{number} ms"),
        Unit::Seconds => format!("{number} s"),
        Unit::Count(_) => number.to_string(),
        Unit::Bytes => match binary.into_iter().find(|(_, bits)| number != 0 && number.trailing_zeros() >= *bits) {
            Some((name, bits)) => format!("{} {name}", number >> bits),
            None => format!("{number} bytes"),
        },
    }
}

fn shown_number(number: u64, rule: Rule) -> String {
    match rule {
        Rule::Number(limit) => amount(number, limit.unit),
        _ => number.to_string(),
    }
}

impl Setting for u64 {
    fn parse(incoming: &Incoming<'_>) -> Result<Self, String> {
        incoming.number()
    }
    fn shown(&self, rule: Rule) -> String {
        shown_number(*self, rule)
    }
}

impl Setting for u32 {
    fn parse(incoming: &Incoming<'_>) -> Result<Self, String> {
        incoming.number()?.try_into().map_err(|_| "is too large".to_owned())
    }
    fn shown(&self, rule: Rule) -> String {
        shown_number(u64::from(*self), rule)
    }
}

impl Setting for usize {
    fn parse(incoming: &Incoming<'_>) -> Result<Self, String> {
        incoming.number()?.try_into().map_err(|_| "is more than this machine can address".to_owned())
    }
    fn shown(&self, rule: Rule) -> String {
        shown_number(*self as u64, rule)
    }
}

impl Setting for Duration {
    fn parse(incoming: &Incoming<'_>) -> Result<Self, String> {
        let number = incoming.number()?;
        Ok(match incoming.rule {
            Rule::Number(Limit { unit: Unit::Milliseconds, .. }) => Self::from_millis(number),
            _ => Self::from_secs(number),
        })
    }
    fn shown(&self, rule: Rule) -> String {
        match rule {
            Rule::Number(Limit { unit: Unit::Milliseconds, .. }) => format!("{} ms", self.as_millis()),
            _ => format!("{} s", self.as_secs()),
        }
    }
}

impl Setting for PathBuf {
    fn parse(incoming: &Incoming<'_>) -> Result<Self, String> {
        // Through `components`, so that `./data` and `data` are one path; links are left as they are.
        Ok(incoming.folder.join(incoming.text()?).components().collect())
    }
    fn shown(&self, _: Rule) -> String {
        self.display().to_string()
    }
}

impl Setting for WorkdayFile {
    fn parse(incoming: &Incoming<'_>) -> Result<Self, String> {
        if incoming.text()? == "built-in" { Ok(Self::BuiltIn) } else { PathBuf::parse(incoming).map(Self::Path) }
    }
    fn shown(&self, rule: Rule) -> String {
        self.path().map_or_else(|| "built-in".to_owned(), |path| path.to_path_buf().shown(rule))
    }
}

impl Setting for CardFile {
    fn parse(incoming: &Incoming<'_>) -> Result<Self, String> {
        if incoming.text()? == "none" { Ok(Self(None)) } else { PathBuf::parse(incoming).map(|path| Self(Some(path))) }
    }
    fn shown(&self, rule: Rule) -> String {
        self.path().map_or_else(|| "none".to_owned(), |path| path.to_path_buf().shown(rule))
    }
}

impl Setting for UplinkFile {
    fn parse(incoming: &Incoming<'_>) -> Result<Self, String> {
        if incoming.text()? == "none" { Ok(Self::None) } else { PathBuf::parse(incoming).map(Self::Path) }
    }
    fn shown(&self, rule: Rule) -> String {
        self.path().map_or_else(|| "none".to_owned(), |path| path.to_path_buf().shown(rule))
    }
}

impl Setting for String {
    fn parse(incoming: &Incoming<'_>) -> Result<Self, String> {
        incoming.text().map(str::to_owned)
    }
    fn shown(&self, _: Rule) -> String {
        self.clone()
    }
}

impl Setting for Url {
    fn parse(incoming: &Incoming<'_>) -> Result<Self, String> {
        incoming.parsed(key_set_url)
    }
    fn shown(&self, _: Rule) -> String {
        self.to_string()
    }
}

impl Setting for SocketAddr {
    fn parse(incoming: &Incoming<'_>) -> Result<Self, String> {
        incoming.parsed(|text| {
            text.parse().map_err(|_| format!("`{text}` is no address with a port. Write one such as `127.0.0.1:8640`"))
        })
    }
    fn shown(&self, _: Rule) -> String {
        self.to_string()
    }
}

impl Setting for NodeId {
    fn parse(incoming: &Incoming<'_>) -> Result<Self, String> {
        incoming.parsed(|text| text.parse::<Self>().map_err(|error| error.to_string()))
    }
    fn shown(&self, _: Rule) -> String {
        self.to_string()
    }
}

/// A list says something, else the key is better left out: an empty one would accept nothing and nobody.
impl<T: Setting> Setting for Vec<T> {
    fn parse(incoming: &Incoming<'_>) -> Result<Self, String> {
        match incoming.value {
            Loose::List(list) if list.is_empty() => Err(format!("is empty. Write {}", shape(incoming.rule))),
            Loose::List(list) => list.iter().map(|value| T::parse(&Incoming { value, ..*incoming })).collect(),
            other => Err(format!("is {}. Write {} in brackets", name_of(other), shape(incoming.rule))),
        }
    }
    fn shown(&self, rule: Rule) -> String {
        self.iter().map(|one| one.shown(rule)).collect::<Vec<_>>().join(", ")
    }
}

impl Setting for DepartmentId {
    fn parse(incoming: &Incoming<'_>) -> Result<Self, String> {
        incoming.parsed(|text| text.parse::<Self>().map_err(|error| error.to_string()))
    }
    fn shown(&self, _: Rule) -> String {
        self.to_string()
    }
}

/// A type with one text form, read and shown by its own `FromStr` and `Display`.
macro_rules! text_setting {
    ($($type:ty),+) => { $(
        impl Setting for $type {
            fn parse(incoming: &Incoming<'_>) -> Result<Self, String> {
                incoming.parsed(str::parse)
            }
            fn shown(&self, _: Rule) -> String {
                self.to_string()
            }
        }
    )+ };
}

text_setting!(
    BaseUrl,
    EnumerationMode,
    FlightListen,
    ForeignTokenType,
    LogFormat,
    Endpoint,
    LedgerStore,
    PeerListen,
    LogFilter,
    ReceiptForm,
    SignatureAlgorithm,
    StoreEndpoint,
    TableStore
);
