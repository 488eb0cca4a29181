//! The watch as a whole: laws, bounds, and one case for each signal.

use std::collections::HashSet;

use chrono::{DateTime, Days, Duration, NaiveDate, Utc};

use super::{
    ACCOUNT_BYTES_MAX, GROUP_BYTES_MAX, ITEMS_MAX, Level, Marker, Notice, Outcome, Seat, Signal, Subject, Thresholds,
    Watch, mark_of,
};
use crate::identifiers::{ClientId, CreditCode, DatasetId, DepartmentId, ItemCode, ResidentId};

const ITEM: &str = "11440100MB9YYY997R3440101001000";

struct Scene {
    watch: Watch,
    marker: Marker,
    dataset: DatasetId,
    now: DateTime<Utc>,
}

impl Scene {
    fn new() -> Self {
        Self::of(Thresholds::default())
    }

    fn of(thresholds: Thresholds) -> Self {
        Self {
            watch: Watch::new(thresholds),
            marker: Marker::new(&[7; 16]),
            dataset: "natural-person".parse().unwrap(),
            now: "2026-11-30T01:00:00Z".parse().unwrap(),
        }
    }

    fn seat(&self, client: &str) -> std::sync::Arc<Seat> {
        let (client, department): (ClientId, DepartmentId) = (client.parse().unwrap(), "gz-housing".parse().unwrap());
        self.watch.seat(&client, &department, &self.dataset)
    }

    fn level(&self, client: &str) -> Level {
        self.watch.verdict(&self.seat(client), self.now).level
    }

    /// A call a second later.
    fn call(&mut self, client: &str, id: ResidentId, outcome: Outcome) -> Option<Notice> {
        self.now += Duration::seconds(1);
        let sighting = self.marker.sighting(Subject::Person(&id), self.marker.mark(id.as_str()));
        self.watch.observe(&self.seat(client), &ITEM.parse().unwrap(), &sighting, outcome, self.now)
    }

    /// Calls until one of them is told of, or there are no more; how many, and what was told.
    fn calls(
        &mut self,
        client: &str,
        calls: impl IntoIterator<Item = (ResidentId, Outcome)>,
    ) -> (usize, Option<Notice>) {
        let mut made = 0;
        for (id, outcome) in calls {
            made += 1;
            if let Some(notice) = self.call(client, id, outcome) {
                return (made, Some(notice));
            }
        }
        (made, None)
    }
}

fn id(division: u32, day: u64, serial: u64) -> ResidentId {
    let birth = NaiveDate::from_ymd_opt(1990, 1, 1).unwrap() + Days::new(day);
    ResidentId::from_parts(division, birth, (serial % 1_000) as u16).unwrap()
}

/// Nobody's neighbour, and in no lane with another.
fn stranger(number: u64) -> ResidentId {
    id(440_103 + (number % 4) as u32, number * 7 % 9_000, number * 37 % 1_000)
}

#[test]
fn each_way_to_harvest_is_told_by_its_own_signal() {
    let walk = (1..).map(|serial| (id(440_106, 0, serial), Outcome::NotFound));
    let list = (1..).map(|serial| (id(440_106, 0, serial), Outcome::Match));
    let made_up = (1..).map(|number| (stranger(number), Outcome::NotFound));
    let last_four = id(440_106, 0, 15).as_str()[14..].to_owned();
    let mask = (0..20_000).map(|day| id(440_106, day, 15)).filter(move |id| id.as_str()[14..] == last_four);
    let mask = mask.map(|id| (id, Outcome::NotFound));
    let told = |calls: &mut dyn Iterator<Item = (ResidentId, Outcome)>| {
        let (calls, notice) = Scene::new().calls("c", calls.take(900));
        notice.map(|notice| (notice.signal, calls))
    };
    assert_eq!(told(&mut walk.into_iter()), Some((Signal::Walk, 6)));
    assert_eq!(told(&mut list.into_iter()), Some((Signal::Walk, 39)));
    assert_eq!(told(&mut made_up.into_iter()), Some((Signal::Misses, 22)));
    assert_eq!(told(&mut mask.into_iter()), Some((Signal::Sweep, 8)));
}

#[test]
fn honest_answers_take_a_score_down_and_repeating_one_does_not() {
    let mut scene = Scene::new();
    for number in 0..2_000 {
        let outcome = if number % 12 == 0 { Outcome::NotFound } else { Outcome::Match };
        assert_eq!(scene.call("honest", stranger(number), outcome), None, "{number}");
    }
    // Whoever puts his own number between made-up ones gains nothing.
    let own = stranger(5_000);
    let calls = (1..).flat_map(|number| [(stranger(number), Outcome::NotFound), (own, Outcome::Match)]);
    let (calls, notice) = scene.calls("clever", calls.take(200));
    assert_eq!((calls, notice.unwrap().signal), (43, Signal::Misses));
}

#[test]
fn what_one_client_does_is_not_held_against_another() {
    let mut scene = Scene::new();
    for serial in 1..50 {
        scene.call("bad", id(440_106, 0, serial), Outcome::NotFound);
    }
    (0..200).for_each(|number| assert_eq!(scene.call("good", stranger(number), Outcome::Match), None));
    assert_eq!((scene.level("bad"), scene.level("good")), (Level::Block, Level::Clear));
}

#[test]
fn clients_that_share_the_serials_among_them_are_known_by_their_neighbours() {
    let mut scene = Scene::new();
    let mut told = Vec::new();
    for serial in 1..200 {
        let client = format!("part-{}", serial % 12);
        told.extend(scene.call(&client, id(440_106, 0, serial), Outcome::NotFound));
    }
    assert!(told.iter().any(|notice| notice.signal == Signal::Collusion), "{told:?}");
    assert!((0..12).all(|part| scene.level(&format!("part-{part}")) >= Level::Slow));
}

#[test]
fn honey_slows_at_the_first_record_and_blocks_at_the_second_until_a_steward_has_looked() {
    let mut scene = Scene::new();
    let honey = [stranger(1), stranger(2)].map(|id| scene.marker.mark(id.as_str()));
    scene.watch.set_honey(HashSet::from(honey));
    let levels = [1, 1, 2].map(|number| {
        scene.call("c", stranger(number), Outcome::Match);
        scene.level("c")
    });
    assert_eq!(levels, [Level::Slow, Level::Slow, Level::Block]);
    scene.now += Duration::hours(3);
    scene.call("c", stranger(3), Outcome::Match);
    assert_eq!(scene.level("c"), Level::Block, "it is not forgotten");
    scene.watch.excuse(&"c".parse().unwrap(), &scene.dataset, scene.now);
    scene.call("c", stranger(4), Outcome::Match);
    assert_eq!(scene.level("c"), Level::Clear);
}

#[test]
fn the_budget_of_subjects_ends_with_the_day_in_china_and_a_surge_is_told() {
    let mut scene = Scene::of(Thresholds { subjects_per_day: 1_000, surge_from: 300, ..Thresholds::default() });
    let honest = |numbers: std::ops::Range<u64>| numbers.map(|number| (stranger(number), Outcome::Match));
    assert_eq!(scene.calls("c", honest(0..40)).1, None);
    scene.now = "2026-12-01T01:00:00Z".parse().unwrap();
    let (calls, notice) = scene.calls("c", honest(0..900));
    assert_eq!(notice.map(|notice| (notice.signal, notice.level)), Some((Signal::Surge, Level::Warn)));
    assert!((280..=350).contains(&calls), "{calls}");
    let notice = scene.calls("c", honest(900..2_000)).1.unwrap();
    assert_eq!((notice.signal, notice.level), (Signal::Subjects, Level::Block));
    assert_eq!(notice.until, "2026-12-01T16:00:00Z".parse::<DateTime<Utc>>().unwrap());
}

#[test]
fn who_is_slowed_is_let_through_so_many_times_a_minute() {
    let scene = Scene::new();
    let seat = scene.seat("c");
    let admitted = (0..600)
        .filter(|tenth| scene.watch.admit_slowed(&seat, scene.now + Duration::milliseconds(100 * tenth)).is_ok());
    assert_eq!(admitted.count(), 60);
    let wait = scene.watch.admit_slowed(&seat, scene.now + Duration::milliseconds(59_500)).unwrap_err();
    assert_eq!(wait.as_millis(), 500);
}

#[test]
fn a_dismissed_alert_lifts_the_block_and_nothing_but_warnings_follow_for_a_day() {
    let mut scene = Scene::new();
    let walk = |from: u64| (from..).map(|serial| (id(440_106, 0, serial), Outcome::NotFound)).take(40);
    let _ = scene.calls("c", walk(1));
    let _ = scene.calls("c", walk(40));
    assert_eq!(scene.level("c"), Level::Block);
    let client = "c".parse().unwrap();
    scene.watch.excuse(&client, &scene.dataset, scene.now);
    assert_eq!(scene.level("c"), Level::Clear);
    assert_eq!(scene.calls("c", walk(100)).1, None);
    assert_eq!(scene.level("c"), Level::Warn);
    // The same dismissal, read again, gives no second day.
    let dismissed = scene.now - Duration::seconds(40);
    scene.now += Duration::hours(25);
    scene.watch.excuse(&client, &scene.dataset, dismissed);
    assert!(scene.calls("c", walk(200)).1.is_some());
}

#[test]
fn memory_is_bounded_however_much_is_asked_for_however_many_items() {
    let mut scene = Scene::new();
    let (seat, authority) = (scene.seat("c"), &ITEM[..18]);
    for number in 0..3_000_u64 {
        let item: ItemCode = format!("{authority}3{:012}", 440_100_000_000 + number % 40).parse().unwrap();
        let id = stranger(number);
        let sighting = scene.marker.sighting(Subject::Person(&id), scene.marker.mark(id.as_str()));
        scene.now += Duration::seconds(1);
        scene.watch.observe(&seat, &item, &sighting, Outcome::Match, scene.now);
    }
    let kept = scene.watch.changes();
    assert_eq!(kept.iter().filter(|(place, _)| matches!(place, super::Place::Item(..))).count(), ITEMS_MAX);
    assert!(seat.bytes() <= ACCOUNT_BYTES_MAX, "{}", seat.bytes());
    assert!(seat.shared_bytes().iter().all(|&bytes| bytes <= GROUP_BYTES_MAX), "{:?}", seat.shared_bytes());
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/enumeration.md")).unwrap();
    for bytes in [ACCOUNT_BYTES_MAX, GROUP_BYTES_MAX] {
        assert!(page.contains(&format!("{} KiB", bytes / 1024)), "docs/enumeration.md states the bound");
    }
}

#[test]
fn what_was_kept_goes_on_as_if_nothing_had_been_and_holds_no_number() {
    let mut scene = Scene::new();
    let walk = |range: std::ops::Range<u64>| range.map(|serial| (id(440_106, 0, serial), Outcome::NotFound));
    assert_eq!(scene.calls("c", walk(1..6)).1, None);
    let kept = scene.watch.changes();
    for (_, bytes) in &kept {
        let text = String::from_utf8_lossy(bytes);
        assert!(!text.contains("440106") && !text.contains("19900101"));
    }
    assert!(scene.watch.changes().is_empty(), "nothing has changed since");
    let mut again = Scene::new();
    again.now = scene.now;
    again.watch.remember(kept);
    assert_eq!(again.calls("c", walk(6..7)), scene.calls("c", walk(6..7)), "the sixth step is one too many");
    assert!(again.level("c") == Level::Slow && scene.level("c") == Level::Slow);
    let mut third = Scene::new();
    third.now = again.now;
    third.watch.remember(again.watch.changes());
    assert_eq!(third.level("c"), Level::Slow, "a verdict is kept too");
}

#[test]
fn enterprises_are_walked_through_as_people_are() {
    let mut scene = Scene::new();
    let seat = scene.seat("c");
    let mut told = None;
    for number in 0..20 {
        let body = *format!("MA9YY{:03}", number).as_bytes().first_chunk::<8>().unwrap();
        let code = CreditCode::from_parts('9', '1', 440_100, body).unwrap();
        let sighting = scene.marker.sighting(Subject::Body(&code), scene.marker.mark(code.as_str()));
        scene.now += Duration::seconds(1);
        told = told.or(scene.watch.observe(&seat, &ITEM.parse().unwrap(), &sighting, Outcome::NotFound, scene.now));
    }
    assert_eq!(told.unwrap().signal, Signal::Walk);
}

#[test]
fn a_mark_is_the_beginning_of_the_pseudonym() {
    assert_eq!(mark_of("p1:00000000000000ff1234"), 255);
    assert_eq!(mark_of("nothing"), mark_of("nothing"));
}
