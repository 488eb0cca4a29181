//! Ratings of answers, by who holds the receipt.

use chrono::{DateTime, Utc};

use super::{STATEMENT_CHARS_MAX, claims_of, dataset_of};
use crate::{
    catalog::Catalog,
    keys::PublicKeys,
    ledger::{Actor, Rating},
    problem::{Code, Problem},
};

/// Up to this grade a rating is a complaint and says why.
const BAD_UNTIL: u8 = 2;

/// What one has to say to rate an answer.
#[derive(Clone, Debug)]
pub struct NewRating {
    pub receipt: String,
    /// 5 very satisfied to 1 very dissatisfied.
    pub grade: u8,
    pub reason: String,
}

/// Check a new rating; what is then to be kept.
pub fn rating(
    new: NewRating,
    by: &Actor,
    keys: &PublicKeys,
    catalog: &Catalog,
    now: DateTime<Utc>,
) -> Result<Rating, Problem> {
    let claims = claims_of(&new.receipt, keys)?;
    let dataset = dataset_of(&claims, catalog)?;
    if claims.department != by.department {
        let problem = Problem::new(Code::InvalidValue, "the answer was given to another department");
        return Err(problem.at("/receipt").remedy("Rate answers that your own department has asked for."));
    }
    if !(1..=5).contains(&new.grade) {
        let problem = Problem::new(Code::InvalidValue, "`grade` is a whole number from 1 to 5");
        return Err(problem.at("/grade").remedy("5 is very satisfied, 1 very dissatisfied."));
    }
    let reason = new.reason.trim().to_owned();
    let chars = reason.chars().count();
    if chars > STATEMENT_CHARS_MAX || (chars == 0 && new.grade <= BAD_UNTIL) {
        let detail =
            format!("`reason` has at most {STATEMENT_CHARS_MAX} characters, and at least 1 for a grade of 1 or 2");
        return Err(Problem::new(Code::InvalidValue, detail).at("/reason").remedy("Say what was bad."));
    }
    Ok(Rating {
        call: claims.jti,
        dataset: claims.dataset,
        provider: dataset.provider.clone(),
        item: claims.item,
        grade: new.grade,
        reason,
        department: by.department.clone(),
        by: by.account.clone(),
        at: now,
    })
}
