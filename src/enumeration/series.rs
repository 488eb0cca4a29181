//! One series of calls, seen through bounded memory: who was asked about lately, how many different ones today, how the
//! scores stand.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering::Relaxed};

use super::{
    distinct::Distinct,
    recent::{Lanes, Recent, Shared},
    score::{self, Score},
    sighting::Sighting,
    standing::Signal,
    watch::Outcome,
};

/// About the last 512 subjects of one client.
const NARROW: usize = 128;
/// About the last 4,096 of a department, or of a dataset.
const WIDE: usize = 1_024;
const LANES: usize = 64;

/// Calls of one client on a dataset, or for one item of it.
pub(super) struct Series {
    pub(super) recent: Recent,
    pub(super) lanes: Lanes,
    pub(super) today: Today,
    pub(super) misses: Score,
    pub(super) walk: Score,
    pub(super) sweep: Score,
    pub(super) changed: AtomicBool,
}

/// What is counted by the day in China.
pub(super) struct Today {
    pub(super) distinct: Distinct,
    /// Days since 1970.
    pub(super) day: AtomicU32,
    /// Different subjects on a usual day: a running mean over the days with calls.
    pub(super) usual: AtomicU32,
    pub(super) calls: AtomicU32,
    pub(super) missed: AtomicU32,
    pub(super) steps: AtomicU32,
}

/// What all clients of a department, or of a dataset, ask about.
pub(super) struct Group {
    pub(super) recent: Shared,
    /// Sum of what misses hold against each client, as far as that is too little to warn of it.
    pub(super) held: AtomicI64,
    /// Clients that have called.
    pub(super) clients: AtomicU32,
    pub(super) changed: AtomicBool,
}

/// What a call was to its series.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    /// Nobody of this series has asked about the subject lately.
    pub(super) new: bool,
    /// A neighbour was asked about lately.
    pub(super) stepped: bool,
}

impl Series {
    pub(super) fn new() -> Self {
        Self {
            recent: Recent::new(NARROW),
            lanes: Lanes::new(LANES),
            today: Today::new(),
            misses: Score::default(),
            walk: Score::default(),
            sweep: Score::default(),
            changed: AtomicBool::new(false),
        }
    }

    pub(super) fn observe(&self, sighting: &Sighting, outcome: Outcome, day: u32) -> Seen {
        self.changed.store(true, Relaxed);
        self.today.begin(day);
        self.today.distinct.insert(sighting.mark);
        if self.recent.contains(sighting.tag) {
            self.misses.add(score::of_answer_again(outcome));
            self.today.count(outcome, false);
            return Seen { new: false, stepped: false };
        }
        let stepped = sighting.beside.is_some_and(|beside| beside.iter().any(|&tag| self.recent.contains(tag)));
        self.recent.insert(sighting.tag);
        self.misses.add(score::of_answer(outcome));
        if sighting.beside.is_some() {
            self.walk.add(score::of_step(stepped, outcome));
        }
        let swept = sighting.lane.is_some_and(|lane| self.lanes.enter(lane, sighting.tag));
        if sighting.lane.is_some() {
            self.sweep.add(score::of_lane(swept, outcome));
        }
        self.today.count(outcome, stepped || swept);
        Seen { new: true, stepped }
    }

    /// The signal that speaks loudest, with its score.
    pub(super) fn loudest(&self) -> (i32, Signal) {
        let scores =
            [(self.walk.get(), Signal::Walk), (self.sweep.get(), Signal::Sweep), (self.misses.get(), Signal::Misses)];
        // Of equal ones, the first says most of what goes on.
        scores.into_iter().reduce(|most, one| if one.0 > most.0 { one } else { most }).unwrap_or((0, Signal::Misses))
    }

    pub(super) fn scores(&self) -> [&Score; 3] {
        [&self.misses, &self.walk, &self.sweep]
    }

    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>() + self.recent.bytes() + self.lanes.bytes() + self.today.distinct.bytes()
    }
}

impl Today {
    fn new() -> Self {
        Self {
            distinct: Distinct::new(),
            day: AtomicU32::new(0),
            usual: AtomicU32::new(0),
            calls: AtomicU32::new(0),
            missed: AtomicU32::new(0),
            steps: AtomicU32::new(0),
        }
    }

    /// The first call of a day puts the day before away. A clock that is set back begins no new day.
    fn begin(&self, day: u32) {
        let known = self.day.load(Relaxed);
        if day <= known || self.day.compare_exchange(known, day, Relaxed, Relaxed).is_err() {
            return;
        }
        let asked = self.distinct.estimate();
        let usual = self.usual.load(Relaxed);
        if asked > 0 {
            let mean = (3 * u64::from(usual) + u64::from(asked)) / 4;
            self.usual.store(if usual == 0 { asked } else { mean as u32 }, Relaxed);
        }
        self.distinct.clear();
        [&self.calls, &self.missed, &self.steps].iter().for_each(|count| count.store(0, Relaxed));
    }

    fn count(&self, outcome: Outcome, stepped: bool) {
        self.calls.fetch_add(1, Relaxed);
        self.missed.fetch_add(u32::from(outcome.is_miss()), Relaxed);
        self.steps.fetch_add(u32::from(stepped), Relaxed);
    }

    pub(super) fn counts(&self) -> [&AtomicU32; 5] {
        [&self.day, &self.usual, &self.calls, &self.missed, &self.steps]
    }
}

impl Group {
    pub(super) fn new() -> Self {
        Self {
            recent: Shared::new(WIDE),
            held: AtomicI64::new(0),
            clients: AtomicU32::new(0),
            changed: AtomicBool::new(false),
        }
    }

    /// Has another than `who` asked about a neighbour of the subject lately?
    pub(super) fn is_beside_another(&self, sighting: &Sighting, who: u32) -> bool {
        sighting.beside.is_some_and(|beside| beside.iter().any(|&tag| self.recent.contains_of_another(tag, who)))
    }

    pub(super) fn observe(&self, sighting: &Sighting, who: u32) {
        self.changed.store(true, Relaxed);
        if !self.recent.contains(sighting.tag) {
            self.recent.insert(sighting.tag, who);
        }
    }

    /// What misses hold against a client has changed.
    pub(super) fn hold(&self, before: i32, after: i32, most: i32) {
        let change = i64::from(after.min(most)) - i64::from(before.min(most));
        if change != 0 {
            self.held.fetch_add(change, Relaxed);
        }
    }

    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>() + self.recent.bytes()
    }
}
