//! The catalogue of all: what the nodes below publish appears here, with where it comes from and how fresh it is, and goes on
//! to the node above.
//!
//! Floor 3: may use `identifiers`, `problem`, `catalog`, `ledger`. Asks nobody by itself: `http` fetches pages and hands them
//! out.
//!
//! ```text
//!  own catalogue ─ hand_up ─┐                                                     ┌─> Everywhere: search, list, one entry
//!                           ├─> the ledger's feed, one number a change ─> page ─> │
//!  page of a node below ─ hear (judge each entry) ─┘                              └─> the node above, the same way
//! ```
//!
//! Promises: what is heard in the end is what the other publishes, whatever was killed, repeated or lost on the way; a bad
//! entry holds up no other; what this node publishes itself is never touched.

mod everywhere;
mod hear;
mod judge;
mod page;

pub use everywhere::{Everywhere, Freshness, Listed, Name};
pub use hear::{Heard, Hearing, ask, hear, lag};
pub use page::{Asked, Page, hand_up, page};

use crate::{ledger::LedgerError, problem::Code};

/// Why a page was not taken.
#[derive(Debug, thiserror::Error)]
pub enum CascadeError {
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error("the page of the catalogue is not of the documented shape: {reason}")]
    Page { reason: String },
}

impl CascadeError {
    pub fn code(&self) -> Code {
        match self {
            Self::Ledger(error) => error.code(),
            Self::Page { .. } => Code::PeerUnreachable,
        }
    }
}

#[cfg(test)]
mod tests;
