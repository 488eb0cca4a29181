//! Filing: a receipt of an indeterminate answer, and the body of the call that got it, byte for byte.

use chrono::{DateTime, TimeDelta, Utc};

use crate::{
    audit::{Operation, receipt, sha256},
    identifiers::CallId,
    keys::PublicKeys,
    ledger::Actor,
    problem::{Code, Problem},
};

/// The only outcome there is anything left of to do.
const UNFINISHED: &str = "indeterminate";

/// What one has to say to have a call finished later.
#[derive(Clone, Debug)]
pub struct NewFiling {
    /// Of the indeterminate answer.
    pub receipt: String,
    /// The body of the call, as it was sent.
    pub body: String,
}

/// A filing in which everything is in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Examined {
    pub call: CallId,
    pub discloses: bool,
}

/// Check that the caller holds an indeterminate answer of this node, not older than `age_max`, and its question.
pub fn examine(
    new: &NewFiling,
    by: &Actor,
    keys: &PublicKeys,
    age_max: TimeDelta,
    now: DateTime<Utc>,
) -> Result<Examined, Problem> {
    if !by.roles.is_empty() {
        let detail = format!("`{}` is the account of a person; calls are made by systems", by.account);
        return Err(Problem::new(Code::RoleRequired, detail).remedy("File it with the token of a registered system."));
    }
    let claims = receipt::verify(&new.receipt, keys).map_err(|error| {
        Problem::new(error.code(), error.to_string())
            .at("/receipt")
            .remedy("Send the receipt of an answer of this node, whole and unchanged.")
    })?;
    let of_receipt = |detail: String| Problem::new(Code::InvalidValue, detail).at("/receipt");
    if claims.department != by.department {
        return Err(of_receipt("the answer was given to another department".to_owned())
            .remedy("Let a system of the department that asked file it."));
    }
    if claims.outcome != UNFINISHED {
        return Err(of_receipt(format!("the answer is `{}`, so there is nothing left to finish", claims.outcome))
            .remedy("File answers that are `indeterminate`."));
    }
    let answered = DateTime::from_timestamp(claims.iat, 0).unwrap_or(DateTime::UNIX_EPOCH);
    if now - answered > age_max {
        return Err(of_receipt(format!("the answer is older than {} hours", age_max.num_hours()))
            .remedy("Make the call again, and file the new answer."));
    }
    let discloses = match claims.operation {
        Operation::Verification => false,
        Operation::Disclosure => true,
        Operation::Token | Operation::Statistics | Operation::Return => {
            return Err(of_receipt("only verifications and disclosures can be finished later".to_owned())
                .remedy("Ask again yourself."));
        }
    };
    if sha256(new.body.as_bytes()) != claims.request_sha256 {
        return Err(Problem::new(Code::InvalidValue, "`body` is not the body of the call that was answered")
            .at("/body")
            .remedy("Send it byte for byte as it was sent then, as one JSON string."));
    }
    Ok(Examined { call: claims.jti, discloses })
}
