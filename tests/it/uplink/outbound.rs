//! A node that asks another platform: a second node, and a platform whose codes and faults are its own.

use std::{
    future::pending,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{Json, Router, extract::State, http::HeaderMap, routing::post};
use chrono::{TimeDelta, Utc};
use serde_json::{Value, json};
use shuqiao::{
    audit::receipt,
    identifiers::{DatasetId, FieldName, ItemCode},
    problem::Code,
    uplink::{Heard, Wanted, Word, sign},
    verification::{Outcome, Reason, Scalar},
};
use tokio::net::TcpListener;

use super::papers::{NATIONAL, Papers, REFRESH, SID, seal};
use crate::support::{
    node::{ITEM, TestNode, WINDOW},
    registers::{Person, person},
};

/// Ask an upstream of the node whether that person has that name.
async fn ask(node: &TestNode, upstream: &str, person: &Person, name: &str) -> Heard {
    let (dataset, item): (DatasetId, ItemCode) = ("natural-person".parse().unwrap(), ITEM.parse().unwrap());
    let (key, case) = ("resident_id".parse::<FieldName>().unwrap(), "TEST-1".parse().unwrap());
    let claims = [("name".parse::<FieldName>().unwrap(), Scalar::Text(name.to_owned()))];
    let subject = (&key, person.id.as_str());
    let wanted = Wanted { dataset: &dataset, item: &item, subject, claims: &claims, case: Some(&case) };
    node.node.uplink.upstream(upstream).unwrap().ask(&wanted).await.unwrap()
}

/// Both manners, both bodies signed, the national one in two steps.
#[tokio::test]
async fn a_node_asks_another_in_both_manners() {
    let called = Papers::called(", body: signature", ", body: signature, once: tuple");
    let below = TestNode::start(100, &called.settings()).await;
    let asking = Papers::asking(&below.url(""), "");
    let node = TestNode::start(0, &asking.settings()).await;
    let (alive, dead, absent) = (person(10), person(19), person(5000));
    for (who, name, outcome, of_national, of_tif) in [
        (&alive, "测试10", Outcome::Match, Some("1"), "3"),
        (&alive, "别人", Outcome::Mismatch, Some("2"), "2"),
        (&absent, "别人", Outcome::NotFound, Some("3"), "1"),
    ] {
        for (upstream, code) in [("national", of_national), ("tif", Some(of_tif))] {
            let heard = ask(&node, upstream, who, name).await;
            assert_eq!((heard.outcome, heard.code.as_deref()), (outcome, code), "{upstream} {heard:?}");
            let answer = heard.answer.unwrap().to_string();
            let claims = receipt::verify_answer(answer.as_bytes(), &below.jwks()).unwrap();
            assert_eq!((claims.client.as_str(), claims.case.unwrap().as_str()), (WINDOW, "TEST-1"));
        }
    }
    for upstream in ["national", "tif"] {
        let heard = ask(&node, upstream, &dead, "测试19").await;
        assert!(matches!(heard.outcome, Outcome::Indeterminate(_)), "{heard:?}");
    }
    assert_eq!(below.records().len(), 8);
    drop(below);
}

#[tokio::test]
async fn what_a_platform_does_not_have_is_an_error_and_no_answer() {
    let asking = Papers::asking("http://127.0.0.1:1", "");
    let node = TestNode::start(0, &asking.settings()).await;
    let upstream = node.node.uplink.upstream("tif").unwrap();
    let (dataset, item): (DatasetId, ItemCode) = ("legal-entity".parse().unwrap(), ITEM.parse().unwrap());
    let key = "credit_code".parse().unwrap();
    let wanted = Wanted { dataset: &dataset, item: &item, subject: (&key, "x"), claims: &[], case: None };
    assert_eq!(upstream.ask(&wanted).await.unwrap_err().code(), Code::UnknownService);
    let dataset = "natural-person".parse().unwrap();
    let key = "resident_id".parse().unwrap();
    let claims = [("sex".parse().unwrap(), Scalar::Text("1".to_owned()))];
    let wanted = Wanted { dataset: &dataset, item: &item, subject: (&key, "x"), claims: &claims, case: None };
    assert_eq!(upstream.ask(&wanted).await.unwrap_err().code(), Code::UnknownField);
}

#[tokio::test]
async fn a_platform_that_is_down_is_indeterminate() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", free.local_addr().unwrap());
    drop(free);
    let asking = Papers::asking(&base, "");
    let node = TestNode::start(0, &asking.settings()).await;
    for upstream in ["national", "tif"] {
        let heard = ask(&node, upstream, &person(1), "测试1").await;
        assert_eq!(heard.outcome, Outcome::Indeterminate(Reason::SourceUnavailable));
        assert_eq!((heard.word, heard.code, heard.envelope), (Word::Unavailable, None, None));
    }
}

/// A platform that is not a node of this kind: it answers what it is told to.
#[derive(Default)]
struct Platform {
    /// What it says next to every call; nothing: it never answers.
    says: Mutex<Option<Value>>,
    /// The secret that it accepts now.
    secret: Mutex<String>,
    refreshed: AtomicUsize,
    called: AtomicUsize,
}

impl Platform {
    async fn start() -> (Arc<Self>, String) {
        let platform = Arc::new(Self { secret: Mutex::new("secret-of-the-first-hour".to_owned()), ..Self::default() });
        let router = Router::new()
            .route(NATIONAL, post(Self::call))
            .route(REFRESH, post(Self::refresh))
            .route("/ebus/{app}/{service}", post(Self::call))
            .with_state(Arc::clone(&platform));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        (platform, base)
    }

    async fn refresh(State(platform): State<Arc<Self>>) -> Json<Value> {
        platform.refreshed.fetch_add(1, Ordering::Relaxed);
        let secret = platform.secret.lock().unwrap().clone();
        let end = (Utc::now() + TimeDelta::hours(1)).timestamp_millis().to_string();
        Json(json!({ "code": "0", "message": "成功", "data": { "secret": seal(&secret), "secretEndTime": end } }))
    }

    async fn call(State(platform): State<Arc<Self>>, headers: HeaderMap) -> Json<Value> {
        platform.called.fetch_add(1, Ordering::Relaxed);
        let says = platform.says.lock().unwrap().clone();
        let Some(says) = says else { return pending().await };
        if let (Some(rtime), Some(rid)) = (headers.get(sign::RTIME), headers.get(sign::RID)) {
            let (rtime, rid) = (rtime.to_str().unwrap(), rid.to_str().unwrap());
            let secret = platform.secret.lock().unwrap().clone();
            let signed = sign::Tuple::National { sid: SID, rid, rtime }.sign(secret.as_bytes());
            if headers[sign::SIGN] != signed {
                return Json(json!({ "code": "-1", "message": "调用失败", "data": null }));
            }
        }
        Json(says)
    }

    fn say(&self, says: Value) {
        *self.says.lock().unwrap() = Some(says);
    }
}

#[tokio::test]
async fn the_codes_of_a_platform_are_read_by_its_own_table_and_none_is_guessed() {
    let (platform, base) = Platform::start().await;
    let asking = Papers::asking(&base, "");
    let node = TestNode::start(0, &asking.settings()).await;
    let not_understood = Outcome::Indeterminate(Reason::NotUnderstood);
    let unavailable = Outcome::Indeterminate(Reason::SourceUnavailable);
    for (code, of_national, of_tif) in [
        ("1", Outcome::Match, Outcome::NotFound),
        ("2", Outcome::Mismatch, Outcome::Mismatch),
        ("3", Outcome::NotFound, Outcome::Match),
        ("4", not_understood, unavailable),
        ("5", not_understood, not_understood),
        ("1901", not_understood, Outcome::Indeterminate(Reason::HolderRefused)),
    ] {
        platform.say(json!({ "code": "0", "message": "成功", "data": { "result": code } }));
        for (upstream, outcome) in [("national", of_national), ("tif", of_tif)] {
            let heard = ask(&node, upstream, &person(1), "测试1").await;
            assert_eq!((heard.outcome, heard.code.as_deref()), (outcome, Some(code)), "{upstream}");
        }
    }
    platform.say(json!({ "code": "E-106", "message": "不在授权列表" }));
    let heard = ask(&node, "national", &person(1), "测试1").await;
    assert_eq!((heard.word, heard.envelope.as_deref()), (Word::Denied, Some("E-106")));
    assert_eq!(platform.refreshed.load(Ordering::Relaxed), 1, "one secret for all calls");
}

#[tokio::test]
async fn a_platform_that_is_late_is_indeterminate_by_its_deadline() {
    let (_platform, base) = Platform::start().await;
    let asking = Papers::asking(&base, ", timeout_ms: 100");
    let node = TestNode::start(0, &asking.settings()).await;
    for upstream in ["national", "tif"] {
        let heard = ask(&node, upstream, &person(1), "测试1").await;
        assert_eq!(heard.outcome, Outcome::Indeterminate(Reason::DeadlineExceeded));
        assert!(heard.took.as_millis() >= 100, "{heard:?}");
    }
}

/// Only a call that failed without a reason is tried with another secret, and not each of them.
#[tokio::test]
async fn a_secret_that_ended_early_is_renewed_but_not_for_every_failure() {
    let (platform, base) = Platform::start().await;
    let asking = Papers::asking(&base, "");
    let node = TestNode::start(0, &asking.settings()).await;
    platform.say(json!({ "code": "0", "data": { "result": "1" } }));
    assert_eq!(ask(&node, "national", &person(1), "测试1").await.outcome, Outcome::Match);
    *platform.secret.lock().unwrap() = "secret-of-the-second-hour".to_owned();
    // It was got a moment ago: a failure is not blamed on it yet.
    let heard = ask(&node, "national", &person(1), "测试1").await;
    assert_eq!(
        (heard.outcome, heard.envelope.as_deref()),
        (Outcome::Indeterminate(Reason::SourceUnavailable), Some("-1"))
    );
    assert_eq!((platform.refreshed.load(Ordering::Relaxed), platform.called.load(Ordering::Relaxed)), (1, 2));
}
