//! Somebody at the province's address, with its certificate, who hands out something else.

use std::{collections::BTreeSet, fs, net::SocketAddr, sync::Arc};

use chrono::{TimeDelta, Utc};
use serde_json::json;
use shuqiao::{
    audit::sha256,
    federation::{Certificate, Membership, Peers, paths, server},
    http::{Pulled, Puller},
    keys::{SigningKey, jws},
    problem::{Code, Problem},
    storage::delta,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;

use super::scene::{DATASET, Residents, SHENZHEN, Scene, numbers, province, register};
use crate::support::node::TestNode;

/// What a node on the province's address, with the province's certificate, hands out.
#[derive(Clone)]
struct Handed {
    manifest: String,
    body: Vec<u8>,
    /// Sent, before the connection is closed.
    sent: usize,
}

/// Serve one thing, whatever is asked.
async fn pose(
    settings: &shuqiao::config::Settings,
    address: SocketAddr,
    handed: Handed,
) -> tokio::task::JoinHandle<()> {
    let paths = &settings.paths;
    let membership = Arc::new(Membership::read(&paths.directory(), TimeDelta::hours(1)).unwrap());
    let certificate = Certificate::open(&paths.peer_certificate(), &paths.peer_key(), &settings.node.id).unwrap();
    let mut tls = server(&Arc::new(certificate), &membership).unwrap();
    tls.alpn_protocols = vec![b"http/1.1".to_vec()];
    let (acceptor, listener) = (TlsAcceptor::from(Arc::new(tls)), TcpListener::bind(address).await.unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let Ok(byte) = stream.read_u8().await else { break };
                head.push(byte);
            }
            let Handed { manifest, body, sent } = &handed;
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nx-shuqiao-manifest: {manifest}\r\nconnection: close\r\n\r\n",
                body.len()
            );
            let _ = stream.write_all(head.as_bytes()).await;
            let _ = stream.write_all(&body[..*sent]).await;
            let _ = stream.shutdown().await;
        }
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_changed_on_the_way_is_refused_and_the_version_before_answers() {
    let scene = Scene::found().await;
    scene.pulled().await;
    let later: Residents<'_> = &[(0..30, SHENZHEN)];
    scene.guangdong.publish(DATASET, &register(later)).await;

    // What the province really hands out now.
    let (peers, membership) = scene.connected();
    let endpoint = membership.card(&province(), Utc::now()).unwrap().endpoint;
    let after = delta::returned(&scene.table()).await.unwrap().unwrap();
    let url = endpoint.join(&format!("{}/{DATASET}?after={after}", paths::RETURNS)).unwrap();
    let response = peers.client(&province()).unwrap().get(url).send().await.unwrap();
    let manifest = response.headers()["x-shuqiao-manifest"].to_str().unwrap().to_owned();
    let body = response.bytes().await.unwrap().to_vec();
    let true_one = Handed { sent: body.len(), manifest: manifest.clone(), body: body.clone() };

    let Scene { guangdong, shenzhen } = scene;
    let settings = guangdong.settings.clone();
    let key = SigningKey::load(&settings.paths.receipt_key()).unwrap();
    let (address, before) = (endpoint.socket_addrs(|| None).unwrap()[0], numbers(20..35));
    let dir = guangdong.stop().await;
    let payload = |change: &dyn Fn(&mut serde_json::Value)| {
        let part = manifest.split('.').nth(1).unwrap();
        let bytes = base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, part).unwrap();
        let mut claims: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        change(&mut claims);
        serde_json::to_vec(&claims).unwrap()
    };
    let signed = |key: &SigningKey, change: &dyn Fn(&mut serde_json::Value)| {
        jws::sign(key, "return-manifest+jwt", &payload(change))
    };
    let with = |manifest: String| Handed { manifest, ..true_one.clone() };
    let mut flipped = true_one.clone();
    flipped.body[body.len() / 2] ^= 1;
    let longer = Handed { body: [&body[..], b"x"].concat(), sent: body.len() + 1, ..true_one.clone() };
    let broken_off = Handed { sent: body.len() / 2, ..true_one.clone() };
    let shorter = Handed { body: body[..body.len() - 1].to_vec(), sent: body.len() - 1, ..true_one.clone() };
    let stranger = SigningKey::generate().unwrap();
    let cases = [
        ("a byte of the body", flipped, Code::ReturnInvalid),
        ("a longer body", longer, Code::ReturnInvalid),
        ("a shorter body", shorter, Code::ReturnInvalid),
        ("a body that breaks off", broken_off, Code::PeerUnreachable),
        ("no manifest", with(String::new()), Code::ReturnInvalid),
        ("another's signature", with(signed(&stranger, &|_| ())), Code::ReturnInvalid),
        ("another receiver", with(signed(&key, &|claims| claims["aud"] = json!("guangzhou"))), Code::ReturnInvalid),
        ("another division", with(signed(&key, &|claims| claims["area"] = json!("440100"))), Code::ReturnInvalid),
        ("other bytes", with(signed(&key, &|claims| claims["sha256"] = json!(sha256(b"x")))), Code::ReturnInvalid),
        ("other rows", with(signed(&key, &|claims| claims["rows"] = json!(29))), Code::ReturnInvalid),
        (
            "an older version",
            with(signed(&key, &|claims| {
                claims["version"] = json!(0);
                claims["cursor"] = json!(format!("0-{}", after.split_once('-').unwrap().1));
            })),
            Code::ReturnInvalid,
        ),
    ];
    let scene_of = |shenzhen| Posed { shenzhen, before: before.clone() };
    let posed = scene_of(shenzhen);
    for (what, handed, code) in cases {
        let posing = pose(&settings, address, handed).await;
        let problem = posed.pull().await.unwrap_err();
        assert_eq!(problem.code, code, "{what}: {problem}");
        posed.is_as_before(what).await;
        posing.abort();
        let _ = posing.await;
    }
    // The very same, unchanged, is taken; and not a second time.
    let posing = pose(&settings, address, true_one).await;
    assert!(matches!(posed.pull().await, Ok(Pulled::Published { published, .. }) if published.rows == 30));
    let problem = posed.pull().await.unwrap_err();
    assert_eq!(problem.code, Code::ReturnInvalid, "{problem}");
    posing.abort();
    drop(dir);
}

/// The city while somebody else sits at the province's address.
struct Posed {
    shenzhen: TestNode,
    before: BTreeSet<String>,
}

impl Posed {
    async fn pull(&self) -> Result<Pulled, Problem> {
        let (paths, own) = (&self.shenzhen.settings.paths, &self.shenzhen.settings.node.id);
        let membership = Arc::new(Membership::read(&paths.directory(), TimeDelta::hours(1)).unwrap());
        let certificate = Certificate::open(&paths.peer_certificate(), &paths.peer_key(), own).unwrap();
        let peers = Peers::new(Arc::new(certificate), Arc::clone(&membership));
        let (settings, catalog) = (&self.shenzhen.settings, self.shenzhen.node.catalog());
        let puller = Puller { settings, catalog: &catalog, peers: &peers, membership: &membership, now: Utc::now() };
        puller.pull(&catalog.datasets[DATASET], false).await
    }

    async fn is_as_before(&self, what: &str) {
        self.shenzhen.node.engine.refresh().await;
        let number = self.before.first().unwrap();
        let found = self.shenzhen.verify(number, json!({ "status": "0" })).await;
        assert_eq!(found.said(), "match", "{what}: {:#}", found.json);
        let serving = self.shenzhen.node.engine.serving(&DATASET.parse().unwrap()).unwrap();
        assert_eq!((serving.rows, serving.version.0), (self.before.len() as u64, 0), "{what}");
        let left: Vec<_> = fs::read_dir(self.shenzhen.settings.paths.returns()).unwrap().collect();
        assert_eq!(left.len(), 1, "{what}: more than the lock is left: {left:?}");
    }
}
