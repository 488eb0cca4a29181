//! What a person may do at a node.

use std::{collections::BTreeSet, fmt, str::FromStr};

use serde::{Serialize, Serializer};

use super::IdentifierError;

macro_rules! roles {
    ($( $(#[doc = $doc:literal])+ $variant:ident = $text:literal ),+ $(,)?) => {
        /// A role of a person. Systems have none.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Role { $( $(#[doc = $doc])+ $variant ),+ }

        impl Role {
            pub const ALL: &'static [Role] = &[ $( Role::$variant ),+ ];

            pub const fn as_str(self) -> &'static str {
                match self { $( Role::$variant => $text ),+ }
            }
        }
    };
}

roles! {
    /// Applies for data on behalf of a consumer.
    Consumer = "consumer",
    /// Keeps datasets of a provider: catalogue, applications, objections.
    Steward = "steward",
    /// Decides, as a second person, what a steward or consumer has prepared.
    Approver = "approver",
    /// Reads everything that was asked and done, changes nothing.
    Auditor = "auditor",
    /// Runs the node: accounts, suspensions, policies.
    Operator = "operator",
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = IdentifierError;
    fn from_str(text: &str) -> Result<Self, IdentifierError> {
        let known = || Self::ALL.iter().map(|role| role.as_str()).collect::<Vec<_>>().join(", ");
        let found = Self::ALL.iter().copied().find(|role| role.as_str() == text);
        found.ok_or_else(|| IdentifierError::new("role", format!("a role is one of {}", known())))
    }
}

impl Serialize for Role {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// The roles of an account; none for a system. In text: names with commas between them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Roles(BTreeSet<Role>);

impl Roles {
    pub fn has_any(&self, wanted: &[Role]) -> bool {
        wanted.iter().any(|role| self.0.contains(role))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = Role> {
        self.0.iter().copied()
    }
}

impl FromIterator<Role> for Roles {
    fn from_iter<I: IntoIterator<Item = Role>>(roles: I) -> Self {
        Self(roles.into_iter().collect())
    }
}

impl fmt::Display for Roles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.iter().map(Role::as_str).collect::<Vec<_>>().join(","))
    }
}

impl FromStr for Roles {
    type Err = IdentifierError;
    fn from_str(text: &str) -> Result<Self, IdentifierError> {
        text.split(',').filter(|name| !name.is_empty()).map(str::parse).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_read_back_from_their_text() {
        for text in ["", "steward", "consumer,auditor"] {
            assert_eq!(text.parse::<Roles>().unwrap().to_string(), text);
        }
        assert!("steward,king".parse::<Roles>().unwrap_err().to_string().contains("operator"));
    }

    #[test]
    fn nobody_has_a_role_by_default() {
        assert!(!Roles::default().has_any(Role::ALL));
        assert!("auditor".parse::<Roles>().unwrap().has_any(&[Role::Operator, Role::Auditor]));
    }
}
