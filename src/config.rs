//! How the node runs: raw settings, checked settings, limits.
//!
//! Floor 1.
