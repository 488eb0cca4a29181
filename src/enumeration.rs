//! Enumeration defence: does somebody walk through a register, rather than ask about the people before him?
//!
//! Floor 2: may use `identifiers`. Pure: takes values and the time, does no I/O, has no clock, and gives the same verdicts
//! for the same calls. What it keeps of a subject are keyed hashes of 32 bits and counters, never a number.
//!
//! ```text
//! subject ─> Marker ─> Sighting ─┐            ┌─ item        windows, distinct subjects, scores   (client, dataset, item)
//! outcome (after step 7) ────────┴─> observe ─┼─ account     the same, and the standing           (client, dataset)
//!                                             ├─ department  window, misses                        (department, dataset)
//! step 4 <── verdict: level, signal, until <──┴─ dataset     window                                (dataset)
//! ```
//!
//! Scores are sequential tests (CUSUM): each call adds the logarithm of how much likelier it is in a harvest than at a
//! window, and no sum falls below zero. So a score knows no clock: a harvest of one call an hour adds up like one of a
//! thousand, and honest calls take it down again. Memory is bounded by [`ACCOUNT_BYTES_MAX`] per client and dataset.

mod distinct;
mod recent;
mod score;
mod seat;
mod series;
mod sighting;
mod sip;
mod standing;
mod state;
mod thresholds;
mod watch;

pub use seat::Seat;
pub use sighting::{Marker, Sighting, Subject, mark_of};
pub use standing::{Level, Signal, Verdict};
pub use state::{NoPlace, Place};
pub use thresholds::Thresholds;
pub use watch::{ACCOUNT_BYTES_MAX, Evidence, GROUP_BYTES_MAX, ITEMS_MAX, Notice, Outcome, Watch};

#[cfg(test)]
mod tests;
