//! `shuqiao receipt verify FILE --jwks FILE|URL`: does a receipt hold, and what does it say?
//!
//! Exit status 0: it holds; 1: it does not, with the reason; 2: what was given cannot be used.

use std::{
    fmt::Write as _,
    io::{self, Read, Write},
    path::Path,
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context, bail};
use chrono::{DateTime, SecondsFormat};
use clap::{Args, Subcommand};

use crate::{
    audit::receipt::{self, ReceiptClaims, ReceiptError},
    keys::PublicKeys,
};

/// Largest answer, request or key set that is read.
const INPUT_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// How long a key set may take to arrive.
const JWKS_WAIT: Duration = Duration::from_secs(10);

#[derive(Debug, Args)]
pub(super) struct ReceiptArgs {
    #[command(subcommand)]
    command: ReceiptCommand,
}

#[derive(Debug, Subcommand)]
enum ReceiptCommand {
    /// Check a receipt, or a whole answer with its receipt.
    Verify(VerifyArgs),
}

#[derive(Debug, Args)]
struct VerifyArgs {
    /// The receipt, or the answer as JSON; `-` is standard input.
    #[arg(value_name = "FILE")]
    file: String,
    /// The node's public keys: a file, or an http(s) URL such as `https://node/.well-known/jwks.json`.
    #[arg(long, value_name = "FILE|URL")]
    jwks: String,
    /// The request body as it was sent; the receipt must be of this request.
    #[arg(long, value_name = "FILE")]
    request: Option<String>,
}

pub(super) async fn run(args: ReceiptArgs) -> anyhow::Result<ExitCode> {
    let ReceiptCommand::Verify(args) = args.command;
    let given = read(&args.file)?;
    let request = args.request.as_deref().map(read).transpose()?;
    let keys = load_keys(&args.jwks).await?;
    let mut output = io::stdout().lock();
    match check(&given, request.as_deref(), &keys) {
        Ok((claims, of_what)) => {
            writeln!(output, "{}valid: {of_what}", said(&claims))?;
            Ok(ExitCode::SUCCESS)
        }
        Err(Verdict::Invalid(reason)) => {
            writeln!(output, "invalid: {reason}")?;
            Ok(ExitCode::FAILURE)
        }
        Err(Verdict::Unusable(reason)) => bail!("`{}` holds no receipt to check: {reason}", args.file),
    }
}

/// Why a check did not end well: the receipt's fault, or nothing was there to be checked.
#[derive(Debug, PartialEq)]
enum Verdict {
    Invalid(ReceiptError),
    Unusable(ReceiptError),
}

impl From<ReceiptError> for Verdict {
    fn from(error: ReceiptError) -> Self {
        match error {
            ReceiptError::NoReceipt | ReceiptError::Answer { .. } => Self::Unusable(error),
            ReceiptError::TooLong { .. }
            | ReceiptError::Signature(_)
            | ReceiptError::Batch { .. }
            | ReceiptError::NotCovered
            | ReceiptError::Claims { .. }
            | ReceiptError::OtherAnswer
            | ReceiptError::OtherRequest => Self::Invalid(error),
        }
    }
}

/// What the receipt states, and what has been checked.
fn check(given: &[u8], request: Option<&[u8]>, keys: &PublicKeys) -> Result<(ReceiptClaims, &'static str), Verdict> {
    let given = given.trim_ascii();
    let is_answer = given.first() == Some(&b'{');
    let claims = if is_answer {
        receipt::verify_answer(given, keys)?
    } else {
        // Bytes that are no text are no base64url either.
        receipt::verify(&String::from_utf8_lossy(given), keys)?
    };
    if let Some(request) = request {
        receipt::verify_request(&claims, request)?;
    }
    let of_what = match (is_answer, request.is_some()) {
        (true, true) => "the receipt is of this answer to this request",
        (true, false) => "the receipt is of this answer",
        (false, true) => "the receipt is of this request",
        (false, false) => "the receipt is genuine (give the whole answer to check that as well)",
    };
    Ok((claims, of_what))
}

fn said(claims: &ReceiptClaims) -> String {
    let called = DateTime::from_timestamp(claims.iat, 0)
        .map_or_else(|| claims.iat.to_string(), |time| time.to_rfc3339_opts(SecondsFormat::Secs, true));
    let mut lines = vec![
        ("node", claims.iss.clone()),
        ("call", claims.jti.to_string()),
        ("time", called),
        ("client", format!("{} of {}", claims.client, claims.department)),
        ("item", claims.item.to_string()),
    ];
    lines.extend(claims.case.as_ref().map(|case| ("case", case.to_string())));
    let version = claims.dataset_version.map_or_else(String::new, |version| format!(", version {version}"));
    lines.push(("asked", format!("{} of {}{version}", claims.operation.as_str(), claims.dataset)));
    lines.extend(claims.as_of.as_ref().map(|as_of| ("as of", as_of.clone())));
    lines.extend([
        ("decision", format!("{} (policy set {})", claims.decision.as_str(), claims.policy_set)),
        ("outcome", claims.outcome.clone()),
    ]);
    let index = claims.log.index.map_or_else(String::new, |index| format!("{index} of "));
    lines.push(("record", format!("{index}log {}, leaf {}", claims.log.id, claims.log.leaf)));
    lines.into_iter().fold(String::new(), |mut text, (name, value)| {
        let _ = writeln!(text, "{name:9} {value}");
        text
    })
}

fn read(file: &str) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let length = if file == "-" {
        io::stdin().lock().take(INPUT_BYTES_MAX + 1).read_to_end(&mut bytes)
    } else {
        std::fs::File::open(Path::new(file)).and_then(|file| file.take(INPUT_BYTES_MAX + 1).read_to_end(&mut bytes))
    };
    if length.with_context(|| format!("`{file}` could not be read"))? as u64 > INPUT_BYTES_MAX {
        bail!("`{file}` is larger than {} MiB", INPUT_BYTES_MAX >> 20);
    }
    Ok(bytes)
}

/// A key set from a file, or from where a node publishes it.
async fn load_keys(source: &str) -> anyhow::Result<PublicKeys> {
    let text = if source.starts_with("https://") || source.starts_with("http://") {
        fetch(source).await.with_context(|| format!("the keys at `{source}` could not be fetched"))?
    } else {
        read(source)?
    };
    let text = String::from_utf8(text).with_context(|| format!("`{source}` is not text"))?;
    PublicKeys::from_json(&text).with_context(|| format!("`{source}`"))
}

async fn fetch(url: &str) -> anyhow::Result<Vec<u8>> {
    // No redirects: whoever names the node's key set names where it is.
    let client = reqwest::Client::builder().timeout(JWKS_WAIT).redirect(reqwest::redirect::Policy::none()).build()?;
    let mut response = client.get(url).send().await?;
    if response.status() != reqwest::StatusCode::OK {
        bail!("the answer has status {}", response.status().as_u16());
    }
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() as u64 > INPUT_BYTES_MAX {
            bail!("it is larger than {} MiB", INPUT_BYTES_MAX >> 20);
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{audit::sha256, keys::SigningKey};

    const REQUEST: &[u8] = br#"{"dataset":"natural-person"}"#;

    fn claims(answer: &serde_json::Value) -> ReceiptClaims {
        let hash = "00".repeat(32);
        serde_json::from_value(json!({
            "iss": "https://node.example", "iat": 1_795_501_800, "jti": "0193a5b2-7c00-7000-8000-000000000001",
            "client": "gz-hukou-window", "department": "gz-civil-affairs", "item": "11440100MB9YYY997R3440101001000",
            "case": "CASE-7", "operation": "verification", "dataset": "natural-person", "dataset_version": 3,
            "as_of": "2026-11-23T00:00:00.000Z", "decision": "allow", "outcome": "match", "policy_set": "abcd",
            "request_sha256": sha256(REQUEST), "answer_sha256": receipt::answer_digest(answer).unwrap(),
            "log": { "id": "0193a5b2-7c00-4000-8000-000000000002", "index": 41, "leaf": hash },
        }))
        .unwrap()
    }

    #[test]
    fn what_was_given_decides_what_is_checked() {
        let key = SigningKey::generate().unwrap();
        let keys = PublicKeys::new([key.public()]);
        let mut answer = json!({ "outcome": "match" });
        let receipt = receipt::sign(&key, &claims(&answer));
        answer["receipt"] = receipt.clone().into();
        let whole = format!("{answer:#}\n");
        let ok = |given: &str, request| check(given.as_bytes(), request, &keys).map(|(_, of_what)| of_what);
        assert_eq!(ok(&whole, Some(REQUEST)), Ok("the receipt is of this answer to this request"));
        assert_eq!(ok(&whole, None), Ok("the receipt is of this answer"));
        assert_eq!(ok(&format!("{receipt}\n"), Some(REQUEST)), Ok("the receipt is of this request"));
        assert!(ok(&receipt, None).unwrap().starts_with("the receipt is genuine"));
        assert_eq!(ok(&receipt, Some(b"{}")), Err(Verdict::Invalid(ReceiptError::OtherRequest)));
        let other = whole.replace("match", "mismatch");
        assert_eq!(ok(&other, None), Err(Verdict::Invalid(ReceiptError::OtherAnswer)));
        assert_eq!(ok("{}", None), Err(Verdict::Unusable(ReceiptError::NoReceipt)));
        assert!(matches!(ok("", None), Err(Verdict::Invalid(ReceiptError::Signature(_)))));
    }

    #[test]
    fn everything_that_a_receipt_states_is_printed() {
        insta::assert_snapshot!(said(&claims(&json!({}))), @r"
        node      https://node.example
        call      0193a5b2-7c00-7000-8000-000000000001
        time      2026-11-24T06:30:00Z
        client    gz-hukou-window of gz-civil-affairs
        item      11440100MB9YYY997R3440101001000
        case      CASE-7
        asked     verification of natural-person, version 3
        as of     2026-11-23T00:00:00.000Z
        decision  allow (policy set abcd)
        outcome   match
        record    41 of log 0193a5b2-7c00-4000-8000-000000000002, leaf 0000000000000000000000000000000000000000000000000000000000000000
        ");
    }
}
