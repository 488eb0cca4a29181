//! Gives processes cores of their own, by `taskset` (util-linux), so that nodes of one machine stand for machines.

use std::process::{Command, Stdio};

/// From now on the process and its threads run on these cores (`0`, `0,1`, as `taskset` has it) and on no other.
pub(crate) fn pin(process: u32, cores: &str) -> Result<(), String> {
    let mut command = Command::new("taskset");
    let said = command.args(["-a", "-c", "-p", cores, &process.to_string()]).stdout(Stdio::null()).output();
    match said {
        Ok(said) if said.status.success() => Ok(()),
        Ok(said) => Err(String::from_utf8_lossy(&said.stderr).trim().to_owned()),
        Err(error) => Err(format!("`taskset` does not start: {error}")),
    }
}
