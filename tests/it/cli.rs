//! The commands as a person runs them: what they print, and how they exit.

mod application;
mod call;
mod catalog;
mod client;
mod demo;
mod id;
mod objection;
mod policy;
mod publish;
mod receipt;
mod settings;
mod webhook;
