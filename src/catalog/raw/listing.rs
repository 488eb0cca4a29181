//! What the guideline on catalogues asks of an entry beside the rest, as it is written.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::catalog::{Format, OpenAttribute, SharingMode, yaml::At};

/// What the guideline on catalogues asks of an entry beside the rest.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping with `format`, `modes`, `opening` and the dates")]
#[schemars(rename = "Listing")]
pub(in crate::catalog) struct RawListing {
    /// What the resource is kept as.
    pub(in crate::catalog) format: RawFormat,
    /// The ways in which it is shared.
    pub(in crate::catalog) modes: At<Vec<At<RawMode>>>,
    pub(in crate::catalog) opening: RawOpening,
    /// The day on which the entry was first published.
    #[schemars(extend("format" = "date"))]
    pub(in crate::catalog) published_on: At<String>,
    /// The day on which the entry was last changed.
    #[schemars(extend("format" = "date"))]
    pub(in crate::catalog) updated_on: At<String>,
    /// Resource codes of related entries of this catalogue.
    #[serde(default)]
    pub(in crate::catalog) related: Vec<At<String>>,
}

/// What a resource is kept as.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", expecting = "a format, such as `database`")]
#[schemars(rename = "Format")]
pub(in crate::catalog) enum RawFormat {
    Database,
    Spreadsheet,
    Document,
    Image,
    Stream,
    SelfDescribing,
}

impl From<RawFormat> for Format {
    fn from(raw: RawFormat) -> Self {
        match raw {
            RawFormat::Database => Self::Database,
            RawFormat::Spreadsheet => Self::Spreadsheet,
            RawFormat::Document => Self::Document,
            RawFormat::Image => Self::Image,
            RawFormat::Stream => Self::Stream,
            RawFormat::SelfDescribing => Self::SelfDescribing,
        }
    }
}

/// A way in which a resource is shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", expecting = "one of `service_interface`, `batch_exchange`, `file_download`")]
#[schemars(rename = "SharingMode")]
pub(in crate::catalog) enum RawMode {
    ServiceInterface,
    BatchExchange,
    FileDownload,
}

impl From<RawMode> for SharingMode {
    fn from(raw: RawMode) -> Self {
        match raw {
            RawMode::ServiceInterface => Self::ServiceInterface,
            RawMode::BatchExchange => Self::BatchExchange,
            RawMode::FileDownload => Self::FileDownload,
        }
    }
}

/// May the public have it?
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping with `attribute` and, where it is conditional, `conditions`")]
#[schemars(rename = "Opening")]
pub(in crate::catalog) struct RawOpening {
    pub(in crate::catalog) attribute: At<RawOpenAttribute>,
    /// Under which conditions, where it is `conditional`.
    pub(in crate::catalog) conditions: Option<At<String>>,
}

/// May the public have it?
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", expecting = "one of `open`, `conditional`, `not_open`")]
#[schemars(rename = "OpenAttribute")]
pub(in crate::catalog) enum RawOpenAttribute {
    Open,
    Conditional,
    NotOpen,
}

impl From<RawOpenAttribute> for OpenAttribute {
    fn from(raw: RawOpenAttribute) -> Self {
        match raw {
            RawOpenAttribute::Open => Self::Open,
            RawOpenAttribute::Conditional => Self::Conditional,
            RawOpenAttribute::NotOpen => Self::NotOpen,
        }
    }
}
