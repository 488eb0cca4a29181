//! Synthetic registers: deterministic, plausible, of any size.
//!
//! Floor 3.
