//! Logs and metrics: set up once, by `main`.
//!
//! Floor 5.
