//! An application for data, as it is kept: what is asked, by whom, how far it has come, and everything that happened to it.
//!
//! Uses `identifiers` and a word of `catalog`. Values only; what may follow on what is for `agreements` to say.

use std::{
    collections::BTreeSet,
    fmt,
    num::{NonZeroU32, NonZeroU64},
};

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Agreement, Budget, Standing};
use crate::{
    catalog::SharingMode,
    identifiers::{AgreementId, ApplicationId, ClientId, DatasetId, DepartmentId, FieldName, ItemCode},
};

/// What is asked for, or granted: fields of a dataset, for the sake of items, so often, so long.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    pub items: BTreeSet<ItemCode>,
    /// Fields that claims may be held against.
    pub compare: BTreeSet<FieldName>,
    /// Fields whose values may be disclosed.
    pub disclose: BTreeSet<FieldName>,
    pub calls_per_second: NonZeroU32,
    pub calls_per_day: NonZeroU64,
    pub valid_from: NaiveDate,
    pub valid_until: NaiveDate,
}

/// Declare an enum whose members have one word each, in the ledger and in the API.
macro_rules! words {
    ($(#[doc = $about:literal])+ $name:ident { $( $(#[doc = $doc:literal])* $variant:ident = $text:literal ),+ $(,)? }) => {
        $(#[doc = $about])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $( $(#[doc = $doc])* $variant ),+ }

        impl $name {
            pub const ALL: &'static [Self] = &[ $( Self::$variant ),+ ];

            pub const fn as_str(self) -> &'static str {
                match self { $( Self::$variant => $text ),+ }
            }

            pub fn from_word(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.as_str() == word)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let word = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                Self::from_word(&word).ok_or_else(|| serde::de::Error::custom(format!("`{word}` is not known here")))
            }
        }
    };
}

words! {
    /// How far an application has come.
    ApplicationState {
        /// The provider has to answer.
        Submitted = "submitted",
        /// The provider has asked something; the consumer has to answer.
        AskedBack = "asked_back",
        /// Granted as it was asked.
        Granted = "granted",
        /// Granted, with less than was asked.
        GrantedInPart = "granted_in_part",
        Rejected = "rejected",
        /// Taken back by the consumer.
        Withdrawn = "withdrawn",
    }
}

impl ApplicationState {
    /// Nothing follows on it but the sharing itself.
    pub fn is_decided(self) -> bool {
        !matches!(self, Self::Submitted | Self::AskedBack)
    }
}

words! {
    /// What happened to an application.
    Step {
        Applied = "applied",
        /// A steward has looked at it and says what to decide.
        Prepared = "prepared",
        Asked = "asked",
        Answered = "answered",
        /// The provider has more time, with consent.
        Extended = "extended",
        Approved = "approved",
        ApprovedInPart = "approved_in_part",
        /// Granted by law, at once: the dataset is shared without conditions.
        GrantedByLaw = "granted_by_law",
        Rejected = "rejected",
        Withdrawn = "withdrawn",
        /// It is overdue, and has been for so long.
        Escalated = "escalated",
        /// What was granted can be used.
        Shared = "shared",
    }
}

words! {
    /// Why an application is rejected.
    RejectionGround {
        /// The items can be carried out without the data.
        NotNecessary = "not_necessary",
        /// The basis that was named does not give the right to the data.
        NoLegalBasis = "no_legal_basis",
        /// The use lies outside of the consumer's duties.
        OutsideDuties = "outside_duties",
        /// The conditions under which the dataset is shared are not met.
        ConditionsNotMet = "conditions_not_met",
        /// The provider does not hold the data.
        NotHeld = "not_held",
        /// A law, a regulation or a decision of the State Council forbids it.
        Forbidden = "forbidden",
        /// A question went unanswered.
        Unanswered = "unanswered",
    }
}

/// What is to be done within so many working days of China.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// Nothing is to be done.
    Stopped,
    Running {
        from: DateTime<Utc>,
        working_days: u32,
    },
    /// Somebody else's turn; so many working days are left after it.
    Paused {
        working_days: u32,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Application {
    pub id: ApplicationId,
    pub consumer: DepartmentId,
    pub dataset: DatasetId,
    pub provider: DepartmentId,
    pub applicant: ClientId,
    pub asked: Terms,
    /// The law or duty that the use rests on (使用依据).
    pub legal_basis: String,
    /// What the data is used for (使用场景).
    pub scenario: String,
    pub mode: SharingMode,
    /// The agreement that it continues.
    pub renews: Option<AgreementId>,
    pub state: ApplicationState,
    /// Until it is decided, the provider's answer; once granted, the sharing itself.
    pub clock: Clock,
    /// The provider has had its time extended.
    pub extended: bool,
    /// How loudly the clock that runs has been called overdue: 0 not at all.
    pub escalated: u32,
    pub submitted_at: DateTime<Utc>,
    pub decided_at: Option<DateTime<Utc>>,
    pub granted: Option<Terms>,
    /// Since when what was granted can be used.
    pub shared_at: Option<DateTime<Utc>>,
}

impl Application {
    /// The agreement that it has become.
    pub fn agreement(&self) -> Option<Agreement> {
        let terms = self.granted.as_ref()?;
        Some(Agreement {
            id: self.id.agreement(),
            consumer: self.consumer.clone(),
            dataset: self.dataset.clone(),
            items: terms.items.clone(),
            compare: terms.compare.clone(),
            disclose: terms.disclose.clone(),
            valid_from: terms.valid_from,
            valid_until: terms.valid_until,
            budget: Budget { calls_per_second: terms.calls_per_second, calls_per_day: terms.calls_per_day.get() },
            standing: Standing::InForce,
        })
    }
}

/// One thing that happened to an application. Events are only ever added.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Event {
    pub at: DateTime<Utc>,
    /// Nobody: the node itself.
    pub account: Option<ClientId>,
    pub step: Step,
    /// The state after it.
    pub state: ApplicationState,
    /// Why, in the words of whoever did it.
    pub reason: String,
    #[serde(flatten)]
    pub detail: EventDetail,
}

/// What an event is about, as far as it is more than words.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct EventDetail {
    /// What a steward says to decide: `approve` or `reject`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdict: Option<String>,
    /// What is asked, granted, or said to be granted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub terms: Option<Terms>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ground: Option<RejectionGround>,
    /// The law that a rejection rests on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub law: Option<String>,
    /// Who has consented to an extension.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consent: Option<String>,
    /// By how many working days the clock was extended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub working_days: Option<u32>,
    /// How loudly it is called overdue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level: Option<u32>,
}
