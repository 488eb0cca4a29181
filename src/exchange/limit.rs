//! Step 4: how often a client may call, and how often an agreement may be used in a day.
//!
//! Rates are GCRA (a token bucket without a timer). Day counts live in memory; [`Limits::count_again`] restores them
//! from the audit log at start, so that a restart is no way round a quota. Memory is bounded by the number of clients
//! and agreements, which the catalogue bounds. Nobody waits for anybody: rates and counts are atomics, and the tables
//! that hold them are copied when a client or an agreement is seen for the first time.

use std::{
    collections::HashMap,
    hash::Hash,
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use chrono::{DateTime, Datelike, NaiveDate, Utc};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter, clock::Clock};

use super::answer::day_in_china;
use crate::{
    identifiers::{AgreementId, ClientId},
    ledger::Agreement,
    policy::Volume,
    problem::{Code, Problem},
};

/// Rates and day counts of everybody who calls.
pub(super) struct Limits {
    calls_per_second: NonZeroU32,
    clients: Table<ClientId, Bucket>,
    agreements: Table<AgreementId, Bucket>,
    used: Table<AgreementId, DayCount>,
}

/// A table that is read without a lock. An entry, once there, stays until it is replaced.
struct Table<K, V>(ArcSwap<HashMap<K, Arc<V>>>);

/// How fast somebody may call.
struct Bucket {
    rate: NonZeroU32,
    limiter: DefaultDirectRateLimiter,
}

/// Calls of one day. The day, in days of the common era, stands in the upper bits, so that both change in one step.
#[derive(Default)]
struct DayCount(AtomicU64);

/// Bits of a day count that count: more calls than anybody makes in a day.
const COUNT_BITS: u32 = 40;

impl Limits {
    /// `calls_per_second` is the ceiling of one client over all its agreements.
    pub(super) fn new(calls_per_second: NonZeroU32) -> Self {
        Self { calls_per_second, clients: Table::new(), agreements: Table::new(), used: Table::new() }
    }

    /// Count one call, or say when to come back. How much of the agreement's day was used before it.
    pub(super) fn admit(
        &self,
        client: &ClientId,
        agreement: Option<&Agreement>,
        now: DateTime<Utc>,
    ) -> Result<Volume, Problem> {
        let refused = |wait: Duration, whose: String| {
            Problem::new(Code::RateLimited, format!("{whose} calls faster than it may"))
                .remedy("Spread the calls, or agree on a higher rate.")
                .retry_once_over(wait)
        };
        admit(&self.clients, client, self.calls_per_second)
            .map_err(|wait| refused(wait, format!("client `{client}`")))?;
        let Some(agreement) = agreement else { return Ok(Volume::default()) };
        admit(&self.agreements, &agreement.id, agreement.budget.calls_per_second)
            .map_err(|wait| refused(wait, format!("agreement `{}`", agreement.id)))?;
        let used = self.used.get_or_insert(&agreement.id, |_| true, DayCount::default);
        let agreed = agreement.budget.calls_per_day;
        if let Some(before) = used.count(day_in_china(now), agreed) {
            return Ok(Volume::of(before, agreed));
        }
        let detail = format!("agreement `{}` allows {agreed} calls a day", agreement.id);
        Err(Problem::new(Code::QuotaExceeded, detail)
            .remedy("Call again tomorrow (China time), or agree on a higher quota.")
            .retry_after(seconds_to_midnight(now)))
    }

    /// Count a call that the log remembers.
    pub(super) fn count_again(&self, agreement: &AgreementId, day: NaiveDate) {
        self.used.get_or_insert(agreement, |_| true, DayCount::default).count(day, u64::MAX);
    }
}

impl DayCount {
    /// Count a call of this day unless the quota is used up; how many there were before it. Days do not come back, should
    /// the clock be set back.
    fn count(&self, day: NaiveDate, quota: u64) -> Option<u64> {
        let day = u64::from(day.num_days_from_ce().max(0).unsigned_abs());
        let most = quota.min((1 << COUNT_BITS) - 1);
        let counted = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |packed| {
            let (known, calls) = (packed >> COUNT_BITS, packed & ((1 << COUNT_BITS) - 1));
            let calls = if day > known { 0 } else { calls };
            (calls < most).then_some((day.max(known) << COUNT_BITS) | (calls + 1))
        });
        let before = counted.ok()?;
        let (known, calls) = (before >> COUNT_BITS, before & ((1 << COUNT_BITS) - 1));
        Some(if day > known { 0 } else { calls })
    }
}

impl<K: Clone + Eq + Hash, V> Table<K, V> {
    fn new() -> Self {
        Self(ArcSwap::default())
    }

    /// The entry of a key; made where there is none yet, or one that no longer `fits`.
    fn get_or_insert(&self, key: &K, fits: impl Fn(&V) -> bool, make: impl Fn() -> V) -> Arc<V> {
        let known = |entries: &HashMap<K, Arc<V>>| entries.get(key).filter(|entry| fits(entry)).map(Arc::clone);
        if let Some(entry) = known(&self.0.load()) {
            return entry;
        }
        let made = Arc::new(make());
        self.0.rcu(|entries| {
            let mut entries = HashMap::clone(entries);
            if known(&entries).is_none() {
                entries.insert(key.clone(), Arc::clone(&made));
            }
            entries
        });
        // Of two that came at once, the first to enter stands for both.
        known(&self.0.load()).unwrap_or(made)
    }
}

fn admit<K: Clone + Eq + Hash>(buckets: &Table<K, Bucket>, key: &K, rate: NonZeroU32) -> Result<(), Duration> {
    let make = || Bucket { rate, limiter: RateLimiter::direct(Quota::per_second(rate)) };
    let bucket = buckets.get_or_insert(key, |bucket| bucket.rate == rate, make);
    bucket.limiter.check().map_err(|until| until.wait_time_from(governor::clock::DefaultClock::default().now()))
}

fn seconds_to_midnight(now: DateTime<Utc>) -> u64 {
    let into_day = (now.timestamp() + i64::from(super::answer::CHINA_OFFSET_SECONDS)).rem_euclid(86_400);
    86_400_u64.saturating_sub(into_day.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::ledger::{Budget, Standing};

    fn agreement(per_second: u32, per_day: u64) -> Agreement {
        Agreement {
            id: "agr-one".parse().unwrap(),
            consumer: "gz-one".parse().unwrap(),
            dataset: "natural-person".parse().unwrap(),
            items: BTreeSet::new(),
            compare: BTreeSet::new(),
            disclose: BTreeSet::new(),
            valid_from: NaiveDate::MIN,
            valid_until: NaiveDate::MAX,
            budget: Budget { calls_per_second: NonZeroU32::new(per_second).unwrap(), calls_per_day: per_day },
            standing: Standing::InForce,
        }
    }

    fn limits() -> Limits {
        Limits::new(NonZeroU32::new(1000).unwrap())
    }

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn a_day_quota_ends_and_begins_again_at_midnight_in_china() {
        let (limits, agreement, client) = (limits(), agreement(1000, 2), "c".parse().unwrap());
        let evening = at("2026-11-24T15:59:00Z");
        let mut codes = Vec::new();
        for now in [evening, evening, evening, at("2026-11-24T16:00:00Z")] {
            let admitted = limits.admit(&client, Some(&agreement), now);
            codes.push(admitted.map(Volume::percent).map_err(|p| (p.code, p.retry_after)));
        }
        assert_eq!(codes, [Ok(0), Ok(50), Err((Code::QuotaExceeded, Some(60))), Ok(0)]);
    }

    #[test]
    fn a_burst_beyond_the_rate_is_told_to_wait() {
        let (limits, agreement, client) = (limits(), agreement(3, 1000), "c".parse().unwrap());
        let now = at("2026-11-24T08:00:00Z");
        let refused = (0..50).filter_map(|_| limits.admit(&client, Some(&agreement), now).err()).next_back().unwrap();
        assert_eq!(refused.code, Code::RateLimited);
        assert!(refused.retry_after.is_some());
    }

    #[test]
    fn what_the_log_remembers_of_today_counts() {
        let (limits, agreement, client) = (limits(), agreement(1000, 3), "c".parse().unwrap());
        let now = at("2026-11-24T08:00:00Z");
        for day in ["2026-11-23", "2026-11-24", "2026-11-24"] {
            limits.count_again(&agreement.id, day.parse().unwrap());
        }
        assert!(limits.admit(&client, Some(&agreement), now).is_ok());
        assert!(limits.admit(&client, Some(&agreement), now).is_err());
    }
}
