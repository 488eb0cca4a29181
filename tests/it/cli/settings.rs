//! `shuqiao settings`, `health`, and what every command says about a folder that is no node.

use crate::support::process::{Home, free_address, shuqiao};

#[test]
fn a_folder_that_is_no_node_is_said_with_the_way_out() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().to_str().unwrap();
    for command in [
        &["serve"][..],
        &["settings"],
        &["health"],
        &["token", "gz-hukou-window"],
        &["client", "list"],
        &["audit", "verify"],
        &["sql", "select 1"],
        &["publish", "natural-person", "persons.csv"],
    ] {
        let said = shuqiao(&[command, &["--dir", folder]].concat());
        assert_eq!(said.code, Some(2), "{command:?} {said:?}");
        assert!(said.err.starts_with("error: there is no settings file `"), "{command:?} {said:?}");
        assert!(said.err.contains(folder) && said.err.contains("--dir"), "{command:?} {said:?}");
        assert_eq!((said.err.lines().count(), said.out.as_str()), (1, ""), "{command:?} {said:?}");
    }
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "a command that fails leaves nothing behind");
}

#[test]
fn settings_are_printed_with_where_they_came_from() {
    let home = Home::empty("request_ms_max = 7000");
    let said = home.run(&["settings"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    let line = |key: &str| {
        let mut lines = said.out.lines().filter(|line| line.split_whitespace().next() == Some(key));
        lines.next().unwrap_or_else(|| panic!("no `{key}` in {said:?}")).to_owned()
    };
    assert!(line("http.request_ms_max").contains(" 7000 ") && line("http.request_ms_max").contains("file "));
    assert!(line("http.body_bytes_max").ends_with("default"));
}

#[test]
fn an_unknown_key_is_refused_and_the_nearest_suggested() {
    let home = Home::empty("");
    home.configure("requst_ms_max = 7000\nbody_bytes_max = 1");
    for command in [&["settings"][..], &["serve"], &["client", "list"]] {
        let said = home.run(command);
        assert_eq!(said.code, Some(2), "{command:?} {said:?}");
        assert!(said.err.contains("unknown key `http.requst_ms_max`"), "{command:?} {said:?}");
        assert!(said.err.contains("Did you mean `http.request_ms_max`?"), "{command:?} {said:?}");
        assert!(said.err.contains("http.body_bytes_max"), "all complaints at once: {command:?} {said:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_is_exit_0_of_a_node_that_is_ready() {
    let home = Home::empty("");
    let down = home.run(&["health"]);
    assert!(down.code == Some(2) && down.err.contains(&home.address.to_string()), "{down:?}");
    let _node = home.serve().await;
    let up = home.run(&["health"]);
    assert_eq!((up.code, up.out.as_str()), (Some(0), "ready\n"), "{up:?}");
    let by_url = shuqiao(&["health", "--url", &home.url("/")]);
    assert_eq!(by_url.code, Some(0), "{by_url:?}");
    let elsewhere = shuqiao(&["health", "--url", &format!("http://{}", free_address())]);
    assert_eq!(elsewhere.code, Some(2), "{elsewhere:?}");
}
