//! Declared files as values that know where they stood.
//!
//! Uses `serde-saphyr`; nothing else in the crate does. Promises that reading ends soon whatever the text is (size, depth,
//! aliases and node count are bounded before anything is built), and that what cannot be read becomes one [`Complaint`]
//! with line, column and path.

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_saphyr::{Error, Location, MessageFormatter, Spanned};

use super::complaint::{Complaint, Complaints, Path, Position, on_one_line, quoted};

/// Largest file read, in bytes. The whole catalogue of a province, one file a register, stays far below it.
pub(crate) const FILE_BYTES_MAX: usize = 1 << 20;

/// Deepest nesting; the catalogue itself needs nine levels.
const DEPTH_MAX: usize = 32;

/// Nodes in one file, after aliases are replaced.
const NODES_MAX: usize = 100_000;

/// Aliases in one file. Repetition is better spelled out: a reader of the file sees what holds.
const ALIASES_MAX: usize = 100;

/// A value and where it stood.
#[derive(Clone, Debug)]
pub(crate) struct At<T> {
    pub(crate) value: T,
    pub(crate) position: Position,
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for At<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<T>::deserialize(deserializer)?;
        Ok(Self { value: spanned.value, position: position(&spanned.referenced) })
    }
}

/// In the schema a value looks the same with and without its place.
impl<T: JsonSchema> JsonSchema for At<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        T::schema_name()
    }

    fn schema_id() -> std::borrow::Cow<'static, str> {
        T::schema_id()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

/// An alias is complained about where it is used.
fn position(location: &Location) -> Position {
    let counted = |number: u64| u32::try_from(number).unwrap_or(u32::MAX).max(1);
    Position { line: counted(location.line()), column: counted(location.column()) }
}

/// Read one file. The first thing that does not fit its shape ends it; what the values mean is judged later, all at once.
pub(crate) fn read<T: DeserializeOwned>(file: &str, text: &str) -> Result<T, Complaint> {
    let complain = |position: Position, path: String, message: String, remedy: String| Complaint {
        file: file.to_owned(),
        line: position.line,
        column: position.column,
        path,
        message,
        remedy,
    };
    if text.len() > FILE_BYTES_MAX {
        let message = format!("the file is larger than {FILE_BYTES_MAX} bytes");
        return Err(complain(Position::START, String::new(), message, "Split it into several files".to_owned()));
    }
    serde_saphyr::from_str_with_options(text, options()).map_err(|error| {
        let error = innermost(&error);
        let position = error.location().map_or(Position::START, |location| self::position(&location));
        let (message, remedy) = in_our_words(error);
        complain(position, path_at(text, position), message, remedy)
    })
}

fn options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_reader_input_bytes: Some(FILE_BYTES_MAX),
            max_depth: DEPTH_MAX,
            flow_nesting_limit: DEPTH_MAX,
            max_nodes: NODES_MAX,
            max_events: 4 * NODES_MAX,
            max_aliases: ALIASES_MAX,
            max_anchors: ALIASES_MAX,
            max_recorded_anchor_events: NODES_MAX,
            max_recorded_anchor_bytes: FILE_BYTES_MAX,
            max_total_scalar_bytes: FILE_BYTES_MAX,
            max_documents: 2,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: NODES_MAX,
            max_replay_stack_depth: 4,
        },
        merge_keys: serde_saphyr::options::MergeKeyPolicy::Error,
        strict_booleans: true,
        with_snippet: false,
    }
}

fn innermost(error: &Error) -> &Error {
    match error {
        Error::AliasError { error, .. } | Error::WithSnippet { error, .. } => innermost(error),
        other => other,
    }
}

/// Message and remedy.
fn in_our_words(error: &Error) -> (String, String) {
    match error {
        Error::SerdeUnknownField { field, expected, .. } => {
            (format!("unknown key {}", quoted(field)), one_of("The keys here are", field, expected))
        }
        Error::SerdeUnknownVariant { variant, expected, .. } => {
            (format!("unknown value {}", quoted(variant)), one_of("The values are", variant, expected))
        }
        Error::SerdeMissingField { field, .. } => (format!("the key `{field}` is missing"), format!("Add `{field}`")),
        Error::DuplicateMappingKey { key: Some(key), .. } => {
            (format!("the key {} stands twice", quoted(key)), "Remove one of the two".to_owned())
        }
        Error::SerdeInvalidType { expected, .. } | Error::SerdeInvalidValue { expected, .. } => {
            (format!("{expected} is expected here"), correct_it())
        }
        Error::Budget { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. } => (
            format!(
                "the file holds too much: at most {DEPTH_MAX} levels, {NODES_MAX} values and {ALIASES_MAX} aliases are read"
            ),
            "Split it, or spell out what it repeats".to_owned(),
        ),
        Error::MergeKeyNotAllowed { .. } => {
            ("merge keys (`<<`) are not read".to_owned(), "Spell the keys out".to_owned())
        }
        Error::MultipleDocuments { .. } => {
            ("the file holds more than one document".to_owned(), "Keep one document a file".to_owned())
        }
        Error::NullIntoString { .. } => ("a text is expected here, there is none".to_owned(), "Write it".to_owned()),
        Error::TaggedScalarCannotDeserializeIntoString { .. } | Error::UnsupportedTag { .. } => {
            ("tags (`!`) are not read".to_owned(), "Remove the tag".to_owned())
        }
        Error::Unexpected { expected, .. } => (format!("{} is expected here", plain_word(expected)), correct_it()),
        Error::InvalidScalar { ty, .. } => (format!("{} is expected here", plain_word(ty)), correct_it()),
        other => {
            let message = serde_saphyr::DefaultMessageFormatter.format_message(other);
            let message = on_one_line(&message, 200);
            (format!("the file cannot be read: {}", message.trim_end_matches('.')), "Correct the YAML".to_owned())
        }
    }
}

fn correct_it() -> String {
    "Correct the value".to_owned()
}

/// The parser's and Rust's words for a shape, as a person would say them.
fn plain_word(shape: &str) -> &str {
    match shape {
        "sequence start" => "a list",
        "mapping start" => "a mapping",
        "string scalar" => "a text",
        "u8" | "u32" | "u64" | "i64" => "a whole number of fitting size",
        "f64" => "a number",
        "bool" => "`true` or `false`",
        other => other,
    }
}

fn one_of(introduction: &str, said: &str, expected: &[&'static str]) -> String {
    let all = expected.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    Complaints::new().nearest(said, expected.iter().copied(), format!("{introduction} {all}"))
}

/// The element at a position, as a path. The shape error itself does not know it, so the file is read once more as an
/// outline; a file that is no YAML has none.
fn path_at(text: &str, position: Position) -> String {
    match serde_saphyr::from_str_with_options::<At<Outline>>(text, options()) {
        Ok(outline) => innermost_at(&Path::file(""), &outline, position),
        Err(_) => String::new(),
    }
}

fn innermost_at(path: &Path<'_>, element: &At<Outline>, position: Position) -> String {
    match &element.value {
        Outline::Scalar => path.to_string(),
        Outline::List(children) => {
            match children.iter().enumerate().rev().find(|(_, child)| child.position <= position) {
                Some((index, child)) => innermost_at(&path.index(index), child, position),
                None => path.to_string(),
            }
        }
        Outline::Map(entries) => match entries.iter().rev().find(|(key, _)| key.position <= position) {
            // A mapping starts where its first key does: an error at its start is about the mapping, not about that key,
            // unless that key is all it could be about.
            Some((key, _)) if key.position == element.position && key.position == position => path.to_string(),
            Some((key, child)) => innermost_at(&path.key(&key.value), child, position),
            None => path.to_string(),
        },
    }
}

/// A file without its values.
enum Outline {
    Scalar,
    List(Vec<At<Outline>>),
    Map(Vec<(At<String>, At<Outline>)>),
}

impl<'de> Deserialize<'de> for Outline {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OutlineVisitor)
    }
}

struct OutlineVisitor;

impl<'de> Visitor<'de> for OutlineVisitor {
    type Value = Outline;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Outline, E> {
        Ok(Outline::Scalar)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Outline, E> {
        Ok(Outline::Scalar)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Outline, E> {
        Ok(Outline::Scalar)
    }

    fn visit_i128<E>(self, _: i128) -> Result<Outline, E> {
        Ok(Outline::Scalar)
    }

    fn visit_u128<E>(self, _: u128) -> Result<Outline, E> {
        Ok(Outline::Scalar)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Outline, E> {
        Ok(Outline::Scalar)
    }

    fn visit_str<E>(self, _: &str) -> Result<Outline, E> {
        Ok(Outline::Scalar)
    }

    fn visit_unit<E>(self) -> Result<Outline, E> {
        Ok(Outline::Scalar)
    }

    fn visit_none<E>(self) -> Result<Outline, E> {
        Ok(Outline::Scalar)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Outline, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|_| Outline::Scalar)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Outline, A::Error> {
        let mut children = Vec::new();
        while let Some(child) = list.next_element()? {
            children.push(child);
        }
        Ok(Outline::List(children))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Outline, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Outline::Map(entries))
    }
}

/// A mapping of texts to texts, in the order in which it was written.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ordered(pub(crate) Vec<(At<String>, At<String>)>);

impl<'de> Deserialize<'de> for Ordered {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Ordered;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a mapping of codes to their meanings")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Ordered, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Ordered(entries))
            }
        }
        deserializer.deserialize_map(Entries)
    }
}

impl JsonSchema for Ordered {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Ordered".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({ "type": "object", "additionalProperties": { "type": "string" }, "minProperties": 1 })
    }
}
