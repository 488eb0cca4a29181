//! How long a proof of identity holds.

use std::time::Duration;

use super::{
    key::{Rule, subject},
    limits,
};

subject! {
    /// How long a proof of identity holds.
    "tokens" => TokenSettings {
        /// Life of an access token that this node issues.
        "access_ttl_s" => access_ttl: Duration = Rule::Number(&limits::ACCESS_TTL_S);
        /// Longest life of a client assertion that this node accepts (RFC 7523).
        "assertion_ttl_max_s" => assertion_ttl_max: Duration = Rule::Number(&limits::ASSERTION_TTL_S);
        /// How far the clocks of others may be off.
        "clock_skew_s" => clock_skew: Duration = Rule::Number(&limits::CLOCK_SKEW_S);
        /// Checked tokens and used assertions that are remembered.
        "cache_entries" => cache_entries: usize = Rule::Number(&limits::TOKEN_CACHE_ENTRIES);
    }
}
