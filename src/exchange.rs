//! The road of a call: nine steps, one function.
//!
//! Floor 4: introduces the machines to each other.
