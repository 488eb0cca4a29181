//! Hostile tokens and assertions: each is refused, and for its own reason.

use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};
use chrono::{DateTime, Utc};
use proptest::{prelude::*, test_runner::TestRunner};
use serde_json::{Value, json};

use super::{
    Algorithm, IdentityError, Refusal,
    fixture::{AUDIENCE, Bench, DEPARTMENT, ENDPOINT, NODE, by, jwks, jws, p256, rsa, with},
};
use crate::{keys::SigningKey, problem::Code};

const NONE: fn(&[u8]) -> Vec<u8> = |_| Vec::new();

/// The trick of old: the public key, which everybody has, as the secret of an HMAC.
fn hmac_with_public_key(key: &SigningKey) -> impl Fn(&[u8]) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, &key.public_bytes());
    move |message| hmac::sign(&key, message).as_ref().to_vec()
}

fn missing(claim: &'static str) -> Refusal {
    Refusal::ClaimMissing { claim }
}

fn text_expected(claim: &'static str) -> Refusal {
    Refusal::ClaimShape { claim, expected: "a text" }
}

fn kid_unknown(kid: &str) -> Refusal {
    Refusal::KeyUnknown { kid: kid.to_owned() }
}

fn typ(found: Option<&str>, expected: &'static str) -> Refusal {
    Refusal::Type { found: found.map(str::to_owned), expected }
}

fn algorithm(found: Option<&str>) -> Refusal {
    Refusal::Algorithm { found: found.map(str::to_owned) }
}

fn audience(found: &str, expected: &str) -> Refusal {
    Refusal::Audience { found: found.to_owned(), expected: expected.to_owned() }
}

/// The second form of the last character: its unused bits set.
fn respelt(token: &str) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let last = token.as_bytes()[token.len() - 1];
    let position = ALPHABET.iter().position(|c| *c == last).unwrap();
    format!("{}{}", &token[..token.len() - 1], ALPHABET[position + 1] as char)
}

/// A refusal says why, in one line, without repeating the token.
fn assert_quiet(error: &IdentityError, token: &str) {
    let text = error.to_string();
    assert!(!text.contains('\n'), "{text}");
    for part in token.split('.').filter(|part| part.len() > 12) {
        assert!(!text.contains(part), "{text}");
    }
}

/// The malformed texts that no kind of token may look like; both doors refuse them alike.
fn malformed(good: &str, header: &Value, claims: &Value) -> Vec<(String, Refusal)> {
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let (head, body) = signed.split_once('.').unwrap();
    let payload = claims.to_string();
    let of = |header: &str, payload: &str| jws(header, payload, NONE);
    let doubled = |object: &Value, member: &str| {
        let text = object.to_string();
        format!(r#"{{"{member}":"x",{}"#, &text[1..])
    };
    vec![
        ("garbage".to_owned(), Refusal::NotCompact),
        (signed.to_owned(), Refusal::NotCompact),
        (format!("{good}.e30"), Refusal::NotCompact),
        (format!("{good}{}", "A".repeat(8 * 1024)), Refusal::TooLong),
        (format!("*{head}.{body}.{signature}"), Refusal::NotBase64 { part: "header" }),
        (format!("{head}.{body}=.{signature}"), Refusal::NotBase64 { part: "payload" }),
        (format!("{head}.{body}.{signature}=="), Refusal::NotBase64 { part: "signature" }),
        (respelt(good), Refusal::NotBase64 { part: "signature" }),
        (format!(" {good}"), Refusal::NotBase64 { part: "header" }),
        (format!("{good}\n"), Refusal::NotBase64 { part: "signature" }),
        (of("not json", &payload), Refusal::NotJson { part: "header" }),
        (of(&header.to_string(), "[]"), Refusal::NotJson { part: "payload" }),
        (of(&header.to_string(), &format!("{payload} x")), Refusal::NotJson { part: "payload" }),
        (of(&header.to_string(), "\"text\""), Refusal::NotJson { part: "payload" }),
        (of(&doubled(header, "alg"), &payload), Refusal::Duplicate { part: "header", member: "alg".to_owned() }),
        (
            of(&header.to_string(), &doubled(claims, "sub")),
            Refusal::Duplicate { part: "payload", member: "sub".to_owned() },
        ),
        (of(&with(header, json!({"alg": "none"})), &payload), algorithm(Some("none"))),
        (of(&with(header, json!({"alg": "NoNe"})), &payload), algorithm(Some("NoNe"))),
        (of(&with(header, json!({"alg": ""})), &payload), algorithm(Some(""))),
        (of(&with(header, json!({"alg": null})), &payload), algorithm(None)),
        (of(&with(header, json!({"alg": "ES384"})), &payload), algorithm(Some("ES384"))),
        (of(&with(header, json!({"alg": "eddsa"})), &payload), algorithm(Some("eddsa"))),
        (of(&with(header, json!({"alg": 1})), &payload), Refusal::HeaderShape { member: "alg" }),
        (of(&with(header, json!({"kid": ["a"]})), &payload), Refusal::HeaderShape { member: "kid" }),
        (of(&with(header, json!({"typ": {}})), &payload), Refusal::HeaderShape { member: "typ" }),
        (of(&with(header, json!({"crit": ["exp"]})), &payload), Refusal::Critical),
        (of(&with(header, json!({"crit": []})), &payload), Refusal::Critical),
        (of(&with(header, json!({"b64": false})), &payload), Refusal::Critical),
        (of(&with(header, json!({"jwk": {"kty": "OKP"}})), &payload), Refusal::EmbeddedKey { member: "jwk" }),
        (of(&with(header, json!({"jku": "https://evil.example"})), &payload), Refusal::EmbeddedKey { member: "jku" }),
        (of(&with(header, json!({"x5c": ["AAAA"]})), &payload), Refusal::EmbeddedKey { member: "x5c" }),
        (of(&with(header, json!({"x5u": "https://evil.example"})), &payload), Refusal::EmbeddedKey { member: "x5u" }),
    ]
}

fn header(key: &SigningKey, typ: &str) -> Value {
    json!({ "alg": "EdDSA", "kid": key.kid(), "typ": typ })
}

fn token_claims(bench: &Bench) -> Value {
    json!({
        "iss": NODE, "aud": AUDIENCE, "sub": "window", "client_id": "window", "department": DEPARTMENT,
        "iat": bench.after(0), "exp": bench.after(300), "jti": "t-1",
    })
}

fn assertion_claims(bench: &Bench) -> Value {
    json!({
        "iss": "window", "sub": "window", "aud": ENDPOINT,
        "iat": bench.after(0), "exp": bench.after(60), "jti": "a-1",
    })
}

fn at(bench: &Bench, seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(bench.after(seconds), 0).unwrap()
}

/// Access tokens whose header is wrong, although the payload is right.
fn bad_token_headers(bench: &Bench) -> Vec<(String, Refusal)> {
    let (key, claims) = (&bench.node_key, token_claims(bench).to_string());
    let head = header(key, "at+jwt");
    let signed = |changes: Value| jws(&with(&head, changes), &claims, by(key));
    let sql = "k' OR '1'='1";
    vec![
        (jws(&with(&head, json!({"alg": "HS256"})), &claims, hmac_with_public_key(key)), algorithm(Some("HS256"))),
        (
            signed(json!({"alg": "ES256"})),
            Refusal::KeyAlgorithm { found: Algorithm::Es256, expected: Algorithm::EdDsa },
        ),
        (
            signed(json!({"alg": "RS256"})),
            Refusal::KeyAlgorithm { found: Algorithm::Rs256, expected: Algorithm::EdDsa },
        ),
        (signed(json!({"typ": "JWT"})), typ(Some("jwt"), "at+jwt")),
        (signed(json!({"typ": "receipt+jwt"})), typ(Some("receipt+jwt"), "at+jwt")),
        (signed(json!({"typ": "client-authentication+jwt"})), typ(Some("client-authentication+jwt"), "at+jwt")),
        (signed(json!({"typ": null})), typ(None, "at+jwt")),
        (signed(json!({"kid": "../../etc/passwd"})), kid_unknown("../../etc/passwd")),
        (signed(json!({"kid": sql})), kid_unknown(sql)),
        (signed(json!({"kid": "\u{0}"})), kid_unknown("?")),
        (signed(json!({"kid": bench.client_key.kid()})), kid_unknown(bench.client_key.kid())),
        (jws(&head.to_string(), &claims, by(&bench.client_key)), Refusal::Signature),
        (jws(&head.to_string(), &claims, NONE), Refusal::Signature),
        (jws(&head.to_string(), &claims, |message| by(key)(message)[..63].to_vec()), Refusal::Signature),
        (jws(&head.to_string(), &claims, |_| vec![0; 64]), Refusal::Signature),
    ]
}

/// Access tokens signed by the node, with one claim wrong.
fn bad_token_claims(bench: &Bench) -> Vec<(String, Refusal)> {
    let (key, claims, now) = (&bench.node_key, token_claims(bench), bench.now);
    let signed = |changes: Value| jws(&header(key, "at+jwt").to_string(), &with(&claims, changes), by(key));
    let time = |claim| Refusal::ClaimShape { claim, expected: "a time in seconds since 1970" };
    let stranger = "https://sz.example".to_owned();
    vec![
        (signed(json!({"iss": stranger})), Refusal::Issuer { found: stranger.clone() }),
        (signed(json!({"iss": null})), missing("iss")),
        (signed(json!({"iss": [NODE]})), text_expected("iss")),
        (signed(json!({"aud": stranger})), audience(&stranger, AUDIENCE)),
        (signed(json!({"aud": [AUDIENCE, stranger]})), Refusal::AudienceShared { expected: AUDIENCE.to_owned() }),
        (signed(json!({"aud": NODE})), audience(NODE, AUDIENCE)),
        (signed(json!({"aud": null})), missing("aud")),
        (signed(json!({"exp": bench.after(0)})), Refusal::Expired { at: now, now }),
        (signed(json!({"exp": bench.after(-1)})), Refusal::Expired { at: at(bench, -1), now }),
        (signed(json!({"exp": null})), missing("exp")),
        (signed(json!({"exp": "never"})), time("exp")),
        (signed(json!({"iat": bench.after(31)})), Refusal::Early { claim: "iat", at: at(bench, 31), now }),
        (signed(json!({"nbf": bench.after(31)})), Refusal::Early { claim: "nbf", at: at(bench, 31), now }),
        (signed(json!({"nbf": true})), time("nbf")),
        (signed(json!({"iat": null})), missing("iat")),
        (signed(json!({"jti": null})), missing("jti")),
        (signed(json!({"jti": ""})), text_expected("jti")),
        (signed(json!({"jti": "j".repeat(129)})), Refusal::IdTooLong),
        (signed(json!({"sub": "kiosk"})), Refusal::ClaimsDiffer { one: "sub", other: "client_id" }),
        (signed(json!({"client_id": null})), missing("client_id")),
        (
            signed(json!({"sub": "nobody", "client_id": "nobody"})),
            Refusal::ClientUnknown { client: "nobody".to_owned() },
        ),
    ]
}

#[tokio::test]
async fn every_hostile_access_token_is_refused_for_its_own_reason() {
    let bench = Bench::new().await;
    let verifier = bench.verifier(Vec::new());
    let (head, claims) = (header(&bench.node_key, "at+jwt"), token_claims(&bench));
    let good = jws(&head.to_string(), &claims.to_string(), by(&bench.node_key));
    assert_eq!(verifier.verify(&good, bench.now).await.unwrap().client, bench.client, "the pattern itself is fine");

    let mut cases = malformed(&good, &head, &claims);
    cases.extend(bad_token_headers(&bench));
    cases.extend(bad_token_claims(&bench));
    for (token, reason) in cases {
        let error = verifier.verify(&token, bench.now).await.unwrap_err();
        assert_quiet(&error, &token);
        assert_eq!(error.code(), Code::TokenInvalid);
        assert!(matches!(&error, IdentityError::Token(refusal) if *refusal == reason), "{error:?}, not {reason:?}");
    }
}

#[tokio::test]
async fn every_hostile_assertion_is_refused_for_its_own_reason() {
    let bench = Bench::new().await;
    let (key, now) = (&bench.client_key, bench.now);
    let (head, claims) = (header(key, "JWT"), assertion_claims(&bench));
    let signed = |changes: Value| jws(&head.to_string(), &with(&claims, changes), by(key));
    let headed = |changes: Value| jws(&with(&head, changes), &claims.to_string(), by(key));
    let good = signed(json!({}));
    let stranger = "https://sz.example/oauth/token";
    let access_token = jws(&header(&bench.node_key, "at+jwt").to_string(), &claims.to_string(), by(&bench.node_key));

    let mut cases = malformed(&good, &head, &claims);
    cases.extend([
        (access_token, typ(Some("at+jwt"), "client-authentication+jwt")),
        (headed(json!({"typ": "receipt+jwt"})), typ(Some("receipt+jwt"), "client-authentication+jwt")),
        (
            jws(&with(&head, json!({"alg": "HS256"})), &claims.to_string(), hmac_with_public_key(key)),
            algorithm(Some("HS256")),
        ),
        (
            headed(json!({"alg": "RS256"})),
            Refusal::KeyAlgorithm { found: Algorithm::Rs256, expected: Algorithm::EdDsa },
        ),
        (headed(json!({"kid": bench.other_client_key.kid()})), kid_unknown(bench.other_client_key.kid())),
        (headed(json!({"kid": bench.node_key.kid()})), kid_unknown(bench.node_key.kid())),
        (headed(json!({"kid": "/dev/null"})), kid_unknown("/dev/null")),
        (jws(&head.to_string(), &claims.to_string(), by(&bench.other_client_key)), Refusal::Signature),
        (signed(json!({"iss": "kiosk"})), Refusal::ClaimsDiffer { one: "iss", other: "sub" }),
        (signed(json!({"iss": null})), missing("iss")),
        (signed(json!({"sub": null})), missing("sub")),
        (signed(json!({"iss": "nobody", "sub": "nobody"})), Refusal::ClientUnknown { client: "nobody".to_owned() }),
        (
            signed(json!({"iss": "a'; DROP TABLE clients;--", "sub": "a'; DROP TABLE clients;--"})),
            Refusal::ClientUnknown { client: "a'; DROP TABLE clients;--".to_owned() },
        ),
        (signed(json!({"aud": stranger})), audience(stranger, ENDPOINT)),
        (signed(json!({"aud": [ENDPOINT, NODE]})), Refusal::AudienceShared { expected: ENDPOINT.to_owned() }),
        (signed(json!({"aud": null})), missing("aud")),
        (signed(json!({"exp": null})), missing("exp")),
        (signed(json!({"exp": bench.after(331)})), Refusal::TooFarAhead { at: at(&bench, 331), seconds_max: 300 }),
        (signed(json!({"exp": bench.after(-30)})), Refusal::Expired { at: at(&bench, -30), now }),
        (signed(json!({"nbf": bench.after(31)})), Refusal::Early { claim: "nbf", at: at(&bench, 31), now }),
        (signed(json!({"iat": bench.after(31)})), Refusal::Early { claim: "iat", at: at(&bench, 31), now }),
        (signed(json!({"jti": null})), missing("jti")),
        (signed(json!({"jti": 7})), text_expected("jti")),
        (signed(json!({"jti": "数".repeat(129)})), Refusal::IdTooLong),
    ]);
    for (assertion, reason) in cases {
        let error = bench.issue(assertion.clone()).await.unwrap_err();
        assert_quiet(&error, &assertion);
        assert_eq!((error.code(), error.oauth_error()), (Code::ClientRejected, Some("invalid_client")));
        assert!(matches!(&error, IdentityError::Assertion(refusal) if *refusal == reason), "{error:?}, not {reason:?}");
    }
    // None of them has used up the number of the good one, which is good once.
    bench.issue(good.clone()).await.unwrap();
    assert!(matches!(bench.issue(good).await, Err(IdentityError::Assertion(Refusal::Replayed))));
}

/// A P-256 or RSA key is as good as ours, and each is for its own algorithm only.
#[tokio::test]
async fn keys_of_every_type_work_and_none_passes_for_another() {
    let bench = Bench::new().await;
    let ((ec, ec_sign), (rsa, rsa_sign)) = (p256(), rsa());
    let many = json!({ "keys": [ec, rsa, jwks(&bench.client_key)["keys"][0]] });
    bench.register("many", &many).await;
    let ed = bench.client_key.kid().to_owned();
    let sign = |kid: &str, message: &[u8]| match kid {
        "p256" => ec_sign(message),
        "rsa" => rsa_sign(message),
        _ => by(&bench.client_key)(message),
    };
    for (kid, own) in [("p256", Algorithm::Es256), ("rsa", Algorithm::Rs256), (ed.as_str(), Algorithm::EdDsa)] {
        for claimed in [Algorithm::Es256, Algorithm::Rs256, Algorithm::EdDsa] {
            let head = json!({ "alg": claimed.as_str(), "kid": kid }).to_string();
            let changes = json!({"iss": "many", "sub": "many", "jti": format!("{kid}-{claimed}")});
            let payload = with(&assertion_claims(&bench), changes);
            let outcome = bench.issue(jws(&head, &payload, |message| sign(kid, message))).await;
            if claimed == own {
                assert_eq!(outcome.unwrap().client.as_str(), "many");
            } else {
                let refusal = Refusal::KeyAlgorithm { found: claimed, expected: own };
                assert!(matches!(outcome, Err(IdentityError::Assertion(found)) if found == refusal), "{kid} {claimed}");
            }
        }
    }
    let nameless =
        jws(r#"{"alg":"ES256"}"#, &with(&assertion_claims(&bench), json!({"iss": "many", "sub": "many"})), ec_sign);
    assert!(matches!(bench.issue(nameless).await, Err(IdentityError::Assertion(Refusal::KeyUnnamed))));
}

#[tokio::test]
async fn every_changed_bit_of_a_token_is_refused() {
    let bench = Bench::new().await;
    let (token, verifier) = (bench.access_token("a").await, bench.verifier(Vec::new()));
    verifier.verify(&token, bench.now).await.unwrap();
    for position in 0..token.len() * 8 {
        let mut bytes = token.clone().into_bytes();
        bytes[position / 8] ^= 1 << (position % 8);
        if let Ok(changed) = String::from_utf8(bytes) {
            assert!(verifier.verify(&changed, bench.now).await.is_err(), "bit {position}");
        }
    }
}

/// Texts from nothing, and texts made of parts of a good token, in any order.
#[test]
fn no_other_text_is_a_token_or_an_assertion_and_none_is_a_fault() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let bench = runtime.block_on(Bench::new());
    let token = runtime.block_on(bench.access_token("a"));
    let verifier = bench.verifier(Vec::new());
    let mut parts: Vec<String> = token.split('.').map(str::to_owned).collect();
    parts.extend(["".to_owned(), "e30".to_owned(), "bnVsbA".to_owned(), BASE64URL.encode("[".repeat(900))]);
    let pieced = prop::collection::vec(prop::sample::select(parts), 0..5).prop_map(|parts| parts.join("."));
    let json = any::<(String, String)>().prop_map(|(header, payload)| jws(&header, &payload, NONE));
    let texts = prop_oneof![any::<String>(), "[A-Za-z0-9_.=-]{0,200}", pieced, json];
    TestRunner::default()
        .run(&texts, |text| {
            prop_assume!(text != token);
            runtime.block_on(async {
                prop_assert!(verifier.verify(&text, bench.now).await.is_err());
                prop_assert!(bench.issue(text.clone()).await.is_err());
                Ok(())
            })
        })
        .unwrap();
}
