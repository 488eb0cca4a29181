//! The register in an S3 store: cold and warm look-ups, a store that is away, a cache that is torn, versions that follow.

mod away;
mod cache;
mod publish;
mod scene;
mod warm;
