//! `GET /.well-known/jwks.json`.

use reqwest::Method;
use shuqiao::keys::PublicKeys;

use crate::support::node::TestNode;

#[tokio::test]
async fn the_keys_are_published_without_their_private_half() {
    let node = TestNode::start(0, "").await;
    let answer = node.send(node.request(Method::GET, "/.well-known/jwks.json")).await;
    assert_eq!((answer.status, answer.headers["cache-control"].to_str().unwrap()), (200, "public, max-age=300"));
    let keys = answer.json["keys"].as_array().unwrap();
    assert_eq!(keys.len(), 2, "receipts and tokens have a key each");
    for key in keys {
        assert_eq!((&key["kty"], &key["crv"]), (&"OKP".into(), &"Ed25519".into()), "RFC 8037");
        assert!(key["kid"].as_str().is_some_and(|kid| kid.len() == 43), "an RFC 7638 thumbprint: {key}");
        assert_eq!(key.get("d"), None, "the private half");
    }
    let read = PublicKeys::from_json(&answer.json.to_string()).unwrap();
    assert_eq!(read.jwks(), node.jwks().jwks());
}
