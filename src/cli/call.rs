//! `shuqiao call`: a verification call as a department's system would make it, token and all.

use std::{path::Path, process::ExitCode, time::Duration};

use anyhow::{Context, bail};
use chrono::Utc;
use clap::Args;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::{
    config::Settings,
    identifiers::{ClientId, DatasetId, ItemCode},
    identity::assertion,
    keys::SigningKey,
};

#[derive(Debug, Args)]
pub(super) struct CallArgs {
    /// The client whose private key is in the node's folder.
    #[arg(long)]
    client: ClientId,
    /// The dataset to ask.
    #[arg(long)]
    dataset: DatasetId,
    /// The service item for whose sake the call is made.
    #[arg(long)]
    item: ItemCode,
    /// Your number for the case.
    #[arg(long)]
    case: Option<String>,
    /// Your reference to the record of the subject's consent.
    #[arg(long)]
    consent: Option<String>,
    /// The official in whose name you call: the account's name at the department.
    #[arg(long)]
    operator: Option<String>,
    /// A second official, who approved the call.
    #[arg(long)]
    approver: Option<String>,
    /// Whom or what: `resident_id=...`.
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_value)]
    subject: (String, String),
    /// What is claimed: `name=...`, or `birth_date:before=2008-11-24`. Repeat for more.
    #[arg(long = "claim", value_name = "FIELD=VALUE", value_parser = key_value)]
    claims: Vec<(String, String)>,
    /// Ask for these fields instead of comparing claims. Repeat for more.
    #[arg(long = "field", value_name = "FIELD", conflicts_with = "claims")]
    fields: Vec<String>,
    /// Print the whole answer as JSON.
    #[arg(long)]
    json: bool,
}

fn key_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("it is not of the form KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

pub(super) async fn run(args: CallArgs, settings: &Settings) -> anyhow::Result<ExitCode> {
    let caller = Caller::new(settings, &args.client)?;
    let (path, body) = body(&args)?;
    let token = caller.token().await?;
    let (status, answer) = caller.post(path, Some(&token), &body).await?;
    if args.json || status != 200 {
        println!("{}", serde_json::to_string_pretty(&answer)?);
    } else {
        println!("{}", summary(&answer));
    }
    Ok(if status == 200 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn body(args: &CallArgs) -> anyhow::Result<(&'static str, Value)> {
    let mut body = json!({
        "dataset": args.dataset,
        "item": args.item.to_string(),
        "subject": { &args.subject.0: args.subject.1 },
    });
    let CallArgs { case, consent, operator, approver, .. } = args;
    for (name, given) in [("case", case), ("consent", consent), ("operator", operator), ("approver", approver)] {
        if let Some(given) = given {
            body[name] = json!(given);
        }
    }
    if !args.fields.is_empty() {
        body["fields"] = json!(args.fields);
        return Ok(("/v1/disclosures", body));
    }
    let mut claims = Map::new();
    for (name, value) in &args.claims {
        match name.split_once(':') {
            None => {
                claims.insert(name.clone(), json!(value));
            }
            Some((field, operator)) => {
                let operators = claims.entry(field).or_insert_with(|| json!({}));
                let Some(operators) = operators.as_object_mut() else { bail!("field `{field}` is claimed twice") };
                let operand =
                    if operator == "one_of" { json!(value.split(',').collect::<Vec<_>>()) } else { json!(value) };
                operators.insert(operator.to_owned(), operand);
            }
        }
    }
    body["claims"] = Value::Object(claims);
    Ok(("/v1/verifications", body))
}

fn summary(answer: &Value) -> String {
    let mut lines = vec![format!("outcome: {}", word(&answer["outcome"]))];
    for part in ["reason", "disposition"] {
        if let Some(text) = answer[part].as_str() {
            lines.push(format!("{part}: {text}"));
        }
    }
    for (field, claim) in answer["claims"].as_object().into_iter().flatten() {
        lines.push(format!("  {field}: {}", word(&claim["result"])));
    }
    for (field, value) in answer["values"].as_object().into_iter().flatten() {
        lines.push(format!("  {field}: {}", word(value)));
    }
    lines.push(format!("version: {} as of {}", answer["dataset_version"], word(&answer["as_of"])));
    lines.push(format!("call: {}", word(&answer["call_id"])));
    lines.join("\n")
}

fn word(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A department's system: it has a key, and gets its tokens by assertion (RFC 7523).
pub(super) struct Caller {
    http: reqwest::Client,
    base: String,
    issuer: String,
    client: ClientId,
    key: SigningKey,
}

impl Caller {
    pub(super) fn new(settings: &Settings, client: &ClientId) -> anyhow::Result<Self> {
        let file = key_file(&settings.paths.clients(), client);
        let key = SigningKey::load(&file)
            .with_context(|| format!("the private key of `{client}` is not in `{}`", file.display()))?;
        Ok(Self {
            http: reqwest::Client::builder().timeout(Duration::from_secs(10)).build()?,
            base: format!("http://{}", settings.http.listen),
            issuer: settings.node.url.to_string(),
            client: client.clone(),
            key,
        })
    }

    pub(super) async fn token(&self) -> anyhow::Result<String> {
        let audience = format!("{}/oauth/token", self.issuer);
        let jti = Uuid::new_v4().to_string();
        let signed = assertion::make(&self.key, &self.client, &audience, Utc::now(), &jti);
        let form = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", "client_credentials")
            .append_pair("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
            .append_pair("client_assertion", &signed)
            .finish();
        let request = self.http.post(format!("{}/oauth/token", self.base));
        let request = request.header("content-type", "application/x-www-form-urlencoded").body(form);
        let answer: Value = request.send().await?.json().await?;
        match answer["access_token"].as_str() {
            Some(token) => Ok(token.to_owned()),
            None => bail!("no token: {}", word(&answer["error_description"])),
        }
    }

    /// The status and the JSON of the answer.
    pub(super) async fn post(&self, path: &str, token: Option<&str>, body: &Value) -> anyhow::Result<(u16, Value)> {
        let mut request = self.http.post(format!("{}{path}", self.base)).json(body);
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        let response = request.send().await?;
        Ok((response.status().as_u16(), response.json().await?))
    }

    /// The node's public keys, as anybody sees them.
    pub(super) async fn jwks(&self) -> anyhow::Result<String> {
        Ok(self.http.get(format!("{}/.well-known/jwks.json", self.base)).send().await?.text().await?)
    }
}

/// Where a client's private key is kept, if this node's folder has it.
pub(super) fn key_file(clients: &Path, client: &ClientId) -> std::path::PathBuf {
    clients.join(format!("{client}.pem"))
}
