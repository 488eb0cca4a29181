//! The door for other nodes, from the outside: a node's own certificate, and what is sent with it.

use std::sync::Arc;

use chrono::{TimeDelta, Utc};
use reqwest::Method;
use serde_json::{Value, json};
use shuqiao::{
    federation::{Certificate, Forwarding, Membership, Peers, paths},
    identifiers::{CallId, NodeId},
    keys::KeyRing,
};
use uuid::Uuid;

use super::province::{EACH, Province, until};
use crate::support::{
    node::{DEPARTMENT, ITEM, TestNode, WINDOW, verification},
    registers::person,
};

/// Speaks as a node, with that node's keys, and says whatever a test wants said.
pub(super) struct Speaker {
    peers: Peers,
    membership: Arc<Membership>,
    keys: KeyRing,
    own: NodeId,
    _dir: tempfile::TempDir,
}

impl Speaker {
    pub(super) async fn of(node: &TestNode, issuer: &TestNode) -> Self {
        let (dir, own) = (tempfile::tempdir().unwrap(), node.settings.node.id.clone());
        let membership =
            Membership::open(issuer.node.card(), &dir.path().join("directory.json"), TimeDelta::hours(1)).unwrap();
        let (membership, paths) = (Arc::new(membership), &node.settings.paths);
        let certificate = Arc::new(Certificate::open(&paths.peer_certificate(), &paths.peer_key(), &own).unwrap());
        let (peers, keys) =
            (Peers::new(certificate, Arc::clone(&membership)), KeyRing::open(&paths.token_key()).unwrap());
        let speaker = Self { peers, membership, keys, own, _dir: dir };
        let endpoint = issuer.node.card().unwrap().endpoint.join(paths::DIRECTORY).unwrap();
        let handed = speaker.peers.client(&issuer.settings.node.id).unwrap().get(endpoint).send().await.unwrap();
        let handed: Value = handed.json().await.unwrap();
        speaker.membership.take(handed["directory"].as_str().unwrap(), Utc::now()).unwrap();
        speaker
    }

    fn forwarding(&self, chain: &[&str], body: &Value, call: u128) -> Forwarding {
        let digest = shuqiao::audit::sha256(&serde_json::to_vec(body).unwrap());
        Forwarding {
            chain: chain.iter().map(|node| node.parse().unwrap()).collect(),
            client: WINDOW.parse().unwrap(),
            department: DEPARTMENT.parse().unwrap(),
            roles: shuqiao::identifiers::Roles::default(),
            item: ITEM.parse().unwrap(),
            case: Some("TEST-1".parse().unwrap()),
            operator: None,
            call_id: CallId::new(Uuid::from_u128(call)),
            request_sha256: digest.0,
            budget_ms: 1_000,
            came_with: None,
        }
    }

    /// The status and what came with it.
    pub(super) async fn say(
        &self,
        to: &TestNode,
        path: &str,
        token: Option<&str>,
        body: &Value,
    ) -> Result<(u16, Value), String> {
        let node = &to.settings.node.id;
        let url = self.membership.card(node, Utc::now()).unwrap().endpoint.join(path).unwrap();
        let method = if body.is_null() { Method::GET } else { Method::POST };
        let mut request = self.peers.client(node).unwrap().request(method, url);
        if !body.is_null() {
            request = request.json(body);
        }
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        let response = request.send().await.map_err(|error| format!("{error:?}"))?;
        let status = response.status().as_u16();
        Ok((status, response.json().await.unwrap_or(Value::Null)))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forwarded_call_is_answered_once_and_for_the_node_that_it_was_signed_for() {
    let province = Province::found().await;
    let speaker = Speaker::of(&province.guangzhou, &province.guangdong).await;
    let shenzhen: NodeId = "shenzhen".parse().unwrap();
    let there = person(EACH + 3);
    let (body, other) = (
        verification(there.id.as_str(), json!({ "name": there.name })),
        verification(there.id.as_str(), json!({ "name": "别人" })),
    );
    let sign = |forwarding: Forwarding, to: &str| {
        forwarding.sign(&to.parse().unwrap(), &speaker.keys.signing(), Utc::now()).unwrap()
    };
    let verify = async |token: Option<&str>, body: &Value| {
        speaker.say(&province.shenzhen, paths::VERIFICATIONS, token, body).await.unwrap()
    };
    let code = |(status, said): (u16, Value)| (status, said["code"].as_str().unwrap_or_default().to_owned());

    assert_eq!(code(verify(None, &body).await), (401, "token_missing".to_owned()));
    let for_another = sign(speaker.forwarding(&["guangzhou"], &body, 1), "guangdong");
    assert_eq!(code(verify(Some(&for_another), &body).await), (401, "peer_token_invalid".to_owned()));
    let of_a_circle = sign(speaker.forwarding(&["shenzhen", "guangzhou"], &body, 2), "shenzhen");
    assert_eq!(code(verify(Some(&of_a_circle), &body).await), (508, "forwarding_loop".to_owned()));
    let over_another = sign(speaker.forwarding(&["guangzhou"], &other, 3), "shenzhen");
    assert_eq!(code(verify(Some(&over_another), &body).await), (401, "peer_token_invalid".to_owned()));
    let mut of_another_case = speaker.forwarding(&["guangzhou"], &body, 4);
    of_another_case.case = None;
    assert_eq!(
        code(verify(Some(&sign(of_another_case, "shenzhen")), &body).await),
        (401, "peer_token_invalid".to_owned())
    );

    // The same call again: the very same answer, and one record.
    let token = sign(speaker.forwarding(&["guangzhou"], &body, 5), "shenzhen");
    let (first, second) = (verify(Some(&token), &body).await, verify(Some(&token), &body).await);
    assert_eq!((first.0, first.1["outcome"].as_str()), (200, Some("match")), "{:#}", first.1);
    assert_eq!(first, second);
    let answered = |records: &[shuqiao::audit::Record]| {
        records
            .iter()
            .filter(|it| it.forwarded_as == Some(CallId::new(Uuid::from_u128(5))) && it.outcome.is_some())
            .count()
    };
    assert_eq!(answered(&province.shenzhen.records()), 1);
    let with_another_body = sign(speaker.forwarding(&["guangzhou"], &other, 5), "shenzhen");
    assert_eq!(code(verify(Some(&with_another_body), &other).await), (409, "peer_call_repeated".to_owned()));

    // After a restart the answer is gone, and the call is known all the same.
    let Province { guangdong, guangzhou, shenzhen: city } = province;
    let city = city.restart().await;
    until(async || {
        let speaker = Speaker::of(&guangzhou, &guangdong).await; // Its address is another, and goes round by itself.
        let said = speaker.say(&city, paths::VERIFICATIONS, Some(&token), &body).await;
        let (status, said) = said?;
        (code((status, said.clone())) == (409, "peer_call_repeated".to_owned()))
            .then_some(())
            .ok_or(format!("{said:#}"))
    })
    .await;
    assert_eq!(answered(&city.records()), 1);
    drop((speaker.own, shenzhen));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_speaks_for_its_own_departments_and_hands_on_what_others_have_signed() {
    let province = Province::found().await;
    let speaker = Speaker::of(&province.guangzhou, &province.guangdong).await;
    let there = person(EACH + 3);
    let body = verification(there.id.as_str(), json!({ "name": there.name }));
    let say = async |forwarding: Forwarding, to: &TestNode| {
        let token = forwarding.sign(&to.settings.node.id, &speaker.keys.signing(), Utc::now()).unwrap();
        let (status, said) = speaker.say(to, paths::VERIFICATIONS, Some(&token), &body).await.unwrap();
        (status, said["code"].as_str().unwrap_or_default().to_owned())
    };
    for (call, department) in ["gd-human-resources", "sz-government-services", "nobodys"].iter().enumerate() {
        let mut lie = speaker.forwarding(&["guangzhou"], &body, call as u128);
        lie.department = department.parse().unwrap();
        assert_eq!(say(lie, &province.shenzhen).await, (403, "peer_department".to_owned()), "{department}");
    }
    // A call that another node is said to have sent, of which that node knows nothing.
    let invented = speaker.forwarding(&["shenzhen", "guangzhou"], &body, 9);
    assert_eq!(say(invented, &province.guangdong).await, (401, "peer_token_invalid".to_owned()));
    // A department that has a system at a node which is not its own, too, is told so by whoever keeps the record.
    let answer = province.guangdong.post("/v1/verifications", &body).await;
    assert_eq!((answer.said(), answer.json["reason"].as_str()), ("indeterminate", Some("holder_refused")));
    let refusal = answer.json["nodes"].as_array().unwrap().iter().find(|node| node["node"] == "shenzhen").unwrap();
    assert_eq!(refusal["code"], "peer_department", "{:#}", answer.json);
    let record = province.shenzhen.records().pop().unwrap();
    assert_eq!(record.code.as_deref(), Some("peer_department"));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_in_the_directory_is_nobody() {
    let province = Province::found().await;
    let speaker = Speaker::of(&province.guangzhou, &province.guangdong).await;
    assert_eq!(speaker.own.as_str(), "guangzhou");
    let fetch = async |to: &TestNode, path: &str| speaker.say(to, path, None, &Value::Null).await;
    let (status, said) = fetch(&province.guangdong, paths::DIRECTORY).await.unwrap();
    assert_eq!(status, 200, "{said:#}");
    // A city hands out no directory, and its index to the node above alone.
    assert_eq!(fetch(&province.shenzhen, paths::DIRECTORY).await.unwrap().0, 503);
    let index = format!("{}/natural-person", paths::INDEX);
    assert_eq!(fetch(&province.shenzhen, &index).await.unwrap().0, 404);
    assert_eq!(fetch(&province.shenzhen, "/peer/v1/else").await.unwrap().1["code"], "no_such_path");
    // Nobody speaks for another.
    let card = serde_json::to_value(province.shenzhen.node.card().unwrap()).unwrap();
    let (status, said) = speaker.say(&province.guangdong, paths::CARD, None, &card).await.unwrap();
    assert_eq!((status, said["field"].as_str()), (422, Some("/node")));

    let ledger = shuqiao::http::open_ledger(&province.guangdong.settings).await.unwrap();
    ledger.revoke_member(&speaker.own, "on-site", "key in wrong hands", Utc::now()).await.unwrap();
    // Known still, for a moment: its new card does not list it again.
    let mut card = serde_json::to_value(province.guangzhou.node.card().unwrap()).unwrap();
    card["endpoint"] = json!("https://127.0.0.1:9/");
    let _ = speaker.say(&province.guangdong, paths::CARD, None, &card).await;
    assert!(ledger.members().await.unwrap().1.iter().any(|member| member.node == speaker.own && member.revoked));
    // On a connection that is open the next request is refused; a new connection is not made at all.
    until(async || match fetch(&province.shenzhen, "/peer/v1/else").await {
        Ok((_, said)) if said["code"] == "peer_unknown" => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;
    speaker.peers.forget();
    let error = fetch(&province.shenzhen, "/peer/v1/else").await.unwrap_err();
    assert!(error.contains("AlertReceived"), "{error}");
}
