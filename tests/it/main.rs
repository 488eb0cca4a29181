//! The one integration test binary: the node through its real doors, on real files.

mod api;
mod cli;
mod faults;
mod publishing;
mod support;
mod tidy;
