//! The JSON API through a real socket; one file per path.

mod disclosures;
mod enumeration;
mod health;
mod keys;
mod limits;
mod objections;
mod openapi;
mod snapshots;
mod suspensions;
mod token;
mod verifications;
