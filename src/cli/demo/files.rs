//! The demo's folder: the catalogue and policies that came with the program, and a settings file.

use std::path::Path;

use anyhow::{Context, bail};
use include_dir::{Dir, include_dir};

use crate::{cli::home::SETTINGS_FILE, storage::write_whole};

static CATALOGS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/catalogs");
static POLICIES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/policies");

/// How the settings of a demo begin; a folder whose settings begin otherwise is somebody's node.
const MARK: &str = "# Settings of the demo node.";

/// Make what is missing; what is there stays as the user left it, but for the port that was asked for.
///
/// Refuses the folder of any other node: the demo would publish its made-up registers there.
pub(super) fn lay_out(dir: &Path, port: u16) -> anyhow::Result<()> {
    let settings = dir.join(SETTINGS_FILE);
    let shown = || format!("`{}`", settings.display());
    let text = if settings.exists() {
        let known = std::fs::read_to_string(&settings).with_context(shown)?;
        if !known.starts_with(MARK) {
            bail!("{} belongs to a node that is no demo. Name another folder by --dir", shown());
        }
        at_port(&known, port)
    } else {
        fresh(port)
    };
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

fn url(port: u16) -> String {
    format!("url = \"http://127.0.0.1:{port}\"")
}

fn listen(port: u16) -> String {
    format!("listen = \"127.0.0.1:{port}\"")
}

/// The same settings on another port.
fn at_port(settings: &str, port: u16) -> String {
    let moved = settings.lines().map(|line| match line.split_once('=').map(|(key, _)| key.trim()) {
        Some("url") => url(port),
        Some("listen") => listen(port),
        _ => line.to_owned(),
    });
    moved.map(|line| line + "\n").collect()
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
        assert_eq!(at_port(&mine, 9000), fresh(9000).replace("\"warn\"", "\"debug\" # mine"));
    }
}
