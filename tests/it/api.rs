//! The JSON API through a real socket; one file per path.

mod applications;
mod catalog;
mod disclosures;
mod enumeration;
mod health;
mod keys;
mod limits;
mod objections;
mod obligations;
mod openapi;
mod policies;
mod snapshots;
mod suspensions;
mod token;
mod verifications;
