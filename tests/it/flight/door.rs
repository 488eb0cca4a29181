//! Through the door, with the client that comes with Arrow.

use std::sync::Arc;

use arrow::{
    array::{AsArray, RecordBatch, StringArray},
    datatypes::{DataType, Field, Schema},
};
use arrow_flight::{
    Action, CancelFlightInfoRequest, FlightClient,
    sql::{CommandGetTables, SqlInfo},
};
use shuqiao::{audit::Operation, ledger::ClientStatus};
use tonic::Code as Grpc;

use super::scene::{self, FIRMS, PROVIDER, ask, client, code, fetch, nobody, status};
use crate::support::node::{ITEM, TestNode};

const BY_STATUS: &str = "select status, count(*) as n from \"legal-entity\" group by status order by n desc";

async fn steward(node: &TestNode) -> String {
    node.account("firm-steward", PROVIDER, "steward").await
}

fn statements(node: &TestNode) -> Vec<shuqiao::audit::Record> {
    node.records().into_iter().filter(|record| record.operation == Operation::Statistics).collect()
}

#[tokio::test]
async fn a_steward_counts_and_the_log_knows_of_it() {
    let node = scene::node("").await;
    let mut client = client(&node, &steward(&node).await).await;
    let answer = ask(&mut client, BY_STATUS).await.unwrap();
    let shown: i64 = answer
        .batches
        .iter()
        .map(|batch| batch.column(1).as_primitive::<arrow::datatypes::Int64Type>().iter().flatten().sum::<i64>())
        .sum();
    assert!(shown > 2_900 && shown <= FIRMS as i64, "{}", answer.table());
    assert_eq!(
        (answer.told["shuqiao.cell_min"].as_str(), answer.told["shuqiao.dataset"].as_str()),
        ("10", "legal-entity")
    );
    let records = statements(&node);
    let [record] = records.as_slice() else { panic!("{records:?}") };
    assert_eq!(record.call_id.to_string(), answer.told["shuqiao.call_id"]);
    assert_eq!(record.item.as_ref().unwrap().as_str(), ITEM);
    assert_eq!(record.case.as_ref().unwrap().as_str(), "COUNT-1");
    assert_eq!(record.policies, ["statistics-for-stewards-of-the-provider"]);
    assert_eq!(record.fields.iter().map(ToString::to_string).collect::<Vec<_>>(), ["status"]);
    let counts = record.statistics.as_ref().unwrap();
    assert_eq!((counts.rows, counts.cell_min), (answer.rows() as u64, 10));
    assert_eq!(counts.suppressed.to_string(), answer.told["shuqiao.suppressed"]);
    assert!(counts.statement.contains("GROUP BY status"), "{}", counts.statement);
}

#[tokio::test]
async fn who_may_not_count_is_told_why_and_recorded() {
    let node = scene::node("").await;
    let steward = steward(&node).await;
    let stranger = node.account("person-steward", "gd-public-security", "steward").await;
    let operator = node.account("operator", PROVIDER, "operator,approver").await;
    let system = node.token().await.to_owned();
    for (token, statement, grpc, expected) in [
        ("", BY_STATUS, Grpc::Unauthenticated, "token_missing"),
        ("nonsense", BY_STATUS, Grpc::Unauthenticated, "token_invalid"),
        (&system, BY_STATUS, Grpc::PermissionDenied, "role_required"),
        (&operator, BY_STATUS, Grpc::PermissionDenied, "role_required"),
        (&stranger, BY_STATUS, Grpc::PermissionDenied, "denied"),
        (&steward, "select * from \"legal-entity\"", Grpc::InvalidArgument, "statement_refused"),
        (
            &steward,
            "select credit_code, count(*) from \"legal-entity\" group by 1",
            Grpc::InvalidArgument,
            "statement_refused",
        ),
        (
            &steward,
            "select count(*) from \"legal-entity\" where legal_representative = '张三'",
            Grpc::InvalidArgument,
            "statement_refused",
        ),
        (
            &steward,
            "select count(*) from \"legal-entity\" where legal_representative_id is null",
            Grpc::InvalidArgument,
            "statement_refused",
        ),
        (&steward, "select count(*) from \"e-licence\"", Grpc::NotFound, "not_found"),
        (&steward, "select", Grpc::InvalidArgument, "invalid_value"),
    ] {
        let mut client = if token.is_empty() { nobody(&node).await } else { client(&node, token).await };
        let refused = ask(&mut client, statement).await.unwrap_err();
        assert_eq!((refused.code(), code(&refused)), (grpc, expected), "{statement}: {refused}");
        assert!(refused.message().starts_with(expected), "{refused}");
    }
    assert!(statements(&node).iter().all(|record| record.statistics.is_none() && record.code.is_some()));
    assert!(
        !node.log_bytes().windows(6).any(|bytes| bytes == "张三".as_bytes()),
        "no literal of a refused statement is kept"
    );
}

#[tokio::test]
async fn a_statement_without_a_purpose_is_refused() {
    let node = scene::node("").await;
    let token = steward(&node).await;
    for (item, case, expected) in [
        (None, Some("COUNT-1"), "invalid_value"),
        (Some(ITEM), None, "invalid_value"),
        (Some("44"), Some("COUNT-1"), "invalid_value"),
        (Some("11440100MB9YYY997R3440199999000"), Some("COUNT-1"), "unknown_item"),
    ] {
        let mut client = nobody(&node).await;
        client.set_token(token.clone());
        if let Some(item) = item {
            client.set_header("x-shuqiao-item", item);
        }
        if let Some(case) = case {
            client.set_header("x-shuqiao-case", case);
        }
        let refused = ask(&mut client, BY_STATUS).await.unwrap_err();
        assert_eq!(code(&refused), expected, "{refused}");
    }
}

#[tokio::test]
async fn an_auditor_counts_everywhere_and_sees_the_tables_that_it_may_use() {
    let node = scene::node("").await;
    let auditor = node.account("auditor", "gd-health", "auditor").await;
    let steward = steward(&node).await;
    for (token, expected) in [
        (auditor.as_str(), &["e-licence", "legal-entity", "natural-person", "social-credit"][..]),
        (&steward, &["legal-entity", "social-credit"]),
    ] {
        let mut client = client(&node, token).await;
        let wanted = CommandGetTables { include_schema: true, ..CommandGetTables::default() };
        let info = client.get_tables(wanted).await.unwrap();
        let tables = fetch(&mut client, info).await.unwrap();
        let names: Vec<_> =
            tables.batches[0].column(2).as_string::<i32>().iter().flatten().map(str::to_owned).collect();
        assert!(names.iter().all(|name| expected.contains(&name.as_str())), "{names:?}");
        assert!(names.contains(&"legal-entity".to_owned()));
    }
    assert!(ask(&mut client(&node, &auditor).await, BY_STATUS).await.unwrap().rows() > 0);
    let mut client = client(&node, &auditor).await;
    let info = client.get_catalogs().await.unwrap();
    assert_eq!(fetch(&mut client, info).await.unwrap().batches[0].column(0).as_string::<i32>().value(0), "shuqiao");
    let info = client.get_table_types().await.unwrap();
    assert_eq!(fetch(&mut client, info).await.unwrap().rows(), 1);
    let info = client.get_sql_info(vec![SqlInfo::FlightSqlServerName, SqlInfo::FlightSqlServerReadOnly]).await.unwrap();
    assert_eq!(fetch(&mut client, info).await.unwrap().rows(), 2);
}

#[tokio::test]
async fn a_ticket_carries_no_right_of_its_own() {
    let node = scene::node("").await;
    let steward = steward(&node).await;
    let auditor = node.account("auditor", "gd-health", "auditor").await;
    let mut asking = client(&node, &steward).await;
    let info = asking.execute(BY_STATUS.to_owned(), None).await.unwrap();
    for (mut other, expected) in [(nobody(&node).await, "token_missing"), (client(&node, &auditor).await, "not_found")]
    {
        let refused = fetch(&mut other, info.clone()).await.unwrap_err();
        assert_eq!(code(&refused), expected, "{refused}");
    }
    assert!(fetch(&mut asking, info.clone()).await.is_ok());
    assert_eq!(code(&fetch(&mut asking, info).await.unwrap_err()), "not_found", "a second time");
    // What is taken away between asking and fetching is taken away.
    let info = asking.execute(BY_STATUS.to_owned(), None).await.unwrap();
    node.set_status("firm-steward", ClientStatus::Suspended).await;
    tokio::time::sleep(std::time::Duration::from_millis(600)).await; // Clients are read again every 200 ms.
    assert_eq!(code(&fetch(&mut asking, info).await.unwrap_err()), "token_invalid");
}

#[tokio::test]
async fn a_prepared_statement_is_decided_at_every_execution() {
    let node = scene::node("").await;
    let mut client = client(&node, &steward(&node).await).await;
    let by_division =
        "select count(*) as n from \"legal-entity\" where status = ? and division like $2".replace("$2", "?");
    let mut prepared = client.prepare(by_division, None).await.unwrap();
    assert_eq!(prepared.parameter_schema().unwrap().fields().len(), 2);
    let mut counted = Vec::new();
    for status in ["1", "2", "' or '1' = '1"] {
        let fields = vec![Field::new("1", DataType::Utf8, true), Field::new("2", DataType::Utf8, true)];
        let columns: Vec<arrow::array::ArrayRef> =
            vec![Arc::new(StringArray::from(vec![status])), Arc::new(StringArray::from(vec!["44%"]))];
        prepared.set_parameters(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap()).unwrap();
        let info = prepared.execute().await.unwrap();
        let answer = fetch(&mut client, info).await.unwrap();
        counted.push(
            answer
                .batches
                .iter()
                .find(|batch| batch.num_rows() > 0)
                .map(|batch| batch.column(0).as_primitive::<arrow::datatypes::Int64Type>().value(0)),
        );
    }
    assert!(counted[0] > counted[1] && counted[1].is_some(), "{counted:?}");
    assert_eq!(counted[2], None, "a parameter is a value, and nobody has it");
    let statements = statements(&node);
    assert_eq!(statements.len(), 3);
    assert!(statements[0].statistics.as_ref().unwrap().statement.contains("status = '1'"));
    prepared.close().await.unwrap();
}

#[tokio::test]
async fn a_statement_can_be_cancelled_by_who_asked_it() {
    let node = scene::node("").await;
    let token = steward(&node).await;
    let mut asking = client(&node, &token).await;
    let info = asking.execute(BY_STATUS.to_owned(), None).await.unwrap();
    let mut plain = FlightClient::new_from_inner(asking.inner().clone());
    plain.add_header("authorization", &format!("Bearer {token}")).unwrap();
    let cancel = CancelFlightInfoRequest::new(info.clone());
    assert_eq!(plain.cancel_flight_info(cancel.clone()).await.unwrap().status, 1, "cancelled");
    assert_eq!(code(&fetch(&mut asking, info).await.unwrap_err()), "not_found");
    assert_eq!(plain.cancel_flight_info(cancel).await.unwrap().status, 3, "not to be cancelled again");
    let unknown = plain.do_action(Action::new("Explode", "")).await;
    assert_eq!(unknown.err().map(|error| status(error).code()), Some(Grpc::InvalidArgument));
}

/// On threads of their own, as a node runs: time goes on while it is counted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_that_takes_too_long_is_ended() {
    let node = scene::node("[statistics]\ndeadline_ms = 1\n").await;
    let mut client = client(&node, &steward(&node).await).await;
    let parts: Vec<_> =
        (0..30).map(|_| "select name, established_on, count(*) from \"legal-entity\" group by 1, 2").collect();
    let refused = ask(&mut client, &parts.join(" union all ")).await.unwrap_err();
    assert_eq!((refused.code(), code(&refused)), (Grpc::DeadlineExceeded, "statement_too_slow"));
}
