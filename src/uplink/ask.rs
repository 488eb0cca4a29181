//! Asking another platform in its manner: sign, send, read its code.
//!
//! Whatever goes wrong is `indeterminate`: late, unreachable, refused, or said in words that are in no table. Nothing is
//! sent twice, but for one case: where the platform fails a call that was signed with a secret, the secret may have ended.

use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::{Duration, Instant},
};

use aws_lc_rs::{digest, rand};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use tokio::sync::Mutex;
use url::Url;

use super::{
    Manner, secret,
    service::{NotAskable, Service, Wanted},
    sign::{self, Tuple},
    vocabulary::Vocabulary,
    word::{Kind, Word},
};
use crate::{
    keys::SharedKey,
    verification::{Outcome, Reason},
};

/// Largest answer that is read.
const ANSWER_BYTES_MAX: usize = 256 * 1024;
/// A secret is renewed so long before it ends: a call under way must still be good when it arrives.
const RENEW_AHEAD: TimeDelta = TimeDelta::seconds(60);
/// A secret that seems to have ended early is renewed, but not more often than this: a platform that fails every call must
/// not be asked twice as much.
const RENEW_AGAIN_AFTER: TimeDelta = TimeDelta::seconds(30);

/// The envelope's codes (国家数据共享交换平台).
pub const ENVELOPE_OK: &str = "0";
pub const ENVELOPE_FAILED: &str = "-1";
pub const ENVELOPE_NOT_LISTED: &str = "E-106";

/// What an upstream is made of.
pub(super) struct Parts {
    pub(super) name: String,
    pub(super) manner: Manner,
    pub(super) id: String,
    pub(super) key: SharedKey,
    pub(super) url: Url,
    /// Some: calls are signed with a secret that is got there.
    pub(super) refresh_url: Option<Url>,
    pub(super) result: String,
    pub(super) timeout: Duration,
    pub(super) services: Vec<Service>,
    pub(super) http: reqwest::Client,
    pub(super) clock: fn() -> DateTime<Utc>,
}

/// A platform that this node asks.
pub struct Upstream {
    parts: Parts,
    /// Held while a secret is got: one asks, the others wait for what comes.
    secret: Mutex<Held>,
    /// No two of our calls are signed for the same millisecond: the platform could take the second for the first.
    last_ms: AtomicI64,
}

#[derive(Default)]
struct Held {
    secret: Option<secret::Secret>,
    got_at: Option<DateTime<Utc>>,
}

impl Held {
    /// The secret, unless a new one is to be got. `ended`: one that a call failed with.
    fn usable(&self, now: DateTime<Utc>, ended: Option<&[u8]>) -> Option<&secret::Secret> {
        let got_lately = self.got_at.is_some_and(|at| now - at < RENEW_AGAIN_AFTER);
        let suspect = |secret: &&secret::Secret| ended == Some(secret.text.as_bytes());
        let secret = self.secret.as_ref().filter(|secret| now + RENEW_AHEAD < secret.end)?;
        (got_lately || !suspect(&secret)).then_some(secret)
    }
}

/// What a platform has answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Heard {
    pub outcome: Outcome,
    /// Why, in the vocabulary of platforms: a refusal by the platform is not an outage, though both are indeterminate.
    pub word: Word,
    /// The platform's code, as it was said.
    pub code: Option<String>,
    /// The code of its envelope.
    pub envelope: Option<String>,
    /// Where the platform is a node of this kind: its answer with its receipt.
    pub answer: Option<Value>,
    pub took: Duration,
}

/// What came over the wire, before it is timed.
#[derive(Clone, Debug, PartialEq)]
struct Reply {
    word: Word,
    outcome: Outcome,
    code: Option<String>,
    envelope: Option<String>,
    answer: Option<Value>,
}

impl Reply {
    fn without_code(word: Word, outcome: Outcome) -> Self {
        Self { word, outcome, code: None, envelope: None, answer: None }
    }

    fn not_asked() -> Self {
        Self::without_code(Word::Unavailable, Word::Unavailable.outcome())
    }
}

impl Upstream {
    pub(super) fn new(parts: Parts) -> Self {
        Self { parts, secret: Mutex::default(), last_ms: AtomicI64::new(0) }
    }

    pub fn name(&self) -> &str {
        &self.parts.name
    }

    /// Put a question. An error means that this platform has no such service; everything else is an answer, and one that
    /// did not come is `indeterminate`.
    pub async fn ask(&self, wanted: &Wanted<'_>) -> Result<Heard, NotAskable> {
        let service = self.service(wanted)?;
        let body = Value::Object(service.write(wanted)?).to_string().into_bytes();
        let begun = Instant::now();
        let reply = tokio::time::timeout(self.parts.timeout, self.put(service, &body)).await;
        let reply = reply.unwrap_or_else(|_| {
            Reply::without_code(Word::Unavailable, Outcome::Indeterminate(Reason::DeadlineExceeded))
        });
        let Reply { word, outcome, code, envelope, answer } = reply;
        Ok(Heard { outcome, word, code, envelope, answer, took: begun.elapsed() })
    }

    fn service(&self, wanted: &Wanted<'_>) -> Result<&Service, NotAskable> {
        let same = |service: &&Service| service.dataset == *wanted.dataset && service.item == *wanted.item;
        self.parts.services.iter().find(same).ok_or_else(|| NotAskable::NoService {
            upstream: self.parts.name.clone(),
            dataset: wanted.dataset.clone(),
            item: wanted.item.clone(),
        })
    }

    async fn put(&self, service: &Service, body: &[u8]) -> Reply {
        let Some(key) = self.signing_key(service, None).await else { return Reply::not_asked() };
        let reply = self.send(service, body, &key).await;
        // What has a reason that another secret would not change stays as it is.
        let without_reason = reply.code.is_none() || reply.word == Word::Denied;
        if reply.envelope.as_deref() != Some(ENVELOPE_FAILED) || !without_reason || self.parts.refresh_url.is_none() {
            return reply;
        }
        match self.signing_key(service, Some(&key)).await {
            Some(renewed) if renewed != key => self.send(service, body, &renewed).await,
            _ => reply,
        }
    }

    /// What calls are signed with: the key, or a secret that holds for a while yet. `ended`: one that did not do.
    async fn signing_key(&self, service: &Service, ended: Option<&[u8]>) -> Option<Vec<u8>> {
        let Some(url) = &self.parts.refresh_url else { return Some(self.parts.key.as_bytes().to_vec()) };
        let now = (self.parts.clock)();
        let mut held = self.secret.lock().await;
        if let Some(secret) = held.usable(now, ended) {
            return Some(secret.text.clone().into_bytes());
        }
        held.got_at = Some(now);
        match self.fetch_secret(service, url).await {
            Ok(secret) => {
                let text = secret.text.clone().into_bytes();
                held.secret = Some(secret);
                Some(text)
            }
            Err(reason) => {
                tracing::warn!(upstream = self.parts.name, reason, "no secret could be got");
                // The one at hand holds until its end, whatever happens to its successor.
                held.secret.as_ref().filter(|secret| now < secret.end).map(|secret| secret.text.clone().into_bytes())
            }
        }
    }

    async fn fetch_secret(&self, service: &Service, url: &Url) -> Result<secret::Secret, String> {
        let key = self.parts.key.as_bytes();
        let answer = self.post(url.clone(), service, b"", key).await?;
        let said = |member: &str| answer.pointer(member).and_then(as_text);
        match said("/code").as_deref() {
            Some(ENVELOPE_OK) => {}
            code => return Err(format!("it answered {}", code.unwrap_or("without a code"))),
        }
        let sealed = said("/data/secret").ok_or("its answer has no secret")?;
        let text = secret::open(key, &sealed).ok_or("the secret is not encrypted with our key")?;
        let end = said("/data/secretEndTime").and_then(|text| text.parse().ok());
        let end =
            end.and_then(DateTime::from_timestamp_millis).ok_or("its answer does not say when the secret ends")?;
        Ok(secret::Secret { text, end })
    }

    async fn send(&self, service: &Service, body: &[u8], key: &[u8]) -> Reply {
        let mut url = self.parts.url.clone();
        if self.parts.manner == Manner::Tif
            && let Ok(mut path) = url.path_segments_mut()
        {
            path.pop_if_empty().push(&service.id);
        }
        match self.post(url, service, body, key).await {
            Ok(answer) => hear(&service.vocabulary, &self.parts.result, &answer),
            Err(reason) => {
                tracing::warn!(upstream = self.parts.name, reason, "an upstream could not be asked");
                Reply::not_asked()
            }
        }
    }

    /// Sign and post; the JSON that came back, whatever its status: a refusal has an envelope too.
    async fn post(&self, url: Url, service: &Service, body: &[u8], key: &[u8]) -> Result<Value, String> {
        let failed = |error: reqwest::Error| error.without_url().to_string();
        let request = self.signed(self.parts.http.post(url), service, body, key)?;
        let mut response = request.body(body.to_vec()).send().await.map_err(failed)?;
        let (status, mut bytes) = (response.status(), Vec::new());
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            bytes.extend_from_slice(&chunk);
            if bytes.len() > ANSWER_BYTES_MAX {
                return Err(format!("its answer is longer than {ANSWER_BYTES_MAX} bytes"));
            }
        }
        serde_json::from_slice(&bytes).map_err(|_| format!("it answered {status} without JSON"))
    }

    fn signed(
        &self,
        request: reqwest::RequestBuilder,
        service: &Service,
        body: &[u8],
        key: &[u8],
    ) -> Result<reqwest::RequestBuilder, String> {
        let mut sha256 = [0; 32];
        sha256.copy_from_slice(digest::digest(&digest::SHA256, body).as_ref());
        let content_digest = sign::content_digest(&sha256);
        let milliseconds = self.next_ms();
        let (id, service) = (self.parts.id.as_str(), service.id.as_str());
        let request = request.header("content-type", "application/json");
        let (request, ours) = match self.parts.manner {
            Manner::National => {
                let rtime = milliseconds.to_string();
                let tuple = Tuple::National { sid: service, rid: id, rtime: &rtime };
                let request = request.header(sign::SID, service).header(sign::RID, id).header(sign::RTIME, &rtime);
                (request.header(sign::SIGN, tuple.sign(key)), tuple.body_signature(key, &content_digest))
            }
            Manner::Tif => {
                let (timestamp, nonce) = ((milliseconds / 1000).to_string(), nonce()?);
                let tuple = Tuple::Tif { service, paasid: id, timestamp: &timestamp, nonce: &nonce };
                let request = request.header(sign::PAASID, id).header(sign::TIMESTAMP, &timestamp);
                let request = request.header(sign::NONCE, &nonce).header(sign::SIGNATURE, tuple.sign(key));
                (request, tuple.body_signature(key, &content_digest))
            }
        };
        Ok(request.header(sign::CONTENT_DIGEST, content_digest).header(sign::BODY_SIGNATURE, ours))
    }

    fn next_ms(&self) -> i64 {
        let now = (self.parts.clock)().timestamp_millis();
        let next = |last: i64| Some(now.max(last + 1));
        let last = self.last_ms.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).unwrap_or(now);
        now.max(last + 1)
    }
}

impl std::fmt::Debug for Upstream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Upstream({})", self.parts.name)
    }
}

/// A client for platforms. It follows no redirect, because a signature is for one address, and no proxy that the
/// environment names, because nobody configured one here.
pub(super) fn client() -> Result<reqwest::Client, String> {
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy();
    client.build().map_err(|error| error.to_string())
}

fn nonce() -> Result<String, String> {
    let mut random = [0; 16];
    rand::fill(&mut random).map_err(|_| "no randomness for a nonce".to_owned())?;
    Ok(hex::encode(random))
}

/// What an answer says. Pure: the rule by which nothing is guessed.
fn hear(vocabulary: &Vocabulary, result: &str, answer: &Value) -> Reply {
    let envelope = answer.pointer("/code").and_then(as_text);
    let code = answer.pointer(result).and_then(as_text);
    let heard = code.as_deref().map(|code| vocabulary.hear(code));
    let succeeded = envelope.as_deref() == Some(ENVELOPE_OK);
    let word = match (heard, envelope.as_deref()) {
        (Some(Some(word)), _) if succeeded => word,
        // A failed envelope may say why in its result; a yes or no in it contradicts the envelope.
        (Some(Some(word)), Some(_)) if matches!(word.kind(), Kind::NoAnswer | Kind::Refused) => word,
        (None, Some(ENVELOPE_NOT_LISTED)) => Word::Denied,
        (None, Some(ENVELOPE_FAILED)) => Word::Unavailable,
        _ => Word::Undecided,
    };
    let answer = answer.pointer("/data/answer").cloned();
    Reply { word, outcome: word.outcome(), code, envelope, answer }
}

/// Codes are texts for some platforms and numbers for others.
fn as_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;

    fn vocabulary() -> Vocabulary {
        let rows = [
            (Word::Match, "3"),
            (Word::Mismatch, "2"),
            (Word::NotFound, "1"),
            (Word::Unavailable, "4"),
            (Word::Quota, "1901"),
        ];
        let codes: BTreeMap<_, _> = rows.into_iter().map(|(word, code)| (word, vec![code.to_owned()])).collect();
        Vocabulary::new("t", &codes).unwrap()
    }

    #[test]
    fn nothing_but_a_code_of_the_table_in_a_good_envelope_is_yes_no_or_not_found() {
        let not_understood = Outcome::Indeterminate(Reason::NotUnderstood);
        let unavailable = Outcome::Indeterminate(Reason::SourceUnavailable);
        let refused = Outcome::Indeterminate(Reason::HolderRefused);
        for (answer, word, outcome) in [
            (json!({"code": "0", "data": {"result": "3"}}), Word::Match, Outcome::Match),
            (json!({"code": "0", "data": {"result": 2}}), Word::Mismatch, Outcome::Mismatch),
            (json!({"code": 0, "data": {"result": "1"}}), Word::NotFound, Outcome::NotFound),
            (json!({"code": "0", "data": {"result": "4"}}), Word::Unavailable, unavailable),
            (json!({"code": "0", "data": {"result": "9"}}), Word::Undecided, not_understood),
            (json!({"code": "0", "data": {"result": "03"}}), Word::Undecided, not_understood),
            (json!({"code": "0", "data": {"result": true}}), Word::Undecided, not_understood),
            (json!({"code": "0", "data": null}), Word::Undecided, not_understood),
            (json!({"code": "-1", "data": {"result": "2"}}), Word::Undecided, not_understood),
            (json!({"code": "-1", "data": {"result": "1"}}), Word::Undecided, not_understood),
            (json!({"code": "-1", "data": {"result": "1901"}}), Word::Quota, refused),
            (json!({"code": "-1", "message": "调用失败"}), Word::Unavailable, unavailable),
            (json!({"code": "E-106"}), Word::Denied, refused),
            (json!({"code": "E-999"}), Word::Undecided, not_understood),
            (json!({"data": {"result": "2"}}), Word::Undecided, not_understood),
            (json!([]), Word::Undecided, not_understood),
        ] {
            let reply = hear(&vocabulary(), "/data/result", &answer);
            assert_eq!((reply.word, reply.outcome), (word, outcome), "{answer}");
        }
    }

    #[test]
    fn a_secret_is_renewed_before_its_end_and_after_a_failure_but_not_each_time() {
        let at = |second: i64| DateTime::from_timestamp(1_755_763_200 + second, 0).unwrap();
        let secret = secret::Secret { text: "secret".to_owned(), end: at(3_600) };
        let held = Held { secret: Some(secret), got_at: Some(at(0)) };
        let (other, same) = (Some(&b"other"[..]), Some(&b"secret"[..]));
        for (second, ended, usable) in [
            (0, None, true),
            (0, same, true),
            (29, same, true),
            (30, same, false),
            (30, other, true),
            (3_539, None, true),
            (3_540, None, false),
            (3_540, same, false),
        ] {
            assert_eq!(held.usable(at(second), ended).is_some(), usable, "second {second}, {ended:?}");
        }
        assert!(Held::default().usable(at(0), None).is_none());
    }

    #[test]
    fn a_code_is_kept_as_it_was_said_and_found_where_the_platform_puts_it() {
        let answer = json!({"code": "0", "body": {"jg": [{"m": "77"}]}});
        let reply = hear(&vocabulary(), "/body/jg/0/m", &answer);
        assert_eq!((reply.code.as_deref(), reply.envelope.as_deref()), (Some("77"), Some("0")));
    }
}
