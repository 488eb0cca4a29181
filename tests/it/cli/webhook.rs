//! `shuqiao webhook`: on the node itself, beside a running node or without one.

use serde_json::json;

use crate::support::{
    node::WINDOW,
    process::{Home, json as read},
};

#[test]
fn a_webhook_is_set_listed_and_removed_and_each_is_an_act() {
    let home = Home::empty("");
    let set = |client: &str, url: &str| home.run(&["webhook", "set", client, url, "--reason", "接收补核结果"]);
    for (client, url, says) in [
        (WINDOW, "http://window.example/told", "https"),
        (WINDOW, "https://u:hunter2@window.example/", "user or a password"),
        ("nobody", "https://window.example/told", "not registered"),
    ] {
        let refused = set(client, url);
        assert!(refused.code == Some(2) && refused.err.contains(says), "{refused:?}");
        assert!(!refused.err.contains("hunter2"));
    }
    let done = set(WINDOW, "https://window.example/told");
    assert_eq!(done.code, Some(0), "{done:?}");
    let listed = read(home.run(&["webhook", "list", "--json"]).out.as_bytes());
    assert_eq!((&listed[0]["client"], &listed[0]["url"]), (&json!(WINDOW), &json!("https://window.example/told")));
    assert!(home.run(&["webhook", "list"]).out.contains("https://window.example/told"));
    let dead = home.run(&["webhook", "dead", "--json"]);
    assert_eq!((dead.code, dead.out.trim()), (Some(0), "[]"), "{dead:?}");
    let replayed = home.run(&["webhook", "replay", "019a0000-0000-7000-8000-000000000000"]);
    assert!(replayed.code == Some(2) && replayed.err.contains("there is no delivery"), "{replayed:?}");
    let remove = || home.run(&["webhook", "remove", WINDOW, "--reason", "系统下线"]);
    assert_eq!(remove().code, Some(0));
    let twice = remove();
    assert!(twice.code == Some(2) && twice.err.contains("has no webhook"), "{twice:?}");
    let acts = home.run(&["acts"]).out;
    assert!(acts.contains("set a webhook") && acts.contains("remove a webhook"), "{acts}");
}
