//! The account of one client on one dataset, with its items and the groups that it belongs to.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU32, Ordering::Relaxed},
    },
};

use arc_swap::ArcSwap;

use super::{
    score::Score,
    series::{Group, Series},
    sip::sip,
    standing::Standing,
    state::{Place, Reader, Writer},
    watch::{Evidence, ITEMS_MAX},
};
use crate::identifiers::{ClientId, DatasetId, DepartmentId, ItemCode};

/// One client on one dataset.
pub struct Seat {
    pub(super) client: ClientId,
    pub(super) department: DepartmentId,
    pub(super) dataset: DatasetId,
    /// Tells the client apart from others in a window that it shares with them.
    pub(super) who: u32,
    pub(super) series: Series,
    pub(super) items: ArcSwap<Vec<(ItemCode, Arc<Series>)>>,
    pub(super) company: Score,
    pub(super) standing: Standing,
    pub(super) honey: AtomicU32,
    /// When the next call of a slowed client is due, in milliseconds.
    pub(super) due: AtomicI64,
    /// After a dismissed alert, until when no more than a warning is held against it; and when that was. Milliseconds.
    pub(super) excused_until: AtomicI64,
    pub(super) excused_at: AtomicI64,
    pub(super) of_department: Arc<Group>,
    pub(super) of_dataset: Arc<Group>,
}

#[derive(Default)]
pub(super) struct Groups {
    pub(super) departments: HashMap<(DepartmentId, DatasetId), Arc<Group>>,
    pub(super) datasets: HashMap<DatasetId, Arc<Group>>,
    /// Of accounts and items that have not called since the start.
    pub(super) remembered: HashMap<Place, Vec<u8>>,
}

impl Seat {
    pub(super) fn new(client: &ClientId, department: &DepartmentId, dataset: &DatasetId, groups: &mut Groups) -> Self {
        let of_department = groups.department(department, dataset);
        let of_dataset = groups.dataset(dataset);
        [&of_department, &of_dataset].iter().for_each(|group| {
            group.clients.fetch_add(1, Relaxed);
        });
        let mut seat = Self {
            client: client.clone(),
            department: department.clone(),
            dataset: dataset.clone(),
            who: sip((0, 0), client.as_str().as_bytes()) as u32,
            series: Series::new(),
            items: ArcSwap::default(),
            company: Score::default(),
            standing: Standing::default(),
            honey: AtomicU32::new(0),
            due: AtomicI64::new(0),
            excused_until: AtomicI64::new(0),
            excused_at: AtomicI64::new(0),
            of_department,
            of_dataset,
        };
        let kept = groups.remembered.remove(&Place::Account(client.clone(), dataset.clone()));
        if kept.is_some_and(|bytes| seat.read(&bytes).is_none()) {
            seat.series = Series::new();
        }
        let is_ours = |place: &Place| matches!(place, Place::Item(of, on, _) if of == client && on == dataset);
        let ours: Vec<_> = groups.remembered.keys().filter(|place| is_ours(place)).cloned().collect();
        let items = ours.into_iter().filter_map(|place| {
            let bytes = groups.remembered.remove(&place)?;
            let Place::Item(_, _, item) = place else { return None };
            let (series, mut reader) = (Series::new(), Reader::new(&bytes)?);
            series.read(&mut reader)?;
            reader.end()?;
            Some((item, Arc::new(series)))
        });
        let items: Vec<_> = items.take(ITEMS_MAX).collect();
        seat.items.store(Arc::new(items));
        seat
    }

    /// The series of an item, where it is one of the first [`ITEMS_MAX`].
    pub(super) fn item(&self, item: &ItemCode) -> Option<Arc<Series>> {
        let find = |items: &[(ItemCode, Arc<Series>)]| {
            items.iter().find(|(known, _)| known == item).map(|(_, series)| Arc::clone(series))
        };
        let items = self.items.load();
        if let Some(series) = find(&items) {
            return Some(series);
        }
        if items.len() >= ITEMS_MAX {
            return None;
        }
        drop(items);
        let made = Arc::new(Series::new());
        self.items.rcu(|items| {
            let mut items = Vec::clone(items);
            if find(&items).is_none() && items.len() < ITEMS_MAX {
                items.push((item.clone(), Arc::clone(&made)));
            }
            items
        });
        find(&self.items.load())
    }

    pub(super) fn come_down_to(&self, points: i32, of_item: Option<&Series>) {
        let items = of_item.into_iter().flat_map(Series::scores);
        self.series.scores().into_iter().chain(items).chain([&self.company]).for_each(|score| score.at_most(points));
    }

    pub(super) fn evidence(&self, of_item: Option<&Series>, score: i32) -> Evidence {
        let today = &of_item.unwrap_or(&self.series).today;
        Evidence {
            calls: today.calls.load(Relaxed),
            misses: today.missed.load(Relaxed),
            steps: today.steps.load(Relaxed),
            subjects: today.distinct.estimate(),
            honey: self.honey.load(Relaxed),
            score,
        }
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.u64(self.standing.word().load(Relaxed));
        writer.u32(self.honey.load(Relaxed));
        writer.score(&self.company);
        for moment in [&self.due, &self.excused_until, &self.excused_at] {
            writer.u64(moment.load(Relaxed).cast_unsigned());
        }
        self.series.write(&mut writer);
        writer.into_bytes()
    }

    pub(super) fn read(&self, bytes: &[u8]) -> Option<()> {
        let mut reader = Reader::new(bytes)?;
        self.standing.word().store(reader.u64()?, Relaxed);
        self.honey.store(reader.u32()?, Relaxed);
        reader.score(&self.company)?;
        for moment in [&self.due, &self.excused_until, &self.excused_at] {
            moment.store(reader.u64()?.cast_signed(), Relaxed);
        }
        self.series.read(&mut reader)?;
        reader.end()
    }

    /// Memory that this account holds, its items included.
    pub fn bytes(&self) -> usize {
        let items = self.items.load();
        let of_items: usize =
            items.iter().map(|(item, series)| size_of_val(item) + item.as_str().len() + series.bytes()).sum();
        size_of::<Self>() + self.series.bytes() + of_items
    }

    /// Memory of its department and of its dataset, which it shares.
    pub fn shared_bytes(&self) -> [usize; 2] {
        [self.of_department.bytes(), self.of_dataset.bytes()]
    }
}

impl Groups {
    fn department(&mut self, department: &DepartmentId, dataset: &DatasetId) -> Arc<Group> {
        let place = Place::Department(department.clone(), dataset.clone());
        let kept = self.remembered.remove(&place);
        let key = (department.clone(), dataset.clone());
        Arc::clone(self.departments.entry(key).or_insert_with(|| Arc::new(group(kept))))
    }

    fn dataset(&mut self, dataset: &DatasetId) -> Arc<Group> {
        let kept = self.remembered.remove(&Place::Dataset(dataset.clone()));
        Arc::clone(self.datasets.entry(dataset.clone()).or_insert_with(|| Arc::new(group(kept))))
    }
}

fn group(kept: Option<Vec<u8>>) -> Group {
    let read = kept.and_then(|bytes| {
        let (group, mut reader) = (Group::new(), Reader::new(&bytes)?);
        group.read(&mut reader)?;
        reader.end()?;
        Some(group)
    });
    read.unwrap_or_else(Group::new)
}
