//! HTTP: router, extractors, problem+json, OpenAPI. Translates, never decides.
//!
//! Floor 5.
