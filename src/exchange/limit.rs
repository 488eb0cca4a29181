//! Step 4: how often a client may call, and how often an agreement may be used in a day.
//!
//! Rates are GCRA (a token bucket without a timer). Day counts live in memory; [`Limits::count_again`] restores them
//! from the audit log at start, so that a restart is no way round a quota. Memory is bounded by the number of clients
//! and agreements, which the catalogue bounds.

use std::{
    collections::HashMap,
    num::NonZeroU32,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use chrono::{DateTime, NaiveDate, Utc};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter, clock::Clock};

use super::answer::day_in_china;
use crate::{
    identifiers::{AgreementId, ClientId},
    ledger::Agreement,
    problem::{Code, Problem},
};

/// Rates and day counts of everybody who calls.
pub(super) struct Limits {
    calls_per_second: NonZeroU32,
    clients: Buckets<ClientId>,
    agreements: Buckets<AgreementId>,
    used: Mutex<HashMap<AgreementId, Used>>,
}

#[derive(Clone, Copy)]
struct Used {
    day: NaiveDate,
    calls: u64,
}

type Buckets<K> = Mutex<HashMap<K, (NonZeroU32, Arc<DefaultDirectRateLimiter>)>>;

impl Limits {
    /// `calls_per_second` is the ceiling of one client over all its agreements.
    pub(super) fn new(calls_per_second: NonZeroU32) -> Self {
        Self { calls_per_second, clients: Mutex::default(), agreements: Mutex::default(), used: Mutex::default() }
    }

    /// Count one call, or say when to come back.
    pub(super) fn admit(
        &self,
        client: &ClientId,
        agreement: Option<&Agreement>,
        now: DateTime<Utc>,
    ) -> Result<(), Problem> {
        let refused = |wait: Duration, whose: String| {
            Problem::new(Code::RateLimited, format!("{whose} calls faster than it may"))
                .remedy("Spread the calls, or agree on a higher rate.")
                .retry_after(wait.as_secs() + 1)
        };
        admit(&self.clients, client, self.calls_per_second)
            .map_err(|wait| refused(wait, format!("client `{client}`")))?;
        let Some(agreement) = agreement else { return Ok(()) };
        admit(&self.agreements, &agreement.id, agreement.budget.calls_per_second)
            .map_err(|wait| refused(wait, format!("agreement `{}`", agreement.id)))?;
        self.count(agreement, now)
    }

    fn count(&self, agreement: &Agreement, now: DateTime<Utc>) -> Result<(), Problem> {
        let today = day_in_china(now);
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = used.entry(agreement.id.clone()).or_insert(Used { day: today, calls: 0 });
        if entry.day != today {
            *entry = Used { day: today, calls: 0 };
        }
        if entry.calls >= agreement.budget.calls_per_day {
            let detail = format!("agreement `{}` allows {} calls a day", agreement.id, agreement.budget.calls_per_day);
            return Err(Problem::new(Code::QuotaExceeded, detail)
                .remedy("Call again tomorrow (China time), or agree on a higher quota.")
                .retry_after(seconds_to_midnight(now)));
        }
        entry.calls += 1;
        Ok(())
    }

    /// Count a call that the log remembers.
    pub(super) fn count_again(&self, agreement: &AgreementId, day: NaiveDate) {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = used.entry(agreement.clone()).or_insert(Used { day, calls: 0 });
        if day > entry.day {
            *entry = Used { day, calls: 0 };
        }
        if day == entry.day {
            entry.calls += 1;
        }
    }
}

fn admit<K: Clone + Eq + std::hash::Hash>(buckets: &Buckets<K>, key: &K, rate: NonZeroU32) -> Result<(), Duration> {
    let bucket = {
        let mut buckets = buckets.lock().unwrap_or_else(PoisonError::into_inner);
        match buckets.get(key) {
            Some((known, bucket)) if *known == rate => Arc::clone(bucket),
            _ => {
                let bucket = Arc::new(RateLimiter::direct(Quota::per_second(rate)));
                buckets.insert(key.clone(), (rate, Arc::clone(&bucket)));
                bucket
            }
        }
    };
    bucket.check().map_err(|until| until.wait_time_from(governor::clock::DefaultClock::default().now()))
}

fn seconds_to_midnight(now: DateTime<Utc>) -> u64 {
    let into_day = (now.timestamp() + i64::from(super::answer::CHINA_OFFSET_SECONDS)).rem_euclid(86_400);
    86_400_u64.saturating_sub(into_day.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::ledger::Budget;

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
            codes.push(limits.admit(&client, Some(&agreement), now).map_err(|p| (p.code, p.retry_after)));
        }
        assert_eq!(codes, [Ok(()), Ok(()), Err((Code::QuotaExceeded, Some(60))), Ok(())]);
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
