//! What statistics may tell, and cost.

use std::time::Duration;

use super::{
    key::{Rule, subject},
    limits,
};

subject! {
    /// What statistics may tell, and cost; see docs/statistics.md.
    "statistics" => StatisticsSettings {
        /// A cell that rests on fewer records is not shown.
        "cell_min" => cell_min: u64 = Rule::Number(&limits::CELL_MIN);
        /// Longest time for one statement; after it the answer is `statement_too_slow`.
        "deadline_ms" => deadline: Duration = Rule::Number(&limits::STATEMENT_MS);
        /// Statements under way at once; the next one is refused with `overloaded`.
        "at_once_max" => at_once_max: usize = Rule::Number(&limits::STATEMENTS_AT_ONCE);
    }
}
