//! Sending a delivery: one POST to where the operator said, and nowhere else.

use std::time::Duration;

use reqwest::{Client, redirect};

use super::{Message, RechecksError};
use crate::keys::SigningKey;

/// A system that takes longer to say that it has a delivery is asked again later. Less than a stopping node waits.
const SEND_MAX: Duration = Duration::from_secs(5);

/// Sends deliveries.
#[derive(Clone, Debug)]
pub struct Courier(Client);

impl Courier {
    /// It follows no redirect, because that could lead away from what was checked, and no proxy that the environment names,
    /// because nobody configured one here.
    pub fn new() -> Result<Self, RechecksError> {
        let client = Client::builder()
            .timeout(SEND_MAX)
            .redirect(redirect::Policy::none())
            .no_proxy()
            .user_agent(concat!("shuqiao/", env!("CARGO_PKG_VERSION")))
            .build();
        client.map(Self).map_err(|error| RechecksError::Courier { reason: error.to_string() })
    }

    /// Does the client's system say that it has it (any status of success)? Else why not, without the address. What it says
    /// beside the status is not read.
    pub async fn send(&self, message: &Message<'_>, key: &SigningKey) -> Result<(), String> {
        let mut request = self.0.post(message.target.clone()).body(message.body.to_vec());
        for (name, value) in message.headers(key) {
            request = request.header(name, value);
        }
        let response = request.send().await.map_err(|error| match error.is_timeout() {
            true => "it did not answer in time".to_owned(),
            false if error.is_connect() => "it could not be reached".to_owned(),
            false => error.without_url().to_string(),
        })?;
        match response.status().is_success() {
            true => Ok(()),
            false => Err(format!("it answered {}", response.status().as_u16())),
        }
    }
}
