//! Command line: one file per command. Translates, never decides.
//!
//! Floor 5.
