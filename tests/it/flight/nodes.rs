//! A register that is divided over nodes: each counts its own records, by its own rules, and only cells travel.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc};

use arrow::{array::RecordBatch, util::pretty::pretty_format_batches};
use shuqiao::{
    engine::statistics::{Counted, PeerCounts, PeerFailure, PeerSaid, Peers, Spread},
    identifiers::NodeId,
    sample::Register,
};
use tonic::transport::Channel;

use super::scene::{self, Client, PROVIDER, ask, code};
use crate::support::{
    node::{ITEM, TestNode},
    snapshots,
};

/// Asks other nodes of this test through their own doors, as a steward who is known there.
struct Loopback(BTreeMap<NodeId, (SocketAddr, String)>);

#[async_trait::async_trait]
impl Peers for Loopback {
    async fn count(&self, node: &NodeId, statement: &str) -> Result<PeerCounts, PeerFailure> {
        let away = |_| PeerFailure { end: "unreachable", code: None };
        let (address, token) = &self.0[node];
        let channel = Channel::from_shared(format!("http://{address}")).unwrap().connect().await.map_err(away)?;
        let mut client = Client::new(channel);
        client.set_token(token.clone());
        client.set_header("x-shuqiao-item", ITEM);
        client.set_header("x-shuqiao-case", "COUNT-1");
        let answer = ask(&mut client, statement).await;
        let answer = answer.map_err(|refused| PeerFailure { end: "refused", code: Some(code(&refused).to_owned()) })?;
        let told = |name: &str| answer.told.get(&format!("shuqiao.{name}")).cloned().unwrap_or_default();
        let about = PeerSaid {
            suppressed: told("suppressed").parse().unwrap(),
            cell_min: told("cell_min").parse().unwrap(),
            call_id: told("call_id"),
            dataset_version: told("dataset_version"),
            as_of: told("as_of"),
        };
        Ok(PeerCounts { batches: answer.batches, about })
    }
}

/// The province with two cities; the second city shows no cell below 40.
struct Scene {
    province: TestNode,
    guangzhou: TestNode,
    shenzhen: TestNode,
    spread: Spread,
    peers: BTreeMap<NodeId, (SocketAddr, String)>,
}

impl Scene {
    async fn new() -> Self {
        let province = scene::node("").await;
        let (guangzhou, shenzhen) = (city("", 2_000).await, city("[statistics]\ncell_min = 40\n", 1_000).await);
        let mut peers = BTreeMap::new();
        for (name, node) in [("guangzhou", &guangzhou), ("shenzhen", &shenzhen)] {
            let token = node.account("asker", PROVIDER, "steward").await;
            peers.insert(name.parse().unwrap(), (node.flight.unwrap(), token));
        }
        let nodes = ["guangdong", "guangzhou", "shenzhen"].iter().map(|id| id.parse().unwrap()).collect();
        let spread =
            Spread { own: "guangdong".parse().unwrap(), nodes: [("legal-entity".parse().unwrap(), nodes)].into() };
        Self { province, guangzhou, shenzhen, spread, peers }
    }

    async fn count(&self, statement: &str) -> Counted {
        let engine = &self.province.node.engine;
        let counting = engine.read_statistics(statement, &[], Some(&self.spread)).await.unwrap();
        let peers = Arc::new(Loopback(self.peers.clone()));
        engine.count(&counting, 10, Some(peers)).await.unwrap_or_else(|error| panic!("{statement}: {error:?}"))
    }

    fn refused(&self, statement: &str) -> impl Future<Output = String> {
        let (engine, spread) = (Arc::clone(&self.province.node.engine), self.spread.clone());
        let statement = statement.to_owned();
        async move { engine.read_statistics(&statement, &[], Some(&spread)).await.unwrap_err().to_string() }
    }
}

async fn city(settings: &str, rows: u64) -> TestNode {
    let node = TestNode::start(0, &format!("[flight]\naddress = '127.0.0.1:0'\n{settings}")).await;
    node.publish_sample(Register::LegalEntity, rows).await;
    node
}

fn table(batches: &[RecordBatch]) -> String {
    pretty_format_batches(batches).unwrap().to_string()
}

/// What each node's cells are, in the order of the nodes.
async fn right(scene: &Scene, columns: &str, cell_min: [u64; 3]) -> String {
    let mut found = Vec::new();
    let nodes = [("guangdong", &scene.province), ("guangzhou", &scene.guangzhou), ("shenzhen", &scene.shenzhen)];
    for ((name, node), cell_min) in nodes.into_iter().zip(cell_min) {
        let statement = format!(
            "select '{name}' as node, {columns} from \"legal-entity\" group by status having count(*) >= {cell_min} order by status"
        );
        found.extend(node.node.engine.sql(&statement).await.unwrap());
    }
    table(&found)
}

#[tokio::test]
async fn each_node_counts_its_own_and_keeps_its_own_small_cells_back() {
    let scene = Scene::new().await;
    let counted = scene
        .count("select node, status, count(*) as n from \"legal-entity\" group by node, status order by node, status")
        .await;
    let told: Vec<_> = counted.nodes.iter().map(|told| (told.node.as_str(), told.word())).collect();
    assert_eq!(
        told,
        [("guangdong", "answered"), ("guangzhou", "answered"), ("shenzhen", "answered")],
        "{:?}",
        counted.nodes
    );
    assert_eq!(table(&counted.batches), right(&scene, "status, count(*) as n", [10, 10, 40]).await);
    assert!(counted.nodes[0].statement.is_none());
    let statement = counted.nodes[1].statement.as_deref().unwrap();
    snapshots::settings().bind(|| insta::assert_snapshot!("statement_for_a_node", statement));
    let suppressed: u64 = counted.nodes.iter().map(|told| told.end.as_ref().unwrap().suppressed).sum();
    assert_eq!(counted.suppressed, suppressed);
    // It is in the other node's own log, with its own policies.
    let records = scene.shenzhen.records();
    let record = records.iter().find(|record| record.statistics.is_some()).unwrap();
    assert_eq!(record.call_id.to_string(), counted.nodes[2].end.as_ref().unwrap().call_id);
    assert_eq!(record.policies, ["statistics-for-stewards-of-the-provider"]);
}

#[tokio::test]
async fn an_explanation_says_what_each_node_would_be_asked() {
    let scene = Scene::new().await;
    let statement =
        "explain select node, status, count(*) from \"legal-entity\" where node <> 'guangzhou' group by node, status";
    let explained = scene.count(statement).await;
    assert!(explained.nodes.is_empty(), "nobody was asked");
    snapshots::settings().bind(|| insta::assert_snapshot!("explain_nodes", table(&explained.batches)));
}

#[tokio::test]
async fn cells_of_all_nodes_are_added_up_above_them() {
    let scene = Scene::new().await;
    let statement = "select sum(n) as n from (select node, status, count(*) as n from \"legal-entity\" \
                     where status in ('1', '2') group by node, status) t";
    let counted = scene.count(statement).await;
    let mut sum = 0;
    for (node, cell_min) in [(&scene.province, 10), (&scene.guangzhou, 10), (&scene.shenzhen, 40)] {
        let own = format!(
            "select sum(n) from (select count(*) as n from \"legal-entity\" where status in ('1', '2') group by status having count(*) >= {cell_min}) t"
        );
        let batches = node.node.engine.sql(&own).await.unwrap();
        sum += arrow::array::AsArray::as_primitive::<arrow::datatypes::Int64Type>(batches[0].column(0)).value(0);
    }
    assert!(table(&counted.batches).contains(&format!("| {sum} ")), "{sum}: {}", table(&counted.batches));
}

#[tokio::test]
async fn only_nodes_that_are_meant_are_asked() {
    let mut scene = Scene::new().await;
    let statement = |condition: &str| {
        format!(
            "select node, sum(registered_capital) from (select * from \"legal-entity\") t where {condition} group by node"
        )
    };
    let counted = scene.count(&statement("node = 'shenzhen' and status = '1'")).await;
    let asked: Vec<_> = counted.nodes.iter().map(|told| told.node.as_str()).collect();
    assert_eq!((asked, counted.rows()), (vec!["shenzhen"], 1));
    // So it does not matter that another is away.
    scene.peers.get_mut("guangzhou").unwrap().0 = "127.0.0.1:1".parse().unwrap();
    assert_eq!(scene.count(&statement("node in ('guangdong', 'shenzhen')")).await.rows(), 2);
}

#[tokio::test]
async fn a_node_that_is_away_or_refuses_is_named() {
    let mut scene = Scene::new().await;
    scene.peers.get_mut("guangzhou").unwrap().0 = "127.0.0.1:1".parse().unwrap();
    scene.peers.get_mut("shenzhen").unwrap().1 = scene.shenzhen.account("clerk", PROVIDER, "consumer").await;
    let counted = scene.count("select node, count(*) from \"legal-entity\" group by node").await;
    let told: Vec<_> = counted.nodes.iter().map(|told| (told.node.as_str(), told.word())).collect();
    assert_eq!(told, [("guangdong", "answered"), ("guangzhou", "unreachable"), ("shenzhen", "refused")]);
    assert_eq!(counted.nodes[2].end.as_ref().unwrap_err().code.as_deref(), Some("role_required"));
    assert_eq!(counted.rows(), 1);
}

#[tokio::test]
async fn records_of_several_nodes_are_never_put_into_one_cell() {
    let scene = Scene::new().await;
    for (statement, word) in [
        ("select status, count(*) from \"legal-entity\" group by status", "several nodes"),
        ("select count(*) from \"legal-entity\"", "several nodes"),
        ("select left(node, 3), node, count(*) from \"legal-entity\" group by 1, 2", "something of the node"),
        ("select count(distinct node), node from \"legal-entity\" group by node", "no statistic"),
        ("select n, count(*) from (select node as n from \"legal-entity\") t group by n", "another name"),
        ("select node, name from \"legal-entity\"", "records of"),
    ] {
        let refused = scene.refused(statement).await;
        assert!(refused.contains(word), "{statement}: {refused}");
    }
}
