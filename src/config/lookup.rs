//! What a look-up, and SQL beside it, may cost.

use std::time::Duration;

use super::{
    key::{Rule, subject},
    limits,
};

subject! {
    /// What a look-up, and SQL beside it, may cost.
    "lookup" => LookupSettings {
        /// Longest time for one look-up; after it the answer is `indeterminate`, never `not_found`.
        "deadline_ms" => deadline: Duration = Rule::Number(&limits::LOOKUP_DEADLINE_MS);
        /// Most records that a look-up by a secondary key returns.
        "rows_max" => rows_max: usize = Rule::Number(&limits::LOOKUP_ROWS);
        /// Memory for SQL and for the sort of a publication; above it, they spill to disk.
        "sql_memory_bytes" => sql_memory_bytes: usize = Rule::Number(&limits::SQL_MEMORY_BYTES);
    }
}
