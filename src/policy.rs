//! Policy: Cedar schema, question, decision, obligations. Pure.
//!
//! Floor 2.
