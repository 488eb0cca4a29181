//! Policy: Cedar schema, question, decision, obligations. Pure.
//!
//! Floor 2: may use `catalog`, `ledger` types, `identifiers`, `problem`. Reads its files once, in [`PolicySet::load`];
//! [`PolicySet::decide`] takes values and returns a value, so that a recorded call can be decided again.
//!
//! ```text
//! Question (caller, dataset, item, agreement, fields) ─> Cedar request, entities, context
//!     ─> Allow { policies, obligations } | Deny { policies, reasons }
//! ```
//!
//! Promises: denied by default; an evaluation error denies; a refusal names the policies that decided; a field never
//! becomes less protected than the catalogue declares it.

mod anatomy;
mod cases;
mod check;
mod decide;
mod difference;
mod explain;
mod files;
mod manner;
mod obligations;
mod parties;
mod question;
mod returns;
mod shadow;
mod slices;
mod specimen;
mod statistics;

pub use cases::{Agreed, Case, Expected, Scenario, Trial, Tried, cases, try_cases};
pub use decide::{DEFAULT_DENY, Decision};
pub use difference::{Depends, Difference};
pub use explain::{Condition, Explanation, PolicyExplained, Verdict};
pub use files::{PolicyError, PolicyFiles, PolicySet, Rule};
pub use manner::{Channel, Manner, Volume};
pub use obligations::Obligations;
pub use question::{Operation, Question};
pub use returns::ReturnQuestion;
pub use shadow::{Doubt, DoubtKind};
pub use statistics::StatisticsQuestion;

#[cfg(test)]
mod tests;
