//! One run: seconds go by, terminals and harvesters call, the watch watches.

use std::collections::HashSet;

use chrono::{DateTime, Duration, FixedOffset, Timelike, Utc};

use super::{
    chance::Chance,
    harvest::{Harvest, Kind},
    office::{Office, Work},
    population::{Number, Population},
    report::{Found, Report},
};
use crate::{
    enumeration::{Level, Marker, Notice, Outcome, Subject, Thresholds, Watch},
    identifiers::{ClientId, DatasetId, DepartmentId, IdentifierError, ItemCode},
};

/// Calls of a terminal in an ordinary hour.
const CALLS_AN_HOUR: u64 = 12;
const DEPARTMENTS: u64 = 12;
const ITEMS: [&str; 3] =
    ["11440100MB9YYY997R3440101001000", "11440100MB9YYY997R3440101002000", "11440000MB9Y00059J2440711001000"];
const CHINA_OFFSET_S: i32 = 8 * 3_600;
/// Calls that a client of a harvest makes on the day before, as an honest one.
const DAY_BEFORE: u64 = 150;
/// Terminals of the clients whose work is not that of a hall.
const SPECIAL: [(Work, u64); 7] = [
    (Work::School, 60),
    (Work::Births, 40),
    (Work::Screening, 120),
    (Work::Screening, 40),
    (Work::Batch, 200),
    (Work::Batch, 60),
    (Work::Migrants, 120),
];

/// What is simulated.
#[derive(Clone, Debug)]
pub struct Scenario {
    pub seed: u64,
    /// Terminals at windows, over all honest clients.
    pub terminals: u64,
    pub hours: u64,
    /// When it begins: nine o'clock in China is the busiest time.
    pub start: DateTime<Utc>,
    /// Harvests that go on at the same time, each with clients of its own.
    pub harvests: Vec<Kind>,
    pub thresholds: Thresholds,
}

/// An honest client.
struct Desk {
    caller: Caller,
    office: Office,
    terminals: u64,
    highest: Level,
}

/// A client of a harvest.
struct Member {
    caller: Caller,
    harvest: usize,
    office: Office,
    next_s: u64,
    calls: u64,
}

struct Caller {
    client: ClientId,
    department: DepartmentId,
    item: ItemCode,
}

struct Run {
    watch: Watch,
    marker: Marker,
    dataset: DatasetId,
    population: Population,
    report: Report,
}

/// What the watch did with a call.
enum Done {
    Refused,
    Answered(Option<Notice>),
}

/// Let it happen.
pub fn simulate(scenario: &Scenario) -> Result<Report, IdentifierError> {
    let mut chance = Chance::new(scenario.seed, 0);
    let today =
        scenario.start.with_timezone(&FixedOffset::east_opt(CHINA_OFFSET_S).unwrap_or(chrono::Offset::fix(&Utc)));
    let population = Population::new(chance.next(), today.date_naive());
    let mut desks = desks(scenario.terminals, &population, &mut chance)?;
    let mut harvests: Vec<_> = scenario
        .harvests
        .iter()
        .map(|&kind| Harvest::new(kind, &population, Chance::new(scenario.seed, 1_000 + kind as u64)))
        .collect();
    let mut members = members(&harvests, &population, &mut chance)?;
    let mut secret = [0; 16];
    secret[..8].copy_from_slice(&chance.next().to_le_bytes());
    let mut run = Run {
        watch: Watch::new(scenario.thresholds.clone()),
        marker: Marker::new(&secret),
        dataset: "natural-person".parse()?,
        population,
        report: Report { clients: desks.len() as u64, ..Report::default() },
    };
    run.report.harvests = scenario.harvests.iter().map(|&kind| (kind, Found::default())).collect();
    run.the_day_before(&mut members, scenario.start - Duration::hours(20));
    let weights = cumulated(&desks);
    let mut owed = 0;
    for second in 0..scenario.hours * 3_600 {
        let now = scenario.start + Duration::seconds(i64::try_from(second).unwrap_or(0));
        // In thousandths, so that nothing is lost between two seconds; and never evenly.
        owed += scenario.terminals * CALLS_AN_HOUR * busy(now) * chance.below(2_001) / 3_600_000;
        for _ in 0..owed / 1_000 {
            let at = chance.below(*weights.last().unwrap_or(&1));
            let desk = &mut desks[weights.partition_point(|&upper| upper <= at)];
            run.honest_call(desk, now);
        }
        owed %= 1_000;
        for member in members.iter_mut().filter(|member| member.next_s <= second) {
            run.turn(member, &mut harvests[member.harvest], second, now);
        }
    }
    for desk in &desks {
        run.report.levels[usize::from(desk.highest.number())] += 1;
    }
    Ok(run.report)
}

/// How busy windows are, in thousandths.
fn busy(now: DateTime<Utc>) -> u64 {
    let minute = (now.hour() * 60 + now.minute() + 8 * 60) % (24 * 60);
    match minute {
        540..570 => 3_000, // those who waited for the doors to open
        570..720 | 840..1_050 => 1_000,
        720..840 => 400,
        _ => 300,
    }
}

fn desks(terminals: u64, population: &Population, chance: &mut Chance) -> Result<Vec<Desk>, IdentifierError> {
    let mut works: Vec<_> = SPECIAL.map(|(work, share)| (work, share * terminals / 6_000)).to_vec();
    let mut left = terminals.saturating_sub(works.iter().map(|(_, terminals)| terminals).sum());
    while left > 0 {
        // Few large halls, many small ones.
        let size = (20 + chance.below(20) * chance.below(20)).min(left);
        works.push((Work::Hall, size));
        left -= size;
    }
    let desk = |(index, (work, terminals)): (usize, (Work, u64))| {
        Ok(Desk {
            caller: caller(&format!("office-{index}"), chance.below(DEPARTMENTS), chance)?,
            office: Office::new(work, population, Chance::new(chance.next(), index as u64)),
            terminals,
            highest: Level::Clear,
        })
    };
    works.into_iter().filter(|(_, terminals)| *terminals > 0).enumerate().map(desk).collect()
}

fn cumulated(desks: &[Desk]) -> Vec<u64> {
    let mut sum = 0;
    let upper = |desk: &Desk| {
        sum += desk.terminals;
        sum
    };
    desks.iter().map(upper).collect()
}

fn members(harvests: &[Harvest], population: &Population, chance: &mut Chance) -> Result<Vec<Member>, IdentifierError> {
    let mut members = Vec::new();
    for (harvest, Harvest { kind, .. }) in harvests.iter().enumerate() {
        let plan = kind.plan();
        let first = chance.below(DEPARTMENTS);
        for index in 0..plan.clients {
            let department = (first + (index % plan.departments) as u64) % DEPARTMENTS;
            members.push(Member {
                caller: caller(&format!("harvest-{kind}-{index}"), department, chance)?,
                harvest,
                office: Office::new(Work::Hall, population, Chance::new(chance.next(), index as u64)),
                next_s: chance.below(plan.every_s),
                calls: 0,
            });
        }
    }
    Ok(members)
}

fn caller(client: &str, department: u64, chance: &mut Chance) -> Result<Caller, IdentifierError> {
    Ok(Caller {
        client: client.parse()?,
        department: format!("department-{department}").parse()?,
        item: chance.pick(&ITEMS).parse()?,
    })
}

impl Run {
    fn the_day_before(&mut self, members: &mut [Member], start: DateTime<Utc>) {
        for member in members {
            for call in 0..DAY_BEFORE {
                let (number, outcome) = member.office.next(&self.population);
                self.call(&member.caller, number, outcome, start + Duration::seconds(call as i64));
            }
        }
    }

    fn honest_call(&mut self, desk: &mut Desk, now: DateTime<Utc>) {
        let (number, outcome) = desk.office.next(&self.population);
        self.report.calls += 1;
        match self.call(&desk.caller, number, outcome, now) {
            Done::Refused => self.report.refused += 1,
            Done::Answered(Some(notice)) => {
                *self.report.notices.entry((desk.office.work.as_str(), notice.signal)).or_default() += 1;
            }
            Done::Answered(None) => {}
        }
        desk.highest = desk.highest.max(self.level(&desk.caller, now));
    }

    /// A harvester's turn: one call of the harvest, among honest ones where it hides.
    fn turn(&mut self, member: &mut Member, harvest: &mut Harvest, second: u64, now: DateTime<Utc>) {
        let plan = harvest.kind.plan();
        if member.calls >= plan.calls_max {
            return;
        }
        member.next_s = second + plan.every_s;
        member.calls += 1;
        for _ in 0..plan.honest {
            let (number, outcome) = member.office.next(&self.population);
            let done = self.call(&member.caller, number, outcome, now);
            self.note(member, harvest.kind, &done, now);
        }
        let (number, outcome, honey) = harvest.next(&self.population);
        if honey && let Some(id) = number.id() {
            self.watch.set_honey(HashSet::from([self.marker.mark(id.as_str())]));
        }
        let done = self.call(&member.caller, number, outcome, now);
        if let Some(found) = self.report.harvests.get_mut(&harvest.kind).filter(|_| matches!(done, Done::Answered(_))) {
            found.calls += 1;
            found.learnt += u64::from(outcome == Outcome::Match);
        }
        self.note(member, harvest.kind, &done, now);
    }

    fn note(&mut self, member: &Member, kind: Kind, done: &Done, now: DateTime<Utc>) {
        let level = self.level(&member.caller, now);
        let Some(found) = self.report.harvests.get_mut(&kind) else { return };
        let Done::Answered(notice) = done else { return };
        if let Some(notice) = notice
            && found.told_after.is_none()
        {
            found.told_after = Some(found.calls);
            found.signal = Some(notice.signal);
            found.learnt_before = found.learnt;
        }
        if level == Level::Block && found.blocked_after.is_none() {
            found.blocked_after = Some(found.calls);
        }
    }

    fn level(&self, caller: &Caller, now: DateTime<Utc>) -> Level {
        let seat = self.watch.seat(&caller.client, &caller.department, &self.dataset);
        self.watch.verdict(&seat, now).level
    }

    /// A call as it goes along the road: verdict, answer, and what the watch makes of it.
    fn call(&self, caller: &Caller, number: Number, outcome: Outcome, now: DateTime<Utc>) -> Done {
        let Some(id) = number.id() else { return Done::Refused };
        let seat = self.watch.seat(&caller.client, &caller.department, &self.dataset);
        let refused = match self.watch.verdict(&seat, now).level {
            Level::Clear | Level::Warn => false,
            Level::Slow => self.watch.admit_slowed(&seat, now).is_err(),
            Level::Block => true,
        };
        if refused {
            return Done::Refused;
        }
        let sighting = self.marker.sighting(Subject::Person(&id), self.marker.mark(id.as_str()));
        Done::Answered(self.watch.observe(&seat, &caller.item, &sighting, outcome, now))
    }
}
