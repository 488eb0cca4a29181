//! Who acts on the command line.
//!
//! Whoever may write the node's folder works on the node itself and could change anything in it; an account is named so that
//! the ledger says who it was, and so that two persons stay two.

use anyhow::{Context, bail};
use clap::Args;

use crate::{
    identifiers::ClientId,
    ledger::{Actor, ClientStatus, Ledger, ON_SITE},
};

#[derive(Debug, Args)]
pub(super) struct Acting {
    /// The account that does this, such as `gz-steward-li`.
    #[arg(long = "as", value_name = "ACCOUNT", env = "SHUQIAO_ACCOUNT")]
    account: Option<ClientId>,
}

impl Acting {
    /// The account, which must be one of a person who may act.
    pub(super) async fn actor(&self, ledger: &Ledger) -> anyhow::Result<Actor> {
        let account = self.account.as_ref().context("say who does this: --as ACCOUNT")?;
        let Some(known) = ledger.client(account).await? else {
            bail!("the account `{account}` is not registered. `shuqiao client register --role ...` does that");
        };
        if known.roles.is_empty() {
            bail!("`{account}` is a system, not the account of a person. Name an account that has a role");
        }
        if known.status == ClientStatus::Suspended {
            bail!("the account `{account}` is suspended");
        }
        Ok(Actor { account: known.id, department: known.department, roles: known.roles })
    }

    /// The account's name for acts that need none: whoever is on site may do them.
    pub(super) async fn name(&self, ledger: &Ledger) -> anyhow::Result<String> {
        match self.account {
            Some(_) => Ok(self.actor(ledger).await?.account.to_string()),
            None => Ok(ON_SITE.to_owned()),
        }
    }
}
