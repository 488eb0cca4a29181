//! The service: each message of Flight SQL as a question to `exchange`, each answer as a message.

use std::sync::Arc;

use arrow::{
    array::{Array, RecordBatch},
    compute::cast,
    datatypes::{DataType, Field, Schema, SchemaRef},
};
use arrow_flight::{
    Action, CancelStatus, FlightDescriptor, FlightInfo, HandshakeRequest, Ticket,
    decode::FlightRecordBatchStream,
    error::FlightError,
    flight_service_server::FlightService,
    sql::{
        ActionCancelQueryRequest, ActionCancelQueryResult, ActionClosePreparedStatementRequest,
        ActionCreatePreparedStatementRequest, ActionCreatePreparedStatementResult, CommandGetCatalogs,
        CommandGetDbSchemas, CommandGetSqlInfo, CommandGetTableTypes, CommandGetTables, CommandPreparedStatementQuery,
        CommandStatementQuery, DoPutPreparedStatementResult, SqlInfo, TicketStatementQuery,
        metadata::GetCatalogsBuilder,
        server::{FlightSqlService, PeekableFlightDataStream},
    },
};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::{TryStreamExt, stream};
use tonic::{Request, Response, Status, Streaming, metadata::MetadataMap};
use uuid::Uuid;

use super::{
    metadata::{SQL_INFO, TABLE_TYPE},
    reply::{self, Batches, Statuses},
    shelf::{Cancelled, Note, Shelf},
    wire,
};
use crate::{
    catalog::{Dataset, Field as Declared, Value},
    engine::{
        arrow_schema,
        statistics::{SQL_CATALOG, SQL_SCHEMA, placeholders},
    },
    exchange::{Credential, Exchange, Statement},
    identifiers::{CallId, ClientId},
    problem::{Code, Problem},
};

const ITEM_HEADER: &str = "x-shuqiao-item";
const CASE_HEADER: &str = "x-shuqiao-case";
/// `allow`, where an answer is wanted though some of the nodes that keep the records told nothing.
const PARTIAL_HEADER: &str = "x-shuqiao-partial";
const CANCEL_FLIGHT_INFO: &str = "CancelFlightInfo";

#[derive(Clone)]
pub(super) struct Door {
    exchange: Arc<Exchange>,
    clock: fn() -> DateTime<Utc>,
    statuses: Statuses,
    shelf: Arc<Shelf>,
}

type Actions = <Door as FlightService>::DoActionStream;

impl Door {
    pub(super) fn new(exchange: Arc<Exchange>, clock: fn() -> DateTime<Utc>, status_of: fn(Code) -> u16) -> Self {
        Self { exchange, clock, statuses: Statuses(status_of), shelf: Arc::default() }
    }

    fn now(&self) -> DateTime<Utc> {
        (self.clock)()
    }

    /// Whose token this is.
    async fn account(&self, headers: &MetadataMap) -> Result<ClientId, Status> {
        let counter = Box::pin(self.exchange.counter(credential(headers), self.now())).await;
        counter.map(|caller| caller.client).map_err(|problem| self.statuses.of(&problem))
    }

    /// The datasets in which the sender may count, as tables with the columns that it may use.
    async fn tables(&self, headers: &MetadataMap) -> Result<Vec<(Arc<Dataset>, SchemaRef)>, Status> {
        let found = Box::pin(self.exchange.countable(credential(headers), self.now())).await;
        let found = found.map_err(|problem| self.statuses.of(&problem))?;
        Ok(found.into_iter().map(|(dataset, fields)| (Arc::clone(&dataset), columns(&dataset, &fields))).collect())
    }

    fn statement<'a>(&self, headers: &'a MetadataMap, note: &'a Note) -> Statement<'a> {
        let received = self.now();
        Statement {
            call_id: fresh_id(received),
            credential: credential(headers),
            item: note.item.as_deref(),
            case: note.case.as_deref(),
            partial: headers.get(PARTIAL_HEADER).is_some_and(|value| value == "allow"),
            text: &note.text,
            parameters: &note.parameters,
            received,
        }
    }

    /// See that it would be answered, and give a ticket for it.
    async fn ticket(
        &self,
        headers: &MetadataMap,
        note: Note,
        asked: FlightDescriptor,
    ) -> Result<Response<FlightInfo>, Status> {
        let schema = self.schema(headers, &note).await?;
        let statement_handle = self.shelf.put(note, self.now());
        reply::info(&TicketStatementQuery { statement_handle }, &schema, asked)
    }

    async fn schema(&self, headers: &MetadataMap, note: &Note) -> Result<SchemaRef, Status> {
        let schema = Box::pin(self.exchange.statistics_schema(self.statement(headers, note))).await;
        schema.map(|schema| reply::as_told(&schema)).map_err(|refusal| self.statuses.of_refusal(&refusal))
    }

    fn gone(&self, what: &str) -> Status {
        let detail = format!("there is no {what} of this account here: it was used, has expired, or is another's");
        self.statuses.of(&Problem::new(Code::NotFound, detail).remedy("Send the statement again."))
    }

    async fn cancel(&self, headers: &MetadataMap, info: Option<&[u8]>) -> Result<Cancelled, Status> {
        let account = self.account(headers).await?;
        let handle = info.and_then(wire::handle_of_info);
        Ok(handle.map_or(Cancelled::No, |handle| self.shelf.cancel(&handle, &account, self.now())))
    }
}

#[tonic::async_trait]
impl FlightSqlService for Door {
    type FlightService = Self;

    async fn do_handshake(
        &self,
        _request: Request<Streaming<HandshakeRequest>>,
    ) -> Result<Response<<Self as FlightService>::HandshakeStream>, Status> {
        let problem = Problem::new(Code::TokenMissing, "there is no sign-in here")
            .remedy("Get a token at /oauth/token and send it with every call as `authorization: Bearer ...`.");
        Err(self.statuses.of(&problem))
    }

    async fn get_flight_info_statement(
        &self,
        query: CommandStatementQuery,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        let (headers, _, asked) = request.into_parts();
        let account = self.account(&headers).await?;
        let (item, case) = purpose(&headers);
        let note = Note { account, text: query.query, parameters: Vec::new(), item, case };
        self.ticket(&headers, note, asked).await
    }

    async fn do_get_statement(
        &self,
        ticket: TicketStatementQuery,
        request: Request<Ticket>,
    ) -> Result<Response<Batches>, Status> {
        let headers = request.metadata();
        let account = self.account(headers).await?;
        let handle = ticket.statement_handle;
        let begun = self.shelf.begin(&handle, &account, self.now());
        let (note, cancelled) = begun.ok_or_else(|| self.gone("ticket"))?;
        // Also when the client hangs up and this future is dropped.
        let _ended = Ended { shelf: &self.shelf, handle: &handle };
        let counting = Box::pin(self.exchange.statistics(self.statement(headers, &note)));
        match cancelled.run_until_cancelled(counting).await {
            Some(Ok(counted)) => Ok(reply::statistics(counted)),
            Some(Err(refusal)) => Err(self.statuses.of_refusal(&refusal)),
            None => Err(Status::cancelled("the statement was cancelled")),
        }
    }

    async fn do_action_create_prepared_statement(
        &self,
        query: ActionCreatePreparedStatementRequest,
        request: Request<Action>,
    ) -> Result<ActionCreatePreparedStatementResult, Status> {
        let headers = request.metadata();
        let account = self.account(headers).await?;
        let count = placeholders(&query.query)
            .map_err(|error| self.statuses.of(&Problem::new(error.code(), error.to_string()).remedy(error.remedy())))?;
        let (item, case) = purpose(headers);
        let mut note = Note { account, text: query.query, parameters: vec![None; count], item, case };
        let schema = self.schema(headers, &note).await?;
        // Nothing is bound yet.
        note.parameters.clear();
        // Of which kind a parameter is, its place in the statement says.
        let parameters: Vec<_> = (1..=count).map(|n| Field::new(format!("${n}"), DataType::Null, true)).collect();
        Ok(ActionCreatePreparedStatementResult {
            prepared_statement_handle: self.shelf.prepare(note, self.now()),
            dataset_schema: reply::schema_bytes(&schema)?,
            parameter_schema: reply::schema_bytes(&Schema::new(parameters))?,
        })
    }

    async fn do_put_prepared_statement_query(
        &self,
        query: CommandPreparedStatementQuery,
        request: Request<PeekableFlightDataStream>,
    ) -> Result<DoPutPreparedStatementResult, Status> {
        let (headers, _, sent) = request.into_parts();
        let account = self.account(&headers).await?;
        let sent = sent.map_err(|status| FlightError::Tonic(Box::new(status)));
        let batches: Vec<RecordBatch> = FlightRecordBatchStream::new_from_flight_data(sent)
            .try_collect()
            .await
            .map_err(|error| reply::not_flight(&error))?;
        let parameters = parameters(&batches).map_err(|problem| self.statuses.of(&problem))?;
        let handle = query.prepared_statement_handle;
        let bound = self.shelf.bind(&handle, &account, parameters, self.now());
        bound.ok_or_else(|| self.gone("prepared statement"))?;
        Ok(DoPutPreparedStatementResult { prepared_statement_handle: Some(handle) })
    }

    async fn get_flight_info_prepared_statement(
        &self,
        query: CommandPreparedStatementQuery,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        let (headers, _, asked) = request.into_parts();
        let account = self.account(&headers).await?;
        let note = self.shelf.prepared(&query.prepared_statement_handle, &account, self.now());
        let mut note = note.ok_or_else(|| self.gone("prepared statement"))?;
        // Each time for the item and case of this time, where it names them.
        let (item, case) = purpose(&headers);
        (note.item, note.case) = (item.or(note.item), case.or(note.case));
        self.ticket(&headers, note, asked).await
    }

    async fn do_action_close_prepared_statement(
        &self,
        query: ActionClosePreparedStatementRequest,
        request: Request<Action>,
    ) -> Result<(), Status> {
        let account = self.account(request.metadata()).await?;
        self.shelf.close(&query.prepared_statement_handle, &account);
        Ok(())
    }

    async fn do_action_cancel_query(
        &self,
        query: ActionCancelQueryRequest,
        request: Request<Action>,
    ) -> Result<ActionCancelQueryResult, Status> {
        let result = match self.cancel(request.metadata(), Some(&query.info)).await? {
            Cancelled::Yes => CancelStatus::Cancelled,
            Cancelled::No => CancelStatus::NotCancellable,
        };
        Ok(ActionCancelQueryResult { result: result as i32 })
    }

    async fn do_action_fallback(&self, request: Request<Action>) -> Result<Response<Actions>, Status> {
        let action = request.get_ref();
        if action.r#type != CANCEL_FLIGHT_INFO {
            let detail = format!("{}: there is no action of that name", Code::InvalidValue);
            return Err(Status::invalid_argument(detail));
        }
        let status = match self.cancel(request.metadata(), wire::info_to_cancel(&action.body)).await? {
            Cancelled::Yes => CancelStatus::Cancelled,
            Cancelled::No => CancelStatus::NotCancellable,
        };
        let result = arrow_flight::Result::new(wire::cancelled(status as i32));
        Ok(Response::new(Box::pin(stream::iter([Ok(result)]))))
    }

    async fn get_flight_info_sql_info(
        &self,
        query: CommandGetSqlInfo,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        self.account(request.metadata()).await?;
        reply::info(&query, &SQL_INFO.schema(), request.into_inner())
    }

    async fn do_get_sql_info(
        &self,
        query: CommandGetSqlInfo,
        request: Request<Ticket>,
    ) -> Result<Response<Batches>, Status> {
        self.account(request.metadata()).await?;
        reply::batch(query.into_builder(&SQL_INFO).build())
    }

    async fn get_flight_info_catalogs(
        &self,
        query: CommandGetCatalogs,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        self.account(request.metadata()).await?;
        reply::info(&query, &GetCatalogsBuilder::new().schema(), request.into_inner())
    }

    async fn do_get_catalogs(
        &self,
        _query: CommandGetCatalogs,
        request: Request<Ticket>,
    ) -> Result<Response<Batches>, Status> {
        self.account(request.metadata()).await?;
        let mut catalogs = GetCatalogsBuilder::new();
        catalogs.append(SQL_CATALOG);
        reply::batch(catalogs.build())
    }

    async fn get_flight_info_schemas(
        &self,
        query: CommandGetDbSchemas,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        self.account(request.metadata()).await?;
        reply::info(&query, &query.clone().into_builder().schema(), request.into_inner())
    }

    async fn do_get_schemas(
        &self,
        query: CommandGetDbSchemas,
        request: Request<Ticket>,
    ) -> Result<Response<Batches>, Status> {
        self.account(request.metadata()).await?;
        let mut schemas = query.into_builder();
        schemas.append(SQL_CATALOG, SQL_SCHEMA);
        reply::batch(schemas.build())
    }

    async fn get_flight_info_tables(
        &self,
        query: CommandGetTables,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        self.account(request.metadata()).await?;
        reply::info(&query, &query.clone().into_builder().schema(), request.into_inner())
    }

    async fn do_get_tables(
        &self,
        query: CommandGetTables,
        request: Request<Ticket>,
    ) -> Result<Response<Batches>, Status> {
        let mut tables = query.into_builder();
        for (dataset, columns) in self.tables(request.metadata()).await? {
            let appended = tables.append(SQL_CATALOG, SQL_SCHEMA, dataset.id.as_str(), TABLE_TYPE, &columns);
            appended.map_err(|error| reply::not_flight(&error))?;
        }
        reply::batch(tables.build())
    }

    async fn get_flight_info_table_types(
        &self,
        query: CommandGetTableTypes,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        self.account(request.metadata()).await?;
        reply::info(&query, &query.into_builder().schema(), request.into_inner())
    }

    async fn do_get_table_types(
        &self,
        query: CommandGetTableTypes,
        request: Request<Ticket>,
    ) -> Result<Response<Batches>, Status> {
        self.account(request.metadata()).await?;
        let mut types = query.into_builder();
        types.append(TABLE_TYPE);
        reply::batch(types.build())
    }

    async fn register_sql_info(&self, _id: i32, _result: &SqlInfo) {}
}

/// Takes a ticket off the shelf when its answering ends, however it ends.
struct Ended<'a> {
    shelf: &'a Shelf,
    handle: &'a Bytes,
}

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.shelf.end(self.handle);
    }
}

fn credential(headers: &MetadataMap) -> Credential<'_> {
    bearer(headers).map_or(Credential::Missing, Credential::Bearer)
}

/// The token that was sent.
pub(super) fn bearer(headers: &MetadataMap) -> Option<&str> {
    let sent = headers.get("authorization")?.to_str().ok()?;
    let (scheme, token) = sent.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Item and case, as they were sent.
fn purpose(headers: &MetadataMap) -> (Option<String>, Option<String>) {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    (text(ITEM_HEADER), text(CASE_HEADER))
}

pub(super) fn fresh_id(now: DateTime<Utc>) -> CallId {
    let random = Uuid::new_v4().into_bytes();
    let mut tail = [0; 10];
    tail.copy_from_slice(&random[..10]);
    let millis = now.timestamp_millis().unsigned_abs();
    CallId::new(uuid::Builder::from_unix_timestamp_millis(millis, &tail).into_uuid())
}

/// A dataset's columns, those that may be used.
fn columns(dataset: &Dataset, fields: &[Declared]) -> SchemaRef {
    let all = arrow_schema(dataset);
    let usable = |column: &&Arc<Field>| fields.iter().any(|field| field.name.as_str() == column.name());
    Arc::new(Schema::new(all.fields().iter().filter(usable).cloned().collect::<Vec<_>>()))
}

/// The parameters of one execution: one row, a column for each.
fn parameters(batches: &[RecordBatch]) -> Result<Vec<Option<Value>>, Problem> {
    let filled: Vec<_> = batches.iter().filter(|batch| batch.num_rows() > 0).collect();
    match filled.as_slice() {
        [] => Ok(Vec::new()),
        [batch] if batch.num_rows() == 1 => batch.columns().iter().map(parameter).collect(),
        _ => Err(Problem::new(Code::InvalidValue, "parameters for several executions were bound at once")
            .remedy("Bind one row, execute, then bind the next.")),
    }
}

fn parameter(column: &Arc<dyn Array>) -> Result<Option<Value>, Problem> {
    if column.is_null(0) || *column.data_type() == DataType::Null {
        return Ok(None);
    }
    let kinds = match column.data_type() {
        DataType::Boolean => DataType::Boolean,
        DataType::Date32 | DataType::Date64 => DataType::Date32,
        kind if kind.is_integer() => DataType::Int64,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => DataType::Utf8,
        other => {
            return Err(Problem::new(Code::InvalidValue, format!("a parameter is of the kind {other}"))
                .remedy("Bind a text, a whole number, a date or a truth value."));
        }
    };
    let cast = cast(column, &kinds).map_err(|error| Problem::new(Code::InvalidValue, error.to_string()))?;
    crate::engine::statistics::parameter(&cast).map_err(|error| Problem::new(error.code(), error.to_string()))
}
