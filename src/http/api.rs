//! The JSON API: its routes and its OpenAPI document. One file per act of a user.

mod agreements;
mod alerts;
mod applications;
mod calls;
mod catalog;
mod deliveries;
mod disclosures;
mod health;
mod keys;
mod objections;
mod policies;
mod rechecks;
mod staff_responses;
mod suspensions;
mod token;
mod uplink;
mod verifications;
mod webhooks;

use std::sync::Arc;

use axum::{Json, Router, http::header, response::IntoResponse, routing::get};
use utoipa::{
    Modify, OpenApi,
    openapi::security::{Http, HttpAuthScheme, SecurityScheme},
};
use utoipa_axum::{router::OpenApiRouter, routes};
use utoipa_swagger_ui::SwaggerUi;

pub(crate) use catalog::bodies as catalog_bodies;
pub(super) use disclosures::DisclosureBody;
pub(super) use rechecks::view as recheck_view;
pub(super) use verifications::{VerificationBody, signed, signed_bytes};

use super::{Node, problem::ProblemResponse};
use crate::problem::{Code, Problem};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Shuqiao exchange node",
        description = "Verification and disclosure of government register data, bound to a service item, with a receipt. \
                       Identifiers follow GB 11643 (resident ID), GB 32100 (unified social credit code), GB/T 36904 (electronic \
                       licence), GB/T 2260 (division) and GB/T 39554.1 (service item). Errors follow RFC 9457."
    ),
    modifiers(&BearerToken),
    components(schemas(super::problem::ProblemBody, verifications::SignedAnswer)),
)]
struct Document;

struct BearerToken;

impl Modify for BearerToken {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scheme = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        document.components.get_or_insert_default().add_security_scheme("bearer", scheme);
    }
}

fn routes() -> OpenApiRouter<Arc<Node>> {
    OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(verifications::verify))
        .routes(routes!(disclosures::disclose))
        .routes(routes!(token::issue))
        .merge(applications::routes())
        .merge(agreements::routes())
        .merge(catalog::routes())
        .merge(alerts::routes())
        .merge(objections::routes())
        .merge(rechecks::routes())
        .merge(deliveries::routes())
        .merge(webhooks::routes())
        .merge(suspensions::routes())
        .merge(policies::routes())
        .merge(calls::routes())
        .merge(uplink::routes())
        .routes(routes!(keys::jwks))
        .routes(routes!(health::alive))
        .routes(routes!(health::ready))
        .routes(routes!(health::metrics))
}

/// The OpenAPI 3.1 document, as served at `/openapi.json`.
pub fn openapi() -> utoipa::openapi::OpenApi {
    routes().split_for_parts().1
}

pub(super) fn router(node: Arc<Node>) -> Router {
    let (router, document) = routes().split_for_parts();
    let served = Json(document.clone());
    router
        .route("/openapi.json", get(|| async move { served }))
        .route(
            "/",
            get(|| async { ([(header::LOCATION, "/docs/")], axum::http::StatusCode::SEE_OTHER).into_response() }),
        )
        .with_state(node)
        .merge(SwaggerUi::new("/docs").url("/docs/openapi.json", document))
        // Last, so that they hold for everything above.
        .fallback(no_such_path)
        .method_not_allowed_fallback(method_not_allowed)
}

async fn no_such_path() -> ProblemResponse {
    Problem::new(Code::NoSuchPath, "there is nothing at this path")
        .remedy("See /openapi.json for what there is.")
        .into()
}

async fn method_not_allowed() -> ProblemResponse {
    Problem::new(Code::MethodNotAllowed, "the path does not take this method").remedy("See the `allow` header.").into()
}
