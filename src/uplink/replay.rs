//! What was answered before, until its signature is too old to be accepted again. In memory, bounded; no clock.

use std::{
    collections::{BTreeSet, HashSet},
    sync::{Mutex, PoisonError},
};

use chrono::{DateTime, Utc};

/// Most signed requests that are remembered of one caller: more than 800 a second for four minutes, at about 150 bytes.
/// Above, the caller is refused; what is forgotten could be answered again.
const REMEMBERED_MAX: usize = 200_000;

/// The signed requests of one caller: another caller that floods the node takes no room here.
#[derive(Debug, Default)]
pub(super) struct Remembered {
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    names: HashSet<[u8; 32]>,
    by_end: BTreeSet<(DateTime<Utc>, [u8; 32])>,
}

/// Whether a request is the first of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum First {
    Yes,
    Again,
    /// Nobody can say: there is no room to remember it.
    Full,
}

impl Remembered {
    /// Note a request that has proved itself. `end`: from then on its signature is too old anyway.
    pub(super) fn note(&self, name: [u8; 32], end: DateTime<Utc>, now: DateTime<Utc>) -> First {
        self.note_within(name, end, now, REMEMBERED_MAX)
    }

    fn note_within(&self, name: [u8; 32], end: DateTime<Utc>, now: DateTime<Utc>, most: usize) -> First {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let Seen { names, by_end } = &mut *seen;
        while by_end.first().is_some_and(|(end, _)| *end < now) {
            if let Some((_, name)) = by_end.pop_first() {
                names.remove(&name);
            }
        }
        if names.contains(&name) {
            return First::Again;
        }
        if names.len() >= most {
            return First::Full;
        }
        names.insert(name);
        by_end.insert((end, name));
        First::Yes
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use proptest::prelude::*;

    use super::*;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_755_763_200, 0).unwrap() + TimeDelta::seconds(second)
    }

    #[test]
    fn a_request_is_the_first_once_until_it_is_too_old() {
        let remembered = Remembered::default();
        assert_eq!(remembered.note([1; 32], at(60), at(0)), First::Yes);
        assert_eq!(remembered.note([1; 32], at(60), at(0)), First::Again);
        assert_eq!(remembered.note([2; 32], at(60), at(0)), First::Yes);
        assert_eq!(remembered.note([1; 32], at(60), at(60)), First::Again, "its last moment is still a moment");
        assert_eq!(remembered.note([1; 32], at(121), at(61)), First::Yes);
    }

    #[test]
    fn who_has_no_room_left_is_refused_and_nothing_is_forgotten() {
        let remembered = Remembered::default();
        for name in 0..3 {
            assert_eq!(remembered.note_within([name; 32], at(60), at(0), 3), First::Yes);
        }
        assert_eq!(remembered.note_within([9; 32], at(60), at(0), 3), First::Full);
        assert_eq!(remembered.note_within([0; 32], at(60), at(0), 3), First::Again);
        assert_eq!(remembered.note_within([9; 32], at(121), at(61), 3), First::Yes);
    }

    proptest! {
        /// Signed at any second, sent at any later one within the window, in any order: none is the first twice.
        #[test]
        fn none_is_the_first_twice(sent in prop::collection::vec((0_u8..6, 0_i64..20), 1..60)) {
            let (remembered, window) = (Remembered::default(), 10);
            let mut sent = sent;
            sent.sort_by_key(|(_, now)| *now);
            let mut first = HashSet::new();
            for (name, now) in sent {
                let signed = i64::from(name) * 2; // Each name was signed at its own second.
                if !(signed - window..=signed + window).contains(&now) {
                    continue; // Refused by its time.
                }
                let expect = if first.insert(name) { First::Yes } else { First::Again };
                prop_assert_eq!(remembered.note([name; 32], at(signed + window), at(now)), expect);
            }
        }
    }
}
