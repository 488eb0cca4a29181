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

mod check;
mod decide;
mod files;
mod obligations;
mod question;
mod specimen;

pub use decide::Decision;
pub use files::{PolicyError, PolicySet, Rule};
pub use obligations::Obligations;
pub use question::{Operation, Question};

#[cfg(test)]
mod tests;
