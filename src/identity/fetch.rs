//! The keys of a foreign issuer, fetched from its JWK set URL and kept for a while.

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwapOption;
use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::Mutex;
use url::{Host, Url};

use super::{Refusal, jwks::KeySet};

/// A key set that takes longer to arrive is given up.
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);
/// Largest key set document, in bytes.
const DOCUMENT_BYTES_MAX: usize = 64 * 1024;
/// An unknown key id makes us look again, but not more often than this: bad tokens must not become a flood at the
/// issuer's door.
const LOOK_AGAIN_AFTER: TimeDelta = TimeDelta::seconds(30);

/// The keys as they were fetched.
#[derive(Debug)]
pub(super) struct Fetched {
    pub(super) keys: KeySet,
    /// Moves when the document changes, so that what was verified by older keys is verified again.
    pub(super) generation: u64,
    pub(super) fetched_at: DateTime<Utc>,
    document: String,
}

/// Where the keys come from, and the last that came.
#[derive(Debug)]
pub(super) struct KeySource {
    url: Url,
    client: reqwest::Client,
    fetched: ArcSwapOption<Fetched>,
    /// When the issuer was last asked. Held while asking: one asks, the others wait for what comes.
    asked_at: Mutex<Option<DateTime<Utc>>>,
}

impl KeySource {
    /// `http` is for a server on this machine only: whoever can change the keys on their way can be anybody.
    pub(super) fn new(url: &Url, client: reqwest::Client) -> Result<Self, &'static str> {
        let loopback = match url.host() {
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            Some(Host::Domain(name)) => name == "localhost",
            None => false,
        };
        match url.scheme() {
            "https" => {}
            "http" if loopback => {}
            _ => return Err("its JWK set URL must be https"),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("its JWK set URL must not hold a name or password");
        }
        Ok(Self { url: url.clone(), client, fetched: ArcSwapOption::empty(), asked_at: Mutex::new(None) })
    }

    /// A client for key sets. It follows no redirect, because that could lead away from https, and no proxy that the
    /// environment names, because nobody configured one here.
    pub(super) fn client() -> Result<reqwest::Client, String> {
        reqwest::Client::builder()
            .timeout(FETCH_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .map_err(|error| error.to_string())
    }

    /// The keys, where they are fresh enough.
    pub(super) fn usable(&self, now: DateTime<Utc>, grace: TimeDelta) -> Result<Arc<Fetched>, Refusal> {
        let fetched = self.fetched.load_full().ok_or(Refusal::IssuerUnreachable)?;
        if now - fetched.fetched_at > grace {
            return Err(Refusal::IssuerStale { at: fetched.fetched_at });
        }
        Ok(fetched)
    }

    /// Fetch the keys now.
    pub(super) async fn refresh(&self, now: DateTime<Utc>) -> Result<(), String> {
        let mut asked_at = self.asked_at.lock().await;
        *asked_at = Some(now);
        self.fetch(now).await
    }

    /// Fetch the keys, unless somebody did a moment ago. Whether that brought the wanted key is seen in
    /// [`KeySource::usable`]; why it failed is told by the next regular refresh.
    pub(super) async fn refresh_if_due(&self, now: DateTime<Utc>) {
        let mut asked_at = self.asked_at.lock().await;
        if asked_at.is_some_and(|asked_at| now - asked_at < LOOK_AGAIN_AFTER) {
            return;
        }
        // Set before asking: a caller that hangs up meanwhile has asked all the same.
        *asked_at = Some(now);
        if let Err(reason) = self.fetch(now).await {
            tracing::debug!(url = %self.url, reason, "key set not fetched");
        }
    }

    /// Called by whoever holds `asked_at`, so one at a time.
    async fn fetch(&self, now: DateTime<Utc>) -> Result<(), String> {
        let document = self.download().await?;
        let last = self.fetched.load_full();
        let keys = KeySet::from_json(&document)?;
        let generation = match &last {
            Some(last) if last.document == document => last.generation,
            Some(last) => last.generation + 1,
            None => 0,
        };
        self.fetched.store(Some(Arc::new(Fetched { keys, generation, fetched_at: now, document })));
        Ok(())
    }

    async fn download(&self) -> Result<String, String> {
        let failed = |error: reqwest::Error| error.without_url().to_string();
        let mut response = self.client.get(self.url.clone()).send().await.map_err(failed)?;
        if response.status() != reqwest::StatusCode::OK {
            return Err(format!("it answered {}", response.status()));
        }
        let mut document = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if document.len() + chunk.len() > DOCUMENT_BYTES_MAX {
                return Err(format!("its key set is longer than {DOCUMENT_BYTES_MAX} bytes"));
            }
            document.extend_from_slice(&chunk);
        }
        String::from_utf8(document).map_err(|_| "its key set is not UTF-8".to_owned())
    }
}
