//! A full call (token, policy, limits, look-up, durable audit, signed receipt) beside a bare axum echo of JSON.

use std::{net::SocketAddr, sync::Arc};

use axum::{Json, Router, routing::post};
use chrono::Utc;
use serde_json::{Value, json};
use shuqiao::{
    http::{self, Node, operator_token},
    telemetry,
};
use tokio::net::TcpListener;

use crate::{
    Scale, load,
    pairs::Report,
    world::{CLIENT, ITEM, World},
};

pub(crate) async fn run(world: &World, scale: Scale, report: &mut Report) {
    let settings = world.settings().await;
    let node = Node::open(settings.clone(), telemetry::install_metrics().unwrap(), Utc::now).await.unwrap();
    let (listener, ours) = any_port().await;
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = tokio::spawn(http::serve(Arc::clone(&node), listener, async {
        let _ = stopped.await;
    }));
    let (listener, theirs) = any_port().await;
    tokio::spawn(async move {
        let router = Router::new().route("/v1/verifications", post(|Json(body): Json<Value>| async { Json(body) }));
        axum::serve(listener, router).await.unwrap();
    });
    let token = operator_token(&settings, &CLIENT.parse().unwrap(), Utc::now()).await.unwrap();
    let bodies: Vec<_> = world
        .people(20_000)
        .iter()
        .map(|person| {
            json!({ "dataset": "natural-person", "item": ITEM, "case": "BENCH-1",
                    "subject": { "resident_id": person.resident_id }, "claims": { "name": person.name } })
            .to_string()
        })
        .collect();
    let requests = |token: Option<&str>| {
        Arc::new(bodies.iter().map(|body| load::post("/v1/verifications", token, body)).collect::<Vec<_>>())
    };
    let (asked, echoed) = (requests(Some(&token)), requests(None));
    for connections in [1, 64] {
        let mut turns = Vec::new();
        for _ in 0..scale.rounds {
            let call = load::run(ours, Arc::clone(&asked), connections, scale.turn_ms).await;
            let echo = load::run(theirs, Arc::clone(&echoed), connections, scale.turn_ms).await;
            turns.push((call, echo));
        }
        let part = |get: fn(&load::Load) -> f64| turns.iter().map(|(a, b)| (get(a), get(b))).collect::<Vec<_>>();
        let name = |what: &str| format!("full call, {connections} connections, beside a bare echo: {what}");
        report.pair(&name("calls"), "a second", &part(|load| load.per_second));
        report.pair(&name("p50"), "us", &part(|load| load.p50));
        report.pair(&name("p99"), "us", &part(|load| load.p99));
    }
    drop(stop);
    serving.await.unwrap();
}

async fn any_port() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}
