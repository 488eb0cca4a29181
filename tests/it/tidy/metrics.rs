//! The metrics that the code records, those on the page, and those that alerts ask for are the same.

use std::collections::BTreeMap;

use super::{Finding, Source, file, line_of, report, rust_sources, without_comments};

const MACROS: &[&str] = &["counter!(", "gauge!(", "histogram!("];
const PREFIX: &str = "shuqiao_";
/// What Prometheus adds to the name of a histogram.
const SUFFIXES: &[&str] = &["_bucket", "_sum", "_count"];

/// Metrics that a file records by literal name, with the line. `telemetry` describes all of them and records none; what
/// follows `#[cfg(test)]` records for the test only.
fn recorded(source: &Source) -> Vec<(usize, String)> {
    if source.path.starts_with("src/telemetry") {
        return Vec::new();
    }
    let code = without_comments(&source.text);
    let code = &code[..code.find("#[cfg(test)]").unwrap_or(code.len())];
    let calls = MACROS.iter().flat_map(|call| code.match_indices(call));
    let name = |(at, call): (usize, &str)| {
        let literal = code[at + call.len()..].trim_start().strip_prefix('"')?;
        Some((line_of(code, at), literal.split_once('"')?.0.to_owned()))
    };
    calls.filter_map(name).collect()
}

/// Names in the first column of the page.
fn documented(page: &Source) -> Vec<(usize, String)> {
    let name = |(index, line): (usize, &str)| {
        let name = line.strip_prefix("| `")?.split_once('`')?.0;
        name.starts_with(PREFIX).then(|| (index + 1, name.to_owned()))
    };
    page.text.lines().enumerate().filter_map(name).collect()
}

/// Names that the alerts ask for.
fn asked(alerts: &Source) -> Vec<(usize, String)> {
    let code: Vec<_> =
        alerts.text.lines().map(|line| if line.trim_start().starts_with('#') { "" } else { line }).collect();
    let code = code.join("\n");
    let end = |rest: &str| rest.find(|c: char| !c.is_ascii_lowercase() && c != '_').unwrap_or(rest.len());
    let name = |(at, _): (usize, &str)| {
        let rest = &code[at..];
        let full = &rest[..end(rest)];
        let base = SUFFIXES.iter().find_map(|suffix| full.strip_suffix(suffix)).unwrap_or(full);
        (line_of(&code, at), base.to_owned())
    };
    code.match_indices(PREFIX).map(name).collect()
}

fn disagreements(sources: &[Source], page: &Source, alerts: &Source) -> Vec<Finding> {
    let on_page: BTreeMap<_, _> = documented(page).into_iter().map(|(line, name)| (name, line)).collect();
    let mut in_code = BTreeMap::new();
    for source in sources {
        in_code.extend(recorded(source).into_iter().map(|(line, name)| (name, (source, line))));
    }
    let undocumented = in_code.iter().filter(|(name, _)| !on_page.contains_key(*name)).map(|(name, (source, line))| {
        source.finding(*line, format!("`{name}` is not in docs/metrics.md"), "Add it to src/telemetry/metric.rs")
    });
    let unrecorded = on_page.iter().filter(|(name, _)| !in_code.contains_key(*name)).map(|(name, line)| {
        page.finding(*line, format!("no room records `{name}`"), "Record it, or take it out of src/telemetry/metric.rs")
    });
    let unknown = asked(alerts).into_iter().filter(|(_, name)| !on_page.contains_key(name)).map(|(line, name)| {
        alerts.finding(line, format!("there is no metric `{name}`"), "docs/metrics.md lists the metrics")
    });
    undocumented.chain(unrecorded).chain(unknown).collect()
}

#[test]
fn metrics_in_the_code_on_the_page_and_in_the_alerts_are_the_same() {
    report(&disagreements(&rust_sources(), &file("docs/metrics.md"), &file("deploy/prometheus-alerts.yml")));
}

#[test]
fn planted_metrics_are_found() {
    let page =
        Source::planted("docs/metrics.md", "| `shuqiao_a_total` | counter |\n| `shuqiao_b_seconds` | histogram |\n");
    let alerts = |text: &str| Source::planted("deploy/prometheus-alerts.yml", text);
    let code = |text: &str| [Source::planted("src/a.rs", text)];
    let both = "counter!(\"shuqiao_a_total\", \"x\" => y);\nhistogram!(\n    \"shuqiao_b_seconds\"\n);\n";
    let found = |text: &str, rules: &str| disagreements(&code(text), &page, &alerts(rules)).len();
    assert_eq!(found(both, "rate(shuqiao_b_seconds_bucket[5m]) # shuqiao"), 0);
    assert_eq!(found("counter!(\"shuqiao_a_total\");", ""), 1);
    assert_eq!(found(&format!("{both}gauge!(\"shuqiao_c\");"), ""), 1);
    assert_eq!(found(&format!("{both}#[cfg(test)]\ngauge!(\"shuqiao_c\");"), ""), 0);
    assert_eq!(found(both, "expr: shuqiao_d > 1"), 1);
}
