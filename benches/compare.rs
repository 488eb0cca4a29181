//! Two runs side by side: has a ratio halved?

use std::fs;

use crate::{
    report::Figure,
    results::{Run, lines_file},
    world::root,
};

/// What a quick run is compared with.
const REFERENCE: &str = "benches/quick.json";
/// A change that halves a ratio is to be seen; less than that is noise on a shared machine.
const HALVED: f64 = 0.5;

/// Print the last runs of two commits, each given by the beginning of its hash.
pub(crate) fn commits(one: &str, other: &str) {
    let text = fs::read_to_string(lines_file()).unwrap_or_default();
    let runs: Vec<Run> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let last = |commit: &str| runs.iter().rev().find(|run| run.commit.starts_with(commit));
    match (last(one), last(other)) {
        (Some(one), Some(other)) => tell(one, other),
        (None, _) => println!("{} has no run of commit {one}", lines_file().display()),
        (_, None) => println!("{} has no run of commit {other}", lines_file().display()),
    }
}

/// Print a quick run beside the one that is kept with the sources. Says what is worse, fails nothing.
pub(crate) fn with_reference(run: &Run) {
    let kept = fs::read_to_string(root().join(REFERENCE)).unwrap_or_default();
    match serde_json::from_str::<Run>(&kept) {
        Ok(reference) => tell(&reference, run),
        Err(_) => println!("there is no reference `{REFERENCE}` to compare with"),
    }
}

/// Make a quick run the reference.
pub(crate) fn keep_reference(run: &Run) {
    fs::write(root().join(REFERENCE), serde_json::to_string_pretty(run).unwrap() + "\n").unwrap();
}

fn tell(before: &Run, after: &Run) {
    println!("\nratios of {} ({}) beside {} ({}):", after.commit, after.day, before.commit, before.day);
    for now in &after.figures {
        let Some(then) = before.figures.iter().find(|then| then.name == now.name) else { continue };
        let (Some(was), Some(is)) = (then.ratio(), now.ratio()) else { continue };
        let better = if is_rate(now) { is / was } else { was / is };
        let word = match better {
            ..HALVED => "  HALVED",
            _ => "",
        };
        println!("{was:>9.3} -> {is:>9.3}  {better:>5.2}  {}{word}", now.name);
    }
}

/// Is more of it better?
fn is_rate(figure: &Figure) -> bool {
    figure.unit == "a second"
}
