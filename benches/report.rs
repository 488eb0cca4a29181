//! Figures, most of them pairs that were measured in turns, each with what it should reach.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a figure should reach.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Target {
    RatioAtLeast(f64),
    RatioAtMost(f64),
    AtMost(f64),
}

/// One row of the table.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Figure {
    /// Also its key in what is kept: it says the section, and the size where that is not the usual one.
    pub(crate) name: String,
    pub(crate) unit: String,
    pub(crate) ours: f64,
    pub(crate) theirs: Option<f64>,
    /// Lowest and highest ratio of a turn.
    pub(crate) spread: Option<(f64, f64)>,
    pub(crate) target: Option<Target>,
}

/// All figures of a run, and what could not be measured.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) figures: Vec<Figure>,
    /// What, and why not.
    pub(crate) skipped: Vec<(String, String)>,
}

impl Report {
    /// Turns of (ours, theirs), in one unit.
    pub(crate) fn pair(&mut self, name: &str, unit: &str, turns: &[(f64, f64)], target: impl Into<Option<Target>>) {
        let ratios: Vec<_> = turns.iter().map(|(ours, theirs)| ours / theirs).collect();
        let spread = (ratios.iter().copied().fold(f64::MAX, f64::min), ratios.iter().copied().fold(0.0, f64::max));
        self.push(Figure {
            name: name.to_owned(),
            unit: unit.to_owned(),
            ours: median(turns.iter().map(|turn| turn.0)),
            theirs: Some(median(turns.iter().map(|turn| turn.1))),
            spread: Some(spread),
            target: target.into(),
        });
    }

    /// A figure without a rival.
    pub(crate) fn note(&mut self, name: &str, value: f64, unit: &str, target: impl Into<Option<Target>>) {
        let (name, unit) = (name.to_owned(), unit.to_owned());
        self.push(Figure { name, unit, ours: value, theirs: None, spread: None, target: target.into() });
    }

    /// Something that cannot be measured here.
    pub(crate) fn skip(&mut self, what: &str, why: impl fmt::Display) {
        println!("skipped: {what}: {why}");
        self.skipped.push((what.to_owned(), why.to_string()));
    }

    fn push(&mut self, figure: Figure) {
        println!("{figure}");
        self.figures.push(figure);
    }
}

impl Figure {
    pub(crate) fn ratio(&self) -> Option<f64> {
        self.theirs.map(|theirs| self.ours / theirs)
    }

    pub(crate) fn is_reached(&self) -> Option<bool> {
        Some(match self.target? {
            Target::RatioAtLeast(least) => self.ratio()? >= least,
            Target::RatioAtMost(most) => self.ratio()? <= most,
            Target::AtMost(most) => self.ours <= most,
        })
    }
}

/// A row of the table: what, ours, beside it, unit, ratio (spread), target, reached.
impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let beside = self.theirs.map(digits).unwrap_or_default();
        let ratio = self.ratio().map(short).unwrap_or_default();
        let spread = self.spread.map(|(low, high)| format!(" ({} to {})", short(low), short(high))).unwrap_or_default();
        let target = self.target.map(|target| target.to_string()).unwrap_or_default();
        let reached = match self.is_reached() {
            None => "",
            Some(true) => "yes",
            Some(false) => "**no**",
        };
        let (name, unit, ours) = (&self.name, &self.unit, digits(self.ours));
        write!(f, "| {name} | {ours} | {beside} | {unit} | {ratio}{spread} | {target} | {reached} |")
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RatioAtLeast(ratio) => write!(f, "at least {ratio} times"),
            Self::RatioAtMost(ratio) => write!(f, "at most {ratio} times"),
            Self::AtMost(value) => write!(f, "at most {value}"),
        }
    }
}

/// As many digits as say something.
fn digits(value: f64) -> String {
    match value.abs() {
        100.0.. => format!("{value:.0}"),
        10.0.. => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

fn short(ratio: f64) -> String {
    match ratio.abs() {
        100.0.. => format!("{ratio:.0}"),
        10.0.. => format!("{ratio:.1}"),
        1.0.. => format!("{ratio:.2}"),
        _ => format!("{ratio:.3}"),
    }
}

pub(crate) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}
