//! Publication: a file in, a checked, sorted, atomic version out.
//!
//! Floor 3.
