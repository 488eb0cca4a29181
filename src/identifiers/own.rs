//! The names that the node and its catalogue give out: slugs, field names, call ids, version numbers.
//!
//! Newtypes, so that two arguments of the same shape cannot be swapped.

use std::{fmt, num::NonZeroU32, str::FromStr, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

use super::IdentifierError;

/// Longest slug, field name or case number accepted, in bytes.
const NAME_BYTES_MAX: usize = 64;

macro_rules! name_type {
    ($(#[$doc:meta])+ $name:ident, $kind:literal, $check:path) => {
        $(#[$doc])+
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Arc<str>);

        impl $name {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = IdentifierError;
            fn from_str(text: &str) -> Result<Self, IdentifierError> {
                $check($kind, text)?;
                Ok(Self(text.into()))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

name_type!(
    /// A node, such as `guangdong` or `shenzhen`: a slug.
    NodeId, "node", slug
);
name_type!(
    /// A department, such as `gd-public-security`: a slug. Its credit code stands in the catalogue.
    DepartmentId, "department", slug
);
name_type!(
    /// A dataset, such as `natural-person`: a slug.
    DatasetId, "dataset", slug
);
name_type!(
    /// A registered system of a department, such as `gz-hukou-window`: a slug.
    ClientId, "client", slug
);
name_type!(
    /// An agreement, such as `agr-0001`: a slug.
    AgreementId, "agreement", slug
);
name_type!(
    /// A material that an applicant would otherwise bring, such as `identity-card`: a slug.
    MaterialId, "material", slug
);
name_type!(
    /// A field of a dataset, such as `resident_id`: a lower-case letter, then letters, digits and `_`.
    FieldName, "field", snake
);
name_type!(
    /// The caller's own number for the case at hand: 1 to 64 visible ASCII characters.
    CaseNo, "case", visible
);
name_type!(
    /// The caller's own reference to the record of the subject's consent: 1 to 64 visible ASCII characters.
    ConsentRef, "consent reference", visible
);

/// An official of the calling department, by the name of the account there: 1 to 64 visible ASCII characters.
///
/// Prints itself as stars, and has no way into a log: what is recorded is a pseudonym.
#[derive(Clone, PartialEq, Eq)]
pub struct Official(Arc<str>);

impl Official {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Is it the same person? Accounts that differ in case only are taken for one.
    pub fn is_same_as(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl FromStr for Official {
    type Err = IdentifierError;
    fn from_str(text: &str) -> Result<Self, IdentifierError> {
        visible("name of an official", text)?;
        Ok(Self(text.into()))
    }
}

impl fmt::Debug for Official {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Official(***)")
    }
}

fn bounded(kind: &'static str, text: &str) -> Result<(), IdentifierError> {
    if text.is_empty() || text.len() > NAME_BYTES_MAX {
        return Err(IdentifierError::new(kind, format!("a {kind} has 1 to {NAME_BYTES_MAX} characters")));
    }
    Ok(())
}

fn slug(kind: &'static str, text: &str) -> Result<(), IdentifierError> {
    bounded(kind, text)?;
    let inner = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
    if !text.bytes().all(inner) || text.starts_with('-') || text.ends_with('-') {
        return Err(IdentifierError::new(
            kind,
            format!("a {kind} has lower-case letters, digits and inner hyphens only"),
        ));
    }
    Ok(())
}

fn snake(kind: &'static str, text: &str) -> Result<(), IdentifierError> {
    bounded(kind, text)?;
    let inner = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_';
    if !text.starts_with(|c: char| c.is_ascii_lowercase()) || !text.bytes().all(inner) {
        return Err(IdentifierError::new(
            kind,
            format!("a {kind} is a lower-case letter, then letters, digits and `_`"),
        ));
    }
    Ok(())
}

fn visible(kind: &'static str, text: &str) -> Result<(), IdentifierError> {
    bounded(kind, text)?;
    if !text.bytes().all(|c| c.is_ascii_graphic()) {
        return Err(IdentifierError::new(kind, format!("a {kind} has visible ASCII characters only")));
    }
    Ok(())
}

macro_rules! uuid_type {
    ($(#[$doc:meta])+ $name:ident, $kind:literal) => {
        $(#[$doc])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            pub fn new(id: Uuid) -> Self {
                Self(id)
            }

            pub fn as_uuid(&self) -> &Uuid {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = IdentifierError;
            fn from_str(text: &str) -> Result<Self, IdentifierError> {
                let wrong = || IdentifierError::new($kind, concat!("the id of a ", $kind, " is a UUID"));
                Uuid::parse_str(text).map(Self).map_err(|_| wrong())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

uuid_type!(
    /// One call, for ever: a UUID of version 7, so that ids sort by time.
    CallId, "call"
);
uuid_type!(
    /// An objection: a UUID of version 7, so that ids sort by time.
    ObjectionId, "objection"
);
uuid_type!(
    /// A call that is to be finished later: a UUID of version 7, so that ids sort by time.
    RecheckId, "recheck"
);
uuid_type!(
    /// What a client is told at its endpoint, however often it takes: a UUID of version 7.
    DeliveryId, "delivery"
);

/// An application for data, such as `app-17`. The agreement that it becomes has the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ApplicationId(NonZeroU32);

impl ApplicationId {
    pub fn new(number: NonZeroU32) -> Self {
        Self(number)
    }

    pub fn number(self) -> u32 {
        self.0.get()
    }

    /// The name of the agreement that it becomes.
    pub fn agreement(self) -> AgreementId {
        AgreementId(self.to_string().into())
    }

    /// The application that an agreement was; none for one that was declared in a file.
    pub fn of_agreement(id: &AgreementId) -> Option<Self> {
        id.as_str().parse().ok()
    }
}

impl FromStr for ApplicationId {
    type Err = IdentifierError;
    fn from_str(text: &str) -> Result<Self, IdentifierError> {
        let digits = text.strip_prefix("app-").filter(|rest| rest.bytes().all(|c| c.is_ascii_digit()));
        let number = digits.filter(|digits| !digits.starts_with('0')).and_then(|digits| digits.parse().ok());
        let wrong =
            || IdentifierError::new("application", "an application is named `app-` and its number, as `app-17`");
        number.map(Self).ok_or_else(wrong)
    }
}

impl fmt::Display for ApplicationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "app-{}", self.0)
    }
}

impl Serialize for ApplicationId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A published version of a dataset: its Delta table version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct VersionNo(pub u64);

impl fmt::Display for VersionNo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_official_is_never_printed_and_is_one_person_in_any_case() {
        let official: Official = "Li.Na".parse().unwrap();
        assert_eq!(format!("{official:?}"), "Official(***)");
        assert!(official.is_same_as(&"li.na".parse().unwrap()) && !official.is_same_as(&"li.n".parse().unwrap()));
        for text in ["", "li na", "李娜", &"x".repeat(65)] {
            let error = text.parse::<Official>().unwrap_err();
            assert!(text.is_empty() || !error.to_string().contains(text), "{error}");
        }
    }

    #[test]
    fn an_application_and_its_agreement_have_one_name() {
        let application: ApplicationId = "app-17".parse().unwrap();
        assert_eq!((application.number(), application.agreement().as_str()), (17, "app-17"));
        assert_eq!(ApplicationId::of_agreement(&application.agreement()), Some(application));
        assert_eq!(ApplicationId::of_agreement(&"agr-17".parse().unwrap()), None);
        for text in ["app-", "app-0", "app-017", "app-+1", "app--1", "app-4294967296", "APP-1", "17", "app-1 "] {
            assert!(text.parse::<ApplicationId>().is_err(), "{text}");
        }
    }
}
