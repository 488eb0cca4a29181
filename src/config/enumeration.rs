//! When a client is taken for one that walks through a register, and what is done then.

use std::{fmt, str::FromStr, time::Duration};

use super::{
    key::{Rule, subject},
    limits,
};

subject! {
    /// When a client is taken for one that walks through a register, and what is done then; see `docs/enumeration.md`.
    "enumeration" => EnumerationSettings {
        /// `enforce`: clients are warned of, slowed and blocked. `detect`: nothing is done to anybody, and the stewards are told all the same; for the first weeks, and for load tests.
        "mode" => mode: EnumerationMode = Rule::Text { default: "enforce", shape: "`enforce` or `detect`" };
        /// Score from which on policy is told of a suspicion (1).
        "warn_score" => warn_score: u32 = Rule::Number(&limits::WARN_SCORE);
        /// Score from which on a client is slowed (2), and the steward told.
        "slow_score" => slow_score: u32 = Rule::Number(&limits::SLOW_SCORE);
        /// Score from which on policy is asked to block (3).
        "block_score" => block_score: u32 = Rule::Number(&limits::BLOCK_SCORE);
        /// How long a client is warned or slowed after the last call that spoke against it.
        "slow_s" => slow: Duration = Rule::Number(&limits::SLOW_S);
        /// How long the first block lasts; each later one is twice as long, up to a day.
        "block_s" => block: Duration = Rule::Number(&limits::BLOCK_S);
        /// Calls a minute of a slowed client on one dataset; the next one is refused with `enumeration_slowed`.
        "slow_calls_per_minute" => slow_calls_per_minute: u32 = Rule::Number(&limits::SLOW_CALLS);
        /// Different subjects that a client may ask about on one dataset in a day (China).
        "subjects_per_day" => subjects_per_day: u32 = Rule::Number(&limits::SUBJECTS_PER_DAY);
        /// The steward is told of a day with so many times the usual number of different subjects.
        "surge_factor" => surge_factor: u32 = Rule::Number(&limits::SURGE_FACTOR);
        /// Days with fewer different subjects are never a surge.
        "surge_from" => surge_from: u32 = Rule::Number(&limits::SURGE_FROM);
        /// How long a client is no more than warned after the steward dismissed an alert about it.
        "dismissed_s" => dismissed: Duration = Rule::Number(&limits::DISMISSED_S);
        /// How often what the defence remembers is kept in the ledger; a crash loses the order of the calls since.
        "keep_ms" => keep: Duration = Rule::Number(&limits::KEEP_MS);
    }
}

/// Is anything done about clients that walk through a register?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EnumerationMode {
    Enforce,
    /// Only the stewards are told.
    Detect,
}

impl FromStr for EnumerationMode {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "enforce" => Ok(Self::Enforce),
            "detect" => Ok(Self::Detect),
            _ => Err("write `enforce` or `detect`".to_owned()),
        }
    }
}

impl fmt::Display for EnumerationMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Enforce => "enforce",
            Self::Detect => "detect",
        })
    }
}
