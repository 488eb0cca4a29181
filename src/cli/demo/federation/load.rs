//! Calls without a pause, of several kinds side by side, each with when it was sent and what came.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::Value;
use tokio::task::JoinSet;

use super::{evidence::word, tour::Window};

/// Between two calls of one caller: the nodes share this machine.
const PAUSE: Duration = Duration::from_millis(5);

/// One call, again and again.
pub(super) struct Kind {
    /// It needs the node that will be away.
    pub(super) needs: bool,
    pub(super) body: Value,
}

/// What came of one call.
pub(super) struct Heard {
    pub(super) kind: Arc<Kind>,
    pub(super) sent: Instant,
    pub(super) took: Duration,
    /// `match`, or `indeterminate source_unavailable accept_provisionally`.
    pub(super) said: String,
    pub(super) status: u16,
    pub(super) answer: Value,
}

/// Calls under way; they end when it is dropped.
pub(super) struct Load {
    stop: Arc<AtomicBool>,
    callers: JoinSet<anyhow::Result<Vec<Heard>>>,
}

impl Load {
    /// One caller a kind.
    pub(super) fn start(window: &Arc<Window>, kinds: Vec<Kind>) -> Self {
        let (stop, mut callers) = (Arc::new(AtomicBool::new(false)), JoinSet::new());
        for kind in kinds {
            callers.spawn(call(Arc::clone(window), Arc::new(kind), Arc::clone(&stop)));
        }
        Self { stop, callers }
    }

    /// Let them finish; what all of them have heard.
    pub(super) async fn end(mut self) -> anyhow::Result<Vec<Heard>> {
        self.stop.store(true, Ordering::Relaxed);
        let mut heard = Vec::new();
        while let Some(caller) = self.callers.join_next().await {
            heard.extend(caller??);
        }
        Ok(heard)
    }
}

async fn call(window: Arc<Window>, kind: Arc<Kind>, stop: Arc<AtomicBool>) -> anyhow::Result<Vec<Heard>> {
    let mut heard = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let sent = Instant::now();
        let (status, answer) = window.post(&kind.body).await?;
        let (took, said) = (sent.elapsed(), said(status, &answer));
        heard.push(Heard { kind: Arc::clone(&kind), sent, took, said, status, answer });
        tokio::time::sleep(PAUSE).await;
    }
    Ok(heard)
}

/// An answer in a few words.
pub(super) fn said(status: u16, answer: &Value) -> String {
    if status != 200 {
        return format!("{status} {}", word(&answer["code"]));
    }
    let parts = ["outcome", "reason", "disposition"].map(|part| word(&answer[part]));
    parts.join(" ").trim_end().to_owned()
}

/// How long the slowest of a hundred took.
pub(super) fn p99(mut took: Vec<Duration>) -> Duration {
    took.sort_unstable();
    let at = (took.len() * 99).div_ceil(100).saturating_sub(1);
    took.get(at).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_hundred_calls_one_is_slower_than_the_p99() {
        let millis = |count: u64| (1..=count).rev().map(Duration::from_millis).collect();
        assert_eq!(p99(millis(100)), Duration::from_millis(99));
        assert_eq!(p99(millis(2)), Duration::from_millis(2));
        assert_eq!(p99(Vec::new()), Duration::ZERO);
    }
}
