//! `shuqiao node status`: how the other nodes are, seen from this one, each asked anew over mutual TLS.

use std::{collections::HashMap, process::ExitCode, sync::Arc, time::Duration};

use anyhow::{Context, bail};
use chrono::{DateTime, TimeDelta, Utc};
use clap::{Args, Subcommand};
use futures::future::join_all;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::table::table;
use crate::{
    cascade::lag,
    catalog::Catalog,
    config::Settings,
    federation::{Card, Certificate, Held, Membership, Peers, paths},
    identifiers::NodeId,
    ledger::{FeedMark, Source},
};

#[derive(Debug, Args)]
pub(super) struct NodeArgs {
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// Ask every node of the directory how it is: reached in what time, with which versions, how old the directory is.
    Status {
        /// How long one node may take, in milliseconds.
        #[arg(long, default_value_t = 2_000)]
        timeout: u64,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

/// What this node knows without asking.
#[derive(Clone, Copy)]
pub(super) struct Known<'k> {
    pub(super) catalog: &'k Catalog,
    /// How far it has heard the catalogues of others.
    pub(super) sources: &'k [Source],
}

/// What one node said, or that it said nothing.
struct Seen {
    card: Card,
    depth: usize,
    name: String,
    took: Option<Duration>,
    said: Value,
    behind: Option<Behind>,
}

/// How far this node is behind that node's catalogue, where it hears it.
struct Behind {
    /// None: the node does not say how far its feed goes.
    changes: Option<i64>,
    confirmed: Option<DateTime<Utc>>,
}

pub(super) async fn run(
    args: NodeArgs,
    settings: &Settings,
    known: Known<'_>,
    now: DateTime<Utc>,
) -> anyhow::Result<ExitCode> {
    let Act::Status { timeout, json } = args.act;
    let own = &settings.node.id;
    let (peers, held) = directory(settings)?;
    let circuits = breakers(settings).await;
    let asked = in_order(&held, known.catalog).map(|(card, depth, name)| {
        let peers = &peers;
        async move {
            let answer = match card.node == *own {
                true => None,
                false => ask(peers, &card, Duration::from_millis(timeout)).await,
            };
            let (took, said) = answer.unzip();
            let said = said.unwrap_or_default();
            let behind = behind(&card.node, &said, (known, own));
            Seen { card, depth, name, took, said, behind }
        }
    });
    let seen = join_all(asked.collect::<Vec<_>>()).await;
    let away = seen.iter().filter(|one| one.took.is_none() && one.card.node != *own).count();
    let age = now - held.confirmed;
    if json {
        let nodes: Vec<_> = seen.iter().map(|one| as_json(one, own, &circuits, now)).collect();
        let directory = json!({ "serial": held.serial, "confirmed_s_ago": age.num_seconds() });
        println!("{:#}", json!({ "node": own, "directory": directory, "nodes": nodes }));
    } else {
        println!("directory {} of {} nodes, confirmed {} ago", held.serial, seen.len(), span(age));
        let heading = ["node", "name", "answers in", "circuit", "directory", "catalogue", "lag", "clock", "registers"];
        print!("{}", table(heading, seen.iter().map(|one| row(one, own, &circuits, now))));
    }
    Ok(if away == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The directory that the node goes by, and connections with the node's own certificate.
fn directory(settings: &Settings) -> anyhow::Result<(Peers, Arc<Held>)> {
    let (peers, membership) = peers(settings)?;
    let held = membership.last().context("the directory is gone")?;
    Ok((peers, held))
}

/// The same, where more of the directory is needed.
pub(super) fn peers(settings: &Settings) -> anyhow::Result<(Peers, Arc<Membership>)> {
    let (paths, file) = (&settings.paths, settings.paths.directory());
    let grace = TimeDelta::from_std(settings.federation.grace).unwrap_or(TimeDelta::hours(1));
    let membership = Membership::read(&file, grace)?;
    if membership.last().is_none() {
        bail!(
            "there is no directory in `{}`. Has this node been started with `federation.address` set?",
            file.display()
        );
    };
    let certificate = Certificate::open(&paths.peer_certificate(), &paths.peer_key(), &settings.node.id)?;
    let membership = Arc::new(membership);
    Ok((Peers::new(Arc::new(certificate), Arc::clone(&membership)), membership))
}

/// From the topmost node down, each before those below it.
fn in_order<'a>(held: &'a Held, catalog: &'a Catalog) -> impl Iterator<Item = (Card, usize, String)> + 'a {
    let way = |node: &NodeId| {
        let mut way = vec![node.clone()];
        while let Some(parent) = catalog.nodes.get(&way[way.len() - 1]).and_then(|node| node.parent.clone()) {
            way.push(parent);
        }
        way.reverse();
        way
    };
    let mut cards: Vec<_> = held.members.values().map(|card| (way(&card.node), card)).collect();
    cards.sort_by(|(one, _), (other, _)| one.cmp(other));
    cards.into_iter().map(|(way, card)| {
        let name = catalog.nodes.get(&card.node).map(|node| node.name.zh.clone()).unwrap_or_default();
        (card.clone(), way.len() - 1, name)
    })
}

async fn ask(peers: &Peers, card: &Card, timeout: Duration) -> Option<(Duration, Value)> {
    let client = peers.client(&card.node).ok()?;
    let url = card.endpoint.join(paths::STATUS).ok()?;
    client.get(url.clone()).timeout(timeout).send().await.ok()?; // The first makes the connection, the second is timed.
    let started = Instant::now();
    let response = client.get(url).timeout(timeout).send().await.ok()?;
    let took = started.elapsed();
    Some((took, response.json().await.ok()?))
}

/// The circuit breakers of the running node, as its metrics have them.
async fn breakers(settings: &Settings) -> HashMap<String, String> {
    let fetched = async {
        let client = reqwest::Client::builder().timeout(Duration::from_secs(2)).no_proxy().build()?;
        let text = client.get(format!("http://{}/metrics", settings.http.listen)).send().await?.text().await?;
        Ok::<_, reqwest::Error>(text)
    };
    let Ok(text) = fetched.await else { return HashMap::new() };
    let line = |line: &str| {
        let (peer, value) = line.strip_prefix("shuqiao_peer_circuit{peer=\"")?.split_once("\"} ")?;
        let word = match value.trim() {
            "0" => "closed",
            "1" => "half open",
            _ => "open",
        };
        Some((peer.to_owned(), word.to_owned()))
    };
    text.lines().filter_map(line).collect()
}

fn row(one: &Seen, own: &NodeId, circuits: &HashMap<String, String>, now: DateTime<Utc>) -> [String; 9] {
    let node = format!("{}{}", "  ".repeat(one.depth), one.card.node);
    let took = match one.took {
        _ if one.card.node == *own => "this node".to_owned(),
        Some(took) => format!("{:.1} ms", took.as_secs_f64() * 1_000.0),
        None => "no answer".to_owned(),
    };
    let text = |member: &str| match &one.said[member] {
        Value::Null => "-".to_owned(),
        other => other.to_string(),
    };
    let register =
        |register: &Value| format!("{} v{}", register["id"].as_str().unwrap_or_default(), register["version"]);
    let registers: Vec<_> = one.said["datasets"].as_array().into_iter().flatten().map(register).collect();
    let registers = match registers.is_empty() {
        true => one.card.datasets.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
        false => registers.join(", "),
    };
    let circuit = circuits.get(one.card.node.as_str()).cloned().unwrap_or_else(|| "-".to_owned());
    let (serial, revision) = (text("directory_serial"), text("catalog_revision"));
    [node, one.name.clone(), took, circuit, serial, revision, lag_words(one, now), clock(one), registers]
}

fn behind(node: &NodeId, said: &Value, (known, own): (Known<'_>, &NodeId)) -> Option<Behind> {
    let source = known.sources.iter().find(|source| source.sender == *node);
    let is_below = known.catalog.nodes.get(node).is_some_and(|node| node.parent.as_ref() == Some(own));
    if source.is_none() && !is_below {
        return None;
    }
    let feed = &said["catalog_feed"];
    let mark = || Some(FeedMark { id: feed["id"].as_str()?.to_owned(), newest: feed["newest"].as_i64()? });
    let confirmed = source.and_then(|source| source.confirmed);
    Some(Behind { changes: mark().map(|mark| lag(source, &mark)), confirmed })
}

/// Such as `0 changes, 4 s ago`: not heard yet, and when it was last heard to the end.
fn lag_words(one: &Seen, now: DateTime<Utc>) -> String {
    let Some(behind) = &one.behind else { return "-".to_owned() };
    let changes = behind.changes.map_or_else(|| "?".to_owned(), |changes| changes.to_string());
    let heard = behind.confirmed.map_or_else(|| "never heard whole".to_owned(), |at| format!("{} ago", span(now - at)));
    format!("{changes} changes, {heard}")
}

/// How far its clock is from ours, as far as that can be told from here.
fn clock(one: &Seen) -> String {
    let said = one.said["now"].as_str().and_then(|text| text.parse::<DateTime<Utc>>().ok());
    said.map_or_else(|| "-".to_owned(), |said| format!("{:+} ms", (said - Utc::now()).num_milliseconds()))
}

fn as_json(one: &Seen, own: &NodeId, circuits: &HashMap<String, String>, now: DateTime<Utc>) -> Value {
    let lag = one.behind.as_ref().map(|behind| {
        json!({
            "changes": behind.changes, "confirmed_at": behind.confirmed,
            "confirmed_s_ago": behind.confirmed.map(|at| (now - at).num_seconds()),
        })
    });
    json!({
        "node": one.card.node, "name": one.name, "own": one.card.node == *own, "endpoint": one.card.endpoint,
        "answered_us": one.took.map(|took| took.as_micros() as u64), "said": one.said,
        "circuit": circuits.get(one.card.node.as_str()), "catalog_lag": lag,
    })
}

fn span(age: TimeDelta) -> String {
    match age.num_seconds() {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds @ 120..7_200 => format!("{} min", seconds / 60),
        seconds => format!("{} h", seconds / 3_600),
    }
}
