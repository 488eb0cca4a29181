//! Agreements as they are written: exactly what the file says, nothing judged.
//!
//! The doc comments here are what an editor shows beside each key.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::catalog::yaml::At;

/// The agreements of a node.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping with `agreements`")]
#[schemars(title = "Shuqiao agreements")]
pub(super) struct RawFile {
    pub(super) agreements: Vec<At<RawAgreement>>,
}

/// An approved application: this consumer, these fields of this dataset, for these items, until this day.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an agreement: a mapping with `id`, `consumer`, `dataset`, `items` and more")]
#[schemars(rename = "Agreement")]
pub(super) struct RawAgreement {
    /// Lower-case letters, digits and inner hyphens.
    pub(super) id: At<String>,
    /// The department that uses the data.
    pub(super) consumer: At<String>,
    pub(super) dataset: At<String>,
    /// Codes of the consumer's items for whose sake it may ask.
    pub(super) items: At<Vec<At<String>>>,
    /// Fields that claims may be held against.
    #[serde(default)]
    pub(super) compare: Vec<At<String>>,
    /// Fields whose values may be disclosed, masked where policy says so.
    #[serde(default)]
    pub(super) disclose: Vec<At<String>>,
    /// First day in force.
    #[schemars(extend("format" = "date"))]
    pub(super) valid_from: At<String>,
    /// Last day in force: every agreement ends, so that it is looked at again.
    #[schemars(extend("format" = "date"))]
    pub(super) valid_until: At<String>,
    #[schemars(range(min = 1))]
    pub(super) calls_per_second: At<u32>,
    #[schemars(range(min = 1))]
    pub(super) calls_per_day: At<u64>,
}
