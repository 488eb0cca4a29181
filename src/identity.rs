//! Who is calling: tokens, assertions, clients. Never what they may do.
//!
//! Floor 2.
