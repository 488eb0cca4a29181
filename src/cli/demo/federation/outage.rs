//! A city is killed in the midst of calls: who needs it is told so, who does not goes on, and it comes back.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};

use super::{
    Places, Running,
    load::{Heard, Kind, Load, p99, said},
    process::Process,
    tour::{HUKOU_ITEM, LOOK_EVERY, Tour, about},
};

/// How long calls are made before the kill, and after it.
const BEFORE: Duration = Duration::from_secs(2);
const AFTER: Duration = Duration::from_secs(3);
/// How long the way back may take.
const PATIENCE: Duration = Duration::from_secs(60);
const AWAY: &str = "zhaoqing";

pub(super) async fn walk(tour: &mut Tour<'_>, places: &Places, running: &mut Running) -> anyhow::Result<()> {
    let (hukou, people) = (Arc::clone(&tour.hukou), tour.people.clone());
    let [named, anywhere] = [true, false].map(|named| {
        let person = &people[AWAY];
        about(person, HUKOU_ITEM, named.then_some(person.division.as_str()))
    });
    let kinds = ["guangzhou", "shenzhen", AWAY].into_iter().flat_map(|city| {
        let person = &people[city];
        let bodies = [Some(person.division.as_str()), None].map(|authority| about(person, HUKOU_ITEM, authority));
        bodies.map(|body| Kind { needs: city == AWAY, body })
    });
    let load = Load::start(&hukou, kinds.collect());
    tokio::time::sleep(BEFORE).await;
    let killed = Instant::now();
    running.remove(AWAY).context("Zhaoqing does not run")?.kill()?;
    let dead = Instant::now();
    tokio::time::sleep(AFTER).await;
    let heard = load.end().await?;
    judge(tour, &heard, killed, dead);
    for one in &heard {
        tour.examine(hukou.node, &one.kind.body, one.status, &one.answer)?;
    }

    let expect = "indeterminate source_unavailable accept_provisionally";
    let step = "Zhaoqing is away, and its authority is named";
    tour.step(step, &hukou, &named, expect, "zhaoqing unreachable").await?;
    let step = "the same without the authority: the index says that Zhaoqing may have the person, so nobody can say no";
    let wanted = "guangdong answered (shenzhen ruled_out, zhaoqing unreachable), guangzhou own";
    tour.step(step, &hukou, &anywhere, expect, wanted).await?;

    let began = Instant::now();
    running.insert(AWAY, Process::start(&places[AWAY])?);
    loop {
        let (one, other) = tokio::try_join!(hukou.post(&named), hukou.post(&anywhere))?;
        if one.1["outcome"] == "match" && other.1["outcome"] == "match" {
            break;
        }
        let seen = format!("{}; {}", said(one.0, &one.1), said(other.0, &other.1));
        ensure!(began.elapsed() < PATIENCE, "Zhaoqing does not come back: {seen}");
        tokio::time::sleep(LOOK_EVERY).await;
    }
    let came = format!("after {:.1} s from the start of its process", began.elapsed().as_secs_f64());
    tour.steps.check("Zhaoqing is started again, and in full service", true, &came);
    let wanted = "guangdong answered (shenzhen ruled_out, zhaoqing answered), guangzhou own";
    tour.step("the same call as before", &hukou, &anywhere, "match", wanted).await?;
    Ok(())
}

/// Hold what was heard against what must be: nothing is asserted of how long it took.
fn judge(tour: &mut Tour<'_>, heard: &[Heard], killed: Instant, dead: Instant) {
    let phase = |needs: bool, of: &dyn Fn(&Heard) -> bool| -> Vec<&Heard> {
        heard.iter().filter(|one| one.kind.needs == needs && of(one)).collect()
    };
    let before = |one: &Heard| one.sent + one.took <= killed;
    let after = |one: &Heard| one.sent >= dead;
    let all =
        |calls: &[&Heard], right: &dyn Fn(&str) -> bool| !calls.is_empty() && calls.iter().all(|one| right(&one.said));
    let is_match = |said: &str| said == "match";

    let (one, other) = (phase(false, &before), phase(false, &after));
    let whole = all(&phase(false, &|_| true), &is_match) && !one.is_empty() && !other.is_empty();
    let came = format!("before: {}; after: {}{}", counted(&one), counted(&other), others(heard, false, &is_match));
    tour.steps.check("Zhaoqing is killed in the midst of calls: those that do not need it go on", whole, &came);

    let (one, other) = (phase(true, &before), phase(true, &after));
    let provisionally = |said: &str| said.starts_with("indeterminate ") && said.ends_with(" accept_provisionally");
    let honest = |said: &str| is_match(said) || provisionally(said);
    let whole = all(&one, &is_match) && all(&other, &provisionally) && all(&phase(true, &|_| true), &honest);
    let word = other.first().map_or("nothing", |one| one.said.as_str());
    let came = format!("{} match, then {} {word}{}", one.len(), other.len(), others(heard, true, &honest));
    tour.steps.check("those that need it are told so; not one is told not_found", whole, &came);
}

fn counted(calls: &[&Heard]) -> String {
    let p99 = p99(calls.iter().map(|one| one.took).collect());
    format!("{} calls, p99 {:.1} ms", calls.len(), p99.as_secs_f64() * 1e3)
}

/// What nobody should have been told.
fn others(heard: &[Heard], needs: bool, right: &dyn Fn(&str) -> bool) -> String {
    let wrong: Vec<_> = heard.iter().filter(|one| one.kind.needs == needs && !right(&one.said)).collect();
    wrong.first().map_or_else(String::new, |one| format!("; but {} times such as `{}`", wrong.len(), one.said))
}
