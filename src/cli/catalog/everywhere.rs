//! `shuqiao catalog search --everywhere`: the entries of all nodes, as this one has heard them.

use std::{io::Write, process::ExitCode, sync::Arc};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use super::{super::table::table, browse::SearchArgs, of_node};
use crate::{
    cascade::{Everywhere, Freshness},
    catalog::{Catalog, dcat},
    config::Settings,
    http::{catalog_bodies as bodies, open_ledger},
};

async fn known(settings: &Settings) -> anyhow::Result<(Arc<Catalog>, Arc<Everywhere>, Freshness)> {
    let ledger = open_ledger(settings).await?;
    let found = async {
        let catalog = of_node(settings, &ledger).await?;
        let all = Everywhere::follow(None, &ledger, &settings.node.id, &catalog).await?;
        Ok((catalog, all, Freshness::read(&ledger).await?))
    };
    let found = found.await;
    ledger.close().await;
    found
}

/// Exit with 1 where nothing was found.
pub(super) async fn search(
    args: &SearchArgs,
    settings: &Settings,
    now: DateTime<Utc>,
    out: &mut impl Write,
) -> anyhow::Result<ExitCode> {
    let (_, all, freshness) = known(settings).await?;
    let stale_after = TimeDelta::from_std(settings.federation.catalog_stale)?;
    let found = all.search(&args.words.join(" "));
    let found =
        found.into_iter().filter(|(one, _)| args.origin.as_ref().is_none_or(|wanted| one.name.origin == *wanted));
    let lines: Vec<_> = found
        .map(|(one, score)| {
            let mut line = bodies::dataset_line(&one.entry.dataset);
            line.origin = Some(bodies::origin(&all, one, &freshness, (stale_after, now)));
            (line, score)
        })
        .collect();
    let empty = lines.is_empty();
    if args.json {
        let one = |(line, score): &(bodies::DatasetLine, u32)| json!({ "entry": line, "score": score });
        writeln!(out, "{:#}", lines.iter().map(one).collect::<serde_json::Value>())?;
    } else if empty {
        writeln!(out, "nothing was found")?;
    } else {
        let rows = lines.into_iter().filter_map(|(line, score)| {
            let origin = line.origin?;
            let fresh = match (origin.stale, origin.confirmed_at) {
                (true, _) => "stale".to_owned(),
                (false, Some(at)) => at,
                (false, None) => "-".to_owned(),
            };
            let as_of = origin.as_of.unwrap_or_else(|| "-".to_owned());
            Some([line.id, origin.node, line.name.zh, line.provider, as_of, fresh, score.to_string()])
        });
        write!(out, "{}", table(["dataset", "origin", "name", "provider", "as of", "confirmed", "score"], rows))?;
    }
    Ok(if empty { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// DCAT of all entries.
pub(super) async fn export(settings: &Settings, out: &mut impl Write) -> anyhow::Result<()> {
    let (catalog, all, _) = known(settings).await?;
    writeln!(out, "{:#}", dcat::export(&catalog, &all.elsewhere(), settings.node.url.as_str()))?;
    Ok(())
}
