//! Foreign issuers, with a real server that hands out the keys.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use axum::{Router, http::StatusCode, response::IntoResponse, routing::get};
use chrono::TimeDelta;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::*;
use crate::{
    identity::{
        Verifier,
        fixture::{Bench, DEPARTMENT, by, jwks, jws, p256, with},
    },
    keys::SigningKey,
    ledger::ClientStatus,
    problem::Code,
};

const ISSUER: &str = "https://idp.sz.example";
const THEIR_AUDIENCE: &str = "api://guangdong-exchange";

/// An identity provider on this machine: it serves what it is told to, and counts.
struct Provider {
    url: Url,
    answer: Arc<Mutex<(StatusCode, String)>>,
    asked: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Provider {
    async fn start(keys: &Value) -> Self {
        let answer = Arc::new(Mutex::new((StatusCode::OK, keys.to_string())));
        let asked = Arc::new(AtomicUsize::new(0));
        let (served, counter) = (answer.clone(), asked.clone());
        let serve = move || {
            counter.fetch_add(1, Ordering::SeqCst);
            let (status, body) = served.lock().unwrap().clone();
            async move {
                match status {
                    StatusCode::FOUND => (status, [("location", body)]).into_response(),
                    _ => (status, body).into_response(),
                }
            }
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = Url::parse(&format!("http://{}/jwks", listener.local_addr().unwrap())).unwrap();
        let app = Router::new().route("/jwks", get(serve));
        let task = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { url, answer, asked, task }
    }

    fn serve(&self, keys: &Value) {
        *self.answer.lock().unwrap() = (StatusCode::OK, keys.to_string());
    }

    fn answer(&self, status: StatusCode, body: &str) {
        *self.answer.lock().unwrap() = (status, body.to_owned());
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    fn trusted(&self) -> ForeignIssuer {
        ForeignIssuer {
            issuer: ISSUER.to_owned(),
            jwks_url: self.url.clone(),
            algorithms: BTreeSet::from([Algorithm::EdDsa]),
            audience: THEIR_AUDIENCE.to_owned(),
            client_claim: ClientClaim::ClientId,
            departments: BTreeSet::from([DEPARTMENT.parse().unwrap()]),
            grace: TimeDelta::hours(1),
            plain_jwt: false,
        }
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn claims(bench: &Bench) -> Value {
    json!({
        "iss": ISSUER, "aud": THEIR_AUDIENCE, "sub": "service-account-17", "client_id": "window", "azp": "kiosk",
        "iat": bench.after(0), "exp": bench.after(3600), "jti": "f-1",
    })
}

fn token(bench: &Bench, key: &SigningKey, typ: &str, changes: Value) -> String {
    let header = json!({ "alg": "EdDSA", "kid": key.kid(), "typ": typ });
    jws(&header.to_string(), &with(&claims(bench), changes), by(key))
}

async fn refusal(verifier: &Verifier, token: &str, now: DateTime<Utc>) -> Refusal {
    match verifier.verify(token, now).await.unwrap_err() {
        IdentityError::Token(refusal) => refusal,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_foreign_token_names_a_registered_client_by_the_claim_agreed() {
    let (bench, key) = (Bench::new().await, SigningKey::generate().unwrap());
    let provider = Provider::start(&jwks(&key)).await;
    for (claim, client) in [(ClientClaim::ClientId, "window"), (ClientClaim::Azp, "kiosk")] {
        let verifier = bench.verifier(vec![ForeignIssuer { client_claim: claim, ..provider.trusted() }]);
        let caller = verifier.verify(&token(&bench, &key, "at+jwt", json!({})), bench.now).await.unwrap();
        assert_eq!((caller.client.as_str(), caller.department.as_str()), (client, DEPARTMENT));
    }
    let by_subject = bench.verifier(vec![ForeignIssuer { client_claim: ClientClaim::Sub, ..provider.trusted() }]);
    let found = refusal(&by_subject, &token(&bench, &key, "at+jwt", json!({})), bench.now).await;
    assert_eq!(found, Refusal::ClientUnknown { client: "service-account-17".to_owned() });
}

#[test]
fn a_claim_that_names_clients_is_one_of_three() {
    for claim in [ClientClaim::ClientId, ClientClaim::Azp, ClientClaim::Sub] {
        assert_eq!(claim.as_str().parse(), Ok(claim));
    }
    assert!("email".parse::<ClientClaim>().unwrap_err().contains("none of client_id, azp, sub"));
}

#[tokio::test]
async fn a_foreign_token_outside_what_was_agreed_is_refused() {
    let (bench, key) = (Bench::new().await, SigningKey::generate().unwrap());
    let (ec, ec_sign) = p256();
    let mut keys = jwks(&key);
    keys["keys"].as_array_mut().unwrap().push(ec);
    let provider = Provider::start(&keys).await;
    let verifier = bench.verifier(vec![provider.trusted()]);
    let token = |typ: &str, changes: Value| token(&bench, &key, typ, changes);
    let by_ec = jws(r#"{"alg":"ES256","kid":"p256","typ":"at+jwt"}"#, &claims(&bench).to_string(), ec_sign);
    let cases = [
        (by_ec, Refusal::AlgorithmNotOfIssuer { found: Algorithm::Es256 }),
        (token("JWT", json!({})), Refusal::Type { found: Some("jwt".to_owned()), expected: "at+jwt" }),
        (
            token("at+jwt", json!({"aud": "account"})),
            Refusal::Audience { found: "account".to_owned(), expected: THEIR_AUDIENCE.to_owned() },
        ),
        (
            token("at+jwt", json!({"aud": [THEIR_AUDIENCE, "account"]})),
            Refusal::AudienceShared { expected: THEIR_AUDIENCE.to_owned() },
        ),
        (
            token("at+jwt", json!({"exp": bench.after(-30)})),
            Refusal::Expired { at: bench.now - TimeDelta::seconds(30), now: bench.now },
        ),
        (token("at+jwt", json!({"client_id": null})), Refusal::ClaimMissing { claim: "client_id" }),
        (token("at+jwt", json!({"jti": null})), Refusal::ClaimMissing { claim: "jti" }),
        // It cannot pass for the node: the node's own keys are looked at for the node's own name.
        (token("at+jwt", json!({"iss": "https://gd.example"})), Refusal::KeyUnknown { kid: key.kid().to_owned() }),
    ];
    for (token, reason) in cases {
        assert_eq!(refusal(&verifier, &token, bench.now).await, reason);
    }
    // Within the difference of clocks.
    verifier.verify(&token("at+jwt", json!({"exp": bench.after(-29)})), bench.now).await.unwrap();
}

#[tokio::test]
async fn a_foreign_issuer_speaks_for_its_departments_only_and_suspension_binds_it_too() {
    let (bench, key) = (Bench::new().await, SigningKey::generate().unwrap());
    let provider = Provider::start(&jwks(&key)).await;
    let elsewhere = BTreeSet::from(["sz-tax".parse().unwrap()]);
    let token = token(&bench, &key, "at+jwt", json!({}));
    let stranger = bench.verifier(vec![ForeignIssuer { departments: elsewhere, ..provider.trusted() }]);
    let found = refusal(&stranger, &token, bench.now).await;
    assert_eq!(found, Refusal::DepartmentNotOfIssuer { department: DEPARTMENT.parse().unwrap() });

    let verifier = bench.verifier(vec![provider.trusted()]);
    verifier.verify(&token, bench.now).await.unwrap();
    bench.ledger.set_client_status(&bench.client, ClientStatus::Suspended, bench.now).await.unwrap();
    bench.directory.refresh().await.unwrap();
    assert_eq!(refusal(&verifier, &token, bench.now).await, Refusal::ClientSuspended { client: bench.client.clone() });
    bench.ledger.set_client_status(&bench.client, ClientStatus::Active, bench.now).await.unwrap();
    bench.directory.refresh().await.unwrap();
    assert_eq!(refusal(&verifier, &token, bench.now).await, Refusal::Revoked);
    // Their clock may be ahead: what says that it was made 20 s later may well be older than the suspension.
    let dated = |seconds| json!({"iat": bench.after(seconds), "jti": format!("f-{seconds}")});
    let doubtful = self::token(&bench, &key, "at+jwt", dated(20));
    assert_eq!(refusal(&verifier, &doubtful, bench.now).await, Refusal::Revoked);
    let later = self::token(&bench, &key, "at+jwt", dated(31));
    verifier.verify(&later, bench.now + TimeDelta::seconds(31)).await.unwrap();
}

#[tokio::test]
async fn a_plain_jwt_is_taken_only_where_that_was_agreed_and_never_for_our_own() {
    let (bench, key) = (Bench::new().await, SigningKey::generate().unwrap());
    let provider = Provider::start(&jwks(&key)).await;
    let verifier = bench.verifier(vec![ForeignIssuer { plain_jwt: true, ..provider.trusted() }]);
    verifier.verify(&token(&bench, &key, "JWT", json!({})), bench.now).await.unwrap();
    let found = refusal(&verifier, &token(&bench, &key, "secevent+jwt", json!({})), bench.now).await;
    assert_eq!(found, Refusal::Type { found: Some("secevent+jwt".to_owned()), expected: "at+jwt" });
    let own = json!({ "alg": "EdDSA", "kid": bench.node_key.kid(), "typ": "JWT" }).to_string();
    let own = jws(&own, &with(&claims(&bench), json!({"iss": "https://gd.example"})), by(&bench.node_key));
    assert!(matches!(refusal(&verifier, &own, bench.now).await, Refusal::Type { .. }));
}

#[tokio::test]
async fn after_a_rotation_the_old_key_is_dead_and_the_new_one_lives() {
    let bench = Bench::new().await;
    let (old, new) = (SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
    let provider = Provider::start(&jwks(&old)).await;
    let verifier = bench.verifier(vec![provider.trusted()]);
    let (by_old, by_new) =
        (token(&bench, &old, "at+jwt", json!({})), token(&bench, &new, "at+jwt", json!({"jti": "f-2"})));
    verifier.verify(&by_old, bench.now).await.unwrap();

    provider.serve(&jwks(&new));
    verifier.verify(&by_old, bench.now).await.unwrap(); // nobody has looked yet
    assert!(verifier.refresh_foreign(bench.now).await.is_empty());
    // Although it was remembered as good.
    assert_eq!(refusal(&verifier, &by_old, bench.now).await, Refusal::KeyUnknown { kid: old.kid().to_owned() });
    verifier.verify(&by_new, bench.now).await.unwrap();
}

#[tokio::test]
async fn an_unknown_key_makes_us_look_again_but_not_at_every_knock() {
    let bench = Bench::new().await;
    let (old, new) = (SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
    let provider = Provider::start(&jwks(&old)).await;
    let verifier = bench.verifier(vec![provider.trusted()]);
    verifier.verify(&token(&bench, &old, "at+jwt", json!({})), bench.now).await.unwrap();
    assert_eq!(provider.asked(), 1);

    provider.serve(&jwks(&new));
    let by_new = token(&bench, &new, "at+jwt", json!({}));
    for _ in 0..20 {
        let found = refusal(&verifier, &by_new, bench.now + TimeDelta::seconds(29)).await;
        assert_eq!(found, Refusal::KeyUnknown { kid: new.kid().to_owned() });
    }
    assert_eq!(provider.asked(), 1);
    verifier.verify(&by_new, bench.now + TimeDelta::seconds(30)).await.unwrap();
    assert_eq!(provider.asked(), 2);
    // A forged signature under a known name is no reason to look.
    let forged = jws(
        &json!({ "alg": "EdDSA", "kid": new.kid(), "typ": "at+jwt" }).to_string(),
        &claims(&bench).to_string(),
        by(&old),
    );
    assert_eq!(refusal(&verifier, &forged, bench.now + TimeDelta::seconds(90)).await, Refusal::Signature);
    assert_eq!(provider.asked(), 2);
}

#[tokio::test]
async fn of_many_calls_at_once_one_asks_and_all_are_served() {
    let (bench, key) = (Bench::new().await, SigningKey::generate().unwrap());
    let provider = Provider::start(&jwks(&key)).await;
    let verifier = bench.verifier(vec![provider.trusted()]);
    let tokens: Vec<_> = (0..16).map(|n| token(&bench, &key, "at+jwt", json!({"jti": format!("f-{n}")}))).collect();
    let calls = tokens.iter().map(|token| verifier.verify(token, bench.now));
    futures::future::try_join_all(calls).await.unwrap();
    assert_eq!(provider.asked(), 1);
}

#[tokio::test]
async fn an_issuer_that_is_down_is_believed_for_the_time_of_grace() {
    let (bench, key) = (Bench::new().await, SigningKey::generate().unwrap());
    let provider = Provider::start(&jwks(&key)).await;
    let verifier = bench.verifier(vec![provider.trusted()]);
    let token = token(&bench, &key, "at+jwt", json!({"exp": bench.after(86_400)}));
    verifier.verify(&token, bench.now).await.unwrap();

    let huge = format!("{{\"keys\":[],\"pad\":\"{}\"}}", "x".repeat(64 * 1024));
    let failures = [
        (StatusCode::INTERNAL_SERVER_ERROR, "down", "500"),
        (StatusCode::OK, "<html>", "not JSON"),
        (StatusCode::OK, "{}", "no list `keys`"),
        (StatusCode::OK, huge.as_str(), "longer than 65536 bytes"),
        (StatusCode::FOUND, "http://127.0.0.1:9/elsewhere", "302"),
    ];
    for (status, body, reason) in failures {
        provider.answer(status, body);
        let failed = verifier.refresh_foreign(bench.now + TimeDelta::minutes(30)).await;
        assert!(failed[0].to_string().contains(reason), "{}", failed[0]);
        assert_eq!((failed.len(), failed[0].code()), (1, Code::Internal));
    }
    let hour = bench.now + TimeDelta::hours(1);
    verifier.verify(&token, hour).await.unwrap();
    let later = hour + TimeDelta::seconds(1);
    assert_eq!(refusal(&verifier, &token, later).await, Refusal::IssuerStale { at: bench.now });

    provider.serve(&jwks(&key));
    assert!(verifier.refresh_foreign(later).await.is_empty());
    verifier.verify(&token, later).await.unwrap();
}

#[tokio::test]
async fn an_issuer_that_never_answered_vouches_for_nobody() {
    let (bench, key) = (Bench::new().await, SigningKey::generate().unwrap());
    let provider = Provider::start(&jwks(&key)).await;
    provider.answer(StatusCode::SERVICE_UNAVAILABLE, "");
    let verifier = bench.verifier(vec![provider.trusted()]);
    let token = token(&bench, &key, "at+jwt", json!({}));
    assert_eq!(refusal(&verifier, &token, bench.now).await, Refusal::IssuerUnreachable);
    // An issuer that has withdrawn every key is believed at once.
    provider.serve(&json!({ "keys": [] }));
    assert!(verifier.refresh_foreign(bench.now).await.is_empty());
    assert_eq!(refusal(&verifier, &token, bench.now).await, Refusal::KeyUnknown { kid: key.kid().to_owned() });
}

#[tokio::test]
async fn an_issuer_that_could_be_anybody_is_refused_when_the_node_starts() {
    let bench = Bench::new().await;
    let provider = Provider::start(&json!({ "keys": [] })).await;
    let url = |text: &str| ForeignIssuer { jwks_url: Url::parse(text).unwrap(), ..provider.trusted() };
    let good = || provider.trusted();
    let cases = [
        (vec![url("http://idp.sz.example/jwks")], "must be https"),
        (vec![url("http://10.0.0.1/jwks")], "must be https"),
        (vec![url("http://127.0.0.1.evil.example/jwks")], "must be https"),
        (vec![url("file:///etc/passwd")], "must be https"),
        (vec![url("https://name:secret@idp.sz.example/jwks")], "name or password"),
        (vec![good(), good()], "name is taken"),
        (vec![ForeignIssuer { issuer: "https://gd.example".to_owned(), ..good() }], "name is taken"),
        (vec![ForeignIssuer { algorithms: BTreeSet::new(), ..good() }], "no algorithm"),
        (vec![ForeignIssuer { departments: BTreeSet::new(), ..good() }], "no department"),
        (vec![ForeignIssuer { audience: String::new(), ..good() }], "must be given"),
        (vec![ForeignIssuer { grace: TimeDelta::seconds(-1), ..good() }], "grace"),
    ];
    for (issuers, reason) in cases {
        let error = Foreign::all(issuers, &bench.rules()).unwrap_err();
        assert!(error.to_string().contains(reason), "{error}");
        assert_eq!(error.code(), Code::ConfigInvalid);
    }
    for fine in ["https://idp.sz.example/jwks", "http://localhost:8080/jwks", "http://[::1]/jwks"] {
        Foreign::all(vec![url(fine)], &bench.rules()).unwrap();
    }
}
