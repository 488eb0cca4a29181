//! Where the node's processor time goes under load, by `perf`. Only when asked: `cargo bench -- profile`.

use std::{
    path::Path,
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use crate::{
    contenders::own,
    home::Receipts,
    load,
    options::Scale,
    process,
    report::Report,
    world::{World, root},
};

const SECONDS: u64 = 3;

pub(crate) fn run(world: &World, _scale: Scale, report: &mut Report) {
    let node = own(world, Receipts::Batch);
    let (address, requests) = (node.server.address, node.requests.clone());
    load::closed(address, &requests, 64, 1_000);
    let before = process::cpu(node.server.pid());
    let quiet = load::closed(address, &requests, 64, SECONDS * 1_000);
    let took = process::cpu(node.server.pid()).saturating_sub(before);
    let micros = took.as_secs_f64() * 1e6 / (quiet.per_second * SECONDS as f64);
    report.note("profile: processor time of the node", micros, "us a call", None);

    let file = world.kept("perf.data");
    let loading = thread::spawn(move || load::closed(address, &requests, 64, (SECONDS + 1) * 1_000));
    thread::sleep(Duration::from_millis(500));
    let mut record = Command::new("perf");
    // By the unwind tables: without frame pointers nothing else sees whose name a call was made in.
    record.args(["record", "--call-graph", "dwarf,16384", "-F", "499", "-o"]).arg(&file);
    record.args(["-p", &node.server.pid().to_string(), "--", "sleep", &SECONDS.to_string()]);
    let recorded = record.output();
    loading.join().unwrap();
    match recorded {
        Ok(said) if said.status.success() => tell_parts(&file, micros),
        Ok(said) => report.skip("profile", String::from_utf8_lossy(&said.stderr).trim()),
        Err(error) => report.skip("profile", format!("`perf` does not start: {error}")),
    }
}

fn tell_parts(file: &Path, micros: f64) {
    let mut script = Command::new("perf");
    script.arg("script").arg("-i").arg(file).args(["-F", "comm,ip,sym", "--no-inline"]);
    let mut script = script.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut parts = Command::new("python3");
    parts.arg(root().join("benches/parts_of_a_call.py")).arg(format!("{micros:.1}"));
    parts.stdin(script.stdout.take().unwrap()).status().unwrap();
    script.wait().unwrap();
    println!("the whole of it: perf report -i {} --children -g caller", file.display());
}
