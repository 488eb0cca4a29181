//! The watch over all clients: finds a client's account, says how it stands, takes in what was answered.

use std::{
    collections::{HashMap, HashSet},
    hash::{BuildHasher, RandomState},
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::Ordering::Relaxed},
    time::Duration,
};

use arc_swap::ArcSwap;
use chrono::{DateTime, Utc};

use super::{
    score,
    seat::{Groups, Seat},
    series::Series,
    sighting::Sighting,
    standing::{Level, Raised, Signal, Verdict},
    state::{Place, Writer},
    thresholds::Thresholds,
};
use crate::identifiers::{ClientId, DatasetId, DepartmentId, ItemCode};

/// Items of a client on a dataset that are watched by themselves; calls for further ones are watched by the account alone.
pub const ITEMS_MAX: usize = 16;
/// Most memory of one client on one dataset; a test holds it true.
pub const ACCOUNT_BYTES_MAX: usize = 96 * 1024;
/// Most memory of one department on one dataset, and of one dataset.
pub const GROUP_BYTES_MAX: usize = 33 * 1024;

/// The budget of subjects is of a day in China.
const CHINA_OFFSET_S: i64 = 8 * 3_600;
const DAY_S: i64 = 86_400;
/// Honey that blocks. One could be a slip of the pen of one digit in a billion; two are none.
const HONEY_BLOCKS: u32 = 2;
/// What misses hold against an honest client at most times, in thousandths.
const HONEST_MISSES: i32 = 1_000;
/// From this share of its budget of subjects on a client is warned.
const SUBJECTS_WARN: (u64, u64) = (8, 10);

/// What became of a call, as far as it tells the caller something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The claims are right, or values were disclosed.
    Match,
    Mismatch,
    /// The register knows no such subject.
    NotFound,
    /// The same, of a number that another province gave out.
    NotFoundElsewhere,
    /// The register could not be asked.
    Unanswered,
}

impl Outcome {
    pub fn is_miss(self) -> bool {
        match self {
            Self::Mismatch | Self::NotFound | Self::NotFoundElsewhere => true,
            Self::Match | Self::Unanswered => false,
        }
    }
}

/// Counts that stand behind a verdict; of the day, and of the item where the call was for one that is watched by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    pub calls: u32,
    pub misses: u32,
    /// Subjects beside, or in the lane of, one asked about lately.
    pub steps: u32,
    /// Different subjects, by estimate (3.3 % standard error).
    pub subjects: u32,
    pub honey: u32,
    /// Of the signal, in thousandths.
    pub score: i32,
}

/// Something that the data steward should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    pub client: ClientId,
    pub department: DepartmentId,
    pub dataset: DatasetId,
    pub item: ItemCode,
    pub signal: Signal,
    pub level: Level,
    pub at: DateTime<Utc>,
    pub until: DateTime<Utc>,
    pub evidence: Evidence,
}

/// All accounts. Shared by all calls; only the first call of an account waits for others.
pub struct Watch {
    thresholds: Thresholds,
    seats: ArcSwap<HashMap<u64, Arc<Seat>>>,
    hasher: RandomState,
    honey: ArcSwap<HashSet<u64>>,
    groups: Mutex<Groups>,
}

impl Watch {
    pub fn new(thresholds: Thresholds) -> Self {
        Self {
            thresholds,
            seats: ArcSwap::default(),
            hasher: RandomState::new(),
            honey: ArcSwap::default(),
            groups: Mutex::default(),
        }
    }

    pub fn thresholds(&self) -> &Thresholds {
        &self.thresholds
    }

    /// Marks of the subjects that nobody has reason to ask about.
    pub fn set_honey(&self, marks: HashSet<u64>) {
        self.honey.store(Arc::new(marks));
    }

    /// The account of a client on a dataset: one look into a table that nobody locks.
    pub fn seat(&self, client: &ClientId, department: &DepartmentId, dataset: &DatasetId) -> Arc<Seat> {
        let key = self.hasher.hash_one((client, department, dataset));
        let is_it = |seat: &Seat| seat.client == *client && seat.department == *department && seat.dataset == *dataset;
        if let Some(seat) = self.seats.load().get(&key).filter(|seat| is_it(seat)) {
            return Arc::clone(seat);
        }
        self.first_seat(key, is_it, client, department, dataset)
    }

    fn first_seat(
        &self,
        mut key: u64,
        is_it: impl Fn(&Seat) -> bool,
        client: &ClientId,
        department: &DepartmentId,
        dataset: &DatasetId,
    ) -> Arc<Seat> {
        let mut groups = self.groups();
        let mut seats = HashMap::clone(&self.seats.load());
        // Another may have come first; and of two accounts with one hash the later stands at the next.
        while let Some(seat) = seats.get(&key) {
            if is_it(seat) {
                return Arc::clone(seat);
            }
            key = key.wrapping_add(1);
        }
        let seat = Arc::new(Seat::new(client, department, dataset, &mut groups));
        seats.insert(key, Arc::clone(&seat));
        self.seats.store(Arc::new(seats));
        seat
    }

    fn groups(&self) -> MutexGuard<'_, Groups> {
        self.groups.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How a client stands on a dataset.
    pub fn verdict(&self, seat: &Seat, now: DateTime<Utc>) -> Verdict {
        seat.standing.at(now, self.thresholds.slow_for)
    }

    /// Let a call of a slowed client through, or say how long to wait.
    pub fn admit_slowed(&self, seat: &Seat, now: DateTime<Utc>) -> Result<(), Duration> {
        let between = 60_000 / i64::from(self.thresholds.slow_calls_per_minute.max(1));
        let now = now.timestamp_millis();
        let taken = seat.due.fetch_update(Relaxed, Relaxed, |due| (due <= now).then_some(now + between));
        taken.map(|_| ()).map_err(|due| Duration::from_millis((due - now).max(0).unsigned_abs()))
    }

    /// Take in what was answered. A notice, where the client has risen to a level of which the steward is told.
    pub fn observe(
        &self,
        seat: &Seat,
        item: &ItemCode,
        sighting: &Sighting,
        outcome: Outcome,
        now: DateTime<Utc>,
    ) -> Option<Notice> {
        let day = day_of(now);
        let of_item = seat.item(item);
        let before = seat.series.misses.get();
        let seen = seat.series.observe(sighting, outcome, day);
        seat.of_department.hold(before, seat.series.misses.get(), self.thresholds.warn);
        if let Some(of_item) = &of_item {
            of_item.observe(sighting, outcome, day);
        }
        if seen.new && sighting.beside.is_some() && !seen.stepped {
            let groups = [&seat.of_department, &seat.of_dataset];
            let company = groups.iter().any(|group| group.is_beside_another(sighting, seat.who));
            seat.company.add(score::of_step(company, outcome));
        }
        seat.of_department.observe(sighting, seat.who);
        seat.of_dataset.observe(sighting, seat.who);
        if seen.new && self.honey.load().contains(&sighting.mark) {
            seat.honey.fetch_add(1, Relaxed);
        }
        self.judge(seat, item, of_item.as_deref(), now)
    }

    /// Hold against the client what speaks loudest.
    fn judge(&self, seat: &Seat, item: &ItemCode, of_item: Option<&Series>, now: DateTime<Utc>) -> Option<Notice> {
        let (mut level, signal, score) = self.loudest(seat, of_item);
        if level == Level::Clear {
            return None;
        }
        if now.timestamp_millis() < seat.excused_until.load(Relaxed) {
            level = Level::Warn;
        }
        let (length, growing) = match (level, signal) {
            (Level::Block, Signal::Subjects) => (to_midnight(now), false),
            (Level::Block, _) => (self.thresholds.block_for, true),
            (Level::Clear | Level::Warn | Level::Slow, _) => (self.thresholds.slow_for, false),
        };
        let raised = seat.standing.raise(level, signal, now, length, growing, self.thresholds.slow_for);
        let evidence = seat.evidence(of_item, score);
        if level == Level::Block {
            // When the block ends, the client is slowed, and a few calls more block it again.
            seat.come_down_to(self.thresholds.slow, of_item);
        }
        match raised {
            Raised::To(until) if level >= Level::Slow || signal == Signal::Surge => Some(Notice {
                client: seat.client.clone(),
                department: seat.department.clone(),
                dataset: seat.dataset.clone(),
                item: item.clone(),
                signal,
                level,
                at: now,
                until,
                evidence,
            }),
            Raised::To(_) | Raised::No => None,
        }
    }

    /// The signal that asks for most, with its score. Of equal ones, the first says most of what goes on.
    fn loudest(&self, seat: &Seat, of_item: Option<&Series>) -> (Level, Signal, i32) {
        let by_score = |(score, signal): (i32, Signal)| (self.thresholds.level(score), signal, score);
        let scores = [Some(by_score(seat.series.loudest())), of_item.map(|series| by_score(series.loudest()))];
        let company = Some(by_score((seat.company.get(), Signal::Collusion)));
        let all = scores.into_iter().chain([company, self.together(seat), honey(seat), self.by_number(&seat.series)]);
        let most = all.flatten().reduce(|most, one| if one.0 > most.0 { one } else { most });
        most.unwrap_or((Level::Clear, Signal::Misses, 0))
    }

    /// A department whose clients miss together, each too seldom for anything to be held against it alone.
    fn together(&self, seat: &Seat) -> Option<(Level, Signal, i32)> {
        let held = i32::try_from(seat.of_department.held.load(Relaxed)).unwrap_or(i32::MAX);
        let clients = i32::try_from(seat.of_department.clients.load(Relaxed)).unwrap_or(i32::MAX);
        let too_much = self.thresholds.block.saturating_add(clients.saturating_mul(HONEST_MISSES));
        // Not whoever has an old list among them: of a harvest, most calls miss.
        let today = &seat.series.today;
        let mostly = u64::from(today.missed.load(Relaxed)) * 2 >= u64::from(today.calls.load(Relaxed));
        let takes_part = mostly && seat.series.misses.get() >= self.thresholds.warn / 4;
        (held >= too_much && takes_part).then_some((Level::Slow, Signal::Collusion, held))
    }

    /// What the number of different subjects says.
    fn by_number(&self, series: &Series) -> Option<(Level, Signal, i32)> {
        let asked = u64::from(series.today.distinct.estimate());
        let budget = u64::from(self.thresholds.subjects_per_day);
        let usual = u64::from(series.today.usual.load(Relaxed));
        let surge = u64::from(self.thresholds.surge_from).max(usual * u64::from(self.thresholds.surge_factor));
        if asked > budget {
            Some((Level::Block, Signal::Subjects, 0))
        } else if asked * SUBJECTS_WARN.1 > budget * SUBJECTS_WARN.0 {
            Some((Level::Warn, Signal::Subjects, 0))
        } else if usual > 0 && asked > surge {
            Some((Level::Warn, Signal::Surge, 0))
        } else {
            None
        }
    }

    /// A steward has looked at an alert and dismissed it: nothing is held against the client, and nothing but warnings will
    /// be for a while. A dismissal that is older than the last one changes nothing.
    pub fn excuse(&self, client: &ClientId, dataset: &DatasetId, at: DateTime<Utc>) {
        let millis = at.timestamp_millis();
        let until = millis.saturating_add(i64::try_from(self.thresholds.dismissed_for.as_millis()).unwrap_or(i64::MAX));
        let seats = self.seats.load();
        for seat in seats.values().filter(|seat| seat.client == *client && seat.dataset == *dataset) {
            if seat.excused_at.fetch_max(millis, Relaxed) < millis {
                seat.excused_until.store(until, Relaxed);
                seat.standing.clear();
                seat.honey.store(0, Relaxed);
                seat.of_department.hold(seat.series.misses.get(), 0, self.thresholds.warn);
                seat.come_down_to(0, None);
                for (_, series) in seat.items.load().iter() {
                    series.scores().iter().for_each(|score| score.set(0));
                }
                seat.series.changed.store(true, Relaxed);
            }
        }
    }

    /// What has changed since the last time, to be kept.
    pub fn changes(&self) -> Vec<(Place, Vec<u8>)> {
        let mut changed = Vec::new();
        for seat in self.seats.load().values() {
            let (client, dataset) = (&seat.client, &seat.dataset);
            if seat.series.changed.swap(false, Relaxed) {
                changed.push((Place::Account(client.clone(), dataset.clone()), seat.to_bytes()));
            }
            for (item, series) in seat.items.load().iter() {
                if series.changed.swap(false, Relaxed) {
                    let mut writer = Writer::new();
                    series.write(&mut writer);
                    let place = Place::Item(client.clone(), dataset.clone(), item.clone());
                    changed.push((place, writer.into_bytes()));
                }
            }
        }
        let groups = self.groups();
        let departments = groups.departments.iter();
        let departments =
            departments.map(|((id, dataset), group)| (Place::Department(id.clone(), dataset.clone()), group));
        let datasets = groups.datasets.iter().map(|(id, group)| (Place::Dataset(id.clone()), group));
        for (place, group) in departments.chain(datasets) {
            if group.changed.swap(false, Relaxed) {
                let mut writer = Writer::new();
                group.write(&mut writer);
                changed.push((place, writer.into_bytes()));
            }
        }
        changed
    }

    /// Take back what was kept. Bytes that are of another version are passed over when their place is called for.
    pub fn remember(&self, kept: impl IntoIterator<Item = (Place, Vec<u8>)>) {
        self.groups().remembered.extend(kept);
    }

    /// Accounts, most suspected first: for whoever looks at the watch.
    pub fn standings(&self, now: DateTime<Utc>) -> Vec<(ClientId, DatasetId, Verdict)> {
        let seats = self.seats.load();
        let standing = |seat: &Arc<Seat>| (seat.client.clone(), seat.dataset.clone(), self.verdict(seat, now));
        let mut standings: Vec<_> = seats.values().map(standing).collect();
        standings.sort_by(|a, b| b.2.level.cmp(&a.2.level).then_with(|| (&a.0, &a.1).cmp(&(&b.0, &b.1))));
        standings
    }
}

/// Records that nobody has reason to ask about. They are not forgotten until a steward has looked.
fn honey(seat: &Seat) -> Option<(Level, Signal, i32)> {
    match seat.honey.load(Relaxed) {
        0 => None,
        HONEY_BLOCKS.. => Some((Level::Block, Signal::Honey, 0)),
        _ => Some((Level::Slow, Signal::Honey, 0)),
    }
}

/// The day in China, as days since 1970.
fn day_of(now: DateTime<Utc>) -> u32 {
    u32::try_from((now.timestamp() + CHINA_OFFSET_S).div_euclid(DAY_S)).unwrap_or(0)
}

fn to_midnight(now: DateTime<Utc>) -> Duration {
    let into_day = (now.timestamp() + CHINA_OFFSET_S).rem_euclid(DAY_S);
    Duration::from_secs((DAY_S - into_day).unsigned_abs())
}
