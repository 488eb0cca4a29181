//! Changes to a register: what they touch is written anew, everything else stays as it is.

use std::{collections::BTreeMap, fs};

use shuqiao::{
    publish::{Applied, Published},
    storage::delta::{self, About, Superseded},
};

use super::*;
use crate::support::{dice::Dice, registers::publish_person_changes};

enum Change {
    Upsert(Person),
    Delete(u64),
}

fn changed(changes: &[Change]) -> String {
    let mut text = format!("_change,{}\n", crate::support::registers::HEADER);
    for change in changes {
        match change {
            Change::Upsert(person) => text += &format!("upsert,{}\n", line(person)),
            // Nothing but the key is needed.
            Change::Delete(n) => text += &format!("delete,{},,,,,,,,,,,\n", person(*n).id),
        }
    }
    text
}

fn renamed(n: u64) -> Person {
    Person { name: format!("改名{n}"), ..person(n) }
}

impl Bench {
    async fn change(&self, changes: &[Change]) -> Result<Published, PublishError> {
        self.change_by(&changed(changes)).await
    }

    async fn change_by(&self, text: &str) -> Result<Published, PublishError> {
        let file = self.dir.path().join("changes.csv");
        fs::write(&file, text).unwrap();
        let done = publish_person_changes(&self.catalog, &self.dir.path().join("tables"), &file).await?;
        let (_, errors) = self.engine.refresh().await;
        assert!(errors.is_empty(), "{errors:?}");
        assert!(self.engine.serving(&dataset()).unwrap().keyed, "look-ups must go through the page index");
        Ok(done)
    }

    /// The files that the newest version consists of.
    async fn files(&self) -> Vec<std::path::PathBuf> {
        let table = self.dir.path().join("tables/natural-person");
        let version = delta::read(&table).await.unwrap().unwrap();
        let mut files: Vec<_> = version.files.into_iter().map(|file| file.path).collect();
        files.sort();
        files
    }
}

#[tokio::test]
async fn rows_are_inserted_replaced_and_deleted_and_no_other_changes() {
    let bench = Bench::new();
    bench.publish(&csv((0..2000).filter(|n| n % 2 == 0).map(person))).await.unwrap();
    let done = bench
        .change(&[
            Change::Upsert(renamed(10)),
            Change::Delete(12),
            Change::Upsert(renamed(15)),
            Change::Delete(17),
            Change::Upsert(renamed(1999)),
        ])
        .await
        .unwrap();
    let applied = Applied { inserted: 2, replaced: 1, deleted: 1, absent: 1, files_kept: 0, files_rewritten: 1 };
    assert_eq!((done.applied, done.rows, done.rejected), (Some(applied), 1001, 0));
    for n in 0..2000 {
        let expected = match n {
            10 | 15 | 1999 => Some(format!("改名{n}")),
            12 => None,
            n => (n % 2 == 0).then(|| person(n).name),
        };
        assert_eq!(bench.name_of(&person(n)).await, expected, "{n}");
    }
}

/// Against a map of what should be there, over several versions, with files few and many.
#[tokio::test]
async fn any_changes_give_what_publishing_the_whole_would_give() {
    let bench = Bench::new();
    let mut dice = Dice(11);
    let mut expect: BTreeMap<u64, Person> = (0..3000).filter(|n| n % 3 > 0).map(|n| (n, person(n))).collect();
    bench.publish(&csv(expect.values().cloned())).await.unwrap();
    for round in 0..6 {
        let mut changes = BTreeMap::new();
        for _ in 0..[1, 40, 2000, 5, 700, 3][round] {
            let n = dice.within(0..4000);
            let change = if dice.within(0..3) == 0 {
                None
            } else {
                Some(Person { name: format!("第{round}轮{n}"), ..person(n) })
            };
            changes.insert(n, change);
        }
        let lines: Vec<_> =
            changes.iter().map(|(n, change)| change.clone().map_or(Change::Delete(*n), Change::Upsert)).collect();
        for (n, change) in changes {
            match change {
                Some(person) => expect.insert(n, person),
                None => expect.remove(&n),
            };
        }
        let done = bench.change(&lines).await.unwrap();
        assert_eq!(done.rows, expect.len() as u64, "round {round}");
        for n in 0..4000 {
            let name = expect.get(&n).map(|person| person.name.clone());
            assert_eq!(bench.name_of(&person(n)).await, name, "round {round}, {n}");
        }
    }
}

#[tokio::test]
async fn a_file_whose_keys_no_change_touches_is_part_of_the_next_version_as_it_is() {
    let bench = Bench::new();
    // Two files' worth, and the first birthdays are in the first file.
    let many = shuqiao::publish::FILE_ROWS * 7 / 4;
    bench.publish(&csv((0..many).map(person))).await.unwrap();
    let before = bench.files().await;
    assert!(before.len() > 1, "{before:?}");
    let done = bench.change(&[Change::Upsert(renamed(0)), Change::Delete(1)]).await.unwrap();
    let after = bench.files().await;
    let kept = after.iter().filter(|file| before.contains(file)).count();
    assert_eq!((kept, after.len()), (before.len() - 1, before.len()));
    let applied = done.applied.unwrap();
    assert_eq!((applied.files_kept, applied.files_rewritten), (before.len() - 1, 1));
    assert_eq!((done.rows, done.files), (many - 1, before.len()));
    assert_eq!(bench.name_of(&person(0)).await.as_deref(), Some("改名0"));
    assert_eq!(bench.name_of(&person(many - 1)).await, Some(person(many - 1).name));
}

#[tokio::test]
async fn changes_are_checked_as_a_whole_register_is() {
    let bench = Bench::new();
    let first = bench.publish(&csv((0..5000).map(person))).await.unwrap();
    let mut text = changed(&(0..3000).map(|n| Change::Upsert(renamed(n))).collect::<Vec<_>>());
    text += &format!("replace,{}\n", line(&person(4000)));
    text += &format!("upsert,{}\n", line(&person(4001)).replace(",0,", ",x,"));
    text += &format!("delete,{},,,,,,,,,,,\n", person(7).id); // A key that stands twice: the first one counts.
    let done = bench.change_by(&text).await.unwrap();
    assert_eq!((done.rejected, done.applied.unwrap().replaced, done.rows), (3, 3000, 5000));
    let rejects = fs::read_to_string(bench.dir.path().join("changes.rejects.csv")).unwrap();
    for expect in ["3002,_change,it is neither", "3003,status,", "3004,resident_id,an earlier row"] {
        assert!(rejects.contains(expect), "{expect}: {rejects}");
    }
    // Too many bad ones: the version before stays, and no file of the refused one.
    let files = bench.data_files();
    text = text.lines().take(100).chain(["no,row"]).collect::<Vec<_>>().join("\n");
    let refused = bench.change_by(&text).await.unwrap_err();
    assert!(matches!(refused, PublishError::TooManyBadRows { rejected: 1, rows: 100, .. }), "{refused}");
    assert_eq!(bench.engine.serving(&dataset()).unwrap().version, VersionNo(first.0 + 1));
    assert_eq!(bench.data_files(), files);
}

#[tokio::test]
async fn what_changes_cannot_be_applied_to_is_refused_with_the_remedy() {
    let bench = Bench::new();
    let delete = |n| Change::Delete(n);
    let refused = bench.change(&[delete(1)]).await.unwrap_err();
    assert!(matches!(refused, PublishError::NoBase { .. }), "{refused}");
    bench.publish(&csv((0..2).map(person))).await.unwrap();
    for (text, hint) in [
        (csv([person(0)]), "column `_change` is missing"),
        (changed(&[delete(0)]).replace("phone", "fone"), "`phone`"),
        (changed(&[delete(0), delete(1)]), "without a record"),
    ] {
        let refused = bench.change_by(&text).await.unwrap_err();
        assert_eq!(refused.code().as_str(), "publication_refused");
        assert!(refused.to_string().contains(hint), "{refused}");
    }
    let whole = bench.publish(&changed(&[delete(0)])).await.unwrap_err().to_string();
    assert!(whole.contains("--changes"), "{whole}");
    assert_eq!(bench.name_of(&person(0)).await, Some(person(0).name));
}

#[tokio::test]
async fn nothing_is_committed_on_top_of_a_version_that_somebody_else_committed_meanwhile() {
    let bench = Bench::new();
    let version = bench.publish(&csv((0..2).map(person))).await.unwrap();
    let table = bench.dir.path().join("tables/natural-person");
    let stale = Superseded::Files { of: VersionNo(version.0 + 1), paths: bench.files().await };
    let refused =
        delta::commit(&table, &[], &[], &stale, About { as_of: now(), returned: None }, now()).await.unwrap_err();
    assert!(refused.to_string().contains("meanwhile"), "{refused}");
    assert_eq!(delta::newest(&table).await.unwrap(), Some(version));
}
