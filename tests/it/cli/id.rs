//! `shuqiao id check`.

use crate::support::{
    process::{json, shuqiao, shuqiao_reading},
    registers::person,
};

#[test]
fn the_exit_status_says_whether_an_identifier_is_right() {
    let id = person(0).id;
    // One digit after another: the check digit no longer fits.
    let wrong = format!("{}{}", if id.as_str().starts_with("44") { "45" } else { "44" }, &id.as_str()[2..]);
    for (kind, value, code) in [
        ("resident", id.as_str(), 0),
        ("resident", wrong.as_str(), 1),
        ("resident", "", 1),
        ("division", "440106", 0),
        ("division", "990106", 1),
        ("item", "11440100MB9YYY997R3440101001000", 0),
        ("item", "11440100MB9YYY997R344010100100", 1),
        ("credit", "91350100M000100Y43", 0),
        ("credit", "91350100M000100Y44", 1),
        ("licence", "1.2.3", 1),
    ] {
        let said = shuqiao(&["id", "check", kind, value]);
        assert_eq!(said.code, Some(code), "{kind} {value}: {said:?}");
        if code == 0 {
            assert!(said.err.is_empty() && said.out.starts_with("canonical"), "{kind} {value}: {said:?}");
        } else {
            assert!(said.out.is_empty() && said.err.starts_with("not a "), "{kind} {value}: {said:?}");
            assert_eq!(said.err.lines().count(), 1);
        }
    }
    let unknown = shuqiao(&["id", "check", "passport", "E12345678"]);
    assert!(unknown.code == Some(2) && unknown.err.contains("resident"), "{unknown:?}");
}

#[test]
fn lines_from_standard_input_are_answered_one_by_one() {
    let said = shuqiao_reading(&["id", "check", "division", "-"], "440106\nnone\n\n110101");
    assert_eq!(said.code, Some(0), "{said:?}");
    let valid: Vec<_> = said.out.lines().map(|line| json(line.as_bytes())["valid"].as_bool()).collect();
    assert_eq!(valid, [Some(true), Some(false), Some(false), Some(true)]);
    assert_eq!(shuqiao_reading(&["id", "check", "division", "-"], "").out, "");
}
