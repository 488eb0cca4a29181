//! What one client may take of the node.

use super::{
    key::{Rule, subject},
    limits,
};

subject! {
    /// What one client may take of the node, beside the budget of each agreement.
    "limits" => RateSettings {
        /// Calls per second of one client, over all its agreements; the next one is refused with `rate_limited`.
        "calls_per_second" => calls_per_second: u32 = Rule::Number(&limits::CALLS_PER_SECOND);
    }
}
