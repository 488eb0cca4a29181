//! An arrow goes only downward: a room uses rooms on floors below it, never beside or above it.

use super::{Finding, Source, file, line_of, report, rust_sources, without_comments};

/// The floors of the house. Rooms that are planned have their place already.
const FLOORS: &[(u8, &[&str])] = &[
    (5, &["cli", "console", "flight", "http", "telemetry"]),
    (4, &["exchange"]),
    (
        3,
        &[
            "agreements",
            "cascade",
            "federation",
            "objections",
            "publish",
            "rechecks",
            "returns",
            "revisions",
            "sample",
            "simulation",
            "uplink",
        ],
    ),
    (2, &["audit", "engine", "enumeration", "identity", "policy", "verification"]),
    (1, &["calendar", "catalog", "config", "keys", "ledger", "storage"]),
    (0, &["identifiers", "problem"]),
];

/// Arrows within a floor, each with its reason.
const BESIDE: &[(&str, &str, &str)] = &[
    ("ledger", "catalog", "what was agreed is about what exists"),
    ("cli", "http", "`serve` is a command"),
    ("cli", "telemetry", "`serve` is a command"),
    ("http", "telemetry", "`/metrics` shows what was collected"),
    ("http", "flight", "one node has one stop, and mounts the door on its listeners"),
];

fn floor_of(room: &str) -> Option<u8> {
    FLOORS.iter().find(|(_, rooms)| rooms.contains(&room)).map(|(floor, _)| *floor)
}

/// `config` for `src/config.rs` and `src/config/raw.rs`; nothing for `lib.rs` and `main.rs`, which know all rooms.
fn room_of(path: &str) -> Option<&str> {
    let inner = path.strip_prefix("src/")?;
    let room = inner.split_once('/').map_or_else(|| inner.trim_end_matches(".rs"), |(room, _)| room);
    (!matches!(room, "lib" | "main")).then_some(room)
}

/// Rooms that a text names by `crate::room` or `crate::{room, ...}`, with the offset of each.
fn mentions(code: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    for (at, prefix) in code.match_indices("crate::") {
        let start = at + prefix.len();
        if code[start..].starts_with('{') {
            found.extend(group(code, start));
        } else {
            found.push((start, word_at(code, start)));
        }
    }
    found.retain(|(_, room)| room.starts_with(|c: char| c.is_ascii_lowercase()));
    found
}

/// The first word of each element between the braces that open at `start`.
fn group(code: &str, start: usize) -> Vec<(usize, &str)> {
    let (mut found, mut depth, mut expecting) = (Vec::new(), 0, false);
    for (offset, c) in code[start..].char_indices() {
        match c {
            '{' => {
                depth += 1;
                expecting = depth == 1;
            }
            '}' if depth == 1 => break,
            '}' => depth -= 1,
            ',' if depth == 1 => expecting = true,
            c if expecting && !c.is_whitespace() => {
                found.push((start + offset, word_at(code, start + offset)));
                expecting = false;
            }
            _ => {}
        }
    }
    found
}

fn word_at(code: &str, start: usize) -> &str {
    let rest = &code[start..];
    let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
    &rest[..end]
}

fn wrong_arrows(source: &Source) -> Vec<Finding> {
    let Some(room) = room_of(&source.path) else { return Vec::new() };
    let Some(floor) = floor_of(room) else {
        return vec![source.finding(
            0,
            format!("room `{room}` has no floor"),
            "Give it one in tests/it/tidy/floors.rs",
        )];
    };
    let code = without_comments(&source.text);
    let arrows = mentions(&code).into_iter().filter(|(_, other)| *other != room);
    arrows
        .filter_map(|(offset, other)| {
            let line = line_of(&code, offset);
            let below = floor_of(other).is_some_and(|other| other < floor);
            let beside = BESIDE.iter().any(|(from, to, _)| (*from, *to) == (room, other));
            (!below && !beside).then(|| {
                let what = format!("`{room}` (floor {floor}) uses `{other}`, which is no room below it");
                source.finding(line, what, "Hand the value in from above, or move the shared part down")
            })
        })
        .collect()
}

/// Rooms that `lib.rs` declares.
fn rooms_of_the_crate() -> Vec<String> {
    let lib = file("src/lib.rs").text;
    let declared = lib.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'));
    declared.map(str::to_owned).collect()
}

/// Floor and room of each row of the map, such as ``| 5 doors | `src/cli` | ... |``.
fn rooms_on_the_map(text: &str) -> Vec<(usize, u8, String)> {
    let row = |(index, line): (usize, &str)| {
        let (floor, rest) = line.strip_prefix("| ")?.split_at_checked(1)?;
        let room = rest.split_once("`src/")?.1.split_once('`')?.0;
        Some((index + 1, floor.parse().ok()?, room.trim_end_matches(['/', '*']).to_owned()))
    };
    text.lines().enumerate().filter_map(row).collect()
}

fn wrong_map(map: &Source, rooms: &[String]) -> Vec<Finding> {
    let shown = rooms_on_the_map(&map.text);
    let missing = rooms.iter().filter(|room| !shown.iter().any(|(_, _, shown)| shown == *room));
    let missing = missing.map(|room| map.finding(0, format!("room `src/{room}` is not on the map"), "Add its row"));
    let wrong = shown.iter().filter_map(|(line, floor, room)| {
        if !rooms.contains(room) {
            return Some(map.finding(*line, format!("there is no room `src/{room}`"), "Take its row away"));
        }
        let right = floor_of(room)?;
        (right != *floor).then(|| map.finding(*line, format!("`{room}` is on floor {right}"), "Correct its row"))
    });
    missing.chain(wrong).collect()
}

#[test]
fn arrows_between_rooms_go_only_downward() {
    report(&rust_sources().iter().flat_map(wrong_arrows).collect::<Vec<_>>());
}

#[test]
fn the_map_in_architecture_md_shows_the_rooms_that_there_are() {
    report(&wrong_map(&file("ARCHITECTURE.md"), &rooms_of_the_crate()));
}

#[test]
fn planted_arrows_are_found() {
    for (path, text, lines) in [
        ("src/config/raw.rs", "use crate::catalog::Catalog;", &[1][..]),
        ("src/config.rs", "\nuse crate::{\n    problem::Code,\n    engine::{Engine, Rows},\n    http,\n};", &[4, 5]),
        ("src/engine.rs", "fn a() { crate::policy::decide() }", &[1]),
        ("src/attic.rs", "", &[0]),
        ("src/engine.rs", "use crate::cellar::Wine;", &[1]),
        ("src/ledger.rs", "use crate::catalog::Catalog;", &[]),
        ("src/catalog.rs", "use crate::ledger::Ledger;", &[1]),
        ("src/http/node.rs", "use crate::cli::home;", &[1]),
        ("src/engine.rs", "// crate::policy decides\nuse crate::{catalog::{Catalog, Dataset}, problem};", &[]),
        ("src/lib.rs", "use crate::cli;", &[]),
        ("src/problem.rs", "const A: u8 = $crate::Code::B;", &[]),
    ] {
        let found: Vec<_> = wrong_arrows(&Source::planted(path, text)).iter().map(|finding| finding.line).collect();
        assert_eq!(found, lines, "{path}: {text}");
    }
}

#[test]
fn a_wrong_map_is_found() {
    let rooms = ["cli".to_owned(), "audit".to_owned()];
    let map = |text: &str| wrong_map(&Source::planted("ARCHITECTURE.md", text), &rooms).len();
    let (cli, audit) = ("| 5 doors | `src/cli` | x |\n", "| 2 machines | `src/audit` | x |\n");
    assert_eq!(map(&format!("{cli}{audit}")), 0);
    assert_eq!(map(cli), 1);
    assert_eq!(map(&format!("{cli}{audit}| 2 machines | `src/cellar` | x |\n")), 1);
    assert_eq!(map(&format!("{cli}{}", audit.replace('2', "3"))), 1);
}
