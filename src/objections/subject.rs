//! Who it is about, said by somebody who may not know: a wrong number is told from the right one only a few times.
//!
//! The ledger counts, so that neither a restart nor another account gives anybody further tries.

use chrono::{DateTime, Utc};

use super::ledger_failed;
use crate::{
    identifiers::{ClientId, FieldName},
    ledger::{Guess, Ledger},
    problem::{Code, Problem},
};

/// Wrong subjects that may be named for one receipt, or for one objection: slips of the hand, not a walk.
const WRONG_MAX: u32 = 5;

/// A number that was named, with whether it is the right one. To be let through by [`Named::checked`] before it has any effect.
#[derive(Clone, Debug)]
pub(super) struct Named {
    /// `receipt:` or `objection:`, and the id.
    pub(super) about: String,
    pub(super) field: FieldName,
    pub(super) right: bool,
    pub(super) remedy: &'static str,
}

impl Named {
    /// The subject was named rightly, and not after too many wrong ones.
    pub(super) async fn checked(self, ledger: &Ledger, by: &ClientId, now: DateTime<Utc>) -> Result<(), Problem> {
        let Self { about, field, right, remedy } = self;
        match ledger.guess(&about, right, WRONG_MAX, by, now).await.map_err(ledger_failed)? {
            Guess::Right => Ok(()),
            Guess::Wrong => {
                let detail = format!("`subject` is not the `{field}` that was asked");
                Err(Problem::new(Code::InvalidValue, detail).at("/subject").remedy("Write it as in the call."))
            }
            Guess::Exceeded => {
                let detail = format!("{WRONG_MAX} wrong subjects were named here already");
                Err(Problem::new(Code::GuessesExceeded, detail).at("/subject").remedy(remedy))
            }
        }
    }
}
