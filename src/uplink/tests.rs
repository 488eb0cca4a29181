//! The file, and what it makes of signed requests.

use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf};

use aws_lc_rs::digest;
use chrono::{DateTime, TimeDelta, Utc};
use tempfile::TempDir;

use super::{sign::Tuple, *};
use crate::catalog::{self, Catalog};

const APP_KEY: &str = "0123456789abcdef0123456789abcdef";
const TOKEN: &str = "TESTTOKEN0123456789ABCDEFGHIJKLM";
const RID: &str = "00000000-0000-4000-8000-000000000000@test-001";
const SID: &str = "s_9900000000000_0001";
const ITEM: &str = "11440100MB9YYY997R3440101001000";

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn guangdong() -> Catalog {
    catalog::load(&root().join("catalogs/guangdong")).unwrap()
}

/// The vectors' moment, 2025-08-21T08:00:00Z.
fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_755_763_200, 0).unwrap()
}

/// A file in a folder with two keys.
fn written(text: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    for (name, key, mode) in [("app.key", APP_KEY, 0o600), ("tif.token", TOKEN, 0o600), ("open.key", APP_KEY, 0o644)] {
        let path = folder.path().join(name);
        fs::write(&path, key).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    }
    let file = folder.path().join("uplink.yaml");
    fs::write(&file, text).unwrap();
    (folder, file)
}

fn read(text: &str) -> Result<Uplink, UplinkError> {
    let (_folder, file) = written(text);
    load(&file, &guangdong(), now)
}

const VOCABULARY: &str = "vocabularies:
  - name: three
    codes: {match: ['1'], mismatch: ['2'], not_found: ['3'], abnormal: ['4'], stale: ['4'], undecided: ['4'], unavailable: ['4'], denied: [], quota: [], invalid: []}
";

/// The file, with more of a caller said.
fn desk(caller: &str) -> Uplink {
    let text = format!(
        "{VOCABULARY}callers:
  - {{client: gz-hukou-window, manner: national, id: '{RID}', key_file: app.key, {caller}}}
  - {{client: gz-hukou-window, manner: tif, id: app-1, key_file: tif.token{}}}
services:
  - {{manner: national, id: {SID}, dataset: natural-person, item: {ITEM}, subject: {{sfzh: resident_id}}, claims: {{xm: name}}, vocabulary: three}}
  - {{manner: tif, id: person, dataset: natural-person, item: {ITEM}, subject: {{sfzh: resident_id}}, claims: {{xm: name}}, case: ywh, vocabulary: three}}
",
        caller.strip_prefix("two_steps: false").unwrap_or_default(),
    );
    read(&text).unwrap_or_else(|error| panic!("{error}"))
}

fn sha256(body: &[u8]) -> [u8; 32] {
    let mut sha256 = [0; 32];
    sha256.copy_from_slice(digest::digest(&digest::SHA256, body).as_ref());
    sha256
}

/// A request with what a caller sends beside the tuple's own headers.
struct Request<'a> {
    tuple: Tuple<'a>,
    signature: String,
    content_digest: Option<String>,
    body_signature: Option<String>,
}

fn signed<'a>(tuple: Tuple<'a>, key: &str) -> Request<'a> {
    let signature = tuple.sign(key.as_bytes());
    Request { tuple, signature, content_digest: None, body_signature: None }
}

fn prove(uplink: &Uplink, request: &Request<'_>, body: &[u8], now: DateTime<Utc>) -> Result<Proven, Unproven> {
    present(uplink, request).prove(&sha256(body), now)
}

fn present<'a>(uplink: &'a Uplink, request: &'a Request<'a>) -> Presented<'a> {
    let signature = Some(request.signature.as_str());
    let carried = match request.tuple {
        Tuple::National { sid, rid, rtime } => {
            Carried::National { rid: Some(rid), sid: Some(sid), rtime: Some(rtime), sign: signature }
        }
        Tuple::Tif { service, paasid, timestamp, nonce } => Carried::Tif {
            app: paasid,
            service,
            paasid: Some(paasid),
            timestamp: Some(timestamp),
            nonce: Some(nonce),
            signature,
        },
    };
    Presented {
        desk: &uplink.desk,
        carried,
        content_digest: request.content_digest.as_deref(),
        body_signature: request.body_signature.as_deref(),
    }
}

fn national(rtime: &str) -> Tuple<'_> {
    Tuple::National { sid: SID, rid: RID, rtime }
}

/// As samples in the wild have it: the nonce never changes.
fn tif<'a>(timestamp: &'a str, service: &'a str) -> Tuple<'a> {
    Tuple::Tif { service, paasid: "app-1", timestamp, nonce: "123456789abcdefg" }
}

#[test]
fn the_vectors_prove_who_calls() {
    let uplink = desk("two_steps: false");
    let mut request = signed(national("1755763200000"), APP_KEY);
    request.signature = "9On7tqO1XirFExTL3SJLPHdFMwGh5mMg+bxxUDoAAVM=".to_owned();
    let proven = prove(&uplink, &request, b"{}", now()).unwrap();
    assert_eq!((proven.client.as_str(), proven.signed_at), ("gz-hukou-window", now()));
    let mut request = signed(tif("1755763200", "person"), TOKEN);
    request.signature = "D9C3358B8CCE72E91CBC850D3D523DEA9C0B28E8EB8070E455B06A11F92739C3".to_owned();
    prove(&uplink, &request, b"{}", now()).unwrap();
}

#[test]
fn a_request_is_answered_once_and_a_retry_is_signed_anew() {
    let uplink = desk("two_steps: false");
    for (first, again, key) in [
        (national("1755763200000"), national("1755763200001"), APP_KEY),
        (tif("1755763200", "person"), tif("1755763201", "person"), TOKEN),
    ] {
        prove(&uplink, &signed(first, key), b"one", now()).unwrap();
        let later = now() + TimeDelta::seconds(119);
        assert_eq!(prove(&uplink, &signed(first, key), b"one", later), Err(Unproven::Replayed), "a constant nonce too");
        prove(&uplink, &signed(first, key), b"other", now()).unwrap();
        prove(&uplink, &signed(again, key), b"one", now()).unwrap();
    }
}

#[test]
fn a_signature_that_is_good_once_is_good_for_one_body_and_one_service() {
    let uplink = desk("two_steps: false, once: tuple");
    prove(&uplink, &signed(national("1755763200000"), APP_KEY), b"one", now()).unwrap();
    let again = prove(&uplink, &signed(national("1755763200000"), APP_KEY), b"other", now());
    assert_eq!(again, Err(Unproven::Replayed));
    prove(&uplink, &signed(tif("1755763200", "person"), TOKEN), b"one", now()).unwrap();
    let elsewhere = prove(&uplink, &signed(tif("1755763200", "firm"), TOKEN), b"other", now());
    assert_eq!(elsewhere, Err(Unproven::Replayed));
}

#[test]
fn what_does_not_prove_itself_is_not_remembered() {
    let uplink = desk("two_steps: false");
    let good = signed(national("1755763200000"), APP_KEY);
    for _ in 0..2 {
        let forged = Request { signature: "AAAA".to_owned(), ..signed(good.tuple, APP_KEY) };
        assert_eq!(prove(&uplink, &forged, b"{}", now()), Err(Unproven::Signature));
    }
    prove(&uplink, &good, b"{}", now()).unwrap();
}

#[test]
fn clocks_may_differ_by_the_skew_and_no_more() {
    let uplink = desk("two_steps: false, skew_s: 60");
    let sign = |time: DateTime<Utc>| time.timestamp_millis().to_string();
    for (milliseconds, good) in [(0, true), (60_000, true), (60_001, false)] {
        let ahead = sign(now() + TimeDelta::milliseconds(milliseconds));
        let proven = prove(&uplink, &signed(national(&ahead), APP_KEY), b"ahead", now());
        assert_eq!(proven.is_ok(), good, "{milliseconds} ms ahead: {proven:?}");
        let behind = sign(now() + TimeDelta::milliseconds(1));
        let received = now() + TimeDelta::milliseconds(1 + milliseconds);
        let body = milliseconds.to_string();
        let proven = prove(&uplink, &signed(national(&behind), APP_KEY), body.as_bytes(), received);
        assert_eq!(proven.is_ok(), good, "{milliseconds} ms behind: {proven:?}");
    }
}

/// A node that was started again has forgotten what it has answered.
#[test]
fn what_was_signed_before_the_start_is_not_taken() {
    let uplink = desk("two_steps: false");
    let before = prove(&uplink, &signed(national("1755763199999"), APP_KEY), b"{}", now());
    assert_eq!(before, Err(Unproven::BeforeStart));
    assert_eq!(prove(&uplink, &signed(tif("1755763199", "person"), TOKEN), b"{}", now()), Err(Unproven::BeforeStart));
}

#[test]
fn a_body_is_vouched_for_as_far_as_the_caller_must() {
    let tuple = national("1755763200000");
    let digest_of = |body: &[u8]| sign::content_digest(&sha256(body));
    let ours = |body: &[u8], key: &str| tuple.body_signature(key.as_bytes(), &digest_of(body));
    let none = || (None, None);
    let digest = || (Some(digest_of(b"{}")), None);
    let both = || (Some(digest_of(b"{}")), Some(ours(b"{}", APP_KEY)));
    let missing = |name| Err(Unproven::HeaderMissing { name });
    for (demand, (content_digest, body_signature), expect) in [
        ("nothing", none(), Ok(())),
        ("nothing", digest(), Ok(())),
        ("nothing", both(), Ok(())),
        ("nothing", (Some(digest_of(b"other")), None), Err(Unproven::OtherBody)),
        ("nothing", (Some(digest_of(b"{}")), Some(ours(b"other", APP_KEY))), Err(Unproven::BodySignature)),
        ("nothing", (None, Some(ours(b"{}", APP_KEY))), missing(sign::CONTENT_DIGEST)),
        ("digest", none(), missing(sign::CONTENT_DIGEST)),
        ("digest", digest(), Ok(())),
        ("signature", none(), missing(sign::CONTENT_DIGEST)),
        ("signature", digest(), missing(sign::BODY_SIGNATURE)),
        ("signature", (Some(digest_of(b"{}")), Some(ours(b"{}", TOKEN))), Err(Unproven::BodySignature)),
        ("signature", both(), Ok(())),
    ] {
        let uplink = desk(&format!("two_steps: false, body: {demand}"));
        let request = Request { content_digest, body_signature, ..signed(tuple, APP_KEY) };
        assert_eq!(prove(&uplink, &request, b"{}", now()).map(|_| ()), expect, "{demand}");
    }
}

#[test]
fn calls_of_two_steps_are_signed_with_the_secret_and_every_other_key_is_named() {
    let uplink = desk("skew_s: 120");
    let request = signed(national("1755763200000"), APP_KEY);
    assert_eq!(prove(&uplink, &request, b"{}", now()), Err(Unproven::AppKey));
    let (proven, sealed) = present(&uplink, &request).refresh(&sha256(b""), now()).unwrap();
    assert_eq!(proven.client.as_str(), "gz-hukou-window");
    let secret = secret::open(APP_KEY.as_bytes(), &sealed.secret).unwrap();
    prove(&uplink, &signed(national("1755763200000"), &secret), b"{}", now()).unwrap();

    let end = sealed.end.timestamp_millis().to_string();
    let late = prove(&uplink, &signed(national(&end), &secret), b"{}", sealed.end);
    assert_eq!(late, Err(Unproven::SecretEnded { end: sealed.end }));
    let forged = signed(national("1755763200000"), "a key of nobody, long enough");
    assert_eq!(prove(&uplink, &forged, b"{}", now()), Err(Unproven::Signature));
    assert_eq!(present(&uplink, &forged).refresh(&sha256(b""), now()), Err(Unproven::Signature));
    let tif = signed(tif("1755763200", "person"), TOKEN);
    assert_eq!(present(&uplink, &tif).refresh(&sha256(b""), now()), Err(Unproven::NoSecret));
}

#[test]
fn each_header_that_is_missing_is_named() {
    let uplink = desk("two_steps: false");
    let good = signed(national("1755763200000"), APP_KEY);
    for name in ["gjgxjhpt_rid", "gjgxjhpt_sid", "gjgxjhpt_rtime", "gjgxjhpt_sign"] {
        for (sent, word) in [(None, "is missing"), (Some(""), "one header")] {
            let mut presented = present(&uplink, &good);
            let Carried::National { rid, sid, rtime, sign } = &mut presented.carried else { unreachable!() };
            match name {
                "gjgxjhpt_rid" => *rid = sent,
                "gjgxjhpt_sid" => *sid = sent,
                "gjgxjhpt_rtime" => *rtime = sent,
                _ => *sign = sent,
            }
            let error = presented.prove(&sha256(b""), now()).unwrap_err();
            assert!(error.to_string().contains(name) && error.to_string().contains(word), "{error}");
            assert_eq!(error.code(), Code::SignatureRefused);
        }
    }
    let good = signed(tif("1755763200", "person"), TOKEN);
    let mut presented = present(&uplink, &good);
    let Carried::Tif { app, .. } = &mut presented.carried else { unreachable!() };
    *app = "app-2";
    assert!(matches!(presented.prove(&sha256(b""), now()), Err(Unproven::OtherApplication)));
}

#[test]
fn a_stranger_is_not_on_the_list() {
    let uplink = desk("two_steps: false");
    let tuple = Tuple::National { sid: SID, rid: "nobody", rtime: "1755763200000" };
    let error = prove(&uplink, &signed(tuple, APP_KEY), b"{}", now()).unwrap_err();
    assert_eq!(error.code(), Code::ClientRejected);
    assert!(error.to_string().contains("`nobody`"), "{error}");
    assert_eq!(uplink.desk.service(Manner::Tif, SID).unwrap_err().code, Code::UnknownService);
}

#[test]
fn the_example_file_is_accepted_once_its_keys_are_there() {
    let text = fs::read_to_string(root().join("deploy/uplink.yaml")).unwrap();
    let (folder, file) = written(&text);
    for line in text.lines().filter_map(|line| line.trim().strip_prefix("key_file: ")) {
        let path = folder.path().join(line);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, APP_KEY).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }
    let uplink = load(&file, &guangdong(), now).unwrap_or_else(|error| panic!("{error}"));
    assert!(!uplink.desk.callers.is_empty() && !uplink.desk.services.is_empty() && !uplink.upstreams.is_empty());
}

#[test]
fn what_is_wrong_in_the_file_is_said_with_its_place_and_a_remedy() {
    let caller = |more: &str| format!("callers:\n  - {{client: gz-hukou-window, id: app-1, {more}}}\n");
    let service = |more: &str| {
        format!("{VOCABULARY}services:\n  - {{manner: tif, id: person, item: {ITEM}, vocabulary: three, {more}}}\n")
    };
    let upstream = |more: &str| format!("upstreams:\n  - {{name: a, id: b, services: [], {more}}}\n");
    let good = "dataset: natural-person, subject: {sfzh: resident_id}, claims: {xm: name}";
    for (text, path, words) in [
        (
            VOCABULARY.replace("unavailable: ['4']", "unavailable: ['2']"),
            "vocabularies[0].codes.unavailable",
            "`2` stands for `mismatch` and for `unavailable`",
        ),
        (VOCABULARY.replace("not_found: ['3']", "not_found: []"), "vocabularies[0].codes.not_found", "has no code"),
        (VOCABULARY.replace("stale: ['4'], ", ""), "vocabularies[0].codes.invalid", "the key `stale` is missing"),
        (caller("manner: tif, key_file: gone.token"), "callers[0].key_file", "mode 600"),
        (caller("manner: tif, key_file: open.key"), "callers[0].key_file", "can be read by others"),
        (caller("manner: tif, key_file: tif.token, skew_s: 601"), "callers[0].skew_s", "from 1 to 600"),
        (caller("manner: tif, key_file: tif.token, two_steps: true"), "callers[0].two_steps", "no secret"),
        (caller("manner: tif, key_file: tif.token").replace("app-1", "'app 1'"), "callers[0].id", "ASCII letters"),
        (caller("manner: tif, key_file: tif.token").replace("gz-hukou", "GZ hukou"), "callers[0].client", "lower-case"),
        (
            service("dataset: natural-persons, subject: {sfzh: resident_id}, claims: {xm: name}"),
            "services[0].dataset",
            "`natural-person`?",
        ),
        (
            service("dataset: natural-person, subject: {sfzh: resident_id}, claims: {xm: nam}"),
            "services[0].claims.xm",
            "`name`?",
        ),
        (
            service("dataset: natural-person, subject: {sfzh: birth_date}, claims: {xm: name}"),
            "services[0].subject",
            "is no key",
        ),
        (
            service("dataset: natural-person, subject: {a: resident_id, b: name}, claims: {xm: name}"),
            "services[0].subject",
            "one member",
        ),
        (
            service("dataset: natural-person, subject: {sfzh: resident_id}, claims: {sfzh: name}"),
            "services[0].claims",
            "two things",
        ),
        (service(good).replace("vocabulary: three", "vocabulary: tree"), "services[0].vocabulary", "`three`?"),
        (service(good).replace("manner: tif, ", ""), "services[0]", "`manner` is missing"),
        (
            upstream("manner: tif, key_file: tif.token, url: 'http://a.example/ebus/b'"),
            "upstreams[0].url",
            "Use `https`",
        ),
        (
            upstream("manner: national, key_file: app.key, url: 'https://a.example'"),
            "upstreams[0]",
            "`refresh_url` is missing",
        ),
        (
            upstream("manner: tif, key_file: tif.token, url: 'https://a.example', result: data"),
            "upstreams[0].result",
            "JSON pointer",
        ),
    ] {
        let Err(UplinkError::Inconsistent { complaints }) = read(&text) else { panic!("{text} was taken") };
        let lines: Vec<_> = complaints.iter().map(ToString::to_string).collect();
        assert_eq!((complaints.len(), complaints[0].path.as_str()), (1, path), "{lines:?}");
        assert!(lines[0].contains(words), "{lines:?}");
    }
    let twice = format!("{VOCABULARY}{}", VOCABULARY.replace("vocabularies:\n", ""));
    assert!(read(&twice).unwrap_err().to_string().contains("declared twice"));
    let missing = load("/nonexistent/uplink.yaml".as_ref(), &guangdong(), now).unwrap_err();
    assert_eq!(missing.code(), Code::ConfigInvalid);
}

#[test]
fn a_body_is_read_by_the_members_of_its_service() {
    use crate::verification::Scalar;
    let uplink = desk("two_steps: false");
    let service = uplink.desk.service(Manner::Tif, "person").unwrap();
    let text = |member: &str, value: &str| (member.to_owned(), Scalar::Text(value.to_owned()));
    let asked = service.read(vec![text("xm", "张三"), text("ywh", "7"), text("sfzh", "440100188912310015")]).unwrap();
    assert_eq!((asked.subject.0.as_str(), asked.subject.1.as_str()), ("resident_id", "440100188912310015"));
    assert_eq!((asked.claims.len(), asked.claims[0].0.as_str(), asked.case.as_deref()), (1, "name", Some("7")));
    for (members, code, word) in [
        (vec![text("xm", "张三")], Code::InvalidValue, "`sfzh` is missing"),
        (vec![text("sfzh", "4")], Code::InvalidValue, "`xm` is missing"),
        (vec![text("sfzh", "4"), text("xm", "a"), text("dh", "1")], Code::UnknownField, "does not belong"),
    ] {
        let problem = service.read(members).unwrap_err();
        assert!(problem.code == code && problem.detail.contains(word), "{problem}");
    }
}
