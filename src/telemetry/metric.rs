//! The metrics, one line each: name, kind, labels, meaning. `docs/metrics.md` is written from this list.
//!
//! Rooms record them by literal name; `tests/it/tidy.rs` holds the names in the code and on the page equal.

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};

/// From half a millisecond to the longest request; 0.8 s is the default deadline of a look-up.
const CALL_SECONDS: &[f64] =
    &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 0.8, 1.0, 2.5, 5.0, 10.0];
/// A step may take microseconds.
const STEP_SECONDS: &[f64] =
    &[0.000_01, 0.000_05, 0.0001, 0.000_25, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.8];
/// From a disk with a battery to a disk in trouble.
const SYNC_SECONDS: &[f64] = &[0.0001, 0.000_25, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0];

const HEAD: &str = "\
# Metrics

Generated from `src/telemetry/metric.rs`; a test holds this page and the code equal. Regenerate it with
`REGENERATE=1 cargo t --test it tidy`.

`GET /metrics` serves them in the Prometheus text format. No label holds anything personal: a label is a word of the
catalogue (`dataset`) or of the code (`operation`, `outcome`, `code`, `step`, `result`). Alerts on them:
`deploy/prometheus-alerts.yml`.

| Metric | Kind | Labels | Meaning |
|---|---|---|---|
";

const TAIL: &str = "
`outcome` is the outcome of an answer, or `refused`; then `code` is one of `docs/errors.md`, else `none`.
";

pub(super) struct Metric {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    labels: &'static [&'static str],
    pub(super) meaning: &'static str,
}

pub(super) enum Kind {
    Counter,
    Gauge,
    /// Seconds, with the upper bounds of the buckets.
    Histogram(&'static [f64]),
}

impl Kind {
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram(_) => "histogram",
        }
    }
}

const fn metric(name: &'static str, kind: Kind, labels: &'static [&'static str], meaning: &'static str) -> Metric {
    Metric { name, kind, labels, meaning }
}

pub(super) const METRICS: &[Metric] = &[
    metric("shuqiao_ready", Kind::Gauge, &[], "1 while the node takes calls, else 0"),
    metric("shuqiao_calls_total", Kind::Counter, &["operation", "outcome", "code"], "Calls answered or refused"),
    metric(
        "shuqiao_call_seconds",
        Kind::Histogram(CALL_SECONDS),
        &["operation"],
        "Time from a request to its answer, recording included",
    ),
    metric("shuqiao_step_seconds", Kind::Histogram(STEP_SECONDS), &["step"], "Time of one step of the road of a call"),
    metric(
        "shuqiao_peer_calls_total",
        Kind::Counter,
        &["peer", "end"],
        "Calls to other nodes, by how they ended (docs/federation.md)",
    ),
    metric(
        "shuqiao_peer_circuit",
        Kind::Gauge,
        &["peer"],
        "Circuit breaker of another node: 0 closed, 1 half open, 2 open (it is left alone)",
    ),
    metric(
        "shuqiao_peer_call_seconds",
        Kind::Histogram(CALL_SECONDS),
        &["peer"],
        "Time of a call to another node, second tries included",
    ),
    metric(
        "shuqiao_returns_total",
        Kind::Counter,
        &["peer", "code"],
        "Slices of registers that other nodes were handed or refused (docs/returns.md)",
    ),
    metric(
        "shuqiao_return_pulls_total",
        Kind::Counter,
        &["dataset", "result", "code"],
        "Questions for a newer version of a register that another node fills: `published`, `unchanged` or `refused`",
    ),
    metric(
        "shuqiao_catalog_changes_total",
        Kind::Counter,
        &["peer"],
        "Entries of another node's catalogue that were new, changed or gone when it was heard",
    ),
    metric(
        "shuqiao_catalog_confirmed_timestamp_seconds",
        Kind::Gauge,
        &["peer"],
        "When all that another node publishes was last heard, in seconds since 1970",
    ),
    metric(
        "shuqiao_catalog_refused_total",
        Kind::Counter,
        &["peer"],
        "Entries of another node's catalogue that are not shown, because something is wrong with them (the log says what)",
    ),
    metric(
        "shuqiao_enumeration_alerts_total",
        Kind::Counter,
        &["signal", "level"],
        "Clients that rose to a level of suspicion of which the steward is told",
    ),
    metric(
        "shuqiao_statements_total",
        Kind::Counter,
        &["code"],
        "Statements of stewards and auditors answered or refused",
    ),
    metric(
        "shuqiao_statistics_cells_suppressed_total",
        Kind::Counter,
        &[],
        "Cells of statistics that were kept back because they rest on too few records",
    ),
    metric("shuqiao_calls_in_flight", Kind::Gauge, &[], "Calls under way"),
    metric(
        "shuqiao_tokens_issued_total",
        Kind::Counter,
        &["result"],
        "Token requests, by whether a token was issued or refused",
    ),
    metric("shuqiao_audit_records_total", Kind::Counter, &[], "Records made durable in the audit log"),
    metric(
        "shuqiao_audit_sync_seconds",
        Kind::Histogram(SYNC_SECONDS),
        &[],
        "Time of one group commit of the audit log to disk",
    ),
    metric("shuqiao_dataset_version", Kind::Gauge, &["dataset"], "Version that answers are given from"),
    metric("shuqiao_catalog_revision", Kind::Gauge, &[], "Revision of the catalogue in use"),
    metric("shuqiao_dataset_rows", Kind::Gauge, &["dataset"], "Records in that version"),
    metric(
        "shuqiao_dataset_as_of_seconds",
        Kind::Gauge,
        &["dataset"],
        "Unix time that the data of that version is as of",
    ),
    metric(
        "shuqiao_dataset_cycle_seconds",
        Kind::Gauge,
        &["dataset"],
        "Update cycle of the catalogue; absent where it is irregular",
    ),
    metric(
        "shuqiao_applications_overdue",
        Kind::Gauge,
        &["clock"],
        "Applications that are overdue, by the clock that has run out: `review` or `sharing`",
    ),
    metric(
        "shuqiao_escalations_total",
        Kind::Counter,
        &["clock"],
        "Times that an overdue application was called so, once a level",
    ),
    metric(
        "shuqiao_rechecks_total",
        Kind::Counter,
        &["end"],
        "Calls finished later, by how that ended (docs/rechecks.md); `put_off` for each try that settled nothing",
    ),
    metric(
        "shuqiao_rechecks_waiting",
        Kind::Gauge,
        &[],
        "Calls that wait to be finished, over all nodes of the ledger",
    ),
    metric(
        "shuqiao_deliveries_total",
        Kind::Counter,
        &["result"],
        "Tries to tell a client: `delivered`, `failed`, or `dead` with the last one",
    ),
    metric(
        "shuqiao_version_errors_total",
        Kind::Counter,
        &[],
        "Published versions that could not be served; the one before stays",
    ),
    metric(
        "shuqiao_store_reads_total",
        Kind::Counter,
        &["result"],
        "Requests for data to the object store, `ok` or `failed`; what the cache holds makes none",
    ),
    metric("shuqiao_store_read_seconds", Kind::Histogram(CALL_SECONDS), &[], "Time of one such request"),
    metric("shuqiao_cache_bytes", Kind::Gauge, &[], "Bytes of the object store's files that are on this machine"),
];

/// Tell the recorder in place what each metric means.
pub(super) fn describe() {
    for Metric { name, kind, meaning, .. } in METRICS {
        match kind {
            Kind::Counter => describe_counter!(*name, *meaning),
            Kind::Gauge => describe_gauge!(*name, *meaning),
            Kind::Histogram(_) => describe_histogram!(*name, Unit::Seconds, *meaning),
        }
    }
}

/// The whole page, as it stands in `docs/metrics.md`.
pub fn page() -> String {
    let rows: String = METRICS.iter().map(row).collect();
    format!("{HEAD}{rows}{TAIL}")
}

fn row(metric: &Metric) -> String {
    let labels: Vec<_> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
    format!("| `{}` | {} | {} | {} |\n", metric.name, metric.kind.word(), labels.join(", "), metric.meaning)
}

#[cfg(test)]
impl Metric {
    /// Record something, so that the metric is rendered.
    pub(super) fn touch(&self) {
        match self.kind {
            Kind::Counter => metrics::counter!(self.name).increment(1),
            Kind::Gauge => metrics::gauge!(self.name).set(1.0),
            Kind::Histogram(_) => metrics::histogram!(self.name).record(0.001),
        }
    }
}
