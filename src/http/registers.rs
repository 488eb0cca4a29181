//! What has been published, taken as it comes: each look serves the newest versions and says what they are.

use std::collections::BTreeSet;

use metrics::{counter, gauge};

use super::Node;

impl Node {
    /// Serve what has been published since the last look.
    pub(super) async fn refresh_registers(&self) {
        let (changed, errors) = self.engine.refresh().await;
        for dataset in &changed {
            if let Some(serving) = self.engine.serving(dataset) {
                tracing::info!(%dataset, version = serving.version.0, rows = serving.rows, keyed = serving.keyed, "serving a version");
            }
        }
        let said: BTreeSet<String> = errors.iter().map(ToString::to_string).collect();
        let before = std::mem::replace(&mut *self.version_errors.lock().await, said);
        for error in &errors {
            counter!("shuqiao_version_errors_total").increment(1);
            // Looked at again twice a second, and said once.
            if !before.contains(&error.to_string()) {
                tracing::error!(
                    error = error as &dyn std::error::Error,
                    "a published version cannot be served; the one before stays"
                );
            }
        }
        for (id, declared) in &self.exchange.rights().catalog.datasets {
            if let Some(serving) = self.engine.serving(id) {
                let dataset = id.as_str().to_owned();
                gauge!("shuqiao_dataset_version", "dataset" => dataset.clone()).set(serving.version.0 as f64);
                gauge!("shuqiao_dataset_rows", "dataset" => dataset.clone()).set(serving.rows as f64);
                gauge!("shuqiao_dataset_as_of_seconds", "dataset" => dataset.clone())
                    .set(serving.as_of.timestamp() as f64);
                if let Some(cycle) = declared.update_cycle.seconds() {
                    gauge!("shuqiao_dataset_cycle_seconds", "dataset" => dataset).set(cycle as f64);
                }
            }
        }
    }
}
