//! Heads, lengths, leftovers, and names that only one room may speak.

use super::{Finding, Source, report, rust_sources, test_sources, without_comments};

const LINES_MAX: usize = 500;

/// What must not be left over, and what to do with it.
const LEFTOVERS: &[(&str, &str)] = &[
    ("FIXME", "Mend it, or open an issue and say its number"),
    ("todo!", "Write it"),
    ("unimplemented!", "Write it"),
    ("dbg!(", "Take it away"),
    ("#[ignore", "Make the test run everywhere, or say by name what could not run"),
];

/// Names that belong to one room, and why.
const PRIVATE_WORDS: &[(&str, &str, &str)] = &[
    (
        "datafusion::",
        "engine",
        "Ask `engine` for plain values and Arrow; compiling DataFusion's types twice costs minutes",
    ),
    ("env::var", "config", "Make it a setting"),
];

fn wrong_head(source: &Source) -> Option<Finding> {
    let remedy = "Open it with what it is for, what it may use, what it promises";
    (!source.text.starts_with("//! ")).then(|| source.finding(1, "the file has no `//!` head", remedy))
}

fn too_long(source: &Source) -> Option<Finding> {
    let lines = source.text.lines().count();
    let what = || format!("{lines} lines, {LINES_MAX} are allowed");
    (lines > LINES_MAX).then(|| source.finding(lines, what(), "It is about two things: make two files"))
}

fn leftovers(source: &Source) -> Vec<Finding> {
    let in_line = |(index, line): (usize, &str)| {
        let found = LEFTOVERS.iter().find(|(word, _)| line.contains(word))?;
        Some(source.finding(index + 1, format!("`{}` was left over", found.0), found.1))
    };
    source.text.lines().enumerate().filter_map(in_line).collect()
}

fn borrowed_words(source: &Source) -> Vec<Finding> {
    // Part of the tests, which may ask their surroundings what there is.
    if source.path.ends_with("/fixture.rs") {
        return Vec::new();
    }
    let code = without_comments(&source.text);
    let in_room =
        |room: &str| source.path == format!("src/{room}.rs") || source.path.starts_with(&format!("src/{room}/"));
    let in_line = |(index, line): (usize, &str)| {
        let (word, room, remedy) = PRIVATE_WORDS.iter().find(|(word, room, _)| !in_room(room) && says(line, word))?;
        Some(source.finding(index + 1, format!("only `{room}` may name `{word}`"), *remedy))
    };
    code.lines().enumerate().filter_map(in_line).collect()
}

/// Does the line use the name as code? In quotes it is a text; behind a letter it is another name.
fn says(line: &str, word: &str) -> bool {
    line.match_indices(word)
        .any(|(at, _)| !line[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || "_\"`".contains(c)))
}

#[test]
fn every_file_has_a_head_and_a_bearable_length() {
    let sources = rust_sources();
    report(&sources.iter().flat_map(|source| [wrong_head(source), too_long(source)]).flatten().collect::<Vec<_>>());
}

#[test]
fn nothing_is_left_over() {
    report(&rust_sources().iter().chain(&test_sources()).flat_map(leftovers).collect::<Vec<_>>());
}

#[test]
fn names_that_belong_to_one_room_stay_there() {
    report(&rust_sources().iter().flat_map(borrowed_words).collect::<Vec<_>>());
}

#[test]
fn planted_untidiness_is_found() {
    assert!(wrong_head(&Source::planted("src/a.rs", "use std::fmt;\n")).is_some());
    assert!(wrong_head(&Source::planted("src/a.rs", "//! What it is for.\n")).is_none());
    assert!(too_long(&Source::planted("src/a.rs", &"\n".repeat(LINES_MAX + 1))).is_some());
    assert!(too_long(&Source::planted("src/a.rs", &"\n".repeat(LINES_MAX))).is_none());
    for (word, _) in LEFTOVERS {
        let found = leftovers(&Source::planted("src/a.rs", &format!("fn a() {{}}\n  {word}\n")));
        assert_eq!(found.iter().map(|finding| finding.line).collect::<Vec<_>>(), [2], "{word}");
    }
}

#[test]
fn planted_borrowed_words_are_found() {
    for (path, text, count) in [
        ("src/publish.rs", "use datafusion::prelude::*;", 1),
        ("src/engine/scan.rs", "use datafusion::prelude::*;", 0),
        ("src/publish.rs", "// as datafusion::prelude does", 0),
        ("src/publish.rs", "(\"datafusion::physical_plan\", 1)", 0),
        ("src/http.rs", "let home = std::env::var(\"HOME\");", 1),
        ("src/config.rs", "let home = std::env::var(\"HOME\");", 0),
        ("src/ledger/fixture.rs", "let home = std::env::var(\"HOME\");", 0),
    ] {
        assert_eq!(borrowed_words(&Source::planted(path, text)).len(), count, "{path}: {text}");
    }
}
