//! Windows: who was asked about lately, in memory that does not grow.
//!
//! A table of buckets with four ways each; the newest entry of a bucket pushes its oldest out. Reads and writes are
//! relaxed atomics: of two calls at the same moment one may overwrite the other, which costs a sighting and no lock.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

const WAYS: usize = 4;

/// Tags of subjects seen lately: about the last `4 * buckets` of them.
pub(super) struct Recent(Box<[[AtomicU32; WAYS]]>);

/// Lanes walked in lately, with the subjects that were asked about in them.
pub(super) struct Lanes(Box<[[AtomicU64; WAYS]]>);

/// Tags of subjects seen lately, with who asked about them.
pub(super) struct Shared(Box<[[AtomicU64; WAYS]]>);

impl Recent {
    pub(super) fn new(buckets: usize) -> Self {
        Self((0..buckets).map(|_| Default::default()).collect())
    }

    pub(super) fn contains(&self, tag: u32) -> bool {
        self.bucket(tag).iter().any(|way| way.load(Relaxed) == tag)
    }

    pub(super) fn insert(&self, tag: u32) {
        let bucket = self.bucket(tag);
        let mut pushed = tag;
        for way in bucket {
            pushed = way.swap(pushed, Relaxed);
        }
    }

    fn bucket(&self, tag: u32) -> &[AtomicU32; WAYS] {
        &self.0[place(tag, self.0.len())]
    }

    pub(super) fn bytes(&self) -> usize {
        size_of_val(&*self.0)
    }

    pub(super) fn words(&self) -> impl Iterator<Item = &AtomicU32> {
        self.0.iter().flatten()
    }
}

impl Lanes {
    pub(super) fn new(buckets: usize) -> Self {
        Self((0..buckets).map(|_| Default::default()).collect())
    }

    /// Note a subject in its lane. True where the last four of the bucket were all of this lane and none of them this
    /// subject: honest subjects of other lanes would have come between.
    pub(super) fn enter(&self, lane: u32, tag: u32) -> bool {
        let bucket = &self.0[place(lane, self.0.len())];
        let entry = u64::from(lane) << 32 | u64::from(tag);
        let held = bucket.each_ref().map(|way| way.load(Relaxed));
        if held.contains(&entry) {
            return false;
        }
        push(bucket, entry);
        held.iter().all(|one| one >> 32 == u64::from(lane))
    }

    pub(super) fn bytes(&self) -> usize {
        size_of_val(&*self.0)
    }

    pub(super) fn words(&self) -> impl Iterator<Item = &AtomicU64> {
        self.0.iter().flatten()
    }
}

impl Shared {
    pub(super) fn new(buckets: usize) -> Self {
        Self((0..buckets).map(|_| Default::default()).collect())
    }

    /// Has anybody asked about it?
    pub(super) fn contains(&self, tag: u32) -> bool {
        self.bucket(tag).iter().any(|way| way.load(Relaxed) >> 32 == u64::from(tag))
    }

    /// Has somebody else asked about it?
    pub(super) fn contains_of_another(&self, tag: u32, who: u32) -> bool {
        let of_another = |entry: u64| entry >> 32 == u64::from(tag) && entry as u32 != who;
        self.bucket(tag).iter().any(|way| of_another(way.load(Relaxed)))
    }

    pub(super) fn insert(&self, tag: u32, who: u32) {
        push(self.bucket(tag), u64::from(tag) << 32 | u64::from(who));
    }

    fn bucket(&self, tag: u32) -> &[AtomicU64; WAYS] {
        &self.0[place(tag, self.0.len())]
    }

    pub(super) fn bytes(&self) -> usize {
        size_of_val(&*self.0)
    }

    pub(super) fn words(&self) -> impl Iterator<Item = &AtomicU64> {
        self.0.iter().flatten()
    }
}

fn push(bucket: &[AtomicU64; WAYS], entry: u64) {
    let mut pushed = entry;
    for way in bucket {
        pushed = way.swap(pushed, Relaxed);
    }
}

/// The bucket of a tag: its upper bits, so that all of it still tells entries of a bucket apart.
fn place(tag: u32, buckets: usize) -> usize {
    ((u64::from(tag) * buckets as u64) >> 32) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Spread as keyed hashes are.
    fn tag(number: u32) -> u32 {
        number.wrapping_mul(0x9e37_79b9) | 1
    }

    #[test]
    fn what_was_seen_lately_is_known_and_what_was_long_ago_is_not() {
        let recent = Recent::new(64);
        (0..10_000).map(tag).for_each(|tag| recent.insert(tag));
        let known = |range: std::ops::Range<u32>| range.filter(|&number| recent.contains(tag(number))).count();
        assert_eq!(known(9_990..10_000), 10);
        assert_eq!(known(0..5_000), 0);
        assert_eq!(recent.bytes(), 64 * 16);
    }

    #[test]
    fn a_lane_is_walked_when_four_others_of_it_came_before_with_nothing_between() {
        let lanes = Lanes::new(1);
        assert_eq!([1, 2, 3, 4, 5].map(|tag| lanes.enter(7, tag)), [false, false, false, false, true]);
        assert!(!lanes.enter(7, 5), "the same subject again is no step");
        assert!(!lanes.enter(8, 6));
        assert!(!lanes.enter(7, 7), "somebody else came between");
    }
}
