//! A node that takes statements, with a register of firms, and a client of Arrow's own.

use std::collections::HashMap;

use arrow::{array::RecordBatch, util::pretty::pretty_format_batches};
use arrow_flight::{FlightInfo, error::FlightError, sql::client::FlightSqlServiceClient};
use futures::TryStreamExt;
use shuqiao::sample::Register;
use tonic::{Status, transport::Channel};

use crate::support::node::{ITEM, TestNode};

/// Provides the register of firms.
pub(crate) const PROVIDER: &str = "gd-market-regulation";
pub(crate) const FIRMS: u64 = 3_000;

pub(crate) type Client = FlightSqlServiceClient<Channel>;

/// What came of a statement.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) batches: Vec<RecordBatch>,
    /// Of the schema.
    pub(crate) told: HashMap<String, String>,
}

impl Answer {
    pub(crate) fn table(&self) -> String {
        pretty_format_batches(&self.batches).unwrap().to_string()
    }

    pub(crate) fn rows(&self) -> usize {
        self.batches.iter().map(RecordBatch::num_rows).sum()
    }
}

/// A node that takes statements, with more settings.
pub(crate) async fn node(settings: &str) -> TestNode {
    let node = TestNode::start(0, &format!("[flight]\naddress = '127.0.0.1:0'\n{settings}")).await;
    node.publish_sample(Register::LegalEntity, FIRMS).await;
    node
}

/// A client that has neither token nor purpose.
pub(crate) async fn nobody(node: &TestNode) -> Client {
    let address = format!("http://{}", node.flight.unwrap());
    FlightSqlServiceClient::new(Channel::from_shared(address).unwrap().connect().await.unwrap())
}

/// A client with a token, an item and a case.
pub(crate) async fn client(node: &TestNode, token: &str) -> Client {
    let mut client = nobody(node).await;
    client.set_token(token.to_owned());
    client.set_header("x-shuqiao-item", ITEM);
    client.set_header("x-shuqiao-case", "COUNT-1");
    client
}

pub(crate) async fn ask(client: &mut Client, statement: &str) -> Result<Answer, Status> {
    let info = client.execute(statement.to_owned(), None).await.map_err(status)?;
    fetch(client, info).await
}

pub(crate) async fn fetch(client: &mut Client, info: FlightInfo) -> Result<Answer, Status> {
    let ticket = info.endpoint[0].ticket.clone().unwrap();
    let mut stream = client.do_get(ticket).await.map_err(status)?;
    let mut batches = Vec::new();
    while let Some(batch) = stream.try_next().await.map_err(status)? {
        batches.push(batch);
    }
    let told = stream.schema().unwrap().metadata().clone();
    Ok(Answer { batches, told })
}

pub(crate) fn status(error: FlightError) -> Status {
    match error {
        FlightError::Tonic(status) => *status,
        other => panic!("{other}"),
    }
}

/// The code in a refusal.
pub(crate) fn code(status: &Status) -> &str {
    status.metadata().get("x-shuqiao-code").map_or("none", |code| code.to_str().unwrap())
}
