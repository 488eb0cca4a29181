//! `POST /oauth/token`, and the tokens that calls bring.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{Json, Router, routing::get};
use chrono::Utc;
use reqwest::Method;
use serde_json::{Value, json};
use shuqiao::{
    identity::assertion,
    keys::{PublicKeys, SigningKey, jws},
    ledger::ClientStatus,
    problem::Code,
};
use tokio::net::TcpListener;
use url::form_urlencoded::Serializer;

use crate::support::{
    node::{Answered, TestNode, WINDOW, verification},
    refusal::{self, PATIENCE},
    registers::person,
};

const PATH: &str = "/oauth/token";
const FORM: &str = "application/x-www-form-urlencoded";
const GRANT: (&str, &str) = ("grant_type", "client_credentials");
const TYPE: (&str, &str) = ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");

async fn post_form(node: &TestNode, parameters: &[(&str, &str)]) -> Answered {
    let form = Serializer::new(String::new()).extend_pairs(parameters).finish();
    let answer = node.send(node.request(Method::POST, PATH).header("content-type", FORM).body(form)).await;
    assert_eq!(answer.headers["cache-control"], "no-store", "RFC 6749 section 5.1");
    answer
}

/// An assertion of [`WINDOW`] by its own key.
fn assertion(node: &TestNode, jti: &str) -> String {
    assertion::make(&node.key_of(WINDOW), &WINDOW.parse().unwrap(), &node.url(PATH), Utc::now(), jti)
}

async fn call(node: &TestNode, token: &str) -> Answered {
    let body = verification(person(3).id.as_str(), json!({ "name": "测试3" }));
    node.send(node.request(Method::POST, "/v1/verifications").bearer_auth(token).json(&body)).await
}

/// The error of RFC 6749 section 5.2, and our code.
fn said(answer: &Answered) -> (u16, &str, &str) {
    let text = |member: &str| answer.json[member].as_str().unwrap_or_default();
    assert!(!text("error_description").is_empty() || text("error").is_empty(), "{}", answer.json);
    (answer.status, text("error"), text("code"))
}

#[tokio::test]
async fn an_assertion_buys_one_token_and_the_token_makes_calls() {
    let node = TestNode::with_persons(20).await;
    let assertion = assertion(&node, "one");
    let parameters =
        [GRANT, TYPE, ("client_assertion", assertion.as_str()), ("scope", "everything"), ("colour", "red")];
    let answer = post_form(&node, &parameters).await;
    assert_eq!(
        (answer.status, &answer.json["token_type"], &answer.json["expires_in"]),
        (200, &json!("Bearer"), &json!(300))
    );
    assert_eq!(call(&node, answer.json["access_token"].as_str().unwrap()).await.said(), "match");
    let replayed = post_form(&node, &parameters).await;
    assert_eq!(said(&replayed), (401, "invalid_client", Code::ClientRejected.as_str()));
    assert!(!String::from_utf8_lossy(&replayed.bytes).contains(&assertion));
    let node = node.restart().await;
    assert_eq!(said(&post_form(&node, &parameters).await).1, "invalid_client");
}

#[tokio::test]
async fn a_token_request_of_another_form_is_refused_as_oauth_has_it() {
    let node = TestNode::start(0, "").await;
    let good = assertion(&node, "a");
    let given = ("client_assertion", good.as_str());
    let stranger = SigningKey::generate().unwrap();
    let forged = assertion::make(&stranger, &WINDOW.parse().unwrap(), &node.url(PATH), Utc::now(), "b");
    let unknown = assertion::make(&stranger, &"nobody".parse().unwrap(), &node.url(PATH), Utc::now(), "c");
    let elsewhere =
        assertion::make(&node.key_of(WINDOW), &WINDOW.parse().unwrap(), "https://other.example/", Utc::now(), "d");
    let invalid = (400, "invalid_request", Code::TokenRequestInvalid);
    let rejected = (401, "invalid_client", Code::ClientRejected);
    for (parameters, (status, error, code)) in [
        (vec![], invalid),
        (vec![TYPE, given], invalid),
        (vec![GRANT, given], invalid),
        (vec![GRANT, TYPE], invalid),
        (vec![GRANT, TYPE, ("client_assertion", "")], invalid),
        (vec![GRANT, ("client_assertion_type", "password"), given], invalid),
        (vec![("grant_type", "password"), TYPE, given], (400, "unsupported_grant_type", Code::TokenRequestInvalid)),
        // RFC 6749 section 3.2: no parameter more than once.
        (vec![GRANT, GRANT, TYPE, given], invalid),
        (vec![GRANT, TYPE, given, given], invalid),
        (vec![GRANT, TYPE, ("client_assertion", "garbage")], rejected),
        (vec![GRANT, TYPE, ("client_assertion", &forged)], rejected),
        (vec![GRANT, TYPE, ("client_assertion", &unknown)], rejected),
        (vec![GRANT, TYPE, ("client_assertion", &elsewhere)], rejected),
        (vec![GRANT, TYPE, given, ("client_id", "somebody-else")], rejected),
    ] {
        let answer = post_form(&node, &parameters).await;
        assert_eq!(said(&answer), (status, error, code.as_str()), "{parameters:?}");
        assert_eq!(answer.content_type, "application/json");
    }
    let json = json!({ "grant_type": "client_credentials" });
    let answer = node.send(node.request(Method::POST, PATH).json(&json)).await;
    refusal::check(&answer, Code::UnsupportedMediaType, None);
    let long = node.request(Method::POST, PATH).header("content-type", FORM).body("x".repeat(70_000));
    refusal::check(&node.send(long).await, Code::BodyTooLarge, None);
    assert_eq!(post_form(&node, &[GRANT, TYPE, given]).await.status, 200, "no refusal has used the assertion up");
}

#[tokio::test]
async fn a_suspended_client_is_refused_soon_and_served_again_with_a_new_token() {
    let node = TestNode::with_persons(20).await;
    let token = node.token_of(WINDOW).await;
    assert_eq!(call(&node, &token).await.said(), "match");
    node.set_status(WINDOW, ClientStatus::Suspended).await;
    let began = Instant::now();
    let refused = loop {
        let answer = call(&node, &token).await;
        if answer.status == 401 {
            break answer;
        }
        assert!(began.elapsed() < PATIENCE, "a suspended client is still answered");
        tokio::time::sleep(Duration::from_millis(30)).await; // Slower than the agreement's rate.
    };
    refusal::check_call(&refused, Code::TokenInvalid, None);
    let assertion = assertion(&node, "while-suspended");
    let parameters = [GRANT, TYPE, ("client_assertion", assertion.as_str())];
    assert_eq!(said(&post_form(&node, &parameters).await).1, "invalid_client");

    node.set_status(WINDOW, ClientStatus::Active).await;
    let answer = post_form(&node, &parameters).await;
    assert_eq!(answer.status, 200, "{}", answer.json);
    assert_eq!(call(&node, answer.json["access_token"].as_str().unwrap()).await.said(), "match");
    assert_eq!(call(&node, &token).await.said(), Code::TokenInvalid.as_str(), "a token from before stays refused");
}

/// An identity provider of others: a server with its key set.
struct Provider {
    key: SigningKey,
    url: String,
}

impl Provider {
    async fn start() -> Self {
        let key = SigningKey::generate().unwrap();
        let jwks = Arc::new(PublicKeys::new([key.public()]).jwks());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().route("/keys", get(move || async move { Json(Value::clone(&jwks)) }));
        tokio::spawn(async { axum::serve(listener, router).await });
        Self { key, url }
    }

    fn token(&self, client: &str, audience: &str) -> String {
        let now = Utc::now().timestamp();
        let claims = json!({
            "iss": self.url, "aud": audience, "sub": client, "client_id": client, "iat": now, "exp": now + 60, "jti": "t",
        });
        jws::sign(&self.key, "at+jwt", claims.to_string().as_bytes())
    }
}

#[tokio::test]
async fn a_foreign_issuer_speaks_for_the_departments_that_it_was_given_and_for_no_other() {
    let provider = Provider::start().await;
    let node = TestNode::start(
        20,
        &format!(
            "[[issuers]]\nissuer = '{0}'\njwks_url = '{0}/keys'\naudience = 'shuqiao'\n\
             departments = ['gz-administrative-approval']\n",
            provider.url
        ),
    )
    .await;
    node.register("gz-school-desk", "gz-education").await;
    assert_eq!(call(&node, &provider.token(WINDOW, "shuqiao")).await.said(), "match");
    for (client, audience) in [("gz-school-desk", "shuqiao"), ("nobody", "shuqiao"), (WINDOW, "somebody-else")] {
        let answer = call(&node, &provider.token(client, audience)).await;
        refusal::check_call(&answer, Code::TokenInvalid, None);
    }
    let imposter = Provider { key: SigningKey::generate().unwrap(), url: provider.url.clone() };
    refusal::check_call(&call(&node, &imposter.token(WINDOW, "shuqiao")).await, Code::TokenInvalid, None);
}
