//! How often another node is asked for what it returns.

use std::time::Duration;

use super::{
    key::{Rule, subject},
    limits,
};

subject! {
    /// Registers that another node fills; see docs/returns.md.
    "returns" => ReturnSettings {
        /// How often it is asked for a newer version of each.
        "ask_ms" => ask: Duration = Rule::Number(&limits::RETURN_ASK_MS);
    }
}
