//! Cases as they are written: exactly what a file says, nothing judged.

use std::{collections::BTreeMap, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor, value::MapAccessDeserializer},
};

use crate::{
    catalog::{Disclosure, SharingAttribute, yaml::At},
    policy::{Channel, Operation},
};

/// One file of cases.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a mapping with `cases`, and `defaults` if they have much in common")]
pub(super) struct RawFile {
    /// What the cases of this file have in common; each says what is different.
    #[serde(default)]
    pub(super) defaults: RawCase,
    pub(super) cases: Vec<At<RawCase>>,
}

/// One case, or the defaults of all.
#[derive(Debug, Default, Deserialize)]
#[serde(
    deny_unknown_fields,
    default,
    expecting = "a case: a mapping with `name`, `department`, `dataset`, `item`, `fields`, `expect` and more"
)]
pub(super) struct RawCase {
    /// A sentence that says what the case is about.
    pub(super) name: Option<At<String>>,
    /// The calling system; `policy-test` where it does not matter.
    pub(super) client: Option<At<String>>,
    pub(super) department: Option<At<String>>,
    pub(super) operation: Option<At<RawOperation>>,
    pub(super) dataset: Option<At<String>>,
    pub(super) item: Option<At<String>>,
    /// The field that names the subject; the dataset's key where it does not say.
    pub(super) subject_field: Option<At<String>>,
    pub(super) fields: Option<At<Vec<At<String>>>>,
    /// Has the caller named its case?
    pub(super) case_given: Option<bool>,
    /// The day in China, and the hour of that day.
    pub(super) day: Option<At<String>>,
    pub(super) hour: Option<At<u32>>,
    /// How much the client's calls look like a walk through the register, 0 to 3.
    pub(super) suspicion: Option<At<u8>>,
    /// The door, and the node at which the call came in; the node of the department where it does not say.
    pub(super) channel: Option<At<RawChannel>>,
    pub(super) origin: Option<At<String>>,
    /// The share of the day's calls that was used before, in percent.
    pub(super) volume: Option<At<u8>>,
    /// Does the caller name the subject's consent, an official, a second one?
    pub(super) consent_given: Option<bool>,
    pub(super) operator_given: Option<bool>,
    pub(super) approver_given: Option<bool>,
    pub(super) agreement: Option<At<RawAgreement>>,
    /// What is otherwise than in the catalogue.
    pub(super) suppose: Option<RawSupposition>,
    pub(super) expect: Option<At<RawExpectation>>,
    /// The policies that decide, all of them.
    pub(super) policies: Option<At<Vec<At<String>>>>,
    /// What an allowed call is allowed under, all of it.
    pub(super) obligations: Option<At<Vec<At<String>>>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RawOperation {
    Verify,
    Disclose,
    /// The records of its division, handed to the department's node.
    Return,
}

impl From<RawOperation> for Operation {
    fn from(raw: RawOperation) -> Self {
        match raw {
            RawOperation::Verify => Self::Verify,
            // Of a return the operation is not asked: its question is another one.
            RawOperation::Disclose | RawOperation::Return => Self::Disclose,
        }
    }
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RawChannel {
    Api,
    Peer,
    Uplink,
    Recheck,
}

impl From<RawChannel> for Channel {
    fn from(raw: RawChannel) -> Self {
        match raw {
            RawChannel::Api => Self::Api,
            RawChannel::Peer => Self::Peer,
            RawChannel::Uplink => Self::Uplink,
            RawChannel::Recheck => Self::Recheck,
        }
    }
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RawSharing {
    Unconditional,
    Conditional,
    NotShared,
}

impl From<RawSharing> for SharingAttribute {
    fn from(raw: RawSharing) -> Self {
        match raw {
            RawSharing::Unconditional => Self::Unconditional,
            RawSharing::Conditional => Self::Conditional,
            RawSharing::NotShared => Self::NotShared,
        }
    }
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RawDisclosure {
    Plain,
    Masked,
    CompareOnly,
    AggregateOnly,
    JoinKeyOnly,
    Never,
}

impl From<RawDisclosure> for Disclosure {
    fn from(raw: RawDisclosure) -> Self {
        match raw {
            RawDisclosure::Plain => Self::Plain,
            RawDisclosure::Masked => Self::Masked,
            RawDisclosure::CompareOnly => Self::CompareOnly,
            RawDisclosure::AggregateOnly => Self::AggregateOnly,
            RawDisclosure::JoinKeyOnly => Self::JoinKeyOnly,
            RawDisclosure::Never => Self::Never,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RawExpectation {
    Allow,
    Deny,
}

/// The catalogue as it might be.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "a mapping with `sharing`, `item` or `fields`")]
pub(super) struct RawSupposition {
    pub(super) sharing: Option<RawSharing>,
    pub(super) item: RawItem,
    pub(super) fields: BTreeMap<String, At<RawField>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(
    deny_unknown_fields,
    default,
    expecting = "a mapping with `department`, `cross_region`, `valid_from`, `valid_until` or `needs`"
)]
pub(super) struct RawItem {
    pub(super) department: Option<At<String>>,
    pub(super) cross_region: Option<bool>,
    pub(super) valid_from: Option<At<String>>,
    pub(super) valid_until: Option<At<String>>,
    /// The fields of the dataset that the item needs.
    pub(super) needs: Option<At<Vec<At<String>>>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "a mapping with `disclosure` or `sensitivity`")]
pub(super) struct RawField {
    pub(super) disclosure: Option<RawDisclosure>,
    pub(super) sensitivity: Option<At<u8>>,
}

/// Which agreement the caller has.
#[derive(Clone, Debug)]
pub(super) enum RawAgreement {
    None,
    /// The one that the road would find.
    Found,
    Inline(Box<RawInline>),
}

/// An agreement that is written in the case. What it does not say is as the case needs it, but for the fields.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "an agreement: a mapping with `compare`, `disclose` and more")]
pub(super) struct RawInline {
    pub(super) id: Option<At<String>>,
    pub(super) consumer: Option<At<String>>,
    pub(super) dataset: Option<At<String>>,
    pub(super) items: Option<Vec<At<String>>>,
    pub(super) compare: Vec<At<String>>,
    pub(super) disclose: Vec<At<String>>,
    pub(super) valid_from: Option<At<String>>,
    pub(super) valid_until: Option<At<String>>,
}

impl<'de> Deserialize<'de> for RawAgreement {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct WordOrMapping;
        impl<'de> Visitor<'de> for WordOrMapping {
            type Value = RawAgreement;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`none`, `found` or an agreement")
            }

            fn visit_str<E: serde::de::Error>(self, word: &str) -> Result<RawAgreement, E> {
                match word {
                    "none" => Ok(RawAgreement::None),
                    "found" => Ok(RawAgreement::Found),
                    other => Err(E::unknown_variant(other, &["none", "found"])),
                }
            }

            fn visit_map<A: MapAccess<'de>>(self, mapping: A) -> Result<RawAgreement, A::Error> {
                RawInline::deserialize(MapAccessDeserializer::new(mapping)).map(Box::new).map(RawAgreement::Inline)
            }
        }
        deserializer.deserialize_any(WordOrMapping)
    }
}
