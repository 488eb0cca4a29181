//! The registers and the node that are measured: made once a run, in a temporary folder.

use std::{fs, path::PathBuf, sync::Arc};

use chrono::{NaiveDate, Utc};
use shuqiao::{
    agreements::{self, Agreements},
    catalog::{self, Catalog},
    config::Settings,
    engine::{Engine, SortPlace},
    identifiers::ClientId,
    keys::{PublicKeys, SigningKey},
    ledger::{ClientKeys, Ledger, Registration},
    policy::PolicySet,
    publish::{Publication, publish},
    sample::{Person, Register, SampleRequest, World as Sample, write},
};
use tempfile::TempDir;

use crate::Scale;

pub(crate) const ITEM: &str = "11440100MB9YYY997R3440101001000";
pub(crate) const CLIENT: &str = "gz-hukou-window";
const SEED: u64 = 1;

pub(crate) struct World {
    pub(crate) dir: TempDir,
    pub(crate) catalog: Catalog,
    pub(crate) agreements: Agreements,
    pub(crate) policies: PolicySet,
    pub(crate) engine: Arc<Engine>,
    pub(crate) today: NaiveDate,
    sample: Sample,
    persons: u64,
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

impl World {
    pub(crate) async fn make(scale: Scale) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let now = Utc::now();
        let today = now.date_naive();
        let catalog = catalog::load(&root().join("catalogs/guangdong")).unwrap();
        let agreements = agreements::load(&root().join("catalogs/guangdong-agreements.yaml"), &catalog).unwrap();
        let policies = PolicySet::load(&root().join("policies")).unwrap();
        let file = dir.path().join("persons.parquet");
        let request = SampleRequest {
            register: Register::NaturalPerson,
            rows: scale.persons,
            seed: SEED,
            as_of: today,
            persons: scale.persons,
        };
        write(&request, &file, &|_| {}).unwrap();
        let tables = dir.path().join("data/tables");
        let spill = dir.path().join("spill");
        fs::create_dir_all(&spill).unwrap();
        let publication = Publication {
            dataset: &catalog.datasets["natural-person"],
            file: &file,
            table: &tables.join("natural-person"),
            rejects: &dir.path().join("rejects.csv"),
            sort: SortPlace { memory_bytes: 512 << 20, spill },
            as_of: now,
            now,
            today,
        };
        publish(publication, Arc::new(|_| {})).await.unwrap();
        let engine = Engine::new(&catalog, &tables, 512 << 20, 100).unwrap();
        engine.refresh().await;
        let sample = Sample::new(SEED, today, scale.persons);
        Self { dir, catalog, agreements, policies, engine: Arc::new(engine), today, sample, persons: scale.persons }
    }

    /// People spread evenly over the register, never a hot few.
    pub(crate) fn people(&self, count: u64) -> Vec<Person> {
        let step = 0x9e37_79b9_7f4a_7c15_u64;
        (0..count).map(|n| self.sample.person(n.wrapping_mul(step) % self.persons)).collect()
    }

    /// Settings of a node over these registers, listening on any port; its client is registered.
    pub(crate) async fn settings(&self) -> Settings {
        let root = root();
        let text = format!(
            "[node]\nid = 'guangdong'\nurl = 'http://127.0.0.1:8640'\n[paths]\ncatalog = '{0}/catalogs/guangdong'\n\
             agreements = '{1}'\npolicies = '{0}/policies'\n[http]\nlisten = '127.0.0.1:0'\ncalls_in_flight_max = 4096\n\
             [limits]\ncalls_per_second = 1000000\n",
            root.display(),
            self.generous_agreements().display(),
        );
        let file = self.dir.path().join("shuqiao.toml");
        fs::write(&file, text).unwrap();
        let settings = Settings::load(Some(&file), &[]).unwrap();
        let id: ClientId = CLIENT.parse().unwrap();
        let key = SigningKey::load_or_create(&settings.paths.clients().join("window.pem")).unwrap();
        let ledger = Ledger::open(&settings.paths.ledger()).await.unwrap();
        if ledger.client(&id).await.unwrap().is_none() {
            let keys = ClientKeys::from_json(&PublicKeys::new([key.public()]).jwks().to_string()).unwrap();
            let department = "gz-administrative-approval".parse().unwrap();
            let registration = Registration { id, department, name: "bench".to_owned(), keys };
            ledger.register_client(registration, Utc::now()).await.unwrap();
        }
        ledger.close().await;
        settings
    }

    /// The catalogue's agreements with budgets that a benchmark does not exhaust.
    fn generous_agreements(&self) -> PathBuf {
        let text = fs::read_to_string(root().join("catalogs/guangdong-agreements.yaml")).unwrap();
        let generous: Vec<_> = text
            .lines()
            .map(|line| match line.split_once(':') {
                Some((key, _)) if key.trim() == "calls_per_second" => format!("{key}: 1000000"),
                Some((key, _)) if key.trim() == "calls_per_day" => format!("{key}: 1000000000"),
                _ => line.to_owned(),
            })
            .collect();
        let file = self.dir.path().join("agreements.yaml");
        fs::write(&file, generous.join("\n")).unwrap();
        file
    }
}
