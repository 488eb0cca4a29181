//! Where a node lives: its folder and its settings file.

use std::path::{Path, PathBuf};

use anyhow::Context;
use chrono::{DateTime, FixedOffset, NaiveDate, Utc};
use clap::Args;

use crate::config::Settings;

/// Name of the settings file in a node's folder.
pub(super) const SETTINGS_FILE: &str = "shuqiao.toml";
/// The folder that `demo` makes and the other commands then find.
const FOLDER: &str = "shuqiao-demo";

#[derive(Debug, Args)]
pub(super) struct Home {
    /// The node's folder; its settings are in `shuqiao.toml` there.
    #[arg(long, global = true, value_name = "DIR", env = "SHUQIAO_DIR", default_value = FOLDER)]
    pub(super) dir: PathBuf,
    /// The settings file, if it is elsewhere.
    #[arg(long, global = true, value_name = "FILE", env = "SHUQIAO_CONFIG")]
    pub(super) config: Option<PathBuf>,
}

impl Home {
    pub(super) fn settings_file(&self) -> PathBuf {
        self.config.clone().unwrap_or_else(|| self.dir.join(SETTINGS_FILE))
    }

    /// The settings of an existing node.
    pub(super) fn settings(&self) -> anyhow::Result<Settings> {
        load(&self.settings_file())
    }
}

fn load(file: &Path) -> anyhow::Result<Settings> {
    if !file.exists() {
        anyhow::bail!(
            "there is no settings file `{}`. Name the node's folder by --dir, or make one with `shuqiao demo`",
            file.display()
        );
    }
    Settings::load(Some(file), &[]).with_context(|| format!("`{}`", file.display()))
}

/// The day it is in China, where validity ends.
pub(super) fn today(now: DateTime<Utc>) -> NaiveDate {
    match FixedOffset::east_opt(8 * 3600) {
        Some(zone) => now.with_timezone(&zone).date_naive(),
        None => now.date_naive(),
    }
}
