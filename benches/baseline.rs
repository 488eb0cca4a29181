//! The rival: what a team would write first. axum, PostgreSQL, a prepared select by key, the comparison in code, and a row
//! in an audit table that is on the disk before the answer leaves. No token, no policy, no limits, no receipt.
//!
//! Statements are prepared once a connection; a connection takes the statements of many calls without waiting for the
//! answer to each (tokio-postgres pipelines).

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{Json, Router, extract::State, http::StatusCode, routing::post};
use chrono::{SecondsFormat, Utc};
use serde::Serialize;
use tokio_postgres::{Client, Error, Statement};
use uuid::Uuid;

use crate::{echo::Call, postgres};

struct Connection {
    client: Client,
    select: Statement,
    insert: Statement,
}

struct Pool {
    connections: Vec<Connection>,
    next: AtomicUsize,
}

#[derive(Serialize)]
struct Answer {
    call_id: String,
    outcome: &'static str,
    claims: Claims,
    dataset: String,
    answered_at: String,
}

#[derive(Serialize)]
struct Claims {
    name: &'static str,
}

/// What is kept of a call: about as much as the node's own record.
#[derive(Serialize)]
struct Record<'a> {
    call_id: &'a str,
    time: &'a str,
    operation: &'a str,
    dataset: &'a str,
    item: &'a str,
    case: &'a str,
    subject_field: &'a str,
    subject: &'a str,
    fields: [&'a str; 1],
    outcome: &'a str,
}

pub(crate) async fn router(socket: &Path, connections: usize) -> Router {
    let mut pool = Pool { connections: Vec::new(), next: AtomicUsize::new(0) };
    for _ in 0..connections {
        let client = postgres::connect(socket).await;
        let select = client.prepare(postgres::SELECT).await.unwrap();
        let insert = client.prepare("insert into audit (record) values ($1)").await.unwrap();
        pool.connections.push(Connection { client, select, insert });
    }
    Router::new().route("/v1/verifications", post(verify)).with_state(Arc::new(pool))
}

async fn verify(State(pool): State<Arc<Pool>>, Json(call): Json<Call>) -> Result<Json<Answer>, StatusCode> {
    let turn = pool.next.fetch_add(1, Ordering::Relaxed);
    let connection = &pool.connections[turn % pool.connections.len()];
    connection.answer(call).await.map(Json).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
}

impl Connection {
    async fn answer(&self, call: Call) -> Result<Answer, Error> {
        let (subject_field, subject) = call.subject.first_key_value().unwrap();
        let row = self.client.query_opt(&self.select, &[subject]).await?;
        let outcome = match row.map(|row| row.get::<_, String>(0)) {
            None => "not_found",
            Some(name) if call.claims.get("name") == Some(&name) => "match",
            Some(_) => "mismatch",
        };
        let (call_id, time) = (Uuid::now_v7().to_string(), Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true));
        let record = Record {
            call_id: &call_id,
            time: &time,
            operation: "verification",
            dataset: &call.dataset,
            item: &call.item,
            case: &call.case,
            subject_field,
            subject,
            fields: ["name"],
            outcome,
        };
        let record = serde_json::to_string(&record).unwrap();
        self.client.execute(&self.insert, &[&record]).await?;
        Ok(Answer { call_id, outcome, claims: Claims { name: outcome }, dataset: call.dataset, answered_at: time })
    }
}
