//! A log that was changed behind the node's back is not opened, and it is said where.

use std::{fs, os::unix::fs::FileExt, path::PathBuf};

use crate::support::{
    process::{Home, client, verify},
    registers::person,
};

/// A node with sixty records in its log, all under a checkpoint, stopped cleanly.
async fn stopped() -> Home {
    let home = Home::with_persons(100, "[audit]\nsegment_bytes = '128 KiB'").await;
    let token = home.token().await;
    let node = home.serve().await;
    let (http, url) = (client(), home.url("/v1/verifications"));
    for n in 0..60 {
        let person = person(n);
        assert_eq!(verify(&http, &url, &token, &person, &person.name).await.unwrap().0, 200);
    }
    node.terminate();
    assert_eq!(node.end().await.code(), Some(0));
    home
}

fn segments(home: &Home) -> Vec<PathBuf> {
    let entries = fs::read_dir(home.path("data/audit")).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<_> =
        entries.filter(|path| path.file_name().unwrap().to_string_lossy().starts_with("segment-")).collect();
    found.sort();
    found
}

/// Where the bytes of a segment end that are not zero.
fn used(bytes: &[u8]) -> usize {
    bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1
}

fn put(path: &PathBuf, at: usize, bytes: &[u8]) {
    fs::File::options().write(true).open(path).unwrap().write_all_at(bytes, at as u64).unwrap();
}

/// A harm to the segment that was written last.
type Harm = fn(&PathBuf, &[u8]);

const HARMS: [(&str, Harm); 6] = [
    ("a bit in the middle", |path, bytes| {
        let at = 4096 + (used(bytes) - 4096) / 2;
        put(path, at, &[bytes[at] ^ 1]);
    }),
    ("the first record", |path, bytes| put(path, 4096 + 40, &[bytes[4096 + 40] ^ 0x80])),
    ("the header", |path, bytes| put(path, 20, &[bytes[20] ^ 1])),
    ("the tail wiped, below the checkpoint", |path, bytes| {
        let keep = 4096 + (used(bytes) - 4096) / 2;
        put(path, keep, &vec![0; bytes.len() - keep]);
    }),
    ("the file cut", |path, bytes| {
        let file = fs::File::options().write(true).open(path).unwrap();
        file.set_len((used(bytes) / 2) as u64).unwrap();
    }),
    ("the file gone", |path, _| fs::remove_file(path).unwrap()),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_log_is_not_opened_and_file_and_offset_are_named() {
    let home = stopped().await;
    assert_eq!(home.run(&["audit", "verify"]).code, Some(0));
    let segment = segments(&home).pop().unwrap();
    let bytes = fs::read(&segment).unwrap();
    for (what, harm) in HARMS {
        harm(&segment, &bytes);
        let verified = home.run(&["audit", "verify"]);
        assert_eq!(verified.code, Some(1), "{what}: {verified:?}");
        assert!(verified.out.starts_with("damaged: `"), "{what}: {verified:?}");
        let served = home.run(&["serve"]);
        assert_eq!(served.code, Some(2), "{what}: {served:?}");
        for said in [&verified.out, &served.err] {
            let name = segment.file_name().unwrap().to_str().unwrap();
            assert!(said.contains(name) || said.contains("checkpoint"), "{what}: {said}");
            assert!(said.contains("is damaged at byte "), "{what}: {said}");
            assert!(said.contains("restore the log from a copy"), "{what}: {said}");
        }
        fs::write(&segment, &bytes).unwrap();
    }
    // Put back as it was, it opens.
    let node = home.serve().await;
    node.terminate();
    assert_eq!(node.end().await.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_node_on_the_same_log_is_refused() {
    let home = Home::empty("");
    let _node = home.serve().await;
    let said = home.run(&["serve"]);
    assert_eq!(said.code, Some(2));
    assert!(said.err.contains("in use by another process"), "{said:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_port_that_is_taken_ends_the_start_and_leaves_the_log_whole() {
    let home = Home::empty("");
    let _taken = std::net::TcpListener::bind(home.address).unwrap();
    let said = home.run(&["serve"]);
    assert_eq!(said.code, Some(2), "{said:?}");
    assert!(said.err.contains(&format!("cannot listen on {} (`http.listen`", home.address)), "{said:?}");
    let verified = home.run(&["audit", "verify"]);
    assert_eq!(verified.code, Some(0), "{verified:?}");
}
