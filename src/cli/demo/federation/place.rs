//! Where the nodes live: a folder each, with settings, catalogue, agreements, policies, register and clients of its own.

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context;
use chrono::Utc;
use futures::future::try_join_all;

use super::{CITIES, PROVINCE, Places};
use crate::{
    cli::{
        catalog::published,
        demo::{
            cast::{Member, enrol, system},
            files::{self, Change, MARK, listen, url},
            registers::{self, SEED},
        },
        home::Home,
        peer::card,
    },
    config::Settings,
    http::open_ledger,
    identifiers::DivisionCode,
    sample::{Register, SampleRequest, World, write, write_rows},
    storage::write_whole,
};

/// One node's folder.
pub(super) struct Place {
    pub(super) dir: PathBuf,
    pub(super) settings: Settings,
}

/// Systems of departments, at the node where each is registered.
pub(super) const HUKOU: &str = "gz-hukou-window";
pub(super) const BENEFITS: &str = "gz-benefits-window";
pub(super) const TALENT: &str = "sz-talent-window";
const OF_GUANGZHOU: [Member; 2] = [
    system(HUKOU, "gz-administrative-approval", "Guangzhou household registration window"),
    system(BENEFITS, "gz-human-resources", "Guangzhou unemployment benefits window"),
];
const OF_SHENZHEN: [Member; 1] = [system(TALENT, "sz-government-services", "Shenzhen talent settlement window")];

/// In this demo the cities keep the persons between them, and the province the enterprises. The catalogue that comes with the
/// program says nothing of it, because there a node stands alone.
const CHANGES: [Change<'_>; 4] = [
    Change {
        file: "catalogs/guangdong/natural-person.yaml",
        from: "    key: resident_id\n",
        to: "    key: resident_id\n    placement: [{ node: guangzhou }, { node: shenzhen }, { node: zhaoqing }]\n",
    },
    Change {
        file: "catalogs/guangdong/legal-entity.yaml",
        from: "    key: credit_code\n",
        to: "    key: credit_code\n    placement: [{ node: guangdong }]\n",
    },
    Change {
        file: "catalogs/guangdong/nodes.yaml",
        from: "  - id: shenzhen\n",
        to: "  - id: zhaoqing\n    name: { zh: 肇庆市分节点, en: Zhaoqing city node }\n    division: \"441200\"\n    \
             parent: guangdong\n  - id: shenzhen\n",
    },
    // A load of calls is made under this one.
    Change {
        file: "catalogs/guangdong-agreements.yaml",
        from: "    calls_per_second: 50\n    calls_per_day: 200000\n",
        to: "    calls_per_second: 5000\n    calls_per_day: 10000000\n",
    },
];

/// The forbid that Shenzhen alone has.
pub(super) const FORBID: &str = "shenzhen-asks-for-its-own-letter";
const OF_POLICIES: Change<'_> = Change {
    file: "policies/forbids.cedar",
    from: "@id(\"agreement-required\")\n",
    to: "@id(\"shenzhen-asks-for-its-own-letter\")\n\
         @why(\"Shenzhen answers that department by letter only\")\n\
         forbid (principal in Shuqiao::Department::\"gz-human-resources\", action, resource);\n\n\
         @id(\"agreement-required\")\n",
};

/// Make what is missing, publish, register, and make the nodes known to each other.
pub(super) async fn found(root: &Path, persons: u64, world: &Arc<World>) -> anyhow::Result<Places> {
    let mut ports = free_ports()?;
    let mut places = Places::new();
    for (node, ..) in std::iter::once((PROVINCE, "", "")).chain(CITIES) {
        let (port, peer_port) = ports.pop().zip(ports.pop()).context("too few ports")?;
        places.insert(node, lay_out(root, node, port, peer_port)?);
    }
    try_join_all(places.iter().map(|(node, place)| furnish(node, place, persons, world))).await?;
    let province = card(&places[PROVINCE].settings)?;
    write_whole(&places[PROVINCE].dir.join("card.json"), &serde_json::to_vec_pretty(&province)?)?;
    let ledger = open_ledger(&places[PROVINCE].settings).await?;
    for (city, ..) in CITIES {
        let card = card(&places[city].settings)?;
        let text = serde_json::to_string(&card)?;
        ledger.admit_member(&card.node, &text, "demo", "a city of the demo", Utc::now()).await?;
    }
    ledger.close().await;
    Ok(places)
}

fn lay_out(root: &Path, node: &str, port: u16, peer_port: u16) -> anyhow::Result<Place> {
    let dir = root.join(node);
    let lines = [url(port), listen(port), format!("address = \"127.0.0.1:{peer_port}\"")];
    let [url, listen, address] = &lines;
    let province = if node == PROVINCE { "" } else { "province = \"../guangdong/card.json\"\n" };
    let fresh = format!(
        "{MARK} Every key: docs/configuration.md.\n\
         [node]\nid = \"{node}\"\n{url}\n\n\
         [http]\n{listen}\n\n\
         # Looked at more often than by default, so that a tour of seconds shows it.\n\
         [federation]\n{address}\n{province}pull_ms = 500\n\n\
         # An hour rather than five minutes, so that a printed call can be tried at leisure.\n\
         [tokens]\naccess_ttl_s = 3600\n\n\
         # A load that asks for the same few persons is no work of an office.\n\
         [enumeration]\nmode = \"detect\"\n\n\
         [log]\nlevel = \"warn\"\n"
    );
    std::fs::create_dir_all(&dir).with_context(|| dir.display().to_string())?;
    let own: &[Change<'_>] = if node == "shenzhen" { &[OF_POLICIES] } else { &[] };
    files::make(&dir, &fresh, &lines, &[&CHANGES, own].concat())?;
    let settings = Home { dir: dir.clone(), config: None }.settings()?;
    // The last directory knows the province at its address of the last time.
    let directory = settings.paths.directory();
    if directory.exists() {
        std::fs::remove_file(directory)?;
    }
    Ok(Place { dir, settings })
}

/// The node's register and its clients.
async fn furnish(node: &str, place: &Place, persons: u64, world: &Arc<World>) -> anyhow::Result<()> {
    let catalog = published(&place.settings).await?;
    let to = (&*catalog, &place.settings);
    let file = |extension: &str| place.dir.join("samples").join(format!("register.{extension}"));
    let done = match CITIES.iter().find(|(city, ..)| *city == node) {
        Some((_, area, _)) => {
            let (area, world): (DivisionCode, _) = (area.parse()?, Arc::clone(world));
            let make = async |file: &Path| {
                let (rows, file) = (usize::try_from(persons)?, file.to_owned());
                let make = move || write_rows(Register::NaturalPerson, world.residents(area).take(rows), &file);
                tokio::task::spawn_blocking(make).await??;
                Ok(())
            };
            registers::publish(Register::NaturalPerson, persons, &file("csv"), make, to).await?
        }
        None => {
            let rows = (persons / 10).max(1);
            let make = async |file: &Path| {
                let register = Register::LegalEntity;
                write(&SampleRequest { register, rows, seed: SEED, as_of: super::DAY, persons }, file, &|_| {})?;
                Ok(())
            };
            registers::publish(Register::LegalEntity, rows, &file("parquet"), make, to).await?
        }
    };
    if let Some(done) = done {
        println!("  {node}: {} rows published as version {}", done.rows, done.version);
    }
    let members: &[Member] = match node {
        "guangzhou" => &OF_GUANGZHOU,
        "shenzhen" => &OF_SHENZHEN,
        _ => &[],
    };
    let ledger = open_ledger(&place.settings).await?;
    enrol(members, &ledger, &catalog, &place.settings.paths.clients(), Utc::now()).await?;
    ledger.close().await;
    Ok(())
}

/// Two for each node, below those that the kernel gives to callers: one of these could be taken while a node is down.
fn free_ports() -> anyhow::Result<Vec<u16>> {
    let first = 10_000 + u16::try_from(std::process::id() * 131 % 15_000)?;
    let free = (first..first + 5_000).filter_map(|port| TcpListener::bind(("127.0.0.1", port)).ok());
    let held: Vec<_> = free.take(2 * (CITIES.len() + 1)).collect(); // all at once, so that they differ
    held.iter().map(|listener| Ok(listener.local_addr()?.port())).collect()
}
