//! What the command line may say.

use std::path::PathBuf;

use crate::SECTIONS;

/// Outlives a run, lies on a real disk (`/tmp` may be memory, where fdatasync says nothing), and can be entered by the
/// user under whom PostgreSQL runs.
const CACHE: &str = "/var/tmp/shuqiao-bench";

const USAGE: &str = "\
cargo bench -- [SECTION ...] [OPTION ...]

sections: {sections}; none named means all but profile

--quick         a register of 100,000 persons and short turns
--persons N     size of the register [10,000,000]
--rounds N      turns of each pair [5]
--turn-ms N     length of a turn [2000]
--cache DIR     where registers and databases are kept between runs [/var/tmp/shuqiao-bench, or SHUQIAO_BENCH_CACHE]
--overload-ms N length of the overload [60000]
--write         put the figures into benches/measured.json and the table of benches/README.md; of a quick run, into
                benches/quick.json, with which quick runs are compared
--compare A B   print the ratios of two commits' last runs, and measure nothing";

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scale {
    /// Persons in the register.
    pub(crate) persons: u64,
    /// Turns of each pair.
    pub(crate) rounds: usize,
    /// Milliseconds of one turn.
    pub(crate) turn_ms: u64,
    /// Milliseconds of overload.
    pub(crate) overload_ms: u64,
    /// Cities that a call fans out to.
    pub(crate) cities: usize,
}

#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) scale: Scale,
    pub(crate) quick: bool,
    pub(crate) write: bool,
    pub(crate) cache: PathBuf,
    /// Two commits.
    pub(crate) compare: Option<(String, String)>,
    wanted: Vec<String>,
}

impl Options {
    pub(crate) fn parse(arguments: &[String]) -> Result<Self, String> {
        let quick = arguments.iter().any(|argument| argument == "--quick");
        let scale = match quick {
            true => Scale { persons: 100_000, rounds: 3, turn_ms: 400, overload_ms: 4_000, cities: 5 },
            false => Scale { persons: 10_000_000, rounds: 5, turn_ms: 2_000, overload_ms: 60_000, cities: 21 },
        };
        let cache = std::env::var_os("SHUQIAO_BENCH_CACHE").unwrap_or_else(|| CACHE.into()).into();
        let mut options = Self { scale, quick, write: false, cache, compare: None, wanted: Vec::new() };
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            let mut value = || rest.next().ok_or_else(|| format!("`{argument}` wants a value\n\n{}", usage()));
            match argument.as_str() {
                "--quick" => {}
                "--help" => return Err(usage()),
                "--write" => options.write = true,
                "--persons" => options.scale.persons = number(argument, value()?)?,
                "--rounds" => options.scale.rounds = number(argument, value()?)?.max(1) as usize,
                "--turn-ms" => options.scale.turn_ms = number(argument, value()?)?,
                "--overload-ms" => options.scale.overload_ms = number(argument, value()?)?,
                "--compare" => options.compare = Some((value()?.clone(), value()?.clone())),
                "--cache" => options.cache = value()?.into(),
                section if SECTIONS.iter().any(|(name, _)| *name == section) => options.wanted.push(section.to_owned()),
                _ => return Err(format!("`{argument}` is neither a section nor an option\n\n{}", usage())),
            }
        }
        Ok(options)
    }

    /// Is this section to run? Where none is named, those that usually do.
    pub(crate) fn is_wanted(&self, section: &str, is_usual: bool) -> bool {
        if self.wanted.is_empty() { is_usual } else { self.wanted.iter().any(|wanted| wanted == section) }
    }
}

fn usage() -> String {
    let sections: Vec<_> = SECTIONS.iter().map(|(name, _)| *name).collect();
    USAGE.replace("{sections}", &sections.join(", "))
}

fn number(option: &str, text: &str) -> Result<u64, String> {
    text.replace(['_', ','], "").parse().map_err(|_| format!("`{option}` wants a whole number, not `{text}`"))
}
