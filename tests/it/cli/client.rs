//! `shuqiao client` and `shuqiao token`.

use std::{
    os::unix::fs::PermissionsExt,
    time::{Duration, Instant},
};

use crate::support::{
    node::WINDOW,
    process::{Home, PATIENCE, client, json, verify},
    registers::person,
};

#[test]
fn clients_are_registered_listed_suspended_and_resumed() {
    let home = Home::empty("");
    let made = home.run(&[
        "client",
        "register",
        "gz-second",
        "--department",
        "gd-public-security",
        "--name",
        "第二",
        "--generate",
    ]);
    assert_eq!(made.code, Some(0), "{made:?}");
    let key = home.path("data/clients/gz-second.pem");
    assert!(made.out.contains(key.to_str().unwrap()), "{made:?}");
    assert_eq!(std::fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    let listed = || {
        let said = home.run(&["client", "list", "--json"]);
        assert_eq!(said.code, Some(0), "{said:?}");
        let clients = json(said.out.as_bytes());
        let texts = |entry: &serde_json::Value| {
            ["client", "department", "name", "status"].map(|key| entry[key].as_str().unwrap().to_owned())
        };
        clients.as_array().unwrap().iter().map(texts).collect::<Vec<_>>()
    };
    let second = |status: &str| ["gz-second", "gd-public-security", "第二", status].map(str::to_owned);
    let first = [WINDOW, "gz-administrative-approval", WINDOW, "active"].map(str::to_owned);
    assert_eq!(listed(), [first.clone(), second("active")]);
    assert_eq!(home.run(&["client", "suspend", "gz-second"]).code, Some(0));
    assert_eq!(listed(), [first.clone(), second("suspended")]);
    let refused = home.run(&["token", "gz-second"]);
    assert!(refused.code == Some(2) && refused.out.is_empty() && refused.err.contains("suspended"), "{refused:?}");
    assert_eq!(home.run(&["client", "resume", "gz-second"]).code, Some(0));
    assert_eq!(listed(), [first, second("active")]);
    let token = home.run(&["token", "gz-second"]);
    assert_eq!((token.code, token.out.trim().split('.').count()), (Some(0), 3), "{token:?}");
}

#[test]
fn what_cannot_be_registered_is_said_with_a_remedy() {
    let home = Home::empty("");
    let jwks = home.path("jwks.json");
    std::fs::write(&jwks, "{\"keys\":[]}").unwrap();
    let jwks = jwks.to_str().unwrap();
    for (arguments, hint) in [
        (vec!["register", WINDOW, "--department", "gd-public-security", "--generate"], "client rekey"),
        (vec!["register", "new", "--department", "gd-public-securty", "--generate"], "Is it `gd-public-security`?"),
        (vec!["register", "new", "--department", "gd-public-security"], "--generate"),
        (vec!["register", "new", "--department", "gd-public-security", "--jwks", jwks], "jwks.json"),
        (vec!["register", "new", "--department", "gd-public-security", "--jwks", "absent.json"], "absent.json"),
        (vec!["register", "New Client", "--department", "gd-public-security", "--generate"], "New Client"),
        (vec!["suspend", "nobody"], "nobody"),
        (vec!["resume", "nobody"], "nobody"),
    ] {
        let said = home.run(&[&["client"], arguments.as_slice()].concat());
        assert_eq!(said.code, Some(2), "{arguments:?} {said:?}");
        assert!(said.err.contains(hint) && said.out.is_empty(), "{arguments:?} {said:?}");
    }
    assert!(!home.path("data/clients/new.pem").exists(), "no key is left of a registration that was refused");
    let nobody = home.run(&["token", "nobody"]);
    assert!(nobody.code == Some(2) && nobody.err.contains("nobody"), "{nobody:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_suspended_client_is_refused_by_the_node_that_runs_and_its_token_stays_void() {
    let home = Home::with_persons(50, "").await;
    let _node = home.serve().await;
    let (http, url, token) = (client(), home.url("/v1/verifications"), home.token().await);
    let status = async |token: &str| verify(&http, &url, token, &person(1), "测试1").await.unwrap().0;
    let becomes = async |token: &str, wanted: u16| {
        let until = Instant::now() + PATIENCE;
        while status(token).await != wanted {
            assert!(Instant::now() < until, "it does not become {wanted}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    assert_eq!(status(&token).await, 200);
    assert_eq!(home.run(&["client", "suspend", WINDOW]).code, Some(0));
    becomes(&token, 401).await;
    assert_eq!(home.run(&["client", "resume", WINDOW]).code, Some(0));
    let fresh = || home.run(&["token", WINDOW]).out.trim().to_owned();
    let until = Instant::now() + PATIENCE;
    // Tokens are dated to the second; one of the second of the change is void as well.
    while status(&fresh()).await != 200 {
        assert!(Instant::now() < until, "a resumed client gets no token that holds");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(status(&token).await, 401, "the token from before stays void");
}
