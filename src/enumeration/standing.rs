//! How a client stands on a dataset: level, signal, until when. One atomic word, read at every call.

use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use chrono::{DateTime, Utc};

/// No block is longer than this, unless another follows.
pub(super) const BLOCK_MAX: Duration = Duration::from_secs(86_400);
/// After so many seconds of good standing, the next block is a first one again.
const FORGIVEN_AFTER_S: u64 = 7 * 86_400;

/// How much is held against a client; what policies see as a number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Level {
    #[default]
    Clear,
    /// Policy is told.
    Warn,
    /// Few calls a minute are answered.
    Slow,
    /// No call is answered.
    Block,
}

/// What speaks against a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Signal {
    /// Too many answers are `not_found` or `mismatch`.
    Misses,
    /// Identifiers are asked about in their order.
    Walk,
    /// One number's birth date is tried, day by day.
    Sweep,
    /// Identifiers next to those that other clients asked about; or a department whose clients miss together.
    Collusion,
    /// A record was asked about that nobody has reason to ask about.
    Honey,
    /// The budget of different subjects for the day is used up.
    Subjects,
    /// Far more subjects than this client usually asks about.
    Surge,
}

/// How a client stands now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    pub level: Level,
    /// Why; none where the level is clear.
    pub signal: Option<Signal>,
    /// Until when, unless more comes.
    pub until: Option<DateTime<Utc>>,
}

impl Level {
    pub const ALL: [Self; 4] = [Self::Clear, Self::Warn, Self::Slow, Self::Block];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Clear => "clear",
            Self::Warn => "warn",
            Self::Slow => "slow",
            Self::Block => "block",
        }
    }

    /// 0 to 3.
    pub const fn number(self) -> u8 {
        self as u8
    }
}

impl Signal {
    pub const ALL: [Self; 7] =
        [Self::Misses, Self::Walk, Self::Sweep, Self::Collusion, Self::Honey, Self::Subjects, Self::Surge];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Misses => "misses",
            Self::Walk => "walk",
            Self::Sweep => "sweep",
            Self::Collusion => "collusion",
            Self::Honey => "honey",
            Self::Subjects => "subjects",
            Self::Surge => "surge",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Level (2 bits), signal (4), blocks so far (4), until in seconds (40): all change together.
#[derive(Default)]
pub(super) struct Standing(AtomicU64);

#[derive(Clone, Copy)]
struct Held {
    level: Level,
    signal: Signal,
    blocks: u64,
    until_s: u64,
}

impl Held {
    fn unpack(word: u64) -> Self {
        Self {
            level: Level::ALL[(word & 3) as usize],
            signal: *Signal::ALL.get((word >> 2 & 15) as usize).unwrap_or(&Signal::Misses),
            blocks: word >> 6 & 15,
            until_s: word >> 10,
        }
    }

    fn pack(self) -> u64 {
        u64::from(self.level.number()) | (self.signal as u64) << 2 | self.blocks.min(15) << 6 | self.until_s << 10
    }

    /// When its time is up, a level is followed by the next lower one, each for `step_s`.
    fn at(mut self, now_s: u64, step_s: u64) -> Self {
        while self.level > Level::Clear && now_s >= self.until_s {
            self.level = Level::ALL[usize::from(self.level.number() - 1)];
            self.until_s += step_s.max(1);
        }
        if now_s >= self.until_s.saturating_add(FORGIVEN_AFTER_S) {
            self.blocks = 0;
        }
        self
    }
}

/// What a raise has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Raised {
    /// It stood so high already.
    No,
    /// From a lower level, until then.
    To(DateTime<Utc>),
}

impl Standing {
    pub(super) fn at(&self, now: DateTime<Utc>, slow_for: Duration) -> Verdict {
        let word = self.0.load(Relaxed);
        if word & 3 == 0 {
            return Verdict::default();
        }
        let held = Held::unpack(word).at(seconds(now), slow_for.as_secs());
        if held.level == Level::Clear {
            return Verdict::default();
        }
        Verdict { level: held.level, signal: Some(held.signal), until: time(held.until_s) }
    }

    /// Hold `level` against the client for `length`; a block is twice as long as the one before where `growing`.
    pub(super) fn raise(
        &self,
        level: Level,
        signal: Signal,
        now: DateTime<Utc>,
        length: Duration,
        growing: bool,
        slow_for: Duration,
    ) -> Raised {
        let now_s = seconds(now);
        let mut raised = Raised::No;
        let _ = self.0.fetch_update(Relaxed, Relaxed, |word| {
            let held = Held::unpack(word).at(now_s, slow_for.as_secs());
            raised = Raised::No;
            if level < held.level || level == Level::Clear {
                return None;
            }
            let mut next = Held { level, signal, ..held };
            let mut length_s = length.as_secs();
            if level == Level::Block {
                next.blocks = held.blocks + 1;
                if growing {
                    length_s = (length_s << held.blocks.min(15)).min(BLOCK_MAX.as_secs());
                }
            }
            let until_s = now_s.saturating_add(length_s.max(1));
            if level > held.level {
                raised = Raised::To(time(until_s).unwrap_or(now));
            } else {
                next.until_s = held.until_s.max(until_s);
                next.blocks = held.blocks;
                return Some(next.pack());
            }
            next.until_s = until_s;
            Some(next.pack())
        });
        raised
    }

    pub(super) fn clear(&self) {
        self.0.store(0, Relaxed);
    }

    pub(super) fn word(&self) -> &AtomicU64 {
        &self.0
    }
}

fn seconds(now: DateTime<Utc>) -> u64 {
    now.timestamp().max(0).unsigned_abs()
}

fn time(seconds: u64) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(i64::try_from(seconds).ok()?, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HALF_HOUR: Duration = Duration::from_secs(1_800);
    const HOUR: Duration = Duration::from_secs(3_600);

    fn at(minutes: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_795_000_000 + 60 * minutes, 0).unwrap()
    }

    fn block(standing: &Standing, minutes: i64) -> Raised {
        standing.raise(Level::Block, Signal::Walk, at(minutes), HOUR, true, HALF_HOUR)
    }

    #[test]
    fn a_level_goes_down_step_by_step_when_its_time_is_up() {
        let standing = Standing::default();
        assert_eq!(block(&standing, 0), Raised::To(at(60)));
        let levels = [0, 59, 60, 89, 90, 119, 120].map(|minutes| standing.at(at(minutes), HALF_HOUR).level);
        assert_eq!(
            levels,
            [Level::Block, Level::Block, Level::Slow, Level::Slow, Level::Warn, Level::Warn, Level::Clear]
        );
        let verdict = standing.at(at(30), HALF_HOUR);
        assert_eq!((verdict.signal, verdict.until), (Some(Signal::Walk), Some(at(60))));
    }

    #[test]
    fn each_block_is_twice_as_long_up_to_a_day_until_a_week_of_good_standing() {
        let standing = Standing::default();
        let mut start = 0;
        for hours in [1, 2, 4, 8, 16, 24, 24] {
            assert_eq!(block(&standing, start), Raised::To(at(start + 60 * hours)));
            start += 60 * hours;
        }
        assert_eq!(block(&standing, start + 9 * 24 * 60), Raised::To(at(start + 9 * 24 * 60 + 60)));
    }

    #[test]
    fn a_lower_level_changes_nothing_and_the_same_again_is_no_news() {
        let standing = Standing::default();
        block(&standing, 0);
        for level in [Level::Clear, Level::Warn, Level::Slow, Level::Block] {
            assert_eq!(standing.raise(level, Signal::Misses, at(1), HALF_HOUR, true, HALF_HOUR), Raised::No);
        }
        standing.clear();
        assert_eq!(standing.at(at(1), HALF_HOUR), Verdict::default());
    }
}
