//! The ledger: what must be transactional. Registered clients today; agreements, applications and jobs as they come.
//!
//! Floor 1: may use `identifiers`, `problem` and `catalog` types. SQLite inside by default; one file of queries per
//! concern.

mod agreement;
mod clients;

pub use agreement::{Agreement, Budget};
