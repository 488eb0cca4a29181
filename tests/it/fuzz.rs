//! Anything may come in: what is sent, uploaded or piped is answered or refused, and never brings the node down.

use std::{
    collections::BTreeSet,
    fs,
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

use proptest::{
    prelude::*,
    sample::Index,
    test_runner::{Config, TestRunner},
};
use reqwest::{
    Method,
    header::{HeaderName, HeaderValue},
};
use serde_json::{Value, json};
use shuqiao::{
    http::status_of,
    problem::Code,
    publish::{PublishError, Published},
};
use tokio::runtime::Runtime;

use crate::support::{
    guangdong,
    node::{Answered, ITEM, TestNode, verification},
    registers::{csv, person, publish_persons},
};

const PATHS: [&str; 3] = ["/v1/verifications", "/v1/disclosures", "/oauth/token"];
/// Generous rates: a refusal for the number of calls would hide every other.
const SETTINGS: &str = "[limits]\ncalls_per_second = 1000000\n";

/// Quick, and the same on every machine that has failed once: the failing case is printed, not kept in a file.
fn runner(cases: u32) -> TestRunner {
    TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() })
}

/// A JSON body: an answer, a token's refusal, or a problem whose code and status belong together.
fn documented(answer: &Answered) -> Result<(), TestCaseError> {
    let Answered { status, json, bytes, .. } = answer;
    prop_assert!(*status < 500, "{} {}", status, json);
    prop_assert!(json.is_object(), "{} {:?}", status, String::from_utf8_lossy(bytes));
    if *status == 200 {
        let known = ["match", "mismatch", "not_found", "found", "indeterminate"];
        prop_assert!(known.contains(&answer.said()), "{}", json);
    } else {
        let code = Code::ALL.iter().find(|code| code.as_str() == answer.said());
        prop_assert_eq!(code.map(|code| status_of(*code)), Some(*status), "{}", json);
        let detail = json["detail"].as_str().or(json["error_description"].as_str()).unwrap_or_default();
        prop_assert!(!detail.is_empty() && detail.chars().count() < 500, "{}", json);
        prop_assert!(!detail.contains(char::is_control), "{}", json);
    }
    let text = String::from_utf8_lossy(bytes);
    prop_assert!(!text.contains("测试3") && !text.contains(person(3).id.as_str()), "{}", text);
    Ok(())
}

/// Some bytes of a good text taken out, put in or changed.
fn mutated(good: &str, changes: &[(Index, u8, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = good.as_bytes().to_vec();
    for (place, kind, given) in changes {
        let at = place.index(bytes.len() + 1);
        let end = (at + given.len()).min(bytes.len());
        match kind % 3 {
            0 => bytes.splice(at..end, []).count(),
            1 => bytes.splice(at..at, given.iter().copied()).count(),
            _ => bytes.splice(at..end, given.iter().copied()).count(),
        };
    }
    bytes
}

fn changes() -> impl Strategy<Value = Vec<(Index, u8, Vec<u8>)>> {
    let given = prop_oneof![
        prop::collection::vec(any::<u8>(), 1..8),
        "[0-9\",:{}\\[\\]\\\\nulx年 \r\n]{1,8}".prop_map(String::into_bytes),
    ];
    prop::collection::vec((any::<Index>(), any::<u8>(), given), 1..5)
}

/// Any JSON, not too deep.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "(before|after|one_of|name|birth_date|resident_id|2008-02-29|0)".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 6, |inner| {
        let name = "(before|after|at_least|one_of|name|sex|birth_date|resident_id|[a-z/~]{0,4})";
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((name, inner), 0..6).prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Parts of a call that are replaced.
const PLACES: [&str; 9] =
    ["", "/dataset", "/item", "/case", "/subject", "/subject/resident_id", "/claims", "/claims/name", "/fields"];

/// A good call with one part replaced by any JSON.
fn grafted() -> impl Strategy<Value = Vec<u8>> {
    (prop::sample::select(&PLACES[..]), any_json()).prop_map(|(place, graft)| {
        let mut body = verification(person(3).id.as_str(), json!({ "name": "测试3" }));
        if place == "/fields" {
            body.as_object_mut().unwrap().remove("claims");
            body["fields"] = json!(["name"]);
        }
        *body.pointer_mut(place).unwrap() = graft;
        body.to_string().into_bytes()
    })
}

#[test]
fn any_body_is_answered_or_refused_with_a_documented_code() {
    let runtime = Runtime::new().unwrap();
    let node = runtime.block_on(TestNode::start(20, SETTINGS));
    let token = runtime.block_on(node.token()).to_owned();
    let good =
        verification(person(3).id.as_str(), json!({ "name": "测试3", "birth_date": { "before": "2008-11-24" } }));
    let body = prop_oneof![
        1 => prop::collection::vec(any::<u8>(), 0..200),
        2 => changes().prop_map(move |changes| mutated(&good.to_string(), &changes)),
        3 => grafted(),
    ];
    let codes = std::cell::RefCell::new(BTreeSet::new());
    let strategy = (prop::sample::select(&PATHS[..]), body);
    let result = runner(600).run(&strategy, |(path, body)| {
        let kind = if path == PATHS[2] { "application/x-www-form-urlencoded" } else { "application/json" };
        let request = node.request(Method::POST, path).bearer_auth(&token).header("content-type", kind).body(body);
        let answer = runtime.block_on(node.send(request));
        codes.borrow_mut().insert(answer.said().to_owned());
        documented(&answer)
    });
    assert!(result.is_ok(), "{}", result.unwrap_err());
    let codes = codes.into_inner();
    for code in [Code::MalformedBody, Code::InvalidValue, Code::TokenRequestInvalid] {
        assert!(codes.contains(code.as_str()), "the cases are too tame: {codes:?}");
    }
    let still = runtime.block_on(node.verify(person(3).id.as_str(), json!({ "name": "测试3" })));
    assert_eq!(still.said(), "match");
    assert!(node.records().len() > 100, "what was refused is in the log");
}

#[test]
fn any_authorization_is_refused_and_any_header_is_borne() {
    let runtime = Runtime::new().unwrap();
    let node = runtime.block_on(TestNode::start(20, SETTINGS));
    let value = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..80),
        "[Bb]earer +[A-Za-z0-9_=. -]{0,80}".prop_map(String::into_bytes),
        "Bearer ([A-Za-z0-9_-]{0,40}\\.){0,4}[A-Za-z0-9_-]{0,40}".prop_map(String::into_bytes),
        "Bearer eyJ(hbGciOiJub25lIn0|0eXAiOiJhdCtqd3QifQ)\\.e30\\.[A-Za-z0-9_-]{0,8}".prop_map(String::into_bytes),
    ];
    let name = prop::sample::select(&["authorization", "content-type", "accept", "x-request-id", "traceparent"][..]);
    let body = verification(person(3).id.as_str(), json!({ "name": "测试3" })).to_string();
    let result = runner(200).run(&(name, value), |(name, value)| {
        let Ok(value) = HeaderValue::from_bytes(&value) else { return Ok(()) };
        let request =
            node.request(Method::POST, PATHS[0]).header(HeaderName::from_static(name), value).body(body.clone());
        let answer = runtime.block_on(node.send(request));
        documented(&answer)?;
        prop_assert_eq!(answer.status, 401, "{}", answer.json);
        Ok(())
    });
    assert!(result.is_ok(), "{}", result.unwrap_err());
}

fn data_files(table: &Path) -> BTreeSet<String> {
    let Ok(files) = fs::read_dir(table) else { return BTreeSet::new() };
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    names.filter(|name| !name.starts_with('.') && name != "_delta_log").collect()
}

/// What was published adds up, and what was refused says why on one line and leaves no file.
fn judged(
    result: Result<Published, PublishError>,
    table: &Path,
    before: &BTreeSet<String>,
) -> Result<bool, TestCaseError> {
    match result {
        Ok(done) => {
            prop_assert!(done.rows > 0 && data_files(table).len() == before.len() + done.files, "{:?}", done);
            Ok(true)
        }
        Err(error) => {
            let text = error.to_string();
            let expected = [Code::PublicationRefused, Code::InvalidValue];
            prop_assert!(expected.contains(&error.code()), "{:?}", error);
            prop_assert!(!text.is_empty() && text.lines().count() == 1, "{}", text);
            prop_assert_eq!(&data_files(table), before, "{}", text);
            Ok(false)
        }
    }
}

#[test]
fn any_file_is_published_or_refused_without_a_trace() {
    let runtime = Runtime::new().unwrap();
    let (dir, catalog) = (tempfile::tempdir().unwrap(), guangdong());
    let (tables, file) = (dir.path().join("tables"), dir.path().join("persons.csv"));
    fs::create_dir_all(tables.join("spill")).unwrap();
    let good = csv((0..4).map(person));
    let header = good.lines().next().unwrap().to_owned();
    let text = prop_oneof![
        1 => prop::collection::vec(any::<u8>(), 0..400),
        1 => prop::collection::vec(any::<u8>(), 0..400).prop_map(move |rest| [header.as_bytes(), b"\n", &rest].concat()),
        2 => {
            let good = good.clone();
            changes().prop_map(move |changes| mutated(&good, &changes))
        },
        1 => prop::sample::subsequence((0..8).collect::<Vec<u64>>(), 0..8).prop_map(|some| csv(some.into_iter().map(person)).into_bytes()),
    ];
    let outcomes = std::cell::RefCell::new(BTreeSet::new());
    let result = runner(120).run(&text, |text| {
        let table = tables.join("natural-person");
        fs::write(&file, &text).unwrap();
        let before = data_files(&table);
        let result = runtime.block_on(publish_persons(&catalog, &tables, &file));
        outcomes.borrow_mut().insert(judged(result, &table, &before)?);
        Ok(())
    });
    assert!(result.is_ok(), "{}", result.unwrap_err());
    assert_eq!(outcomes.into_inner().len(), 2, "some were published and some refused");
}

#[test]
fn a_batch_of_identifiers_has_one_json_line_for_each_line() {
    let kind = prop::sample::select(&["resident", "credit", "licence", "division", "item"][..]);
    let line = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..40),
        "[0-9A-Zx. ]{0,33}".prop_map(String::into_bytes),
        Just(person(3).id.to_string().into_bytes()),
        Just(ITEM.as_bytes().to_vec()),
    ];
    let lines = prop::collection::vec(line, 0..30).prop_map(|lines| lines.join(&b'\n'));
    let result = runner(20).run(&(kind, lines), |(kind, input)| {
        let mut child = Command::new(env!("CARGO_BIN_EXE_shuqiao"))
            .args(["id", "check", kind, "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(&input).unwrap();
        let output = child.wait_with_output().unwrap();
        prop_assert!(output.status.success(), "{:?}", output);
        let answers: Vec<Value> = output
            .stdout
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
            .map(|line| serde_json::from_slice(line).unwrap())
            .collect();
        prop_assert_eq!(answers.len(), input.split_inclusive(|byte| *byte == b'\n').count());
        for answer in answers {
            prop_assert!(
                answer["valid"] == true && answer["canonical"].is_string() || answer["reason"].is_string(),
                "{}",
                answer
            );
        }
        Ok(())
    });
    assert!(result.is_ok(), "{}", result.unwrap_err());
}
