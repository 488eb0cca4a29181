//! How answers and refusals look in Flight: batches with what was suppressed, and gRPC statuses with our codes.

use std::{
    collections::{BTreeMap, HashMap},
    pin::Pin,
    sync::Arc,
};

use arrow::{
    array::RecordBatch,
    datatypes::{Schema, SchemaRef},
    error::ArrowError,
};
use arrow_flight::{
    FlightData, FlightDescriptor, FlightEndpoint, FlightInfo, Ticket, encode::FlightDataEncoderBuilder,
    error::FlightError, sql::ProstMessageExt,
};
use bytes::Bytes;
use futures::{Stream, TryStreamExt, stream};
use serde_json::json;
use tonic::{Code as Grpc, Response, Status, metadata::MetadataValue};

use super::wire::packed;
use crate::{
    engine::statistics::{NodeTold, PeerSaid},
    exchange::{Refusal, Statistics},
    identifiers::CallId,
    problem::{Code, Problem},
};

pub(super) type Batches = Pin<Box<dyn Stream<Item = Result<FlightData, Status>> + Send + 'static>>;

/// Our codes as gRPC's, by way of HTTP's.
#[derive(Clone, Copy)]
pub(super) struct Statuses(pub(super) fn(Code) -> u16);

impl Statuses {
    pub(super) fn of(self, problem: &Problem) -> Status {
        self.with_call(problem, None)
    }

    pub(super) fn of_refusal(self, refusal: &Refusal) -> Status {
        self.with_call(&refusal.problem, Some(refusal.call_id))
    }

    fn with_call(self, problem: &Problem, call_id: Option<CallId>) -> Status {
        let grpc = match (self.0)(problem.code) {
            400 | 405 | 413 | 415 | 422 => Grpc::InvalidArgument,
            401 => Grpc::Unauthenticated,
            403 => Grpc::PermissionDenied,
            404 => Grpc::NotFound,
            408 => Grpc::DeadlineExceeded,
            409 => Grpc::Aborted,
            429 => Grpc::ResourceExhausted,
            503 if problem.code == Code::StatementTooSlow => Grpc::DeadlineExceeded,
            503 => Grpc::Unavailable,
            _ => Grpc::Internal,
        };
        let mut status = Status::new(grpc, problem.to_string());
        let more = [
            ("x-shuqiao-code", problem.code.to_string()),
            ("x-shuqiao-call-id", call_id.map_or_else(String::new, |id| id.to_string())),
        ];
        for (name, value) in more.into_iter().filter(|(_, value)| !value.is_empty()) {
            if let Ok(value) = MetadataValue::try_from(value) {
                status.metadata_mut().insert(name, value);
            }
        }
        status
    }
}

/// What a client did not send as Flight has it.
pub(super) fn not_flight(error: &FlightError) -> Status {
    Status::invalid_argument(format!("{}: {error}", Code::MalformedBody))
}

pub(super) fn not_arrow(error: &ArrowError) -> Status {
    tracing::error!(error = error as &dyn std::error::Error, "an answer could not be put into Arrow's form");
    Status::internal(Code::Internal.as_str())
}

/// A schema in the form in which Flight carries it beside data.
pub(super) fn schema_bytes(schema: &Schema) -> Result<Bytes, Status> {
    let info = FlightInfo::new().try_with_schema(schema).map_err(|error| not_arrow(&error))?;
    Ok(info.schema)
}

/// Where an answer is fetched: here, with this command as the ticket.
pub(super) fn info(
    ticket: &impl ProstMessageExt,
    schema: &Schema,
    asked: FlightDescriptor,
) -> Result<Response<FlightInfo>, Status> {
    let endpoint = FlightEndpoint::new().with_ticket(Ticket::new(packed(ticket)));
    let info = FlightInfo::new().try_with_schema(schema).map_err(|error| not_arrow(&error))?;
    Ok(Response::new(info.with_endpoint(endpoint).with_descriptor(asked)))
}

/// One batch of metadata.
pub(super) fn batch(batch: Result<RecordBatch, FlightError>) -> Result<Response<Batches>, Status> {
    let batch = batch.map_err(|error| not_flight(&error))?;
    Ok(data(FlightDataEncoderBuilder::new().with_schema(batch.schema()), vec![batch]))
}

/// Columns as a reader is told of them, before the counting and with it: each may be empty. Drivers hold the one against the
/// other.
pub(super) fn as_told(schema: &Schema) -> SchemaRef {
    let fields = schema.fields().iter().map(|field| field.as_ref().clone().with_nullable(true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// Counts, with what a reader must know of them: in the schema's metadata, and as JSON in the metadata of the first message.
pub(super) fn statistics(counted: Statistics) -> Response<Batches> {
    let told = told(&counted);
    let json = serde_json::to_vec(&told).unwrap_or_default();
    let metadata: HashMap<_, _> = told.into_iter().map(|(name, value)| (format!("shuqiao.{name}"), value)).collect();
    let schema = Arc::new(as_told(&counted.schema).as_ref().clone().with_metadata(metadata));
    data(FlightDataEncoderBuilder::new().with_schema(schema).with_metadata(json.into()), counted.batches)
}

fn told(counted: &Statistics) -> BTreeMap<&'static str, String> {
    let mut told = BTreeMap::from([
        ("call_id", counted.call_id.to_string()),
        ("dataset", counted.dataset.to_string()),
        ("suppressed", counted.suppressed.to_string()),
        ("cell_min", counted.cell_min.to_string()),
    ]);
    told.extend(counted.version.map(|version| ("dataset_version", version.to_string())));
    told.extend(counted.as_of.map(|as_of| ("as_of", as_of.to_rfc3339())));
    if !counted.nodes.is_empty() {
        let nodes: Vec<_> = counted.nodes.iter().map(node).collect();
        told.insert("nodes", serde_json::Value::from(nodes).to_string());
        let missing = counted.nodes.iter().filter(|node| node.end.is_err()).map(|told| told.node.as_str());
        told.insert("missing", missing.collect::<Vec<_>>().join(","));
    }
    told
}

/// What one node said, or why it said nothing.
fn node(told: &NodeTold) -> serde_json::Value {
    let mut node = json!({ "node": told.node.as_str(), "end": told.word() });
    node["statement"] = told.statement.as_deref().into();
    match &told.end {
        Ok(PeerSaid { suppressed, cell_min, call_id, dataset_version, as_of }) => {
            node["suppressed"] = (*suppressed).into();
            node["cell_min"] = (*cell_min).into();
            node["call_id"] = call_id.as_str().into();
            node["dataset_version"] = dataset_version.as_str().into();
            node["as_of"] = as_of.as_str().into();
        }
        Err(failure) => node["code"] = failure.code.as_deref().into(),
    }
    node
}

fn data(encoder: FlightDataEncoderBuilder, batches: Vec<RecordBatch>) -> Response<Batches> {
    let data = encoder.build(stream::iter(batches.into_iter().map(Ok)));
    Response::new(Box::pin(data.map_err(|error| Status::internal(format!("{}: {error}", Code::Internal)))))
}
