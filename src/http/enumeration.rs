//! What the node does for its enumeration defence: tells the stewards, keeps what it remembers, takes their dismissals.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use super::{Node, NodeError};
use crate::{
    audit::Record,
    config::{EnumerationMode, EnumerationSettings},
    enumeration::{Notice, Thresholds},
    exchange::{Defence, Exchange},
    ledger::{Ledger, LedgerError, Remembered, Suspicion},
};

impl Node {
    /// Tell the stewards what waits, lift what they have dismissed, keep what has changed.
    ///
    /// What the ledger does not take now is tried again; verdicts hold meanwhile, because they are made in memory.
    pub(super) async fn keep_watch(&self) {
        let defence = self.exchange.defence();
        let done = async {
            self.tell_stewards(defence).await?;
            take_dismissals(defence, &self.ledger, self.now()).await?;
            defence.set_honey(&self.ledger.honey().await?);
            self.keep(defence).await
        };
        if let Err(error) = done.await {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "the enumeration defence could not use the ledger"
            );
        }
    }

    async fn tell_stewards(&self, defence: &Defence) -> Result<(), LedgerError> {
        let mut notices = defence.take_notices().into_iter();
        while let Some(notice) = notices.next() {
            tracing::warn!(client = %notice.client, dataset = %notice.dataset, signal = %notice.signal,
                level = %notice.level, "a client seems to walk through a register");
            let Some(seen) = self.suspicion(&notice) else { continue };
            if let Err(error) = self.ledger.raise_alert(&seen).await {
                defence.put_back([notice].into_iter().chain(notices).collect());
                return Err(error);
            }
        }
        Ok(())
    }

    fn suspicion(&self, notice: &Notice) -> Option<Suspicion> {
        let provider = self.catalog().datasets.get(&notice.dataset)?.provider.clone();
        let counts = notice.evidence;
        let evidence = json!({
            "calls": counts.calls, "misses": counts.misses, "steps": counts.steps,
            "subjects": counts.subjects, "honey": counts.honey, "score": counts.score / 1_000,
        });
        Some(Suspicion {
            at: notice.at,
            client: notice.client.clone(),
            department: notice.department.clone(),
            dataset: notice.dataset.clone(),
            provider,
            item: notice.item.clone(),
            signal: notice.signal.as_str().to_owned(),
            level: notice.level.as_str().to_owned(),
            until: notice.until,
            evidence: evidence.to_string(),
        })
    }

    async fn keep(&self, defence: &Defence) -> Result<(), LedgerError> {
        // The time first: a call in between is counted from the log as well, rather than not at all.
        let now = self.now();
        let changed: Vec<_> = defence
            .changes()
            .into_iter()
            .map(|(place, state)| Remembered { place: place.to_string(), state })
            .collect();
        self.ledger.keep_watch(&self.settings.node.id, &changed, now).await
    }
}

async fn take_dismissals(defence: &Defence, ledger: &Ledger, now: DateTime<Utc>) -> Result<(), LedgerError> {
    let matters = TimeDelta::from_std(defence.excused_for()).unwrap_or(TimeDelta::days(7)).max(TimeDelta::hours(1));
    for (client, dataset, at) in ledger.dismissed_since(now - matters).await? {
        defence.excuse(&client, &dataset, at);
    }
    Ok(())
}

/// At the start: take back what was kept, and count what the log knows beyond it.
pub(super) async fn take_back(
    exchange: &Exchange,
    ledger: &Ledger,
    kept: Vec<Remembered>,
    since: &[Record],
) -> Result<(), NodeError> {
    let defence = exchange.defence();
    let known = kept.into_iter().filter_map(|one| match one.place.parse() {
        Ok(place) => Some((place, one.state)),
        Err(error) => {
            tracing::warn!(%error, "something kept is not remembered");
            None
        }
    });
    defence.remember(known);
    defence.set_honey(&ledger.honey().await?);
    since.iter().for_each(|record| defence.count_again(record));
    Ok(())
}

pub(super) fn thresholds(settings: &EnumerationSettings) -> Thresholds {
    let points = |score: u32| i32::try_from(score).unwrap_or(i32::MAX).saturating_mul(1_000);
    let at_least = |time: Duration| time.max(Duration::from_secs(1));
    Thresholds {
        enforced: settings.mode == EnumerationMode::Enforce,
        warn: points(settings.warn_score),
        slow: points(settings.slow_score),
        block: points(settings.block_score),
        slow_for: at_least(settings.slow),
        block_for: at_least(settings.block),
        slow_calls_per_minute: settings.slow_calls_per_minute,
        subjects_per_day: settings.subjects_per_day,
        surge_factor: settings.surge_factor,
        surge_from: settings.surge_from,
        dismissed_for: settings.dismissed,
    }
}
