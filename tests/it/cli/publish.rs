//! `shuqiao sample` and `shuqiao publish`.

use std::fs;

use crate::support::{
    process::{Home, shuqiao},
    registers::{csv, person},
};

#[test]
fn a_sample_can_be_published_as_it_is() {
    let home = Home::empty("");
    for (dataset, rows, extension) in [
        ("natural-person", 3000, "csv"),
        ("legal-entity", 300, "parquet"),
        ("e-licence", 500, "csv"),
        ("social-credit", 300, "parquet"),
    ] {
        let file = home.path(&format!("{dataset}.{extension}"));
        let file = file.to_str().unwrap();
        let rows = rows.to_string();
        let made = shuqiao(&["sample", dataset, "--rows", &rows, "--persons", "3000", "--seed", "5", "--out", file]);
        assert_eq!(made.code, Some(0), "{made:?}");
        let published = home.run(&["publish", dataset, file]);
        let expected = format!("published {dataset} version 0: {rows} rows in 1 files\n");
        assert_eq!((published.code, published.out.as_str()), (Some(0), expected.as_str()), "{published:?}");
    }
    let first = home.path("natural-person.csv");
    let again = home.path("again.csv");
    let arguments = ["sample", "natural-person", "--rows", "3000", "--seed", "5", "--out", again.to_str().unwrap()];
    assert_eq!(shuqiao(&arguments).code, Some(0));
    assert_eq!(fs::read(first).unwrap(), fs::read(again).unwrap(), "the same seed makes the same register");
    let unknown = shuqiao(&["sample", "natural-persons", "--rows", "1", "--out", "x.csv"]);
    assert!(unknown.code == Some(2) && unknown.err.contains("Did you mean `natural-person`?"), "{unknown:?}");
}

#[test]
fn what_cannot_be_published_is_said_and_publishes_nothing() {
    let home = Home::empty("");
    let file = |name: &str, text: &str| {
        fs::write(home.path(name), text).unwrap();
        home.path(name).to_str().unwrap().to_owned()
    };
    let good = csv((0..100).map(person));
    let bad_dates = good.replace(",440106,", ",999999,");
    for (dataset, path, hints) in [
        ("natural-persons", file("a.csv", &good), &["natural-persons", "it has", "natural-person"][..]),
        ("Natural Person", file("b.csv", &good), &["Natural Person"]),
        ("natural-person", "absent.csv".to_owned(), &["absent.csv", "cannot be read"]),
        ("natural-person", file("c.xlsx", &good), &["c.xlsx", ".csv", ".parquet"]),
        ("natural-person", file("d.csv", &good.replacen("birth_date", "birthday", 1)), &["d.csv", "birth"]),
        (
            "natural-person",
            file("k.csv", &good.replacen("name,", "姓名,", 1).replacen("sex,", "XB,", 1)),
            &[
                "\n  column `姓名` is not a field of it, but what heads `name`",
                "heads `sex`",
                "`name` (text) is missing",
            ],
        ),
        ("natural-person", file("e.csv", ""), &["e.csv"]),
        ("natural-person", file("f.csv", good.lines().next().unwrap()), &["f.csv", "no row"]),
        (
            "natural-person",
            file("g.csv", &bad_dates),
            &["100 of 100 rows are bad", "g.csv.rejects.csv", "Nothing was published"],
        ),
        ("natural-person", file("h.parquet", "PAR1 not at all"), &["h.parquet"]),
        ("legal-entity", file("i.csv", &good), &["i.csv", "legal-entity"]),
    ] {
        let said = home.run(&["publish", dataset, &path]);
        assert_eq!(said.code, Some(2), "{path}: {said:?}");
        for hint in hints {
            assert!(said.err.contains(hint), "{path}, {hint}: {said:?}");
        }
        assert_eq!(said.out, "", "{path}");
    }
    let rejects = fs::read_to_string(home.path("g.csv.rejects.csv")).unwrap();
    assert_eq!(rejects.lines().count(), 101);
    assert!(rejects.contains("division") && !rejects.contains("999999"), "no values in: {rejects}");
    for dataset in ["natural-person", "legal-entity"] {
        assert!(!home.path(&format!("data/tables/{dataset}/_delta_log")).exists(), "{dataset}");
    }
}

#[test]
fn a_few_bad_rows_are_left_out_and_listed_where_it_was_asked() {
    let home = Home::empty("");
    let mut text = csv((0..3000).map(person));
    text.push_str("no id,x,,1,01,1950-01-01,440106,y,13800000000,10,0,\n");
    fs::write(home.path("persons.csv"), text).unwrap();
    let (file, rejects) = (home.path("persons.csv"), home.path("elsewhere.csv"));
    let said = home.run(&[
        "publish",
        "natural-person",
        file.to_str().unwrap(),
        "--rejects",
        rejects.to_str().unwrap(),
        "--as-of",
        "2026-11-20T00:00:00Z",
    ]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.out.contains("1 bad rows were left out") && said.out.contains("3000 rows in 1 files"), "{said:?}");
    assert!(fs::read_to_string(rejects).unwrap().contains("3002,"), "the line in the file is named");
}
