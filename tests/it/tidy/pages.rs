//! Pages that are written from the code: settings, metrics, error codes.

use std::fs;

use shuqiao::{config, http::status_of, problem::Code, telemetry, uplink};

use super::root;

const ERRORS_HEAD: &str = "\
# Error codes

Generated from `src/problem.rs`; a test holds this page and the code equal. Regenerate it with
`REGENERATE=1 cargo t --test it tidy`.

A refusal is a body of type `application/problem+json` (RFC 9457). `code` is stable and never reused; `type` is
`urn:shuqiao:problem:` and the code; `detail` says what was wrong with this request; `remedy`, where there is one, what
the caller can do. With 429 and 503, `Retry-After` says when another try makes sense. The command line prints the same codes.

| Code | HTTP status | Meaning |
|---|---|---|
";

fn errors_page() -> String {
    let row = |code: &Code| format!("| `{code}` | {} | {} |\n", status_of(*code), code.meaning().trim());
    let rows: String = Code::ALL.iter().map(row).collect();
    format!("{ERRORS_HEAD}{rows}")
}

/// The page is what the code says, or is made so where the person at the keyboard asked for it.
fn agrees(path: &str, page: &str) {
    let place = root().join(path);
    if std::env::var_os("REGENERATE").is_some() {
        fs::write(&place, page).unwrap();
    }
    let kept = fs::read_to_string(&place).unwrap_or_default();
    let line = kept.lines().zip(page.lines()).take_while(|(kept, page)| kept == page).count() + 1;
    assert!(kept == page, "{path}:{line}: not what the code says. Run `REGENERATE=1 cargo t --test it tidy`");
}

#[test]
fn the_settings_page_is_what_the_code_says() {
    agrees("docs/configuration.md", &config::page());
}

#[test]
fn the_metrics_page_is_what_the_code_says() {
    agrees("docs/metrics.md", &telemetry::page());
}

#[test]
fn the_errors_page_is_what_the_code_says() {
    agrees("docs/errors.md", &errors_page());
}

#[test]
fn the_schema_of_the_uplink_file_is_what_the_code_says() {
    let schema = serde_json::to_string_pretty(&uplink::json_schema()).unwrap();
    agrees("deploy/uplink-schema.json", &format!("{schema}\n"));
}
