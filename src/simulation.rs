//! Simulated traffic against the enumeration defence, in virtual time: how many harvests it finds, how often it is wrong.
//!
//! Floor 3: may use `enumeration` and `identifiers`. Drives the very code that stands on the road of a call, with terminals
//! that ask about the people before them and with harvesters that do not. Everything is a function of the seed, so that a
//! run can be repeated; nobody in it exists.
//!
//! ```text
//! Population (who exists) ─> Office (honest calls) ─┐
//!                         └> Harvest (kinds)       ─┴─> Run: verdict ─> call ─> observe ─> Report
//! ```

mod chance;
mod harvest;
mod office;
mod population;
mod report;
mod run;

pub use harvest::Kind;
pub use report::{Found, Report};
pub use run::{Scenario, simulate};

#[cfg(test)]
mod tests;
