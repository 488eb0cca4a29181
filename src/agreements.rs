//! Agreements: who may use which fields for which items.
//!
//! Floor 3.
