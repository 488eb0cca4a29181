//! What a platform's service is here: a dataset and an item, and which members of a body name the subject and the claims.
//!
//! One declaration serves both ways: inbound it reads a body, outbound it writes one. Pure.

use std::sync::Arc;

use super::vocabulary::Vocabulary;
use crate::{
    identifiers::{CaseNo, DatasetId, FieldName, ItemCode},
    problem::{Code, Problem},
    verification::Scalar,
};

/// A service of a platform.
///
/// Holds: no member stands for two things, no field for two members.
#[derive(Clone, Debug)]
pub struct Service {
    /// The platform's number: `gjgxjhpt_sid`, or the last part of the path.
    pub id: String,
    pub dataset: DatasetId,
    /// The item for whose sake the service is used.
    pub item: ItemCode,
    /// Member and key field.
    pub subject: (String, FieldName),
    /// Member and field, in the order of the declaration.
    pub claims: Vec<(String, FieldName)>,
    /// The member with the caller's number of the case.
    pub case: Option<String>,
    pub vocabulary: Arc<Vocabulary>,
}

/// What a body asks, by our names. Values are not looked at yet.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    pub subject: (FieldName, String),
    pub claims: Vec<(FieldName, Scalar)>,
    pub case: Option<String>,
}

/// A question for another platform.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    pub dataset: &'a DatasetId,
    pub item: &'a ItemCode,
    pub subject: (&'a FieldName, &'a str),
    pub claims: &'a [(FieldName, Scalar)],
    pub case: Option<&'a CaseNo>,
}

/// Why a service cannot put a question.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAskable {
    #[error("`{upstream}` has no service for dataset `{dataset}` and item `{item}`")]
    NoService { upstream: String, dataset: DatasetId, item: ItemCode },
    #[error("service `{service}` has no member for field `{field}`")]
    NoMember { service: String, field: FieldName },
}

impl NotAskable {
    pub fn code(&self) -> Code {
        match self {
            Self::NoService { .. } => Code::UnknownService,
            Self::NoMember { .. } => Code::UnknownField,
        }
    }
}

impl Service {
    /// Read the members of a body. A claim that is not sent is not asked; a member that nobody declared is refused, for
    /// whoever sent it expects something of it.
    pub fn read(&self, members: Vec<(String, Scalar)>) -> Result<Asked, Problem> {
        let (mut subject, mut case, mut claims) = (None, None, Vec::new());
        for (member, value) in members {
            if member == self.subject.0 {
                subject = Some((self.subject.1.clone(), text(value)));
            } else if self.case.as_ref() == Some(&member) {
                case = Some(text(value));
            } else if let Some((_, field)) = self.claims.iter().find(|(name, _)| *name == member) {
                claims.push((field.clone(), value));
            } else {
                let detail = "a member of the body does not belong to this service";
                return Err(
                    Problem::new(Code::UnknownField, detail).remedy(format!("Its members are: {}.", self.members()))
                );
            }
        }
        let missing = |member: &str| {
            Problem::new(Code::InvalidValue, format!("member `{member}` is missing"))
                .remedy(format!("The members of this service are: {}.", self.members()))
        };
        let subject = subject.ok_or_else(|| missing(&self.subject.0))?;
        if claims.is_empty() {
            return Err(missing(self.claims.first().map_or("", |(member, _)| member)));
        }
        Ok(Asked { subject, claims, case })
    }

    /// The body that asks this.
    pub fn write(&self, wanted: &Wanted<'_>) -> Result<serde_json::Map<String, serde_json::Value>, NotAskable> {
        let no_member = |field: &FieldName| NotAskable::NoMember { service: self.id.clone(), field: field.clone() };
        let mut body = serde_json::Map::new();
        let (field, subject) = wanted.subject;
        if *field != self.subject.1 {
            return Err(no_member(field));
        }
        body.insert(self.subject.0.clone(), subject.into());
        for (field, value) in wanted.claims {
            let (member, _) = self.claims.iter().find(|(_, known)| known == field).ok_or_else(|| no_member(field))?;
            body.insert(member.clone(), in_json(value));
        }
        if let (Some(member), Some(case)) = (&self.case, wanted.case) {
            body.insert(member.clone(), case.as_str().into());
        }
        Ok(body)
    }

    fn members(&self) -> String {
        let all =
            std::iter::once(&self.subject.0).chain(self.claims.iter().map(|(member, _)| member)).chain(&self.case);
        all.map(|member| format!("`{member}`")).collect::<Vec<_>>().join(", ")
    }
}

/// A claimed value as JSON.
pub fn in_json(value: &Scalar) -> serde_json::Value {
    match value {
        Scalar::Text(text) => text.as_str().into(),
        Scalar::Integer(number) => (*number).into(),
        Scalar::Boolean(truth) => (*truth).into(),
    }
}

fn text(value: Scalar) -> String {
    match value {
        Scalar::Text(text) => text,
        Scalar::Integer(number) => number.to_string(),
        Scalar::Boolean(truth) => truth.to_string(),
    }
}
