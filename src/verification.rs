//! Claims held against register values: names, dates, codes, predicates; the outcome; masks. Pure.
//!
//! Floor 2: may use `catalog`, `identifiers` and `problem`. No clock, no I/O, no rights: whether a field may be asked at
//! all is policy's matter. Promises that nothing here panics on any input and that no error text and no debug text
//! repeats a claim's or a register's value.
//!
//! ```text
//! field + operators --Claim::parse--> Claim          (typed, or a ClaimError that names operator, reason and remedy)
//! Claim + cell      --compare-------> Comparison     (match, mismatch, indeterminate; the rule that was needed)
//! Claims + rows     --judge---------> Judgement      (outcome of the call, one comparison a claim)
//! mask style + cell --mask----------> String         (what may be shown of a value)
//! ```
//!
//! What the results mean:
//!
//! | what was found                                   | each claim                            | outcome         |
//! |--------------------------------------------------|---------------------------------------|-----------------|
//! | no row                                           | none                                  | `not_found`     |
//! | one row, every claim holds                       | `match`                               | `match`         |
//! | one row, a claim does not hold                   | by itself                             | `mismatch`      |
//! | one row, none fails, a cell is empty             | by itself, `no_value`                 | `indeterminate` |
//! | one row, none fails, a name cannot be read       | by itself, `rare_character`           | `indeterminate` |
//! | one row that is dead, cancelled or locked        | all `indeterminate`, whatever it says | `indeterminate` |
//! | the same, and a claim asks for that very status  | by itself                             | as above        |
//! | several rows                                     | of the row that fits best             | of that row     |
//!
//! So one row is the logical *and* of its claims, and several rows are the *or* of the rows, with `indeterminate` as the
//! third value: a mismatch is said only if nothing unknown could turn it into a match. Only where every row contradicts
//! the claims, and one of them is in its ordinary state, is that a mismatch.
//!
//! A match of names or codes that are spelt differently is still a match, and says so: its `rule` names what was needed.
//! Characters that differ are never merged, simplified and traditional forms (简, 繁) included. The one exception is the
//! compatibility forms that Unicode itself declares to be the same character (NFKC), such as U+F914 for 樂 (U+6A02).

mod claim;
mod code;
mod compare;
mod judge;
mod mask;
mod name;
mod outcome;
mod spelling;

#[cfg(test)]
mod fixtures;

pub use claim::{Claim, ClaimError, ClaimInput, Operator, Scalar};
pub use compare::{ClaimResult, Comparison};
pub use judge::{Judgement, judge};
pub use mask::mask;
pub use outcome::{Outcome, Reason, overall};
