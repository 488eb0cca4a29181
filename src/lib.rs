//! Shuqiao (数桥): a data-sharing exchange node for government registers.
//!
//! The rooms, floor by floor; a module uses modules on floors below it, never beside or above it
//! (`tests/it/tidy.rs` keeps it so). Start reading at [`exchange`], the road of a call.

// 5 doors
pub mod cli;
pub mod flight;
pub mod http;
pub mod telemetry;

// 4 road
pub mod exchange;
pub mod federation;

// 3 services
pub mod agreements;
pub mod cascade;
pub mod objections;
pub mod publish;
pub mod rechecks;
pub mod returns;
pub mod revisions;
pub mod sample;
pub mod simulation;
pub mod uplink;

// 2 machines
pub mod audit;
pub mod engine;
pub mod enumeration;
pub mod identity;
pub mod policy;
pub mod verification;

// 1 ground
pub mod calendar;
pub mod catalog;
pub mod config;
pub mod keys;
pub mod ledger;
pub mod storage;

// 0 words
pub mod identifiers;
pub mod problem;
