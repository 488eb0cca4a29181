//! The demo's folder: the catalogue and policies that came with the program, and a settings file.

use std::path::Path;

use anyhow::{Context, bail};
use include_dir::{Dir, File, include_dir};

use crate::{cli::home::SETTINGS_FILE, storage::write_whole};

static CATALOGS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/catalogs");
static POLICIES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/policies");

/// How the settings of a demo begin; a folder whose settings begin otherwise is somebody's node.
pub(super) const MARK: &str = "# Settings of the demo node.";

/// Make what is missing; what is there stays as the user left it, but for the port that was asked for.
///
/// Refuses the folder of any other node: the demo would publish its made-up registers there.
pub(super) fn lay_out(dir: &Path, port: u16) -> anyhow::Result<()> {
    make(dir, &fresh(port), &[url(port), listen(port)], &[])
}

/// The same for settings and files of one's own; `lines` are those of the settings that are new at every start.
pub(super) fn make(dir: &Path, fresh: &str, lines: &[String], changes: &[Change<'_>]) -> anyhow::Result<()> {
    let settings = dir.join(SETTINGS_FILE);
    let shown = || format!("`{}`", settings.display());
    let text = if settings.exists() {
        let known = std::fs::read_to_string(&settings).with_context(shown)?;
        if !known.starts_with(MARK) {
            bail!("{} belongs to a node that is no demo. Name another folder by --dir", shown());
        }
        with_lines(&known, lines)
    } else {
        fresh.to_owned()
    };
    changes.iter().try_for_each(|change| change.make(dir))?;
    unpack(&CATALOGS, &dir.join("catalogs"))?;
    unpack(&POLICIES, &dir.join("policies"))?;
    write_whole(&settings, text.as_bytes()).with_context(shown)?;
    Ok(())
}

fn fresh(port: u16) -> String {
    format!(
        "{MARK} Every key: docs/configuration.md.\n\
         [node]\nid = \"guangdong\"\n{}\n\n\
         [http]\n{}\n\n\
         # An hour rather than five minutes, so that a printed call can be tried at leisure.\n\
         [tokens]\naccess_ttl_s = 3600\n\n\
         [log]\nlevel = \"warn\"\n",
        url(port),
        listen(port)
    )
}

pub(super) fn url(port: u16) -> String {
    format!("url = \"http://127.0.0.1:{port}\"")
}

pub(super) fn listen(port: u16) -> String {
    format!("listen = \"127.0.0.1:{port}\"")
}

/// The same settings, but for the keys of these lines.
fn with_lines(settings: &str, lines: &[String]) -> String {
    let key = |line: &str| line.split_once('=').map(|(key, _)| key.trim().to_owned());
    let renewed = settings.lines().map(|line| {
        let new = lines.iter().find(|new| key(new).is_some_and(|new| Some(new) == key(line)));
        new.map_or(line, String::as_str)
    });
    renewed.map(|line| line.to_owned() + "\n").collect()
}

/// A file that differs from the one that came with the program.
#[derive(Clone, Copy)]
pub(super) struct Change<'a> {
    /// Below the demo's folder.
    pub(super) file: &'a str,
    pub(super) from: &'a str,
    pub(super) to: &'a str,
}

impl Change<'_> {
    fn make(&self, dir: &Path) -> anyhow::Result<()> {
        let target = dir.join(self.file);
        if !target.exists() {
            write_whole(&target, self.text()?.as_bytes())?;
        }
        Ok(())
    }

    fn text(&self) -> anyhow::Result<String> {
        let embedded = match self.file.split_once('/') {
            Some(("catalogs", inside)) => CATALOGS.get_file(inside),
            Some(("policies", inside)) => POLICIES.get_file(inside),
            _ => None,
        };
        let text = embedded.and_then(File::contents_utf8).with_context(|| format!("no `{}` came along", self.file))?;
        if text.matches(self.from).count() != 1 {
            bail!("`{}` does not say `{}` once", self.file, self.from);
        }
        Ok(text.replace(self.from, self.to))
    }
}

fn unpack(embedded: &Dir<'_>, into: &Path) -> anyhow::Result<()> {
    for entry in embedded.entries() {
        let name = entry.path().file_name().unwrap_or_default();
        match entry {
            include_dir::DirEntry::Dir(inner) => unpack(inner, &into.join(name))?,
            include_dir::DirEntry::File(file) => {
                let target = into.join(name);
                if !target.exists() {
                    write_whole(&target, file.contents())?;
                }
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_port_changes_nothing_else() {
        let mine = fresh(8640).replace("\"warn\"", "\"debug\" # mine");
        assert_eq!(with_lines(&mine, &[url(9000), listen(9000)]), fresh(9000).replace("\"warn\"", "\"debug\" # mine"));
    }
}
