//! Data return: a province hands a city the records of the city's own residents, and nobody else's.

mod scene;
mod tampered;

use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use chrono::Utc;
use serde_json::json;
use shuqiao::{
    audit::RecordedDecision,
    http::{Pulled, open_ledger},
    ledger::Target,
    problem::Code,
    storage::delta,
};

use super::province::until;
use crate::support::{
    process::{PROGRAM, shuqiao},
    registers::{Person, person},
};
use scene::{
    BY_HAND, DATASET, FROM_PROVINCE, GUANGZHOU, OF_CITY, Residents, SHENZHEN, Scene, numbers, province, register,
};

/// Does a file below the folder hold the text?
fn holds(folder: &Path, text: &str) -> bool {
    fs::read_dir(folder).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => holds(&path, text),
            false => memchr::memmem::find(&fs::read(path).unwrap(), text.as_bytes()).is_some(),
        }
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_city_gets_its_own_residents_and_of_them_what_policy_lets_leave() {
    let scene = Scene::found().await;
    assert_eq!(scene.pulled().await, 15);
    assert_eq!(scene.here().await, numbers(20..35));
    // Names are masked, as the catalogue of the province says; a masked date is none; what the item does not need is gone.
    let name = format!("{}***", person(20).name.chars().next().unwrap());
    assert_eq!(scene.column("name").await, vec![Some(name); 15]);
    for field in ["birth_date", "address", "phone", "ethnicity", "marital_status"] {
        assert_eq!(scene.column(field).await, vec![None; 15], "{field}");
    }
    assert_eq!(scene.column("division").await, vec![Some(SHENZHEN.to_owned()); 15]);
    // Nothing of anybody else has reached the city's disk; what has reached it is found.
    let data = &scene.shenzhen.settings.paths.data;
    let on_disk = |Person { id, name, .. }: Person| (holds(data, id.as_str()), holds(data, &name));
    assert_eq!(on_disk(person(20)), (true, false));
    for other in (0..20).chain(35..45) {
        assert_eq!(on_disk(person(other)), (false, false), "person {other}");
    }

    // The city answers by it as by any register.
    let known = json!({ "sex": if person(20).id.as_str().as_bytes()[16] % 2 == 1 { "1" } else { "2" } });
    assert_eq!(scene.shenzhen.verify(person(20).id.as_str(), known.clone()).await.said(), "match");
    assert_eq!(scene.shenzhen.verify(person(0).id.as_str(), known).await.said(), "not_found");

    // The province's log says what has left, to whom, under what.
    let [record] = &scene.records()[..] else { panic!("{:#?}", scene.records()) };
    let said = (record.origin.as_ref(), record.channel.as_deref(), record.decision, record.outcome.as_deref());
    assert_eq!(said, (Some(&"shenzhen".parse().unwrap()), Some("peer"), RecordedDecision::Allow, Some("returned")));
    assert_eq!(record.agreement.as_ref().unwrap().as_str(), "agr-sz-settlement-person");
    assert_eq!(record.disclosed, ["resident_id", "name", "sex", "division", "status"]);
    assert_eq!(record.obligations, ["rows_by_division", "mask:birth_date", "mask:name"]);
    assert_eq!(record.policies, ["return-under-agreement"]);
    let returned = record.returned.as_ref().unwrap();
    assert_eq!((returned.rows, returned.after.as_deref()), (15, None));
    assert_eq!(delta::returned(&scene.table()).await.unwrap(), Some(returned.cursor.clone()));
    assert!(!holds(&scene.guangdong.settings.paths.audit(), person(20).id.as_str()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_version_is_taken_whole_and_who_has_moved_away_is_gone() {
    let scene = Scene::found().await;
    scene.pulled().await;
    // Nothing new: nothing is published, and nothing recorded.
    assert!(matches!(scene.pull(DATASET).await, Ok(Pulled::Unchanged { cursor: Some(_) })));
    assert_eq!((scene.records().len(), delta::newest(&scene.table()).await.unwrap().unwrap().0), (1, 0));

    // Five have left for Guangzhou, one has died out of the register, two have come.
    let later: Residents<'_> = &[(0..18, GUANGZHOU), (18..20, SHENZHEN), (20..25, GUANGZHOU), (26..35, SHENZHEN)];
    scene.guangdong.publish(DATASET, &register(later)).await;
    assert_eq!(scene.pulled().await, 11);
    assert_eq!(scene.here().await, numbers((18..20).chain(26..35)));
    let returned = scene.records().pop().unwrap().returned.unwrap();
    assert!(returned.after.is_some() && returned.cursor.starts_with("1-"), "{returned:?}");

    // What was published by hand meanwhile is replaced by the next pull, as it remembers nothing.
    scene.shenzhen.publish(DATASET, &register(&[(40..41, SHENZHEN)])).await;
    assert_eq!(scene.here().await, numbers(40..41));
    assert_eq!(scene.pulled().await, 11);

    // A version without anybody of the city is not taken: it is more likely a mistake than true.
    scene.guangdong.publish(DATASET, &register(&[(0..20, GUANGZHOU)])).await;
    let problem = scene.refused().await;
    assert_eq!(problem.code, Code::PublicationRefused, "{problem}");
    assert_eq!(scene.here().await.len(), 11);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_city_follows_by_itself_and_commands_tell_how_far_it_is() {
    let scene = Scene::with(&OF_CITY, "ask_ms = 100", "").await;
    let follows = async |expected: BTreeSet<String>| {
        until(async || {
            let here = scene.here().await;
            (here == expected).then_some(()).ok_or(format!("{here:?}"))
        })
        .await;
    };
    follows(numbers(20..35)).await;
    scene.guangdong.publish(DATASET, &register(&[(0..20, SHENZHEN), (20..35, GUANGZHOU)])).await;
    follows(numbers(0..20)).await;
    let metrics = scene.shenzhen.send(scene.shenzhen.request(reqwest::Method::GET, "/metrics")).await;
    let metrics = String::from_utf8(metrics.bytes).unwrap();
    let count = "shuqiao_return_pulls_total{dataset=\"natural-person\",result=\"published\",code=\"none\"}";
    assert!(metrics.contains(count), "{metrics}");

    let dir = scene.shenzhen.dir.path().to_str().unwrap();
    // The node asks ten times a second itself, and only one does at a time.
    let run = |arguments: &[&str]| loop {
        let said = shuqiao(&[arguments, &["--dir", dir]].concat());
        if !said.err.contains("is being pulled already") {
            break said;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    };
    let said = run(&["return", "status"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.out.contains("natural-person  guangdong  1-") && said.out.contains("current"), "{said:?}");
    let status: serde_json::Value = serde_json::from_str(&run(&["return", "status", "--json"]).out).unwrap();
    assert_eq!(status[0]["here"], status[0]["there"]);
    let said = run(&["return", "pull", DATASET]);
    assert!(said.out.contains("newest version already"), "{said:?}");
    let said = run(&["return", "pull", DATASET, "--anew"]);
    assert!(said.out.contains("20 rows"), "{said:?}");
    assert!(run(&["return", "pull", "legal-entity"]).err.contains("not_returned"));

    // Who is suspended here is not asked from here.
    let ledger = open_ledger(&scene.shenzhen.settings).await.unwrap();
    ledger.suspend(&Target::Peer(province()), "on-site", "looks wrong", Utc::now()).await.unwrap();
    ledger.close().await;
    let said = run(&["return", "pull", DATASET]);
    assert!(said.err.contains("suspended here"), "{said:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_returned_without_a_policy_to_whom_the_catalogue_does_not_name_or_while_suspended() {
    // A set without policies about returns.
    let scene = Scene::with(
        &OF_CITY,
        BY_HAND,
        "@id(\"more\") @why(\"x\") forbid (principal, action, resource) when { context.suspicion > 3 };",
    )
    .await;
    let problem = scene.refused().await;
    assert_eq!((problem.code, problem.policies), (Code::Denied, vec!["default-deny".to_owned()]));
    let record = scene.records().pop().unwrap();
    assert_eq!((record.decision, record.code.as_deref()), (RecordedDecision::Deny, Some("denied")));
    assert_eq!(scene.offers().await.unwrap()[0]["code"], "denied");
    assert!(record.returned.is_none() && scene.here().await.is_empty());

    // A dataset that is not returned, here or there, and one that there is not: of both the same is said.
    let another = [
        FROM_PROVINCE,
        ("legal-entity.yaml", "    key: credit_code\n", "    key: credit_code\n    returned_from: guangdong\n"),
    ];
    let scene = Scene::with(&another, BY_HAND, "").await;
    assert_eq!(scene.pull("e-licence").await.unwrap_err().code, Code::NotReturned);
    assert_eq!(scene.records().len(), 0);
    let problem = scene.pull("legal-entity").await.unwrap_err();
    assert_eq!(problem.code, Code::NotReturned, "{problem}");
    assert_eq!(scene.records().pop().unwrap().code.as_deref(), Some("not_returned"));

    // The city's own catalogue wants more than it gets: refused, and said what is missing.
    let problem = scene.refused().await;
    assert_eq!(problem.code, Code::PublicationRefused);
    assert!(problem.detail.contains("column `address` (text) is missing"), "{problem}");

    // Each switch stops it.
    let ledger = open_ledger(&scene.guangdong.settings).await.unwrap();
    for (target, code) in [
        (Target::Peer("shenzhen".parse().unwrap()), Code::CallerSuspended),
        (Target::Dataset(DATASET.parse().unwrap()), Code::Suspended),
        (Target::Field(DATASET.parse().unwrap(), "name".parse().unwrap()), Code::Suspended),
        (Target::Agreement("agr-sz-settlement-person".parse().unwrap()), Code::CallerSuspended),
        (Target::Everything, Code::Suspended),
    ] {
        ledger.suspend(&target, "on-site", "looks wrong", Utc::now()).await.unwrap();
        until(async || {
            let problem = scene.refused().await;
            (problem.code == code).then_some(()).ok_or(format!("{target}: {problem}"))
        })
        .await;
        assert_eq!(scene.records().pop().unwrap().code.as_deref(), Some(code.as_str()));
        ledger.resume(&target, "on-site", "is well", Utc::now()).await.unwrap();
        until(async || {
            let problem = scene.refused().await;
            (problem.code == Code::PublicationRefused).then_some(()).ok_or(problem.to_string())
        })
        .await;
    }
    ledger.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pull_that_is_killed_has_happened_once_or_not_at_all() {
    let scene = Scene::found().await;
    scene.pulled().await;
    let dir = scene.shenzhen.dir.path().to_str().unwrap().to_owned();
    let versions: [(u64, BTreeSet<String>); 3] = [30, 31, 32].map(|many| (many, numbers(0..many)));
    let mut killed = 0;
    for (at, (many, expected)) in versions.iter().enumerate() {
        let before = scene.here().await;
        scene.guangdong.publish(DATASET, &register(&[(0..*many, SHENZHEN), (50..60, GUANGZHOU)])).await;
        for step in 0..12_u64 {
            let mut pulling = Command::new(PROGRAM)
                .args(["return", "pull", DATASET, "--dir", &dir])
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            tokio::time::sleep(Duration::from_millis(4 + step * 9 + 3 * at as u64)).await;
            killed += u64::from(pulling.try_wait().unwrap().is_none());
            let _ = pulling.kill();
            pulling.wait().unwrap();
            scene.shenzhen.node.engine.refresh().await;
            let here = scene.here().await;
            assert!(here == before || here == *expected, "{here:?}");
        }
        match scene.pull(DATASET).await {
            Ok(_) => {}
            Err(problem) => panic!("{problem}"),
        }
        assert_eq!(scene.here().await, *expected);
    }
    assert!(killed > 0, "every pull was over before it could be killed");
    // One version each, whatever was killed: the first and the three after it.
    assert_eq!(delta::newest(&scene.table()).await.unwrap().unwrap().0, 3);
}
