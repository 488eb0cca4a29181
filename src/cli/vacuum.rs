//! `shuqiao vacuum [DATASET] [--keep-versions N] [--older-than TIME] [--dry-run] [--json]`.
//!
//! Exit status 0: done; 1: a publication of a dataset is under way, the others are done; 2: a failure.

use std::{fmt::Write as _, process::ExitCode};

use chrono::{DateTime, TimeDelta, Utc};
use clap::Args;
use serde_json::json;

use super::catalog::published;
use crate::{
    catalog::{Catalog, Dataset},
    config::Settings,
    identifiers::DatasetId,
    publish::{Heap, PublishError, Retention, Vacuumed, vacuum},
};

const BUSY: &str = "a publication is under way; nothing was removed";

#[derive(Debug, Args)]
pub(super) struct VacuumArgs {
    /// The dataset, such as `natural-person` [default: all].
    dataset: Option<DatasetId>,
    /// Keep the files of so many versions, the newest included.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..))]
    keep_versions: u64,
    /// Keep also what was superseded less than that long ago: `90m`, `12h`, `7d`.
    #[arg(long, value_name = "TIME", default_value = "7d", value_parser = duration)]
    older_than: TimeDelta,
    /// Only say what would be removed.
    #[arg(long)]
    dry_run: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// What came of one dataset; nothing where a publication is under way.
type Outcome<'a> = (&'a DatasetId, Option<Vacuumed>);

pub(super) async fn run(args: VacuumArgs, settings: &Settings, now: DateTime<Utc>) -> anyhow::Result<ExitCode> {
    let catalog = published(settings).await?;
    let retention = Retention { versions: args.keep_versions, younger_than: args.older_than };
    let mut outcomes = Vec::new();
    for dataset in chosen(&catalog, args.dataset.as_ref())? {
        let (table, spill) = (settings.paths.tables().join(dataset.id.as_str()), settings.paths.data.join("spill"));
        match vacuum(dataset, &table, &spill, retention, now, args.dry_run).await {
            Ok(vacuumed) => outcomes.push((&dataset.id, Some(vacuumed))),
            Err(PublishError::Busy { .. }) => outcomes.push((&dataset.id, None)),
            Err(error) => return Err(error.into()),
        }
    }
    print!("{}", if args.json { as_json(&outcomes, args.dry_run) } else { as_table(&outcomes, args.dry_run) });
    let busy = outcomes.iter().any(|(_, outcome)| outcome.is_none());
    Ok(if busy { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn chosen<'a>(catalog: &'a Catalog, one: Option<&DatasetId>) -> anyhow::Result<Vec<&'a Dataset>> {
    let all = || catalog.datasets.values().map(AsRef::as_ref);
    let Some(id) = one else { return Ok(all().collect()) };
    match catalog.datasets.get(id) {
        Some(dataset) => Ok(vec![dataset]),
        None => {
            let known: Vec<_> = catalog.datasets.keys().map(DatasetId::as_str).collect();
            anyhow::bail!("dataset `{id}` is not in the catalogue; it has {}", known.join(", "))
        }
    }
}

/// A number of minutes, hours or days.
fn duration(text: &str) -> Result<TimeDelta, String> {
    let wrong = || "a number of minutes, hours or days is expected, such as `90m`, `12h` or `7d`".to_owned();
    let unit = text.chars().last().ok_or_else(wrong)?;
    let number: i64 = text[..text.len() - unit.len_utf8()].parse().map_err(|_| wrong())?;
    let time = match unit {
        'm' => TimeDelta::try_minutes(number),
        'h' => TimeDelta::try_hours(number),
        'd' => TimeDelta::try_days(number),
        _ => None,
    };
    // A hundred years: more is a slip, and the time so long ago is no time any more.
    time.filter(|time| (0..=36_500).contains(&time.num_days()) && number >= 0).ok_or_else(wrong)
}

fn as_table(outcomes: &[Outcome<'_>], dry_run: bool) -> String {
    let mut text = String::new();
    let verb = if dry_run { "would be removed" } else { "removed" };
    for (dataset, outcome) in outcomes {
        let _ = match outcome {
            None => writeln!(text, "{dataset:20} {BUSY}"),
            Some(Vacuumed { orphans, expired, kept }) => writeln!(
                text,
                "{dataset:20} {} orphans and {} expired files {verb}, {}; {} files kept, {}",
                orphans.files,
                expired.files,
                mebibytes(orphans.bytes + expired.bytes),
                kept.files,
                mebibytes(kept.bytes)
            ),
        };
    }
    text
}

fn mebibytes(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}

fn as_json(outcomes: &[Outcome<'_>], dry_run: bool) -> String {
    let heap = |heap: &Heap| json!({ "files": heap.files, "bytes": heap.bytes });
    let entry = |(dataset, outcome): &Outcome<'_>| match outcome {
        None => json!({ "dataset": dataset, "busy": true }),
        Some(found) => json!({
            "dataset": dataset,
            "removed": !dry_run,
            "orphans": heap(&found.orphans),
            "expired": heap(&found.expired),
            "kept": heap(&found.kept),
        }),
    };
    format!("{:#}\n", json!(outcomes.iter().map(entry).collect::<Vec<_>>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_number_of_minutes_hours_or_days() {
        for (text, minutes) in [("0m", Some(0)), ("90m", Some(90)), ("12h", Some(720)), ("7d", Some(10_080))] {
            assert_eq!(duration(text).ok().map(|time| time.num_minutes()), minutes, "{text}");
        }
        for text in ["", "7", "d", "-1d", "7w", "1.5h", "99999999999999999999d", "9223372036854775807d", "7天"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_dataset_that_is_being_published_is_told_apart() {
        let id: DatasetId = "natural-person".parse().unwrap();
        let heap = Heap { files: 2, bytes: 3 << 19 };
        let outcomes = [(&id, Some(Vacuumed { orphans: heap, ..Vacuumed::default() })), (&id, None)];
        let text = as_table(&outcomes, true);
        assert!(text.contains("2 orphans and 0 expired files would be removed, 1.5 MiB"), "{text}");
        assert!(text.contains(BUSY), "{text}");
        let parsed: serde_json::Value = serde_json::from_str(&as_json(&outcomes, false)).unwrap();
        assert_eq!((&parsed[0]["orphans"]["files"], &parsed[1]["busy"]), (&json!(2), &json!(true)));
    }
}
