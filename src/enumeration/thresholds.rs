//! From which score on what is done, and for how long.

use std::time::Duration;

use super::standing::Level;

/// Thresholds of all clients. Scores are in thousandths, as the weights are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thresholds {
    /// Is something done about a client, or are its stewards only told?
    pub enforced: bool,
    pub warn: i32,
    pub slow: i32,
    pub block: i32,
    /// A client is warned or slowed for this long after the last call that spoke against it.
    pub slow_for: Duration,
    /// The first block; each later one is twice as long, up to a day.
    pub block_for: Duration,
    /// Calls a minute of a client that is slowed, on one dataset.
    pub slow_calls_per_minute: u32,
    /// Different subjects that a client may ask about on one dataset in a day.
    pub subjects_per_day: u32,
    /// So many times the usual number of different subjects is told to the steward.
    pub surge_factor: u32,
    /// Below so many subjects a day nothing is a surge.
    pub surge_from: u32,
    /// After an alert was dismissed, its client is no more than warned for this long.
    pub dismissed_for: Duration,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            enforced: true,
            warn: 10_000,
            slow: 15_000,
            block: 20_000,
            slow_for: Duration::from_secs(1_800),
            block_for: Duration::from_secs(3_600),
            slow_calls_per_minute: 60,
            subjects_per_day: 100_000,
            surge_factor: 8,
            surge_from: 2_000,
            dismissed_for: Duration::from_secs(86_400),
        }
    }
}

impl Thresholds {
    pub(super) fn level(&self, score: i32) -> Level {
        match score {
            score if score >= self.block => Level::Block,
            score if score >= self.slow => Level::Slow,
            score if score >= self.warn => Level::Warn,
            _ => Level::Clear,
        }
    }
}
