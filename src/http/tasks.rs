//! What the node does by itself while it serves; each task ends when the node does.

use std::{future::Future, sync::Arc, time::Duration};

use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::Node;

/// How soon a new version is served.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// How soon what is suspended, revoked or changed otherwise reaches calls: well within the second that is promised.
const FOLLOW: Duration = Duration::from_millis(200);

/// How soon what has become overdue is said to be, and what was granted found to be in use. Deadlines are days.
const CLOCKS: Duration = Duration::from_secs(60);

/// How soon what has become due is tried again, and a client told: what it waits for has taken minutes at least.
const LATER: Duration = Duration::from_millis(500);

/// Observed times wait in memory until they are put into their buckets; where nobody scrapes, nobody else would. Often, so
/// that there are never many: those of five busy seconds would hold a core for a tenth of one.
const UPKEEP: Duration = Duration::from_millis(250);

pub(super) struct Background {
    tasks: TaskTracker,
    stop: CancellationToken,
}

pub(super) fn start(node: &Arc<Node>) -> Background {
    let background = Background { tasks: TaskTracker::new(), stop: CancellationToken::new() };
    background.repeat(node, LOOK_AGAIN, |node| async move { node.refresh_registers().await });
    background.repeat(node, FOLLOW, |node| async move { node.follow().await });
    background.repeat(node, FOLLOW, |node| async move { node.follow_laws().await });
    background.repeat(node, CLOCKS, |node| async move { node.look_at_clocks().await });
    // Two tasks: a client's system that is slow holds up no call.
    background.repeat(node, LATER, |node| async move { node.finish_rechecks().await });
    background.repeat(node, LATER, |node| async move { node.deliver().await });
    background.repeat(node, CLOCKS, |node| async move { node.tidy_rechecks().await });
    background.repeat(node, node.settings.enumeration.keep, |node| async move { node.keep_watch().await });
    background.repeat(node, UPKEEP, |node| async move {
        // Off the runtime's threads: calls wait behind whatever holds one of them.
        let _ = tokio::task::spawn_blocking(move || node.digest_metrics()).await;
    });
    background.repeat(node, node.settings.audit.checkpoint, |node| async move {
        // Disk work: off the runtime's threads.
        let _ = tokio::task::spawn_blocking(move || node.write_checkpoint()).await;
    });
    if node.federation.is_some() {
        background.repeat(node, node.settings.federation.pull, |node| async move { node.federate().await });
        background.repeat(node, node.settings.returns.ask, |node| async move { node.pull_returns().await });
    }
    if let Some(often) = node.settings.issuers.iter().map(|issuer| issuer.refresh).min() {
        background.repeat(node, often, |node| async move {
            for error in node.verifier.refresh_foreign(node.now()).await {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "a foreign issuer's keys could not be fetched"
                );
            }
        });
    }
    background.tasks.close();
    background
}

impl Background {
    fn repeat<F: Future<Output = ()> + Send + 'static>(
        &self,
        node: &Arc<Node>,
        every: Duration,
        task: impl Fn(Arc<Node>) -> F + Send + 'static,
    ) {
        let (node, stop) = (Arc::clone(node), self.stop.clone());
        self.tasks.spawn(async move {
            while stop.run_until_cancelled(tokio::time::sleep(every)).await.is_some() {
                task(Arc::clone(&node)).await;
            }
        });
    }

    pub(super) async fn stop(self) {
        self.stop.cancel();
        self.tasks.wait().await;
    }
}
