//! How much each call speaks for a harvest, in thousandths of a natural logarithm of the odds.
//!
//! A weight is `1000 * ln(share of such calls in a harvest / share of them at windows)`. The shares at windows are what a
//! bad day of an honest client looks like, not an average one; the shares in a harvest are those of one that hides among
//! honest calls, because one that does not is found in any case. `docs/enumeration.md` has them as a table.

use std::sync::atomic::{AtomicI32, Ordering::Relaxed};

use super::watch::Outcome;

/// No score grows beyond this, so that honest calls can take down in bounded time what a long harvest has heaped up.
pub(super) const SCORE_MAX: i32 = 100_000;

/// A sum that does not fall below zero (CUSUM; Page, 1954).
#[derive(Default)]
pub(super) struct Score(AtomicI32);

impl Score {
    pub(super) fn add(&self, points: i32) -> i32 {
        let sum = |score: i32| (score + points).clamp(0, SCORE_MAX);
        sum(self.0.fetch_update(Relaxed, Relaxed, |score| Some(sum(score))).unwrap_or_default())
    }

    pub(super) fn get(&self) -> i32 {
        self.0.load(Relaxed)
    }

    pub(super) fn set(&self, points: i32) {
        self.0.store(points.clamp(0, SCORE_MAX), Relaxed);
    }

    /// Come down to this, where it is higher.
    pub(super) fn at_most(&self, points: i32) {
        self.0.fetch_min(points, Relaxed);
    }
}

/// An answer about a subject that was not asked about lately.
///
/// At windows, on a bad day, 10 in 100 are not found (old lists, slips of the pen) and 80 match; in a harvest that hides,
/// 20 and 70. Mismatches say little: screening for who is entitled has many. Numbers of other provinces are often unknown
/// here, and honestly.
pub(super) fn of_answer(outcome: Outcome) -> i32 {
    match outcome {
        Outcome::Match => -130,
        Outcome::Mismatch => 50,
        Outcome::NotFound => 690,
        Outcome::NotFoundElsewhere => 100,
        Outcome::Unanswered => 0,
    }
}

/// An answer about a subject that was asked about lately. Matches are no proof of honesty: they could be repeated at will
/// to take a score down. Mismatches of one subject are guesses at its fields.
pub(super) fn of_answer_again(outcome: Outcome) -> i32 {
    match outcome {
        Outcome::Mismatch => 200,
        Outcome::Match | Outcome::NotFound | Outcome::NotFoundElsewhere | Outcome::Unanswered => 0,
    }
}

/// A subject whose neighbour was asked about lately, or was not.
///
/// Neighbours that exist are ordinary where newborns are registered, or a school enrols a district; 8 in 100 of such calls.
/// A neighbour that nobody has is a number that was made up by counting.
pub(super) fn of_step(stepped: bool, outcome: Outcome) -> i32 {
    match (stepped, outcome) {
        (false, _) => -50,
        (true, Outcome::Match | Outcome::Unanswered) => 400,
        (true, Outcome::Mismatch) => 1_000,
        (true, Outcome::NotFound | Outcome::NotFoundElsewhere) => 3_500,
    }
}

/// A subject in a lane where four others were asked about lately: one call in 10,000 at windows.
pub(super) fn of_lane(walked: bool, outcome: Outcome) -> i32 {
    match (walked, outcome) {
        // Whoever completes masked numbers finds somebody seldom; whoever matches in a lane all the time knew them before.
        (false, _) | (true, Outcome::Match | Outcome::Unanswered) => -10,
        (true, Outcome::Mismatch | Outcome::NotFound | Outcome::NotFoundElsewhere) => 4_000,
    }
}
