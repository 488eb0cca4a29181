//! `shuqiao demo --federation`: a province and three cities, each a process of its own with its own register, keys, ledger,
//! log and policies; and a tour of what they do for each other, and do not.

mod evidence;
mod load;
mod outage;
mod place;
mod process;
mod tour;

use std::{collections::BTreeMap, path::Path, process::ExitCode, sync::Arc, time::Instant};

use anyhow::ensure;
use chrono::NaiveDate;

use super::{registers::SEED, steps::Steps};
use crate::{cli::serve::stop_signal, sample::World};
use place::Place;
use process::Process;

/// The province, and the cities that keep the persons between them: node, area, name.
const PROVINCE: &str = "guangdong";
const CITIES: [(&str, &str, &str); 3] =
    [("guangzhou", "440100", "Guangzhou"), ("shenzhen", "440300", "Shenzhen"), ("zhaoqing", "441200", "Zhaoqing")];
/// The day on which the registers are as they are: the same persons at every start.
const DAY: NaiveDate = NaiveDate::from_ymd_opt(2026, 11, 1).expect("a day of the calendar");
/// Among fewer there may be nobody with an ordinary record.
const PERSONS_MIN: u64 = 100;

/// All nodes, by their names. Dropped, it leaves no process behind.
type Running = BTreeMap<&'static str, Process>;

pub(super) async fn run(dir: &Path, persons: u64, once: bool) -> anyhow::Result<ExitCode> {
    ensure!(persons >= PERSONS_MIN, "`--persons {persons}` is too few: the tour needs {PERSONS_MIN} of each city");
    let mut stop = std::pin::pin!(stop_signal()?);
    let mut running = Running::new();
    let mut steps = Steps::default();
    let played = tokio::select! {
        played = Box::pin(play(dir, persons, once, &mut running, &mut steps)) => played,
        () = &mut stop => Err(anyhow::anyhow!("stopped before the end of the tour")),
    };
    if let Err(error) = played {
        steps.wrong.push(format!("the tour broke off: {error:#}"));
    }
    for step in &steps.wrong {
        println!("WRONG: {step}");
    }
    if !once && steps.wrong.is_empty() {
        println!("\nFour nodes are serving. Ctrl-C stops them.");
        stop.await;
    }
    process::stop(running).await;
    Ok(if steps.wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Lay out, start, walk through.
async fn play(dir: &Path, persons: u64, once: bool, running: &mut Running, steps: &mut Steps) -> anyhow::Result<()> {
    let (began, root) = (Instant::now(), std::path::absolute(dir)?.join("federation"));
    println!("shuqiao demo --federation in {}", root.display());
    let world = Arc::new(World::new(SEED, DAY, persons));
    let places = place::found(&root, persons, &world).await?;
    for (node, place) in &places {
        running.insert(*node, Process::start(place)?);
    }
    for (node, process) in running.iter_mut() {
        let pid = process.ready().await?;
        println!("  {node} serves {} as process {pid}", places[node].settings.node.url);
    }
    println!("  ready after {:.1} s\n", began.elapsed().as_secs_f64());
    let mut tour = Box::pin(tour::Tour::begin(&places, &world, steps)).await?;
    Box::pin(tour.walk()).await?;
    println!();
    Box::pin(outage::walk(&mut tour, &places, running)).await?;
    println!();
    tour.receipts();
    println!("  the tour took {:.1} s with all that it made", began.elapsed().as_secs_f64());
    if !once {
        tour.print_commands(&places, running).await?;
    }
    Ok(())
}

/// The places of the nodes, by name.
type Places = BTreeMap<&'static str, Place>;
