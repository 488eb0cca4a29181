//! The demo's folder: the catalogue and policies that came with the program, and a settings file.

use std::path::Path;

use anyhow::Context;
use include_dir::{Dir, include_dir};

use crate::{cli::home::SETTINGS_FILE, storage::write_whole};

static CATALOGS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/catalogs");
static POLICIES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/policies");

/// Make what is missing; what is there stays as the user left it, but for the port that was asked for.
pub(super) fn lay_out(dir: &Path, port: u16) -> anyhow::Result<()> {
    unpack(&CATALOGS, &dir.join("catalogs"))?;
    unpack(&POLICIES, &dir.join("policies"))?;
    let settings = dir.join(SETTINGS_FILE);
    let text = format!(
        "# Settings of the demo node. Every key: docs/configuration.md.\n\
         [node]\nid = \"guangdong\"\nurl = \"http://127.0.0.1:{port}\"\n\n\
         [http]\nlisten = \"127.0.0.1:{port}\"\n\n\
         # An hour rather than five minutes, so that a printed call can be tried at leisure.\n\
         [tokens]\naccess_ttl_s = 3600\n\n\
         [log]\nlevel = \"warn\"\n"
    );
    write_whole(&settings, text.as_bytes()).with_context(|| format!("`{}`", settings.display()))?;
    Ok(())
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
