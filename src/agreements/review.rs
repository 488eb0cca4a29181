//! What a provider says to an application: text in, a verdict out.

use serde::Deserialize;
use utoipa::ToSchema;

use super::terms::{Narrowing, text, wrong};
use crate::{
    ledger::RejectionGround,
    problem::{Code, Problem},
};

/// What the provider says. Which members stand beside `verdict` and `reason` depends on the verdict.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Review {
    /// `approve`, `reject`, `ask` (the clock pauses until the answer) or `extend` (once, with consent). What a steward says
    /// is written down for an approver, who decides.
    #[schema(example = "approve")]
    pub verdict: String,
    /// Why, or the question, 1 to 2000 characters.
    #[schema(example = "符合共享条件")]
    pub reason: String,
    /// With `approve`: what is granted, where it is less than what was asked.
    pub grant: Option<Narrowing>,
    /// With `reject`: `not_necessary`, `no_legal_basis`, `outside_duties`, `conditions_not_met`, `not_held`, `forbidden` or
    /// `unanswered`.
    pub ground: Option<String>,
    /// With `reject`: the law that it rests on.
    pub law: Option<String>,
    /// With `extend`: by how much.
    #[schema(minimum = 1)]
    pub working_days: Option<u32>,
    /// With `extend`: who has consented, and when.
    pub consent: Option<String>,
}

pub(super) enum Verdict {
    Approve(Narrowing),
    Reject { ground: RejectionGround, law: String },
    Ask,
    Extend { working_days: u32, consent: String },
}

impl Review {
    /// The verdict and its reason.
    pub(super) fn parse(&self) -> Result<(Verdict, String), Problem> {
        let reason = text("/reason", &self.reason)?;
        let verdict = match self.verdict.as_str() {
            "approve" => Verdict::Approve(self.grant.clone().unwrap_or_default()),
            "reject" => Verdict::Reject {
                ground: self.ground()?,
                law: text("/law", given("/law", "the law that it rests on", self.law.as_deref())?)?,
            },
            "ask" => Verdict::Ask,
            "extend" => Verdict::Extend {
                working_days: given("/working_days", "by how much", self.working_days)?,
                consent: text("/consent", given("/consent", "who has consented", self.consent.as_deref())?)?,
            },
            _ => {
                let remedy = "Write `approve`, `reject`, `ask` or `extend`";
                return Err(wrong(Code::InvalidValue, "/verdict", "this is no verdict", remedy));
            }
        };
        self.nothing_else(&verdict)?;
        Ok((verdict, reason))
    }

    fn ground(&self) -> Result<RejectionGround, Problem> {
        let word = given("/ground", "the ground", self.ground.as_deref())?;
        RejectionGround::from_word(word).ok_or_else(|| {
            let known = RejectionGround::ALL.iter().map(|ground| format!("`{ground}`")).collect::<Vec<_>>().join(", ");
            wrong(Code::InvalidValue, "/ground", "this is no ground", format!("Write one of {known}"))
        })
    }

    /// A member that has no meaning with this verdict was meant for another one.
    fn nothing_else(&self, verdict: &Verdict) -> Result<(), Problem> {
        let (approve, reject, extend) = match verdict {
            Verdict::Approve(_) => (true, false, false),
            Verdict::Reject { .. } => (false, true, false),
            Verdict::Extend { .. } => (false, false, true),
            Verdict::Ask => (false, false, false),
        };
        let stray = [
            ("/grant", self.grant.is_some() && !approve),
            ("/ground", self.ground.is_some() && !reject),
            ("/law", self.law.is_some() && !reject),
            ("/working_days", self.working_days.is_some() && !extend),
            ("/consent", self.consent.is_some() && !extend),
        ];
        match stray.into_iter().find(|(_, stray)| *stray) {
            Some((pointer, _)) => Err(wrong(
                Code::InvalidValue,
                pointer,
                format!("this does not belong to `{}`", self.verdict),
                "Leave it out",
            )),
            None => Ok(()),
        }
    }
}

fn given<T>(pointer: &str, what: &str, value: Option<T>) -> Result<T, Problem> {
    value.ok_or_else(|| wrong(Code::InvalidValue, pointer, format!("the review does not say {what}"), "Add it"))
}
