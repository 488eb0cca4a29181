//! `shuqiao demo`.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use shuqiao::config::Settings;

use crate::support::process::{PATIENCE, PROGRAM, Said, free_address, shuqiao};

const NODES: [&str; 4] = ["guangdong", "guangzhou", "shenzhen", "zhaoqing"];

fn demo(dir: &str, port: u16) -> Said {
    shuqiao(&["demo", "--once", "--persons", "2000", "--dir", dir, "--port", &port.to_string()])
}

fn steps(said: &Said) -> (usize, usize) {
    let count = |mark| said.out.lines().filter(|line| line.starts_with(mark)).count();
    (count("  ok "), count("  BAD") + count("WRONG"))
}

/// Every step of the tour and of the story came out right. How soon the revocation reached calls is for the demo to judge, on
/// a machine that does nothing else: here it only has to have reached them.
fn came_out_right(said: &Said) -> bool {
    let late = "BAD revoked in the midst of calls: within a second no more answers: revoked;";
    match (said.code, steps(said)) {
        (Some(0), (15, 0)) => true,
        (Some(1), (14, 2)) => said.out.contains(late),
        _ => false,
    }
}

#[test]
fn the_tour_comes_out_right_and_the_second_start_finds_the_registers() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("new/demo");
    let folder = folder.to_str().unwrap();
    let first = demo(folder, free_address().port());
    assert!(came_out_right(&first), "{first:?}");
    assert_eq!(first.out.matches("published as version 0").count(), 4, "{first:?}");

    let settings = dir.path().join("new/demo/shuqiao.toml");
    let mine = fs::read_to_string(&settings).unwrap().replace("\"warn\"", "\"error\" # mine");
    fs::write(&settings, &mine).unwrap();
    let second = demo(folder, free_address().port()); // Another port, the same folder.
    assert!(fs::read_to_string(&settings).unwrap().contains("level = \"error\" # mine"));
    assert!(came_out_right(&second), "{second:?}");
    assert!(!second.out.contains("published"), "{second:?}");
    let verified = shuqiao(&["audit", "verify", "--dir", folder]);
    assert!(verified.code == Some(0) && verified.out.contains("intact"), "{verified:?}");

    // Another size is another register.
    let port = free_address().port().to_string();
    let smaller = shuqiao(&["demo", "--once", "--persons", "1000", "--dir", folder, "--port", &port]);
    assert!(came_out_right(&smaller), "{smaller:?}");
    assert_eq!(smaller.out.matches("published as version 1").count(), 4, "{smaller:?}");
}

#[test]
fn a_port_that_is_taken_is_said_before_anything_is_made() {
    let taken = TcpListener::bind(free_address()).unwrap();
    let address = taken.local_addr().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let said = demo(dir.path().to_str().unwrap(), address.port());
    assert_eq!(said.code, Some(2), "{said:?}");
    assert!(said.err.starts_with(&format!("error: cannot listen on {address} (--port ")), "{said:?}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn a_folder_that_is_a_node_of_another_kind_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let theirs = "[node]\nid = 'guangdong'\nurl = 'https://node.example'\n";
    fs::write(dir.path().join("shuqiao.toml"), theirs).unwrap();
    let said = demo(dir.path().to_str().unwrap(), free_address().port());
    assert_eq!(said.code, Some(2), "{said:?}");
    assert!(said.err.contains("shuqiao.toml") && said.err.contains("--dir"), "{said:?}");
    assert_eq!(fs::read_to_string(dir.path().join("shuqiao.toml")).unwrap(), theirs);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is put beside it");
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("a-file");
    fs::write(&file, "").unwrap();
    let said = demo(file.to_str().unwrap(), free_address().port());
    assert_eq!(said.code, Some(2), "{said:?}");
    assert!(said.err.contains("a-file"), "{said:?}");
}

/// Where the nodes of a federation demo answered last.
fn addresses(folder: &Path) -> [SocketAddr; 4] {
    NODES.map(|node| {
        let file = folder.join("federation").join(node).join("shuqiao.toml");
        Settings::load(Some(&file), &[]).unwrap().http.listen
    })
}

fn nobody_answers_at(addresses: &[SocketAddr]) {
    let until = Instant::now() + PATIENCE;
    while let Some(address) = addresses.iter().find(|address| TcpStream::connect(address).is_ok()) {
        assert!(Instant::now() < until, "a node outlives its demo at {address}");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_province_and_its_cities_answer_as_one_and_end_with_the_demo_however_it_ends() {
    let dir = tempfile::tempdir().unwrap();
    let arguments = ["demo", "--federation", "--once", "--persons", "2000", "--dir", dir.path().to_str().unwrap()];
    let first = shuqiao(&arguments);
    assert_eq!((first.code, steps(&first)), (Some(0), (17, 0)), "{first:?}");
    assert_eq!(first.out.matches("published as version 0").count(), 4, "{first:?}");
    nobody_answers_at(&addresses(dir.path()));
    for node in NODES {
        let folder = dir.path().join("federation").join(node);
        let verified = shuqiao(&["audit", "verify", "--dir", folder.to_str().unwrap()]);
        assert!(verified.code == Some(0) && verified.out.contains("intact"), "{node}: {verified:?}");
    }

    let few = shuqiao(&["demo", "--federation", "--persons", "99", "--dir", dir.path().to_str().unwrap()]);
    assert!(few.code == Some(2) && few.err.contains("`--persons 99` is too few"), "{few:?}");

    // The same folder again, on other ports; the demo is killed as soon as all of them serve.
    let mut demo = Command::new(PROGRAM).args(arguments).stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(demo.stdout.take().unwrap()).lines().map_while(Result::ok);
    let said: Vec<_> = lines.take_while(|line| !line.contains("know each other")).collect();
    demo.kill().unwrap();
    demo.wait().unwrap();
    assert_eq!(said.iter().filter(|line| line.contains(" serves ")).count(), 4, "{said:?}");
    assert!(said.iter().all(|line| !line.contains("published")), "{said:?}");
    nobody_answers_at(&addresses(dir.path()));
}
