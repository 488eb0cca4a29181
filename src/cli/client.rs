//! `shuqiao client list | register | suspend | resume | rekey`.
//!
//! The ledger is changed on the node's own machine, beside the running node, which sees it within a second.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, bail};
use chrono::{DateTime, SecondsFormat, Utc};
use clap::{Args, Subcommand};
use serde_json::json;

use super::table::table;
use crate::{
    catalog::Catalog,
    identifiers::{ClientId, DepartmentId, Role},
    identity::KeySet,
    keys::{PublicKeys, SigningKey},
    ledger::{Client, ClientKeys, ClientStatus, Ledger, Registration},
};

/// How alike two names must be (Jaro-Winkler, 0 to 1) for one to be offered in the place of the other.
const ALIKE_MIN: f64 = 0.7;

#[derive(Debug, Args)]
pub(super) struct ClientArgs {
    #[command(subcommand)]
    command: ClientCommand,
}

#[derive(Debug, Subcommand)]
enum ClientCommand {
    /// List the registered clients.
    List {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Register a system of a department, with its public keys.
    Register(RegisterArgs),
    /// Refuse the client's calls and tokens from now on; what it holds stays void after `resume`.
    Suspend { client: ClientId },
    /// Let a suspended client get tokens again.
    Resume { client: ClientId },
    /// Replace the client's keys; its tokens from before are void.
    Rekey {
        client: ClientId,
        /// A JWK set, or a single JWK, of public keys.
        #[arg(long, value_name = "FILE")]
        jwks: PathBuf,
    },
}

#[derive(Debug, Args)]
struct RegisterArgs {
    /// A name of its own, such as `gz-hukou-window`.
    client: ClientId,
    /// The department whose system it is, such as `gz-public-security`.
    #[arg(long)]
    department: DepartmentId,
    /// What people call it [default: CLIENT].
    #[arg(long)]
    name: Option<String>,
    /// It is the account of a person who has this role; may be given several times. A person makes no calls.
    #[arg(long = "role", value_name = "ROLE")]
    roles: Vec<Role>,
    #[command(flatten)]
    keys: KeyArgs,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct KeyArgs {
    /// A JWK set, or a single JWK, of public keys.
    #[arg(long, value_name = "FILE")]
    jwks: Option<PathBuf>,
    /// Make a key pair; the private half goes to `clients/CLIENT.pem` in the node's data folder.
    #[arg(long)]
    generate: bool,
}

pub(super) async fn run(
    args: ClientArgs,
    ledger: &Ledger,
    catalog: &Catalog,
    clients_dir: &Path,
    now: DateTime<Utc>,
) -> anyhow::Result<ExitCode> {
    let departments: Vec<_> = catalog.departments.keys().collect();
    print!("{}", act(args.command, ledger, &departments, clients_dir, now).await?);
    Ok(ExitCode::SUCCESS)
}

/// Do it, and say what was done.
async fn act(
    command: ClientCommand,
    ledger: &Ledger,
    departments: &[&DepartmentId],
    clients_dir: &Path,
    now: DateTime<Utc>,
) -> anyhow::Result<String> {
    match command {
        ClientCommand::List { json: true } => Ok(listed_as_json(&ledger.clients().await?)),
        ClientCommand::List { json: false } => Ok(listed(&ledger.clients().await?)),
        ClientCommand::Register(args) => register(args, ledger, departments, clients_dir, now).await,
        ClientCommand::Suspend { client } => {
            ledger.set_client_status(&client, ClientStatus::Suspended, now).await?;
            Ok(format!("client `{client}` is suspended; its tokens are void\n"))
        }
        ClientCommand::Resume { client } => {
            ledger.set_client_status(&client, ClientStatus::Active, now).await?;
            Ok(format!("client `{client}` is active; it has to get a new token\n"))
        }
        ClientCommand::Rekey { client, jwks } => {
            ledger.replace_client_keys(&client, &keys_from(&jwks)?, now).await?;
            Ok(format!("client `{client}` has new keys; its tokens from before are void\n"))
        }
    }
}

async fn register(
    args: RegisterArgs,
    ledger: &Ledger,
    departments: &[&DepartmentId],
    clients_dir: &Path,
    now: DateTime<Utc>,
) -> anyhow::Result<String> {
    let RegisterArgs { client: id, department, name, roles, keys } = args;
    if !departments.contains(&&department) {
        bail!("department `{department}` is not in the catalogue{}", nearest(&department, departments));
    }
    // Before a key is made that nobody would use.
    if ledger.client(&id).await?.is_some() {
        bail!("client `{id}` is registered already. Replace its keys with `client rekey`, or choose another name");
    }
    let (keys, made) = match &keys.jwks {
        Some(file) => (keys_from(file)?, String::new()),
        None => {
            let file = clients_dir.join(format!("{id}.pem"));
            // A key that is there already is from a registration that broke off; it is as good as a new one.
            let key = SigningKey::load_or_create(&file)?;
            let public = ClientKeys::from_json(&PublicKeys::new([key.public()]).jwks().to_string())?;
            (public, format!("its private key is `{}`\n", file.display()))
        }
    };
    let name = name.unwrap_or_else(|| id.to_string());
    let client = ledger
        .register_client(Registration { id, department, name, keys, roles: roles.into_iter().collect() }, now)
        .await?;
    Ok(format!("client `{}` of department `{}` is registered\n{made}", client.id, client.department))
}

/// A file of public keys, every one of which can be used.
fn keys_from(file: &Path) -> anyhow::Result<ClientKeys> {
    let shown = file.display();
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read `{shown}`"))?;
    let keys = ClientKeys::from_json(&text).with_context(|| format!("`{shown}`"))?;
    let usable = KeySet::from_json(keys.as_json()).map_err(|reason| anyhow::anyhow!("`{shown}`: {reason}"))?;
    if !usable.passed_over().is_empty() {
        bail!("`{shown}` holds keys that cannot be used: {}", usable.passed_over().join("; "));
    }
    Ok(keys)
}

fn nearest(wanted: &DepartmentId, known: &[&DepartmentId]) -> String {
    known
        .iter()
        .map(|name| (strsim::jaro_winkler(wanted.as_str(), name.as_str()), name))
        .filter(|(likeness, _)| *likeness >= ALIKE_MIN)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map_or_else(String::new, |(_, name)| format!(". Is it `{name}`?"))
}

fn listed(clients: &[Client]) -> String {
    if clients.is_empty() {
        return "no client is registered\n".to_owned();
    }
    let rows = clients.iter().map(|client| {
        let (status, since) = (client.status.to_string(), rfc3339(&client.registered_at));
        let (id, department) = (client.id.to_string(), client.department.to_string());
        [id, department, status, since, client.roles.to_string(), client.name.clone()]
    });
    table(["client", "department", "status", "registered", "roles", "name"], rows)
}

fn listed_as_json(clients: &[Client]) -> String {
    let entry = |client: &Client| {
        json!({
            "client": client.id,
            "department": client.department,
            "name": client.name,
            "roles": client.roles,
            "status": client.status.as_str(),
            "registered_at": rfc3339(&client.registered_at),
            "kids": client.keys.kids().collect::<Vec<_>>(),
        })
    };
    format!("{:#}\n", clients.iter().map(entry).collect::<serde_json::Value>())
}

fn rfc3339(time: &DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use clap::Parser;
    use tempfile::TempDir;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        args: ClientArgs,
    }

    struct Bench {
        dir: TempDir,
        ledger: Ledger,
    }

    impl Bench {
        async fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let ledger = Ledger::open(&dir.path().join("ledger.sqlite")).await.unwrap();
            Self { dir, ledger }
        }

        /// Type a command.
        async fn type_in(&self, line: &str) -> Result<String, String> {
            let words = ["client"].into_iter().chain(line.split(' '));
            let command = Line::try_parse_from(words).map_err(|error| error.to_string())?.args.command;
            let departments = ["gz-housing".parse().unwrap(), "gz-public-security".parse().unwrap()];
            let now = DateTime::from_timestamp(1_764_000_000, 0).unwrap();
            act(command, &self.ledger, &departments.each_ref(), &self.dir.path().join("clients"), now)
                .await
                .map_err(|error| format!("{error:#}"))
        }

        fn file(&self, name: &str, text: &str) -> String {
            let path = self.dir.path().join(name);
            std::fs::write(&path, text).unwrap();
            path.display().to_string()
        }
    }

    fn public_jwks() -> String {
        PublicKeys::new([SigningKey::generate().unwrap().public()]).jwks().to_string()
    }

    #[tokio::test]
    async fn a_generated_key_stays_with_its_owner_and_its_public_half_is_registered() {
        let bench = Bench::new().await;
        assert_eq!(bench.type_in("list").await.unwrap(), "no client is registered\n");
        let said = bench.type_in("register gz-window --department gz-housing --generate").await.unwrap();
        let file = bench.dir.path().join("clients/gz-window.pem");
        assert!(said.contains(&file.display().to_string()), "{said}");
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);

        let key = SigningKey::load(&file).unwrap();
        let listed: serde_json::Value = serde_json::from_str(&bench.type_in("list --json").await.unwrap()).unwrap();
        let expect = json!([{
            "client": "gz-window", "department": "gz-housing", "name": "gz-window", "status": "active",
            "roles": [], "registered_at": "2025-11-24T16:00:00Z", "kids": [key.kid()],
        }]);
        assert_eq!(listed, expect);
        let again = bench.type_in("register gz-window --department gz-housing --generate").await.unwrap_err();
        assert!(again.contains("registered already"), "{again}");
    }

    #[tokio::test]
    async fn a_registration_that_broke_off_is_finished_with_the_key_that_was_made() {
        let bench = Bench::new().await;
        let made = SigningKey::load_or_create(&bench.dir.path().join("clients/gz-window.pem")).unwrap();
        bench.type_in("register gz-window --department gz-housing --generate").await.unwrap();
        let client = bench.ledger.client(&"gz-window".parse().unwrap()).await.unwrap().unwrap();
        assert_eq!(client.keys.kids().collect::<Vec<_>>(), [Some(made.kid())]);
    }

    #[tokio::test]
    async fn the_table_lines_up_and_shows_a_suspension() {
        let bench = Bench::new().await;
        let file = bench.file("keys.json", &public_jwks());
        bench.type_in(&format!("register gz-w --department gz-housing --name 窗口系统 --jwks {file}")).await.unwrap();
        let person = "register li --department gz-public-security --role steward --role approver";
        bench.type_in(&format!("{person} --jwks {file}")).await.unwrap();
        bench.type_in("suspend gz-w").await.unwrap();
        insta::assert_snapshot!(bench.type_in("list").await.unwrap(), @r"
        client  department          status     registered            roles             name
        gz-w    gz-housing          suspended  2025-11-24T16:00:00Z                    窗口系统
        li      gz-public-security  active     2025-11-24T16:00:00Z  steward,approver  li
        ");
        bench.type_in("resume gz-w").await.unwrap();
        assert!(!bench.type_in("list").await.unwrap().contains("suspended"));
    }

    #[tokio::test]
    async fn keys_are_replaced_by_usable_ones_only() {
        let bench = Bench::new().await;
        bench.type_in("register gz-window --department gz-housing --generate").await.unwrap();
        let before = bench.ledger.clients().await.unwrap();
        let bad = bench.file("bad.json", r#"{"kty":"EC","crv":"P-521","x":"AA","y":"AA","kid":"k"}"#);
        let error = bench.type_in(&format!("rekey gz-window --jwks {bad}")).await.unwrap_err();
        assert!(error.contains("key 0: it is not of a type used here"), "{error}");
        assert_eq!(bench.ledger.clients().await.unwrap(), before);
        let good = bench.file("good.json", &public_jwks());
        bench.type_in(&format!("rekey gz-window --jwks {good}")).await.unwrap();
        assert_ne!(bench.ledger.clients().await.unwrap(), before);
    }

    #[tokio::test]
    async fn what_cannot_be_registered_says_why() {
        let bench = Bench::new().await;
        let private = bench.file("private.json", r#"{"kty":"OKP","crv":"Ed25519","x":"AA","d":"AA","kid":"k"}"#);
        let cases = [
            ("register w --department gz-hosing --generate".to_owned(), "Is it `gz-housing`?"),
            ("register w --department zzz --generate".to_owned(), "not in the catalogue"),
            ("register w --department gz-housing".to_owned(), "--jwks"),
            ("register w --department gz-housing --generate --jwks x".to_owned(), "cannot be used with"),
            ("register W --department gz-housing --generate".to_owned(), "lower-case"),
            ("register w --department gz-housing --jwks /nowhere".to_owned(), "cannot read `/nowhere`"),
            (format!("register w --department gz-housing --jwks {private}"), "private key material"),
            ("register w --department gz-housing --generate --name \u{7}".to_owned(), "the name of a client"),
            ("suspend w".to_owned(), "not registered"),
            ("resume w".to_owned(), "not registered"),
        ];
        for (line, reason) in cases {
            let error = bench.type_in(&line).await.unwrap_err();
            assert!(error.contains(reason), "{line}: {error}");
        }
        assert!(!bench.type_in("register w --department zzz --generate").await.unwrap_err().contains("Is it"));
        assert_eq!(bench.type_in("list").await.unwrap(), "no client is registered\n");
    }
}
