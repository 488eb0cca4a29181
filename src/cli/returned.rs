//! `shuqiao return`: registers that another node fills, pulled by hand, and how far they are.

use std::{process::ExitCode, sync::Arc};

use anyhow::{Context, bail};
use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{node, table::table};
use crate::{
    catalog::{Catalog, Dataset},
    config::Settings,
    http::{Pulled, Puller},
    identifiers::{DatasetId, NodeId},
    ledger::{Ledger, Target},
    problem::Problem,
    storage::delta,
};

#[derive(Debug, Args)]
pub(super) struct ReturnArgs {
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// Ask the node that fills a dataset for a newer version, and publish it here.
    Pull {
        dataset: DatasetId,
        /// Take what it has even where that is no newer version: the other node's versions have begun again.
        #[arg(long)]
        anew: bool,
    },
    /// List the datasets that other nodes fill: what is here, and what is newest there.
    Status {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

pub(super) async fn run(
    args: ReturnArgs,
    settings: &Settings,
    catalog: &Catalog,
    ledger: &Ledger,
    now: DateTime<Utc>,
) -> anyhow::Result<ExitCode> {
    let (peers, membership) = node::peers(settings)?;
    let puller = Puller { settings, catalog, peers: &peers, membership: &membership, now };
    match args.act {
        Act::Pull { dataset, anew } => {
            let Some(dataset) = catalog.datasets.get(&dataset) else {
                bail!(
                    "dataset `{dataset}` is not in the catalogue. `shuqiao return status` lists those that are filled"
                );
            };
            pull(&puller, dataset, anew, ledger).await
        }
        Act::Status { json } => status(&puller, json).await,
    }
}

async fn pull(puller: &Puller<'_>, dataset: &Arc<Dataset>, anew: bool, ledger: &Ledger) -> anyhow::Result<ExitCode> {
    if let Some(from) = dataset.returns.source(&puller.settings.node.id) {
        let target = Target::Peer(from.clone());
        if ledger.suspensions().await?.get(&target).is_some() {
            bail!("`{target}` is suspended here. `shuqiao resume {target}` lets it go on");
        }
    }
    match Box::pin(puller.pull(dataset, anew)).await? {
        Pulled::Unchanged { cursor } => {
            let at = cursor.map_or_else(String::new, |cursor| format!(" ({cursor})"));
            println!("`{}` is the newest version already{at}", dataset.id);
        }
        Pulled::Published { cursor, published } => println!(
            "published {} version {} as returned ({cursor}): {} rows in {} files",
            dataset.id, published.version, published.rows, published.files
        ),
    }
    Ok(ExitCode::SUCCESS)
}

/// One dataset that another node fills.
struct Filled {
    dataset: DatasetId,
    from: NodeId,
    here: Option<String>,
    /// What is newest there, or why that is not known.
    there: Result<Value, Problem>,
}

impl Filled {
    fn newest(&self) -> Option<&str> {
        self.there.as_ref().ok()?["cursor"].as_str()
    }

    /// How it stands, in a few words.
    fn state(&self) -> String {
        match &self.there {
            Err(problem) => problem.code.to_string(),
            Ok(offer) => match (offer["code"].as_str(), self.newest()) {
                (Some(code), _) => format!("refused: {code}"),
                (None, None) => "nothing is published there".to_owned(),
                (None, Some(newest)) if self.here.as_deref() == Some(newest) => "current".to_owned(),
                (None, Some(_)) => "behind".to_owned(),
            },
        }
    }
}

async fn status(puller: &Puller<'_>, as_json: bool) -> anyhow::Result<ExitCode> {
    let (own, mut filled) = (&puller.settings.node.id, Vec::new());
    for dataset in puller.catalog.datasets.values() {
        let Some(from) = dataset.returns.source(own) else { continue };
        let folder = puller.settings.paths.tables().join(dataset.id.as_str());
        let here = delta::returned(&folder).await.with_context(|| format!("`{}`", folder.display()))?;
        let offers = puller.offers(from).await;
        let there = offers.map(|offers| {
            let ours = offers.into_iter().find(|offer| offer["dataset"].as_str() == Some(dataset.id.as_str()));
            ours.unwrap_or_else(|| json!({ "code": crate::problem::Code::NotReturned.as_str() }))
        });
        filled.push(Filled { dataset: dataset.id.clone(), from: from.clone(), here, there });
    }
    let is_well = filled.iter().all(|one| one.there.as_ref().is_ok_and(|offer| offer["code"].is_null()));
    if as_json {
        let entry = |one: &Filled| {
            json!({
                "dataset": one.dataset, "from": one.from, "here": one.here, "there": one.newest(), "state": one.state(),
                "as_of": one.there.as_ref().ok().map(|offer| offer["as_of"].clone()),
            })
        };
        println!("{:#}", json!(filled.iter().map(entry).collect::<Vec<_>>()));
    } else {
        let rows = filled.iter().map(|one| {
            let there = one.newest().unwrap_or("-").to_owned();
            let here = one.here.clone().unwrap_or_else(|| "-".to_owned());
            [one.dataset.to_string(), one.from.to_string(), here, there, one.state()]
        });
        print!("{}", table(["dataset", "from", "here", "newest there", "state"], rows));
    }
    Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
