//! Bytes: memory maps, atomic files, object stores by URL.
//!
//! Floor 1.
