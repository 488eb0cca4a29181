//! The one integration test binary: the node through its real doors, on real files.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod api;
mod cli;
mod faults;
mod federation;
mod flight;
mod fuzz;
mod object_store;
mod publishing;
mod rechecks;
mod support;
mod tidy;
mod uplink;
