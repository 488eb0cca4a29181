//! How calls are finished later, and how their clients are told.

use std::time::Duration;

use super::{
    key::{Rule, subject},
    limits,
};

subject! {
    /// Calls that are finished later; see `docs/rechecks.md`.
    "rechecks" => RecheckSettings {
        /// How long a call that was answered `indeterminate` is tried again before it expires.
        "expire_s" => expire: Duration = Rule::Number(&limits::RECHECK_S);
        /// The pause before the first try; it doubles from try to try, up to an hour.
        "retry_ms" => retry: Duration = Rule::Number(&limits::RETRY_MS);
        /// Calls of one client that may wait to be finished.
        "waiting_max" => waiting_max: u32 = Rule::Number(&limits::RECHECKS_WAITING);
        /// How long what came of it is kept for its client; then it is erased.
        "kept_s" => kept: Duration = Rule::Number(&limits::RECHECKS_KEPT_S);
        /// The pause after the first delivery that failed; it doubles from try to try, up to an hour.
        "resend_ms" => resend: Duration = Rule::Number(&limits::RESEND_MS);
        /// Tries of a delivery; then it is dead, until somebody replays it.
        "sends_max" => sends_max: u32 = Rule::Number(&limits::SENDS);
    }
}
