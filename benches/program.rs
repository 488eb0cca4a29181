//! The node's own program, used as its operator uses it: what is measured is what is shipped.

use std::{path::Path, process::Command};

/// The program on a node with these settings.
pub(crate) fn shuqiao(settings: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_shuqiao"));
    command.arg("--config").arg(settings);
    command
}

/// Run it to its end; what it printed.
pub(crate) fn run(settings: &Path, arguments: &[&str]) -> String {
    let done = shuqiao(settings).args(arguments).output().unwrap();
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    assert!(done.status.success(), "shuqiao {arguments:?}: {}", said(&done.stderr));
    said(&done.stdout)
}
