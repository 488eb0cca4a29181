//! The audit log and its receipts.
//!
//! Floor 2.
