//! `shuqiao catalog diff`: what a folder of files would change, and which agreements it would break.

use std::{io::Write, path::PathBuf, process::ExitCode, sync::Arc};

use chrono::{DateTime, Utc};
use clap::Args;
use serde_json::{Value, json};

use super::{super::home, Home, list, of_node};
use crate::{
    agreements,
    catalog::{
        self, Catalog,
        diff::{self, Change},
    },
    config::Settings,
    http::open_ledger,
    ledger::{Agreement, Ledger},
    revisions::{self, Broken},
};

#[derive(Debug, Args)]
pub(super) struct DiffArgs {
    /// Directory of the .yaml files that would be proposed.
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    /// Compare with the files of this directory, not with what the node has published.
    #[arg(long, value_name = "DIR")]
    from: Option<PathBuf>,
    /// With --from: the file of agreements that the change might break.
    #[arg(long, value_name = "FILE", requires = "from")]
    agreements: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Exit with 1 where a live agreement would break.
pub(super) async fn run(
    args: DiffArgs,
    home: &Home,
    now: DateTime<Utc>,
    out: &mut impl Write,
) -> anyhow::Result<ExitCode> {
    let new = match catalog::load(&args.directory) {
        Ok(new) => new,
        Err(error) if error.complaints().is_empty() => return Err(error.into()),
        Err(error) => return list(error.complaints(), args.json, out),
    };
    let (old, agreements) = match &args.from {
        Some(directory) => {
            let old = catalog::load(directory)?;
            let held = match &args.agreements {
                Some(file) => agreements::load(file, &old)?.iter().cloned().collect(),
                None => Vec::new(),
            };
            (Arc::new(old), held)
        }
        None => {
            let settings = home.settings()?;
            let ledger = open_ledger(&settings).await?;
            let found = in_force(&settings, &ledger).await;
            ledger.close().await;
            found?
        }
    };
    let changes = diff::diff(&old, &new);
    let broken = revisions::broken_by(&old, &new, agreements.iter().map(AsRef::as_ref), home::today(now));
    print(&changes, &broken, args.json, out)?;
    Ok(if broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The node's catalogue, and the agreements that hold under it.
pub(super) async fn in_force(
    settings: &Settings,
    ledger: &Ledger,
) -> anyhow::Result<(Arc<Catalog>, Vec<Arc<Agreement>>)> {
    let catalog = of_node(settings, ledger).await?;
    let ended = revisions::ended(ledger).await?;
    let declared = agreements::load_except(&settings.paths.agreements, &catalog, &ended)?;
    let agreements = declared.join(&ledger.agreed().await?)?;
    Ok((catalog, agreements.iter().cloned().collect()))
}

/// The changes, the worst ones told by their word, then what they would break.
pub(super) fn print(changes: &[Change], broken: &[Broken], json: bool, out: &mut impl Write) -> anyhow::Result<()> {
    if json {
        writeln!(out, "{:#}", told(changes, broken))?;
        return Ok(());
    }
    if changes.is_empty() {
        writeln!(out, "nothing changes")?;
    }
    for change in changes {
        writeln!(out, "{change}")?;
    }
    if !broken.is_empty() {
        writeln!(out, "\n{} live agreements would not hold any more:", broken.len())?;
    }
    for one in broken {
        writeln!(out, "  {one}")?;
    }
    Ok(())
}

fn told(changes: &[Change], broken: &[Broken]) -> Value {
    let change =
        |one: &Change| json!({ "subject": one.subject.to_string(), "effect": one.effect.word(), "what": one.what });
    let broken_one = |one: &Broken| json!({ "agreement": one.agreement.as_str(), "consumer": one.consumer.as_str(), "reasons": one.reasons });
    json!({
        "effect": diff::worst(changes).map(|effect| effect.word()),
        "changes": changes.iter().map(change).collect::<Vec<_>>(),
        "broken": broken.iter().map(broken_one).collect::<Vec<_>>(),
    })
}
