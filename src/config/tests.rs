//! The road from what was said to settings, and the files that must agree with it.

use std::{ffi::OsString, fs};

use proptest::prelude::*;

use super::*;

const HERE: &str = "/work-here";

/// Settings from a file's text, variables, and `(key, value)` flags.
fn settings(file: &str, variables: &[(&str, &str)], flags: &[(&'static str, &str)]) -> Result<Settings, ConfigError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shuqiao.toml");
    fs::write(&path, file).unwrap();
    let variables = variables.iter().map(|(name, text)| (OsString::from(name), OsString::from(text)));
    let flag = |(key, value): &(&'static str, &str)| Override { flag: "--flag", key, value: (*value).to_owned() };
    let flags: Vec<_> = flags.iter().map(flag).collect();
    RawSettings::gather(Some(&path), variables, &flags, Path::new(HERE)).and_then(|raw| Settings::resolve(&raw))
}

fn complaints(file: &str, variables: &[(&str, &str)]) -> Vec<String> {
    match settings(file, variables, &[]) {
        Err(ConfigError::Invalid { complaints }) => complaints.iter().map(ToString::to_string).collect(),
        other => panic!("expected complaints, got {other:?}"),
    }
}

#[test]
fn nothing_said_gives_the_defaults() {
    let settings = settings("", &[], &[]).unwrap();
    assert_eq!(settings.node.id.as_str(), "guangdong");
    assert_eq!(settings.node.audience, settings.node.url.as_str());
    assert_eq!(settings.http.body_bytes_max, 64 * 1024);
    assert_eq!(settings.lookup.deadline.as_millis(), 800);
    assert!(settings.issuers.is_empty());
    assert!(settings.explain().iter().all(|(_, _, origin)| *origin == Origin::Default));
}

#[test]
fn every_key_has_a_default_that_it_accepts_or_says_that_it_must_be_set() {
    let settings = settings(
        "[[issuers]]\nissuer = 'https://a.example'\njwks_url = 'https://a.example/k'\ndepartments = ['gz-tax']",
        &[],
        &[],
    )
    .unwrap();
    let explained: Vec<_> = settings.explain().into_iter().map(|(path, ..)| path.replace("[0]", "[]")).collect();
    assert_eq!(explained, known_keys().map(Key::path).collect::<Vec<_>>());
}

#[test]
fn flags_win_over_variables_and_variables_over_the_file() {
    let file = "[http]\nlisten = '127.0.0.1:1'\nbody_bytes_max = 2048\ncalls_in_flight_max = 7";
    let variables =
        [("SHUQIAO_HTTP__LISTEN", "127.0.0.1:2"), ("SHUQIAO_HTTP__BODY_BYTES_MAX", "8 KiB"), ("PATH", "/bin")];
    let settings = settings(file, &variables, &[("http.listen", "127.0.0.1:3")]).unwrap();
    assert_eq!(settings.http.listen.port(), 3);
    assert_eq!(settings.http.body_bytes_max, 8192);
    assert_eq!(settings.http.calls_in_flight_max, 7);

    let explained = settings.explain();
    let of = |path: &str| {
        explained.iter().find(|(key, ..)| key == path).map(|(_, value, from)| (value.as_str(), from)).unwrap()
    };
    assert_eq!(of("http.listen"), ("127.0.0.1:3", &Origin::Flag("--flag".to_owned())));
    assert_eq!(of("http.body_bytes_max"), ("8 KiB", &Origin::Variable("SHUQIAO_HTTP__BODY_BYTES_MAX".to_owned())));
    assert!(matches!(of("http.calls_in_flight_max"), ("7", Origin::File(_))));
    assert_eq!(of("http.request_ms_max"), ("10000 ms", &Origin::Default));
}

#[test]
fn a_path_is_meant_from_where_it_was_said() {
    let file = "[paths]\ndata = './kept'\ncatalog = '/etc/shuqiao/catalog'";
    let settings = settings(file, &[("SHUQIAO_PATHS__POLICIES", "rules")], &[("paths.agreements", "a.yaml")]).unwrap();
    let paths = &settings.paths;
    assert!(
        paths.data.is_absolute() && paths.data.ends_with("kept") && !paths.data.starts_with(HERE),
        "{:?}",
        paths.data
    );
    assert_eq!(paths.ledger(), paths.data.join("ledger.sqlite"));
    assert_eq!(paths.catalog, Path::new("/etc/shuqiao/catalog"));
    assert_eq!(paths.policies, Path::new(HERE).join("rules"));
    assert_eq!(paths.agreements, Path::new(HERE).join("a.yaml"));
    assert_eq!(paths.workdays.path(), None, "the calendar that came with the program");
}

#[test]
fn the_working_days_are_built_in_or_a_file() {
    let of = |text: &str| settings("", &[("SHUQIAO_PATHS__WORKDAYS", text)], &[]).unwrap().paths.workdays;
    assert_eq!(of("built-in"), WorkdayFile::BuiltIn);
    assert_eq!(of("2027.csv"), WorkdayFile::Path(Path::new(HERE).join("2027.csv")));
}

#[test]
fn the_platforms_above_are_in_a_file_or_there_are_none() {
    let of = |text: &str| settings("", &[("SHUQIAO_UPLINK__FILE", text)], &[]).unwrap().uplink.file;
    assert_eq!(of("none"), UplinkFile::None);
    assert_eq!(of("uplink.yaml"), UplinkFile::Path(Path::new(HERE).join("uplink.yaml")));
}

#[test]
fn an_unknown_key_is_refused_with_its_place_and_the_nearest_name() {
    for (file, variables, place, remedy) in [
        ("[http]\nlisen = 'x'", &[][..], "shuqiao.toml", "Did you mean `http.listen`?"),
        ("[htttp]\nlisten = 'x'", &[], "shuqiao.toml", "Did you mean `http.listen`?"),
        ("[node]\nlisten = 'x'", &[], "shuqiao.toml", "Did you mean `http.listen`?"),
        ("http = 3", &[], "shuqiao.toml", "is a section"),
        ("xyzzy = 3", &[], "shuqiao.toml", "docs/configuration.md"),
        ("", &[("SHUQIAO_HTTP__LISEN", "x")], "variable SHUQIAO_HTTP__LISEN", "Did you mean `http.listen`?"),
        ("", &[("SHUQIAO_ISSUERS", "[]")], "variable SHUQIAO_ISSUERS", "in the settings file"),
        (
            "[[issuers]]\nissuer = 'https://a.example'\njwks_url = 'https://a.example/k'\ndepartments = ['gz-tax']\nalgorithm = 'ES256'",
            &[],
            "shuqiao.toml",
            "Did you mean `issuers[].algorithms`?",
        ),
    ] {
        let found = complaints(file, variables);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains(place) && found[0].contains("unknown key") && found[0].contains(remedy), "{found:?}");
    }
}

#[test]
fn variables_of_the_command_line_are_not_settings() {
    settings("", &[("SHUQIAO_DIR", "x"), ("SHUQIAO_CONFIG", "y")], &[]).unwrap();
}

#[test]
fn a_value_that_does_not_fit_is_refused_with_key_reason_and_remedy() {
    for (file, words) in [
        ("[node]\nid = 'Guang Dong'", ["`node.id`", "lower-case"]),
        ("[node]\nid = 5", ["`node.id`", "in quotes"]),
        ("[node]\nid = ''", ["`node.id`", "is empty"]),
        ("[node]\nurl = 'http://x/'", ["`node.url`", "Leave it out"]),
        ("[http]\nlisten = '8640'", ["`http.listen`", "127.0.0.1:8640"]),
        ("[http]\nrequest_ms_max = 1", ["`http.request_ms_max`", "out of bounds"]),
        ("[http]\nrequest_ms_max = -5", ["`http.request_ms_max`", "out of bounds"]),
        ("[http]\nrequest_ms_max = 1.5", ["`http.request_ms_max`", "whole number of milliseconds"]),
        ("[http]\nrequest_ms_max = '5 KiB'", ["`http.request_ms_max`", "no number"]),
        ("[http]\nrequest_ms_max = true", ["`http.request_ms_max`", "whole number"]),
        ("[http]\nbody_bytes_max = '5 MiB'", ["`http.body_bytes_max`", "from 1 KiB to 1 MiB"]),
        ("[http]\nbody_bytes_max = '9223372036854775807 GiB'", ["`http.body_bytes_max`", "out of bounds"]),
        ("[http]\nbody_bytes_max = 'five'", ["`http.body_bytes_max`", "64 KiB"]),
        ("[http]\nbody_bytes_max = [1]", ["`http.body_bytes_max`", "a list"]),
        ("[log]\nlevel = 'datafusion=trace'", ["`log.level`", "library"]),
        ("[audit]\nreceipts = 'merkle'", ["`audit.receipts`", "`single`"]),
        ("[log]\nformat = 'xml'", ["`log.format`", "`json`"]),
        (
            "[[issuers]]\nissuer = 'https://a.example'\ndepartments = ['gz-tax']",
            ["`issuers[0].jwks_url` is missing", "Set it"],
        ),
        (
            "[[issuers]]\nissuer = 'https://a.example'\njwks_url = 'https://a.example/k'",
            ["`issuers[0].departments` is missing", "list of departments"],
        ),
        (
            "[[issuers]]\nissuer = 'https://a.example'\njwks_url = 'https://a.example/k'\ndepartments = ['gz tax']",
            ["`issuers[0].departments`", "lower-case"],
        ),
        (
            "[[issuers]]\nissuer = 'https://a.example'\njwks_url = 'https://a.example/k'\ndepartments = ['gz-tax']\ntoken_type = 'id'",
            ["`issuers[0].token_type`", "at+jwt"],
        ),
        (
            "[[issuers]]\nissuer = 'https://a.example'\njwks_url = 'https://a.example/k'\ndepartments = ['gz-tax']\nalgorithms = ['HS256']",
            ["`issuers[0].algorithms`", "EdDSA"],
        ),
        (
            "[[issuers]]\nissuer = 'https://a.example'\njwks_url = 'https://a.example/k'\ndepartments = ['gz-tax']\nalgorithms = []",
            ["`issuers[0].algorithms`", "is empty"],
        ),
    ] {
        let found = complaints(file, &[]);
        assert_eq!(found.len(), 1, "{file}: {found:?}");
        assert!(words.iter().all(|word| found[0].contains(word)), "{file}: {found:?}");
        assert!(!found[0].ends_with('.') && !found[0].contains('\n'), "{found:?}");
    }
}

#[test]
fn values_that_contradict_each_other_are_refused() {
    let issuer =
        "[[issuers]]\nissuer = 'https://a.example'\njwks_url = 'https://a.example/k'\ndepartments = ['gz-tax']\n";
    let own =
        "[[issuers]]\nissuer = 'http://127.0.0.1:8640'\njwks_url = 'https://a.example/k'\ndepartments = ['gz-tax']\n";
    for (file, word) in [
        ("[lookup]\ndeadline_ms = 5000\n[http]\nrequest_ms_max = 5000".to_owned(), "lookup.deadline_ms"),
        ("[http]\nrequest_ms_max = 4000".to_owned(), "http.header_ms_max"),
        ("[http]\nshutdown_grace_ms = 9999".to_owned(), "http.shutdown_grace_ms"),
        (issuer.repeat(2), "listed twice"),
        (own.to_owned(), "the node itself"),
    ] {
        let found = complaints(&file, &[]);
        assert!(found.iter().any(|complaint| complaint.contains(word)), "{file}: {found:?}");
    }
}

#[test]
fn all_complaints_come_at_once() {
    let found = complaints("[http]\nlisten = 'x'\nlisen = 'y'\n[node]\nid = ''", &[("SHUQIAO_LOG__FORMAT", "z")]);
    assert_eq!(found.len(), 4, "{found:?}");
}

#[test]
fn a_file_that_is_no_toml_is_refused_by_line_without_repeating_it() {
    let found = complaints("[node]\nid = 'a'\npassword = hunter2", &[]);
    assert!(found[0].contains("shuqiao.toml:3: not TOML"), "{found:?}");
    assert!(!found[0].contains("hunter2"), "{found:?}");
}

#[test]
fn a_file_that_is_not_there_is_no_empty_file() {
    let error = Settings::load(Some(Path::new("/nonexistent/shuqiao.toml")), &[]).unwrap_err();
    assert!(matches!(error, ConfigError::File { .. }), "{error}");
    assert_eq!(error.code(), Code::ConfigInvalid);
}

#[cfg(unix)]
#[test]
fn a_variable_that_is_no_text_is_refused_by_name() {
    use std::os::unix::ffi::OsStringExt;
    let variable = (OsString::from("SHUQIAO_NODE__ID"), OsString::from_vec(vec![0xff]));
    let raw = RawSettings::gather(None, [variable], &[], Path::new(HERE)).unwrap();
    let error = Settings::resolve(&raw).unwrap_err();
    assert_eq!(error.to_string(), "variable SHUQIAO_NODE__ID: the value is not UTF-8");
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The issuer of the production file is an example behind `#| `; without the marks it must be right as well.
fn production(with_example: bool) -> String {
    let text = fs::read_to_string(root().join("deploy/shuqiao.toml")).unwrap();
    if with_example { text.replace("#| ", "") } else { text }
}

#[test]
fn the_production_file_is_accepted_and_says_every_key() {
    settings(&production(false), &[], &[]).unwrap();
    let whole = settings(&production(true), &[], &[]).unwrap();
    let unsaid: Vec<_> = whole.explain().into_iter().filter(|(_, _, from)| *from == Origin::Default).collect();
    assert!(unsaid.is_empty(), "explain these keys in deploy/shuqiao.toml: {unsaid:?}");
}

#[test]
fn the_service_manager_waits_longer_than_the_node_needs_to_stop() {
    let unit = fs::read_to_string(root().join("deploy/shuqiao.service")).unwrap();
    let seconds = unit.lines().find_map(|line| line.strip_prefix("TimeoutStopSec=")).unwrap();
    assert_eq!(seconds.parse::<u64>().unwrap() * 1_000, limits::STOP_MS_MAX);
}

proptest! {
    #[test]
    fn a_number_is_the_same_from_a_file_and_from_a_variable(number in 100_u64..=20_000) {
        let grace = "[http]\nheader_ms_max = 100\nshutdown_grace_ms = 25000\n[lookup]\ndeadline_ms = 10\n";
        let file = settings(&format!("http.request_ms_max = {number}\n{}", grace.replace("[http]\n", "http.").replace("\nshut", "\nhttp.shut")), &[], &[]);
        let variable = settings(grace, &[("SHUQIAO_HTTP__REQUEST_MS_MAX", &number.to_string())], &[]);
        prop_assert_eq!(file.unwrap().http.request_max, variable.unwrap().http.request_max);
    }

    #[test]
    fn no_file_makes_it_panic(text in "[a-z_.=\\[\\]'\" 0-9\n]{0,80}") {
        let _ = settings(&text, &[], &[]);
    }
}
