//! `shuqiao policy replay`: what other policies would have said to the calls of the last days.

use std::{
    io::{self, BufWriter, Write},
    path::PathBuf,
    process::ExitCode,
    sync::atomic::{AtomicU64, Ordering},
    time::Instant,
};

use anyhow::Context;
use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};
use clap::{Args, ValueEnum};

use super::ground::{GroundArgs, GroundOfCalls};
use crate::{
    audit,
    cli::{home::Home, progress_bar},
    exchange::replay::{Baseline, Counts, Flip, Replay, ReplayPlan, replay},
    policy::PolicyFiles,
};

/// Lines of a list on a terminal; `--json` has all.
const SHOWN_MAX: usize = 20;

#[derive(Debug, Args)]
pub(super) struct ReplayArgs {
    /// Directory of the policies to try.
    #[arg(long = "with", value_name = "DIR")]
    candidate: PathBuf,
    /// From when on: `30d`, `12h`, or a day such as 2026-11-01 (in UTC).
    #[arg(long, value_name = "TIME", default_value = "30d")]
    since: String,
    /// Until when; a day is not part of it [default: now].
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Hold the candidate against what the policies in force say today, or against what is recorded.
    #[arg(long, value_enum, default_value = "in-force")]
    against: Against,
    /// Call ids given of each finding.
    #[arg(long, value_name = "NUMBER", default_value_t = 3, value_parser = clap::value_parser!(u8).range(0..=100))]
    examples: u8,
    /// Folder of the audit log [default: that of the node in --dir].
    #[arg(long, value_name = "LOGDIR")]
    log: Option<PathBuf>,
    /// Directory of the policies in force [default: that of the node].
    #[arg(long, value_name = "DIR")]
    policies: Option<PathBuf>,
    /// Print JSON instead of tables.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    ground: GroundArgs,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Against {
    InForce,
    Record,
}

/// `30d`, `12h`, `45m`, or the beginning of a day.
fn moment(text: &str, now: DateTime<Utc>) -> anyhow::Result<DateTime<Utc>> {
    if let Ok(day) = text.parse::<NaiveDate>() {
        return Ok(day.and_time(NaiveTime::MIN).and_utc());
    }
    let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).unwrap_or_default();
    let ago = number.parse::<u32>().ok().and_then(|number| match unit {
        "d" => TimeDelta::try_days(number.into()),
        "h" => TimeDelta::try_hours(number.into()),
        "m" => TimeDelta::try_minutes(number.into()),
        _ => None,
    });
    let moment = ago.and_then(|ago| now.checked_sub_signed(ago));
    moment.ok_or_else(|| anyhow::anyhow!("`{text}` is no time. Write `30d`, `12h` or a day such as 2026-11-01"))
}

pub(super) async fn run(args: &ReplayArgs, home: &Home, now: DateTime<Utc>) -> anyhow::Result<ExitCode> {
    let since = moment(&args.since, now)?;
    let until = args.until.as_deref().map_or(Ok(now), |text| moment(text, now))?;
    anyhow::ensure!(since < until, "the time to replay ends before it begins");
    let candidate = PolicyFiles::read(&args.candidate)?.set()?;
    let GroundOfCalls { ground, policies, log, ledger } =
        args.ground.load_for_calls(args.policies.as_deref(), home, now).await?;
    if let Some(ledger) = ledger {
        ledger.close().await;
    }
    let log = args.log.clone().or(log).context("name the log by --log, or the node by --dir")?;
    anyhow::ensure!(log.is_dir(), "there is no folder `{}`", log.display());
    let bar = progress_bar("reading the log", 0);
    let read = AtomicU64::new(0);
    let started = Instant::now();
    let plan = ReplayPlan {
        catalog: &ground.catalog,
        agreements: &ground.agreements,
        in_force: &policies,
        candidate: &candidate,
        baseline: match args.against {
            Against::InForce => Baseline::InForce,
            Against::Record => Baseline::Record,
        },
        since,
        until,
        examples_max: args.examples.into(),
        deadline: None,
        progress: &|records| {
            let all = read.fetch_add(records, Ordering::Relaxed) + records;
            bar.set_message(format!("{all} records read"));
        },
    };
    let replayed = replay(audit::parts(&log)?, &plan)?;
    bar.finish_and_clear();
    let mut out = BufWriter::new(io::stdout().lock());
    if args.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&replayed)?)?;
    } else {
        print(&replayed, started.elapsed().as_secs_f64(), &mut out)?;
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

fn print(replay: &Replay, seconds: f64, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "in force   {}\ncandidate  {}", replay.in_force, replay.candidate)?;
    writeln!(out, "calls      {} from {} to {}", replay.calls, replay.since.to_rfc3339(), replay.until.to_rfc3339())?;
    let Replay { decided, refused_before, questions, records, .. } = replay;
    writeln!(
        out,
        "decided    {decided} again, {questions} different questions; {refused_before} refused before policy"
    )?;
    writeln!(out, "read       {records} records in {seconds:.1} s")?;
    writeln!(out, "Catalogue and agreements are as they are now; agreement, day and hour are those of each call.")?;
    for gone in &replay.undecidable {
        let ids: Vec<_> = gone.tally.call_ids().collect();
        writeln!(out, "undecidable {}: {}, such as {}", gone.tally.calls, gone.reason, ids.join(", "))?;
    }
    if replay.drift.answers() > 0 {
        writeln!(out, "\nAnswered otherwise today, whatever the candidate says:")?;
        counts("policies or data changed since", &replay.drift, out)?;
    }
    if replay.flipped.all() == 0 {
        writeln!(out, "\nThe candidate changes no answer.")?;
    } else {
        writeln!(out, "\nThe candidate changes:")?;
        counts("all calls", &replay.flipped, out)?;
        group("by department", replay.by_department.iter(), out)?;
        group("by dataset", replay.by_dataset.iter(), out)?;
        group("by item", replay.by_item.iter(), out)?;
    }
    writeln!(out, "\nby policy")?;
    for policy in &replay.by_policy {
        counts(&format!("{} ({})", policy.policy, policy.difference.as_str()), &policy.counts, out)?;
    }
    if !replay.flips.is_empty() {
        writeln!(out, "\nflips, the most frequent first")?;
    }
    for flip in replay.flips.iter().take(SHOWN_MAX) {
        print_flip(flip, out)?;
    }
    Ok(())
}

fn counts(name: &str, counts: &Counts, out: &mut impl Write) -> io::Result<()> {
    let Counts { allow_to_deny, deny_to_allow, obligations, reasons } = counts;
    writeln!(
        out,
        "  {name:48} allow->deny {allow_to_deny:>8}  deny->allow {deny_to_allow:>8}  obligations {obligations:>8}  reasons \
         {reasons:>8}"
    )
}

fn group<'a, K: std::fmt::Display + 'a>(
    title: &str,
    entries: impl Iterator<Item = (&'a K, &'a Counts)>,
    out: &mut impl Write,
) -> io::Result<()> {
    writeln!(out, "\n{title}")?;
    let mut entries: Vec<_> = entries.collect();
    entries.sort_by_key(|(_, counts)| std::cmp::Reverse(counts.all()));
    for (name, of) in entries.iter().take(SHOWN_MAX) {
        counts(&name.to_string(), of, out)?;
    }
    Ok(())
}

fn print_flip(flip: &Flip, out: &mut impl Write) -> io::Result<()> {
    let because = match flip.because_of.as_slice() {
        [] => "changed data or an earlier set".to_owned(),
        policies => policies.join(", "),
    };
    writeln!(
        out,
        "  {:>8} {} because of {because}\n           {} asks {} for {}",
        flip.tally.calls,
        flip.kind.as_str(),
        flip.department,
        flip.dataset,
        flip.item
    )?;
    for (mark, words) in [("-", &flip.obligations_removed), ("+", &flip.obligations_added)] {
        if !words.is_empty() {
            writeln!(out, "           {mark} {}", words.join(", "))?;
        }
    }
    let ids: Vec<_> = flip.tally.call_ids().collect();
    writeln!(out, "           such as {}", ids.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_so_long_ago_or_a_day() {
        let now = "2026-11-24T06:30:00Z".parse().unwrap();
        let table = [
            ("30d", Some("2026-10-25T06:30:00Z")),
            ("12h", Some("2026-11-23T18:30:00Z")),
            ("45m", Some("2026-11-24T05:45:00Z")),
            ("2026-11-01", Some("2026-11-01T00:00:00Z")),
            ("", None),
            ("d", None),
            ("30", None),
            ("-3d", None),
            ("3天", None),
            ("4000000000d", None),
        ];
        for (text, expected) in table {
            let found = moment(text, now).ok();
            assert_eq!(found, expected.map(|time| time.parse().unwrap()), "{text}");
        }
    }
}
