//! Where the node's processor time goes under load, by `perf`. Only when asked: `cargo bench -- profile`.

use std::{process::Command, thread, time::Duration};

use crate::{contenders::own, home::Receipts, load, options::Scale, report::Report, world::World};

const SECONDS: u64 = 10;

pub(crate) fn run(world: &World, _scale: Scale, report: &mut Report) {
    let node = own(world, Receipts::Batch);
    let (address, requests) = (node.server.address, node.requests.clone());
    load::closed(address, &requests, 64, 1_000);
    let file = world.kept("perf.data");
    let loading = thread::spawn(move || load::closed(address, &requests, 64, (SECONDS + 1) * 1_000));
    thread::sleep(Duration::from_millis(500));
    let mut record = Command::new("perf");
    record.args(["record", "-g", "-F", "997", "-o"]).arg(&file).args(["-p", &node.server.pid().to_string()]);
    let recorded = record.args(["--", "sleep", &SECONDS.to_string()]).output();
    let load = loading.join().unwrap();
    report.note("profile: calls a second while it was taken", load.per_second, "a second", None);
    match recorded {
        Ok(said) if said.status.success() => {
            println!("perf report -i {} --no-children -g none", file.display());
            println!("perf report -i {} --children -g caller", file.display());
        }
        Ok(said) => report.skip("profile", String::from_utf8_lossy(&said.stderr).trim()),
        Err(error) => report.skip("profile", format!("`perf` does not start: {error}")),
    }
}
