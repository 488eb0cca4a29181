//! Pairs measured in turns, and the report of their ratios.

use std::fmt;

use serde_json::{Value, json};

use crate::Scale;

/// What came of one pair.
#[derive(Debug)]
pub(crate) struct Pair {
    name: String,
    ours: f64,
    theirs: f64,
    /// Lowest and highest ratio of a turn.
    spread: (f64, f64),
    unit: &'static str,
}

/// All pairs of a run.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pairs: Vec<Pair>,
    notes: Vec<(String, f64, &'static str)>,
}

impl Report {
    /// Turns of (ours, theirs), in one unit.
    pub(crate) fn pair(&mut self, name: &str, unit: &'static str, turns: &[(f64, f64)]) {
        let ratios: Vec<_> = turns.iter().map(|(ours, theirs)| ours / theirs).collect();
        let spread = (ratios.iter().copied().fold(f64::MAX, f64::min), ratios.iter().copied().fold(0.0, f64::max));
        let pair = Pair {
            name: name.to_owned(),
            ours: median(turns.iter().map(|turn| turn.0)),
            theirs: median(turns.iter().map(|turn| turn.1)),
            spread,
            unit,
        };
        println!("{pair}");
        self.pairs.push(pair);
    }

    /// A figure without a rival.
    pub(crate) fn note(&mut self, name: &str, value: f64, unit: &'static str) {
        println!("{name}: {value:.1} {unit}");
        self.notes.push((name.to_owned(), value, unit));
    }

    pub(crate) fn json(&self, scale: Scale) -> Value {
        let pair = |pair: &Pair| {
            json!({ "name": pair.name, "unit": pair.unit, "ours": pair.ours, "theirs": pair.theirs,
                    "ratio": pair.ours / pair.theirs, "lowest": pair.spread.0, "highest": pair.spread.1 })
        };
        json!({
            "persons": scale.persons,
            "rounds": scale.rounds,
            "pairs": self.pairs.iter().map(pair).collect::<Vec<_>>(),
            "notes": self.notes.iter().map(|(name, value, unit)| json!({ "name": name, "value": value, "unit": unit })).collect::<Vec<_>>(),
        })
    }
}

impl fmt::Display for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (ratio, (low, high)) = (self.ours / self.theirs, self.spread);
        write!(
            f,
            "| {} | {:.1} | {:.1} | {} | {ratio:.2} ({low:.2} to {high:.2}) |",
            self.name, self.ours, self.theirs, self.unit
        )
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n| what | ours | beside it | unit | ratio (lowest to highest turn) |\n|---|---|---|---|---|")?;
        for pair in &self.pairs {
            writeln!(f, "{pair}")?;
        }
        for (name, value, unit) in &self.notes {
            writeln!(f, "| {name} | {value:.1} | | {unit} | |")?;
        }
        Ok(())
    }
}

pub(crate) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}
