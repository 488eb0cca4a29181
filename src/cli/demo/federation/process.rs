//! A node as a process: started, killed, stopped, and never left behind.

use std::{
    fs::File,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, bail};

use super::{Running, place::Place};

/// How long a start may take; and a stop, before the process is killed.
const PATIENCE: Duration = Duration::from_secs(60);
const STOP_PATIENCE: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Killed where it is dropped. Should the demo itself be killed, the node sees its standard input end, and stops.
pub(super) struct Process {
    child: Child,
    ready: String,
    log: PathBuf,
}

impl Process {
    pub(super) fn start(place: &Place) -> anyhow::Result<Self> {
        let path = place.dir.join("process.log");
        let log = File::options().create(true).append(true).open(&path).with_context(|| path.display().to_string())?;
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["serve", "--until-input-ends", "--dir"]).arg(&place.dir);
        command.env_remove("SHUQIAO_CONFIG").stdin(Stdio::piped()).stdout(log.try_clone()?).stderr(log);
        let child = command.spawn().context("the node could not be started")?;
        Ok(Self { child, ready: format!("http://{}/readyz", place.settings.http.listen), log: path })
    }

    /// Wait until it takes calls; its number.
    pub(super) async fn ready(&mut self) -> anyhow::Result<u32> {
        let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build()?;
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            if http.get(&self.ready).send().await.is_ok_and(|answer| answer.status() == reqwest::StatusCode::OK) {
                return Ok(self.child.id());
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("a node ended ({status}) before it was ready; see `{}`", self.log.display());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        bail!("a node is not ready after {PATIENCE:?}; see `{}`", self.log.display());
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// SIGKILL: nothing is said, nothing is finished.
    pub(super) fn kill(mut self) -> anyhow::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Let them finish what they are at; whoever takes too long is killed.
pub(super) async fn stop(mut running: Running) {
    for process in running.values_mut() {
        drop(process.child.stdin.take());
    }
    let until = Instant::now() + STOP_PATIENCE;
    while Instant::now() < until && running.values_mut().any(|it| matches!(it.child.try_wait(), Ok(None))) {
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
