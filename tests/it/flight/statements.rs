//! Which statements make statistics: by their plan, and what comes of them.

use shuqiao::{engine::statistics::StatementError, problem::Code};

use super::scene;

/// Statements that only count, with the fields that they use.
const COUNTING: &[(&str, &str)] = &[
    ("explain select count(*) from \"legal-entity\"", ""),
    ("select count(*) from \"legal-entity\"", ""),
    ("select division, count(*) from \"legal-entity\" group by division", "division"),
    (
        "select status, count(*) as n from \"legal-entity\" where division like '4401%' group by 1 having count(*) > 20 order by n desc limit 3",
        "division status",
    ),
    (
        "select kind, sum(registered_capital), avg(registered_capital) from \"legal-entity\" group by kind",
        "kind registered_capital",
    ),
    (
        "select extract(year from established_on) as y, count(distinct division) from \"legal-entity\" group by y",
        "division established_on",
    ),
    (
        "select left(division, 4), count(*) from \"legal-entity\" where established_on >= date '2010-01-01' group by 1",
        "division established_on",
    ),
    ("select sum(n) from (select division, count(*) n from \"legal-entity\" group by division) t", "division"),
    (
        "with t as (select kind, status from \"legal-entity\") select kind, count(*) from t where status = '1' group by kind",
        "kind status",
    ),
    (
        "select count(*) from shuqiao.registers.\"legal-entity\" union all select count(*) from \"legal-entity\" where status = '1'",
        "status",
    ),
    (
        "select case when status in ('1') then 'alive' else 'not' end, count(*) from \"legal-entity\" group by 1",
        "status",
    ),
];

/// Statements that are refused, with a word of the reason.
const REFUSED: &[(&str, &str)] = &[
    ("select * from \"legal-entity\"", "records of `legal-entity`"),
    ("select division from \"legal-entity\" limit 1", "records of `legal-entity`"),
    ("select distinct division from \"legal-entity\"", "records of `legal-entity`"),
    ("select 1", "EmptyRelation"),
    ("select count(*)", "no dataset"),
    ("select min(established_on) from \"legal-entity\"", "no statistic"),
    ("select max(name) from \"legal-entity\"", "no statistic"),
    ("select array_agg(name) from \"legal-entity\"", "no statistic"),
    ("select string_agg(name, ',') from \"legal-entity\"", "no statistic"),
    ("select sum(case when name = 'x' then 1 else 0 end) from \"legal-entity\"", "no statistic"),
    ("select sum(distinct registered_capital) from \"legal-entity\"", "no statistic"),
    ("select count(*) filter (where status = '1') from \"legal-entity\"", "a part of each cell"),
    ("select sum(division) from \"legal-entity\"", ""),
    ("select count(*) from (select * from \"legal-entity\" limit 1) t", "picked before"),
    ("select count(*) from (select distinct name from \"legal-entity\") t", ""),
    ("select count(*) over () from \"legal-entity\"", ""),
    ("select division, count(*) from \"legal-entity\" group by rollup (division)", "several ways"),
    ("select count(*) from \"legal-entity\" a join \"legal-entity\" b on a.division = b.division", "two sources"),
    ("select count(*) from \"legal-entity\" union all select count(*) from \"natural-person\"", "and in"),
    ("select count(*) from \"legal-entity\" where name = (select max(name) from \"legal-entity\")", ""),
    ("select count(*) from \"legal-entity\" where exists (select 1 from \"natural-person\")", "cannot be asked"),
    ("select count(*) from \"legal-entity\" where 1 / (registered_capital - 5) > 0", "cannot be asked"),
    ("select count(*) from \"legal-entity\" where cast(division as int) = 1", "cannot be asked"),
    ("select count(*) from \"legal-entity\" where status = '1' and cast('x' as int) = 1", "cannot be asked"),
    ("select count(*) from \"legal-entity\" where division ~ '^44'", "cannot be asked"),
    ("select count(*) from \"legal-entity\" where upper(name) = 'X'", "cannot be asked"),
    ("select count(*) from \"legal-entity\" where random() > 0.5", "cannot be asked"),
    ("select extract(day from established_on), count(*) from \"legal-entity\" group by 1", "cannot be asked"),
    ("select repeat('x', 1000000000), count(*) from \"legal-entity\"", "not answered here"),
    (
        "select count(*) from \"legal-entity\" group by status having count(*) > (select count(*) from \"legal-entity\")",
        "not answered here",
    ),
    ("explain select * from \"legal-entity\"", "records of"),
    ("explain drop table \"legal-entity\"", "no query"),
    ("drop table \"legal-entity\"", "no query"),
    ("insert into \"legal-entity\" values (1)", "no query"),
    ("set datafusion.execution.target_partitions = 1", ""),
    ("copy (select 1) to '/tmp/x.csv'", ""),
    ("select count(*) from \"legal-entity\"; select 1", "several"),
    ("select count(*) from information_schema.tables", ""),
    ("select count(*) from '/etc/passwd'", ""),
    ("select count(*) from unknown", ""),
    ("select count(unknown) from \"legal-entity\"", ""),
    ("", "none"),
    ("select count(*) from \"legal-entity\" where division = $70", "no placeholder"),
    ("select count(*) from \"legal-entity\" where division = ?", "1 parameters, and 0"),
];

#[tokio::test]
async fn a_statement_is_judged_by_its_plan() {
    let node = scene::node("").await;
    let engine = &node.node.engine;
    for (text, fields) in COUNTING {
        let counting = engine.read_statistics(text, &[], None).await.unwrap_or_else(|error| panic!("{text}: {error}"));
        let used: Vec<_> = counting.fields().iter().map(|field| field.to_string()).collect();
        assert_eq!((counting.dataset.as_str(), used.join(" ").as_str()), ("legal-entity", *fields), "{text}");
        engine.count(&counting, 10, None).await.unwrap_or_else(|error| panic!("{text}: {error:?}"));
    }
    for (text, word) in REFUSED {
        let Err(error) = engine.read_statistics(text, &[], None).await else { panic!("{text}: taken") };
        assert!(error.to_string().contains(word), "{text}: {error}");
        assert!([Code::StatementRefused, Code::InvalidValue].contains(&error.code()), "{text}: {error}");
    }
    let long = format!("select count(*) from \"legal-entity\" where name = '{}'", "x".repeat(20_000));
    let deep = format!("select {}1{}", "(".repeat(500), ")".repeat(500));
    for text in [long, deep] {
        let error = engine.read_statistics(&text, &[], None).await.unwrap_err();
        assert!(matches!(error, StatementError::Unreadable { .. }), "{error}");
    }
}

#[tokio::test]
async fn cells_that_rest_on_few_records_are_kept_back_and_the_others_are_right() {
    let node = scene::node("").await;
    let engine = &node.node.engine;
    let by_division =
        "select division, count(*) as n, sum(registered_capital) as c from \"legal-entity\" group by division";
    let all = engine.sql(by_division).await.unwrap();
    for cell_min in [3, 10, 40] {
        let shown = "order by division";
        let counting = engine.read_statistics(&format!("{by_division} {shown}"), &[], None).await.unwrap();
        let counted = engine.count(&counting, cell_min, None).await.unwrap();
        let right = engine
            .sql(&format!(
                "select division, n, c from (select division, count(*) as n, sum(registered_capital) as c, count(registered_capital) as k \
                 from \"legal-entity\" group by division) t where n >= {cell_min} and k >= {cell_min} {shown}"
            ))
            .await
            .unwrap();
        let table = |batches: &[_]| arrow::util::pretty::pretty_format_batches(batches).unwrap().to_string();
        assert_eq!(table(&counted.batches), table(&right), "{cell_min}");
        let cells: u64 = all.iter().map(|batch| batch.num_rows() as u64).sum();
        assert_eq!(counted.rows() + counted.suppressed, cells);
        assert!(counted.suppressed > 0 || cell_min == 3, "the sample has small cells");
    }
}

#[tokio::test]
async fn nothing_above_an_aggregate_sees_a_cell_that_is_kept_back() {
    let node = scene::node("").await;
    let engine = &node.node.engine;
    let total = "select sum(n) from (select division, status, count(*) n from \"legal-entity\" group by 1, 2) t";
    let counting = engine.read_statistics(total, &[], None).await.unwrap();
    let counted = engine.count(&counting, 10, None).await.unwrap();
    assert!(counted.suppressed > 0);
    let right = "select sum(n) from (select division, status, count(*) n from \"legal-entity\" group by 1, 2 having count(*) >= 10) t";
    let right = engine.sql(right).await.unwrap();
    assert_eq!(format!("{:?}", counted.batches[0].column(0)), format!("{:?}", right[0].column(0)));
    // Would fail if it were evaluated for any of the cells that are kept back.
    let quotient = "select division, status from \"legal-entity\" group by 1, 2 having 1 / (case when count(*) < 10 then 0 else 1 end) = 1";
    let counting = engine.read_statistics(quotient, &[], None).await.unwrap();
    assert!(engine.count(&counting, 10, None).await.unwrap().rows() > 0);
}
