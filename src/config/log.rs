//! What the node says about itself while it runs.

use std::{fmt, str::FromStr};

use super::key::{Rule, subject};

subject! {
    /// What the node says about itself while it runs, on standard error.
    "log" => LogSettings {
        /// `text` for a person, `json` for a collector: one object a line.
        "format" => format: LogFormat = Rule::Text { default: "text", shape: "`text` or `json`" };
        /// How much is said: `off`, `error`, `warn`, `info`, `debug` or `trace`; then, after commas, `module=level`.
        "level" => level: LogFilter = Rule::Text { default: "info", shape: "level filter" };
    }
}

/// How a log line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    Text,
    Json,
}

impl FromStr for LogFormat {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err("write `text` or `json`".to_owned()),
        }
    }
}

impl fmt::Display for LogFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "text",
            Self::Json => "json",
        })
    }
}

/// How much is said of one thing, least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    Off,
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

impl LogLevel {
    /// The most that libraries may say. Below it they print headers (with tokens) and query plans (with the number that
    /// was looked up), and no register value or raw identifier may stand in a log (promise 4).
    pub const LIBRARY_MOST: Self = Self::Info;

    fn named(text: &str) -> Option<Self> {
        Some(match text {
            "off" => Self::Off,
            "error" => Self::Error,
            "warn" => Self::Warn,
            "info" => Self::Info,
            "debug" => Self::Debug,
            "trace" => Self::Trace,
            _ => return None,
        })
    }
}

/// A level for the node, and levels for single modules.
///
/// Holds: no module outside `shuqiao` has more than [`LogLevel::LIBRARY_MOST`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFilter {
    text: String,
    level: LogLevel,
    modules: Vec<(String, LogLevel)>,
}

impl LogFilter {
    /// The level of the node itself.
    pub fn level(&self) -> LogLevel {
        self.level
    }

    /// Levels of single modules, such as `shuqiao::engine` or `sqlx`.
    pub fn modules(&self) -> &[(String, LogLevel)] {
        &self.modules
    }
}

impl FromStr for LogFilter {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let mut filter = Self { text: text.to_owned(), level: LogLevel::Info, modules: Vec::new() };
        for part in text.split(',').map(str::trim) {
            let (module, level) = part.split_once('=').map_or((None, part), |(module, level)| (Some(module), level));
            let level = LogLevel::named(level).ok_or_else(|| {
                format!("`{level}` is no level. Write `off`, `error`, `warn`, `info`, `debug` or `trace`")
            })?;
            match module {
                None => filter.level = level,
                Some(module) => filter.modules.push((checked_module(module, level)?, level)),
            }
        }
        Ok(filter)
    }
}

fn checked_module(module: &str, level: LogLevel) -> Result<String, String> {
    if module.is_empty() || !module.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_' || c == b':') {
        return Err(format!("`{module}` is no module path. Write one such as `shuqiao::engine`"));
    }
    let ours = module == "shuqiao" || module.starts_with("shuqiao::");
    if !ours && level > LogLevel::LIBRARY_MOST {
        return Err(format!(
            "`{module}` is a library, and below `info` libraries print tokens and identifiers. Set it to `info` at most"
        ));
    }
    Ok(module.to_owned())
}

impl fmt::Display for LogFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_a_level_and_modules() {
        let filter: LogFilter = "warn, shuqiao::engine=trace,sqlx=info".parse().unwrap();
        assert_eq!(filter.level(), LogLevel::Warn);
        assert_eq!(
            filter.modules(),
            [("shuqiao::engine".to_owned(), LogLevel::Trace), ("sqlx".to_owned(), LogLevel::Info)]
        );
    }

    #[test]
    fn a_filter_that_would_say_too_much_or_nothing_sensible_is_refused() {
        for (text, word) in [
            ("inof", "no level"),
            ("", "no level"),
            ("info,", "no level"),
            ("datafusion=debug", "library"),
            ("shuqiaofake=trace", "library"),
            ("a b=info", "module path"),
            ("=info", "module path"),
        ] {
            let reason = text.parse::<LogFilter>().unwrap_err();
            assert!(reason.contains(word), "`{text}`: {reason}");
        }
    }
}
