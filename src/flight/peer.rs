//! The same door for other nodes, on the listener that they come in at.
//!
//! Who asks is said by a token that the other node has signed over the very statement. So a ticket is the statement itself:
//! nothing is kept in between, and without a token for it a ticket is good for nothing.

use std::sync::Arc;

use arrow_flight::{
    FlightDescriptor, FlightInfo, Ticket,
    sql::{CommandStatementQuery, SqlInfo, TicketStatementQuery, server::FlightSqlService},
};
use chrono::{DateTime, Utc};
use tonic::{Extensions, Request, Response, Status, metadata::MetadataMap};

use super::{
    door::{bearer, fresh_id},
    reply::{self, Batches, Statuses},
};
use crate::{
    audit::sha256,
    exchange::{Credential, Exchange, Statement},
    federation::{Federation, Forwarding, Thumbprint},
    problem::{Code, Problem},
};

#[derive(Clone)]
pub(super) struct PeerDoor {
    pub(super) exchange: Arc<Exchange>,
    pub(super) federation: Arc<Federation>,
    pub(super) clock: fn() -> DateTime<Utc>,
    pub(super) statuses: Statuses,
}

impl PeerDoor {
    /// What the token says that goes with this statement, if it holds.
    async fn accept(&self, headers: &MetadataMap, sent: &Extensions, text: &str) -> Result<Forwarding, Problem> {
        let now = (self.clock)();
        let print = sent.get::<Thumbprint>();
        let from = print.and_then(|print| self.federation.membership().owner(print, now)).ok_or_else(|| {
            Problem::new(Code::PeerUnknown, "the certificate is not that of a node in the directory")
                .remedy("Let the operator of the node that issues the directory admit it.")
        })?;
        Box::pin(self.exchange.accept(bearer(headers), &from, sha256(text.as_bytes()).0, now)).await
    }

    fn statement<'a>(&self, accepted: &'a Result<Forwarding, Problem>, text: &'a str) -> Statement<'a> {
        let received = (self.clock)();
        Statement {
            call_id: fresh_id(received),
            credential: Credential::Forwarded(accepted),
            item: None, // the token names them
            case: None,
            partial: false,
            text,
            parameters: &[],
            received,
        }
    }
}

#[tonic::async_trait]
impl FlightSqlService for PeerDoor {
    type FlightService = Self;

    async fn get_flight_info_statement(
        &self,
        query: CommandStatementQuery,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        let (headers, sent, asked) = request.into_parts();
        let accepted = self.accept(&headers, &sent, &query.query).await;
        let schema = Box::pin(self.exchange.statistics_schema(self.statement(&accepted, &query.query))).await;
        let schema = schema.map_err(|refusal| self.statuses.of_refusal(&refusal))?;
        let schema = reply::as_told(&schema);
        reply::info(&TicketStatementQuery { statement_handle: query.query.into() }, &schema, asked)
    }

    async fn do_get_statement(
        &self,
        ticket: TicketStatementQuery,
        request: Request<Ticket>,
    ) -> Result<Response<Batches>, Status> {
        let text = String::from_utf8_lossy(&ticket.statement_handle).into_owned();
        let accepted = self.accept(request.metadata(), request.extensions(), &text).await;
        let counted = Box::pin(self.exchange.statistics(self.statement(&accepted, &text))).await;
        counted.map(reply::statistics).map_err(|refusal| self.statuses.of_refusal(&refusal))
    }

    async fn register_sql_info(&self, _id: i32, _result: &SqlInfo) {}
}
