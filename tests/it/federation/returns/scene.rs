//! A province whose register has residents of three cities, and the city that is handed its own.

use std::{collections::BTreeSet, fmt::Write as _, fs, path::PathBuf, sync::Arc};

use arrow::array::{Array, AsArray};
use chrono::{TimeDelta, Utc};
use shuqiao::{
    audit::{Operation, Record},
    federation::{Certificate, Membership, Peers},
    http::{Pulled, Puller},
    identifiers::NodeId,
    problem::Problem,
};

use super::super::province::{admit, until};
use crate::support::{
    node::{Setup, TestNode},
    registers::{HEADER, line, person},
};

pub(super) const DATASET: &str = "natural-person";
pub(super) const SHENZHEN: &str = "440305";
pub(super) const GUANGZHOU: &str = "440106";
pub(super) const ZHAOQING: &str = "441202";
/// Nothing happens by itself within a test.
pub(super) const BY_HAND: &str = "ask_ms = 86400000";

/// 人才引进落户 is carried out by the department of Shenzhen that uses what is returned.
pub(super) const AGREEMENTS: &str = "\
agreements:
  - id: agr-sz-settlement-person
    consumer: sz-government-services
    dataset: natural-person
    items:
      - 11440300MB9Y03022Y3442035001000
    compare: [resident_id]
    disclose: [name, birth_date, sex, division, status]
    valid_from: 2025-01-01
    valid_until: 2027-12-31
    calls_per_second: 1
    calls_per_day: 100
";

pub(super) const FILE: &str = "natural-person.yaml";
pub(super) const DIVISION: &str = "    division: division\n";
/// At the province: the key names the records, and Shenzhen is returned what its item needs.
pub(super) const OF_PROVINCE: [(&str, &str, &str); 2] = [
    (FILE, "        disclosure: masked\n        mask: resident_id\n", "        disclosure: join_key_only\n"),
    (
        FILE,
        DIVISION,
        "    division: division\n    returns:\n      - node: shenzhen\n        department: sz-government-services\n        \
         item: 11440300MB9Y03022Y3442035001000\n        \
         fields: [resident_id, name, birth_date, sex, division, status]\n",
    ),
];
pub(super) const FROM_PROVINCE: (&str, &str, &str) =
    (FILE, DIVISION, "    division: division\n    returned_from: guangdong\n");
/// In the city's own catalogue, what is not returned is not required.
pub(super) const OF_CITY: [(&str, &str, &str); 4] = [
    FROM_PROVINCE,
    (
        FILE,
        "        sensitivity: 3\n        disclosure: compare_only\n",
        "        sensitivity: 3\n        disclosure: compare_only\n        required: false\n",
    ),
    (FILE, "        mask: whole\n", "        mask: whole\n        required: false\n"),
    (FILE, "        mask: address\n", "        mask: address\n        required: false\n"),
];

pub(super) struct Scene {
    pub(super) guangdong: TestNode,
    pub(super) shenzhen: TestNode,
}

/// Numbers of persons, and the division in which they are registered. Their own numbers all begin with that of Guangzhou.
pub(super) type Residents<'a> = &'a [(std::ops::Range<u64>, &'a str)];

pub(super) fn register(residents: Residents<'_>) -> String {
    let mut text = format!("{HEADER}\n");
    for (numbers, division) in residents {
        for number in numbers.clone() {
            let line = line(&person(number)).replace(&format!(",{GUANGZHOU},"), &format!(",{division},"));
            writeln!(text, "{line}").unwrap();
        }
    }
    text
}

pub(super) const AT_FIRST: Residents<'static> = &[(0..20, GUANGZHOU), (20..35, SHENZHEN), (35..45, ZHAOQING)];

impl Scene {
    pub(super) async fn found() -> Self {
        Self::with(&OF_CITY, BY_HAND, "").await
    }

    pub(super) async fn with(city: &[(&str, &str, &str)], returns: &str, policies: &str) -> Self {
        let settings = "[federation]\naddress = '127.0.0.1:0'\npull_ms = 100\n";
        let (agreements, catalog) = (Some(AGREEMENTS), &OF_PROVINCE);
        let guangdong = TestNode::of(Setup { settings, agreements, catalog, policies, ..Setup::default() }).await;
        let card = guangdong.dir.path().join("card.json");
        fs::write(&card, serde_json::to_string(&guangdong.node.card().unwrap()).unwrap()).unwrap();
        let settings = format!("{settings}province = '{}'\n[returns]\n{returns}\n", card.display());
        let setup = Setup { id: Some("shenzhen"), settings: &settings, catalog: city, ..Setup::default() };
        let shenzhen = TestNode::of(setup).await;
        admit(&guangdong, &shenzhen).await;
        let scene = Self { guangdong, shenzhen };
        until(async || match scene.offers().await {
            Ok(_) => Ok(()),
            Err(problem) => Err(problem.to_string()),
        })
        .await;
        scene.guangdong.publish(DATASET, &register(AT_FIRST)).await;
        scene
    }

    pub(super) fn connected(&self) -> (Peers, Arc<Membership>) {
        let (paths, own) = (&self.shenzhen.settings.paths, &self.shenzhen.settings.node.id);
        let membership = Arc::new(Membership::read(&paths.directory(), TimeDelta::hours(1)).unwrap());
        let certificate = Certificate::open(&paths.peer_certificate(), &paths.peer_key(), own).unwrap();
        (Peers::new(Arc::new(certificate), Arc::clone(&membership)), membership)
    }

    pub(super) async fn offers(&self) -> Result<Vec<serde_json::Value>, Problem> {
        let (peers, membership) = self.connected();
        let catalog = self.shenzhen.node.catalog();
        let puller = Puller {
            settings: &self.shenzhen.settings,
            catalog: &catalog,
            peers: &peers,
            membership: &membership,
            now: Utc::now(),
        };
        puller.offers(&province()).await
    }

    pub(super) async fn pull(&self, dataset: &str) -> Result<Pulled, Problem> {
        let (peers, membership) = self.connected();
        let catalog = self.shenzhen.node.catalog();
        let puller = Puller {
            settings: &self.shenzhen.settings,
            catalog: &catalog,
            peers: &peers,
            membership: &membership,
            now: Utc::now(),
        };
        let pulled = puller.pull(&catalog.datasets[dataset], false).await;
        let (_, errors) = self.shenzhen.node.engine.refresh().await;
        assert!(errors.is_empty(), "{errors:?}");
        pulled
    }

    pub(super) async fn pulled(&self) -> u64 {
        match self.pull(DATASET).await {
            Ok(Pulled::Published { published, .. }) => published.rows,
            other => panic!("{other:?}"),
        }
    }

    pub(super) async fn refused(&self) -> Problem {
        self.pull(DATASET).await.unwrap_err()
    }

    /// The numbers of the persons in the city's register.
    pub(super) async fn here(&self) -> BTreeSet<String> {
        self.column("resident_id").await.into_iter().flatten().collect()
    }

    pub(super) async fn column(&self, field: &str) -> Vec<Option<String>> {
        let text = format!("SELECT CAST(\"{field}\" AS VARCHAR) FROM \"{DATASET}\"");
        let batches = self.shenzhen.node.engine.sql(&text).await.unwrap();
        let mut cells = Vec::new();
        for batch in batches {
            let column = arrow::compute::cast(batch.column(0), &arrow::datatypes::DataType::Utf8).unwrap();
            let column = column.as_string::<i32>();
            cells.extend((0..column.len()).map(|row| column.is_valid(row).then(|| column.value(row).to_owned())));
        }
        cells
    }

    /// The records of returns in the province's log.
    pub(super) fn records(&self) -> Vec<Record> {
        self.guangdong.records().into_iter().filter(|record| record.operation == Operation::Return).collect()
    }

    pub(super) fn table(&self) -> PathBuf {
        self.shenzhen.settings.paths.tables().join(DATASET)
    }
}

pub(super) fn province() -> NodeId {
    "guangdong".parse().unwrap()
}

pub(super) fn numbers(persons: impl IntoIterator<Item = u64>) -> BTreeSet<String> {
    persons.into_iter().map(|number| person(number).id.to_string()).collect()
}
