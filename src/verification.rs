//! Claims held against register values. Pure.
//!
//! Floor 2.
