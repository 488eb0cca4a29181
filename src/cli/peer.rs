//! `shuqiao peer`: the nodes of the federation. Cards are handed from operator to operator; the node that issues the
//! directory admits and revokes.

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Context, bail};
use chrono::{DateTime, SecondsFormat, Utc};
use clap::{Args, Subcommand};
use serde_json::json;

use super::{acting::Acting, table::table};
use crate::{
    config::{Endpoint, PeerListen, Settings},
    federation::{Card, Certificate, Jwks, PROTOCOL},
    identifiers::NodeId,
    keys::{KeyRing, PublicKeys},
    ledger::{Ledger, Member},
};

#[derive(Debug, Args)]
pub(super) struct PeerArgs {
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// Print this node's card (JSON): where it is reached, and the public halves of what it signs with.
    Card,
    /// List a node in the directory, by the card that its operator has handed over.
    Admit {
        /// The card's file.
        card: PathBuf,
        /// Why, for colleagues and auditors.
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        acting: Acting,
    },
    /// List a node no longer: it is nobody from the next look at the directory on.
    Revoke {
        node: NodeId,
        /// Why, for colleagues and auditors.
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        acting: Acting,
    },
    /// List the nodes that were admitted here.
    List {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

pub(super) async fn run(
    args: PeerArgs,
    ledger: &Ledger,
    settings: &Settings,
    now: DateTime<Utc>,
) -> anyhow::Result<ExitCode> {
    match args.act {
        Act::Card => println!("{}", serde_json::to_string_pretty(&card(settings)?)?),
        Act::Admit { card, reason, acting } => {
            let text = std::fs::read_to_string(&card).with_context(|| format!("cannot read `{}`", card.display()))?;
            let card = Card::parse(&text)?;
            let (account, text) = (acting.name(ledger).await?, serde_json::to_string(&card)?);
            match ledger.admit_member(&card.node, &text, &account, &reason, now).await? {
                true => println!("`{}` is in the directory from the next look on", card.node),
                false => println!("`{}` is in the directory with this card already", card.node),
            }
        }
        Act::Revoke { node, reason, acting } => {
            let account = acting.name(ledger).await?;
            if !ledger.revoke_member(&node, &account, &reason, now).await? {
                bail!("`{node}` is not in the directory. `shuqiao peer list` shows who is");
            }
            println!("`{node}` is out of the directory from the next look on");
        }
        Act::List { json } => list(&ledger.members().await?.1, json),
    }
    Ok(ExitCode::SUCCESS)
}

fn list(members: &[Member], as_json: bool) {
    let since = |member: &Member| member.since.to_rfc3339_opts(SecondsFormat::Secs, true);
    let state = |member: &Member| if member.revoked { "revoked" } else { "listed" };
    if as_json {
        let entry = |member: &Member| {
            let card: serde_json::Value = serde_json::from_str(&member.card).unwrap_or_default();
            json!({ "node": member.node, "state": state(member), "since": since(member), "card": card })
        };
        println!("{:#}", json!(members.iter().map(entry).collect::<Vec<_>>()));
        return;
    }
    let rows = members.iter().map(|member| {
        let endpoint =
            Card::parse(&member.card).map_or_else(|error| error.to_string(), |card| card.endpoint.to_string());
        [member.node.to_string(), state(member).to_owned(), since(member), endpoint]
    });
    print!("{}", table(["node", "state", "since", "endpoint"], rows));
}

/// The card as the settings have it; a node that runs renews it by itself.
pub(super) fn card(settings: &Settings) -> anyhow::Result<Card> {
    let paths = &settings.paths;
    let endpoint = match (&settings.federation.endpoint, settings.federation.address) {
        (Endpoint::Url(url), _) => url.clone(),
        (Endpoint::AsListened, PeerListen::At(address)) if address.port() != 0 => {
            format!("https://{address}").parse().context("the address makes no URL")?
        }
        _ => bail!("this node does not listen for others. Set `federation.address` to an address with a port"),
    };
    let keys = [KeyRing::open(&paths.receipt_key())?.public(), KeyRing::open(&paths.token_key())?.public()];
    let certificate = Certificate::open(&paths.peer_certificate(), &paths.peer_key(), &settings.node.id)?;
    Ok(Card {
        node: settings.node.id.clone(),
        endpoint,
        protocol: PROTOCOL,
        keys: Jwks(PublicKeys::new(keys.iter().flat_map(PublicKeys::iter).cloned())),
        certificates: vec![certificate.thumbprint()],
        datasets: Vec::new(),
    })
}
