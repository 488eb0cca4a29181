//! The one integration test binary: the node through its real doors, on real files.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, and its helpers as well")]

mod api;
mod fuzz;
mod publishing;
mod support;
mod tidy;
