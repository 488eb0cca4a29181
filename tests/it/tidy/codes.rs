//! Every error code is named by a test: a refusal that nobody has provoked is a guess.

use shuqiao::problem::Code;

use super::{Finding, Source, report, rust_sources, test_sources};

/// Codes that no test can provoke, each with the reason.
const UNPROVOKED: &[(Code, &str)] = &[];

/// The tests of a file of the library: all of a `tests.rs`, else what follows `#[cfg(test)]`.
fn test_part(source: &Source) -> &str {
    if source.path.ends_with("/tests.rs") || source.path.starts_with("tests/") {
        return &source.text;
    }
    source.text.find("#[cfg(test)]").map_or("", |at| &source.text[at..])
}

/// By its Rust name, or as it stands in a body.
fn names(text: &str, code: Code) -> bool {
    let variant = format!("Code::{code:?}");
    let whole = |at: usize| !text[at + variant.len()..].starts_with(|c: char| c.is_ascii_alphanumeric());
    text.match_indices(&variant).any(|(at, _)| whole(at))
        || [format!("\"{code}\""), format!("'{code}'"), format!("\\\"{code}\\\"")]
            .iter()
            .any(|word| text.contains(word))
}

fn untested(sources: &[Source], unprovoked: &[(Code, &str)]) -> Vec<Finding> {
    let tested = |code: Code| sources.iter().any(|source| names(test_part(source), code));
    let excused = |code: Code| unprovoked.iter().any(|(excused, _)| *excused == code);
    let problem = Source::planted("src/problem.rs", "");
    let codes = Code::ALL.iter().copied();
    let finding = |code: Code| match (tested(code), excused(code)) {
        (true, false) | (false, true) => None,
        (false, false) => Some(problem.finding(
            0,
            format!("no test names `{code}` or `Code::{code:?}`"),
            "Write one that provokes it",
        )),
        (true, true) => Some(problem.finding(0, format!("`{code}` is tested now"), "Take it out of `UNPROVOKED`")),
    };
    codes.filter_map(finding).collect()
}

#[test]
fn every_error_code_is_named_by_a_test() {
    let sources: Vec<_> = rust_sources().into_iter().chain(test_sources()).collect();
    report(&untested(&sources, UNPROVOKED));
}

#[test]
fn a_planted_code_without_a_test_is_found() {
    let all_but_one: String = Code::ALL[1..].iter().map(|code| format!("Code::{code:?}, ")).collect();
    let sources = [Source::planted("src/a.rs", &format!("Code::{:?};\n#[cfg(test)]\n{all_but_one}", Code::ALL[0]))];
    assert_eq!(untested(&sources, &[]).len(), 1);
    assert_eq!(untested(&sources, &[(Code::ALL[0], "it cannot be provoked")]).len(), 0);
    assert_eq!(untested(&sources, &[(Code::ALL[1], "it is tested")]).len(), 2);
    assert!(!names("Code::DeniedTwice", Code::Denied) && names("code: \"denied\"", Code::Denied));
}
