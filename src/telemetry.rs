//! Logs and metrics: set up once, by a command that runs a node.
//!
//! Floor 5: may use `config`. Lower floors speak through the `tracing` and `metrics` facades with literal names and know
//! nothing of where it goes. What may be said there is bounded by promise 4: no register value and no raw identifier in a
//! log line or a metric label. Labels are words from the catalogue or from our own enums, so their number is bounded too.

mod metric;

use std::{
    io::{self, IsTerminal},
    sync::{Mutex, PoisonError},
};

use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::{Layer, filter::Targets, layer::SubscriberExt, util::SubscriberInitExt};

pub use metric::page;

use crate::{
    config::{LogFilter, LogFormat, LogLevel, LogSettings},
    problem::Code,
};
use metric::{Kind, METRICS};

/// Why metrics could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    #[error("metrics could not be set up")]
    Buckets(#[from] BuildError),
    #[error("another part of this process has set up metrics before")]
    Taken,
}

impl TelemetryError {
    pub fn code(&self) -> Code {
        match self {
            Self::Buckets(_) | Self::Taken => Code::Internal,
        }
    }
}

/// Send log lines to standard error. The first set-up of a process holds; a second one changes nothing, so that several
/// nodes may run in one process.
pub fn init(settings: &LogSettings) {
    let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    let lines = match settings.format {
        LogFormat::Text => lines.with_ansi(io::stderr().is_terminal()).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).with_ansi(false).boxed(),
    };
    let _ = tracing_subscriber::registry().with(lines.with_filter(targets(&settings.level))).try_init();
}

/// Collect metrics for `GET /metrics`. A process has one collection: a second call returns the handle of the first.
///
/// Observations wait in memory until they are rendered or [`PrometheusHandle::run_upkeep`] is called: the caller does so
/// every few seconds.
pub fn install_metrics() -> Result<PrometheusHandle, TelemetryError> {
    static INSTALLED: Mutex<Option<PrometheusHandle>> = Mutex::new(None);
    let mut installed = INSTALLED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(handle) = &*installed {
        return Ok(handle.clone());
    }
    let recorder = recorder()?;
    let handle = recorder.handle();
    metrics::set_global_recorder(recorder).map_err(|_| TelemetryError::Taken)?;
    metric::describe();
    *installed = Some(handle.clone());
    Ok(handle)
}

fn recorder() -> Result<PrometheusRecorder, BuildError> {
    let mut builder = PrometheusBuilder::new();
    for metric in METRICS {
        if let Kind::Histogram(buckets) = metric.kind {
            builder = builder.set_buckets_for_metric(Matcher::Full(metric.name.to_owned()), buckets)?;
        }
    }
    Ok(builder.build_recorder())
}

/// What is let through: our own lines by the level that was set, those of libraries only where they warn (the Delta log
/// reader alone would write two lines a second), or by the level that was set for their module.
fn targets(filter: &LogFilter) -> Targets {
    let libraries = filter.level().min(LogLevel::Warn);
    let modules = filter.modules().iter().map(|(module, level)| (module.clone(), level_filter(*level)));
    Targets::new()
        .with_default(level_filter(libraries))
        .with_target(env!("CARGO_CRATE_NAME"), level_filter(filter.level()))
        .with_targets(modules)
}

fn level_filter(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Off => LevelFilter::OFF,
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    }
}

#[cfg(test)]
mod tests {
    use metrics::{counter, histogram};
    use tracing::Level;

    use super::*;

    #[test]
    fn libraries_are_held_to_warnings_whatever_the_level() {
        let targets = targets(&"trace,sqlx=error,shuqiao::engine=warn".parse().unwrap());
        for (target, level, shown) in [
            ("shuqiao", Level::TRACE, true),
            ("shuqiao::exchange", Level::TRACE, true),
            ("shuqiao::engine", Level::INFO, false),
            ("shuqiao::engine", Level::WARN, true),
            ("hyper::proto", Level::WARN, true),
            ("hyper::proto", Level::INFO, false),
            ("datafusion::physical_plan", Level::DEBUG, false),
            ("sqlx::query", Level::WARN, false),
        ] {
            assert_eq!(targets.would_enable(target, &level), shown, "{target} at {level}");
        }
    }

    #[test]
    fn every_metric_is_rendered_by_its_name_kind_and_meaning() {
        let recorder = recorder().unwrap();
        metrics::with_local_recorder(&recorder, || {
            metric::describe();
            for metric in METRICS {
                metric.touch();
            }
        });
        recorder.handle().run_upkeep();
        let text = recorder.handle().render();
        for metric in METRICS {
            let kind = format!("# TYPE {} {}\n", metric.name, metric.kind.word());
            assert!(text.contains(&kind), "{kind}{text}");
            assert!(text.contains(&format!("# HELP {} {}", metric.name, metric.meaning)), "{}", metric.name);
        }
    }

    #[test]
    fn times_are_counted_in_buckets() {
        let recorder = recorder().unwrap();
        metrics::with_local_recorder(&recorder, || {
            histogram!("shuqiao_call_seconds", "operation" => "verify").record(0.03);
            counter!("shuqiao_calls_total", "operation" => "verify", "outcome" => "match", "code" => "none")
                .increment(2);
        });
        let text = recorder.handle().render();
        assert!(text.contains(r#"shuqiao_call_seconds_bucket{operation="verify",le="0.05"} 1"#), "{text}");
        assert!(text.contains(r#"shuqiao_call_seconds_bucket{operation="verify",le="0.025"} 0"#), "{text}");
        assert!(text.contains(r#"shuqiao_calls_total{operation="verify",outcome="match",code="none"} 2"#), "{text}");
    }

    #[test]
    fn setting_up_twice_gives_the_same_collection() {
        let (one, other) = (install_metrics().unwrap(), install_metrics().unwrap());
        counter!("shuqiao_audit_records_total").increment(3);
        assert!(one.render().contains("shuqiao_audit_records_total 3"), "{}", one.render());
        assert!(other.render().contains("shuqiao_audit_records_total 3"));
    }
}
