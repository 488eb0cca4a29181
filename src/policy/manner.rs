//! How a call comes: through which door, with whose consent and approval, and how much of what was agreed is used.
//!
//! Plain small values, so that a decision can be remembered by them and made again from the record of the call.

/// The door through which a call came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Channel {
    /// A system of a department, at this node's own interface.
    #[default]
    Api,
    /// Another node that hands on what it was asked.
    Peer,
    /// A platform of the province or the nation, in its own manner.
    Uplink,
    /// This node itself, which finishes what a system of a department has asked before.
    Recheck,
}

impl Channel {
    pub const ALL: [Self; 4] = [Self::Api, Self::Peer, Self::Uplink, Self::Recheck];

    /// The stable text, as it stands in policies and in the log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Peer => "peer",
            Self::Uplink => "uplink",
            Self::Recheck => "recheck",
        }
    }

    /// The one that is spelt so.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|channel| channel.as_str() == word)
    }
}

/// The share of an agreement's calls of a day that was used before a call: 0 to 100 percent, in steps of ten.
///
/// In steps, so that a client's calls of one hour are a few questions and not thousands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Volume(u8);

impl Volume {
    const STEP: u128 = 10;

    /// So many calls of those agreed for a day: the step that is reached, never the one above. Nothing agreed is used up.
    pub fn of(used: u64, agreed: u64) -> Self {
        let percent = match agreed {
            0 => 100,
            // In 128 bits, in which nothing overflows.
            agreed => u128::from(used.min(agreed)) * 100 / u128::from(agreed),
        };
        Self(u8::try_from(percent / Self::STEP * Self::STEP).unwrap_or(100))
    }

    /// One that was recorded; a number that is no step counts as the step below.
    pub fn from_percent(percent: u8) -> Self {
        Self::of(percent.into(), 100)
    }

    pub const fn percent(self) -> u8 {
        self.0
    }
}

/// How a call comes, beside who asks for what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Manner {
    pub channel: Channel,
    pub volume: Volume,
    /// Does the call name the record of the subject's consent?
    pub consent_given: bool,
    /// Does it name the official in whose name the system calls, and a second one who approved?
    pub operator_given: bool,
    pub approver_given: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_the_step_that_is_reached() {
        let table = [(0, 10, 0), (1, 100, 0), (9, 100, 0), (10, 100, 10), (99, 100, 90), (100, 100, 100)];
        for (used, agreed, percent) in table {
            assert_eq!(Volume::of(used, agreed).percent(), percent, "{used} of {agreed}");
        }
        assert_eq!(Volume::of(7, 3).percent(), 100, "more than was agreed is no more than all");
        assert_eq!(Volume::of(0, 0).percent(), 100);
        assert_eq!(Volume::of(u64::MAX - 1, u64::MAX).percent(), 90, "nothing overflows");
        for percent in 0..=100 {
            assert_eq!(Volume::from_percent(percent), Volume::of(percent.into(), 100));
            assert_eq!(Volume::from_percent(Volume::from_percent(percent).percent()), Volume::from_percent(percent));
        }
    }

    #[test]
    fn a_door_is_spelt_in_one_way() {
        for channel in Channel::ALL {
            assert_eq!(Channel::from_word(channel.as_str()), Some(channel));
        }
        assert_eq!(Channel::from_word("API"), None);
    }
}
