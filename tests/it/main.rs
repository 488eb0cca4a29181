//! The one integration test binary: the node through its real doors, on real files.

mod publishing;
mod support;
