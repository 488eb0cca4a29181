//! The policies of this repository over the catalogue of this repository, and policy sets that are wrong.
//!
//! `scene` is a question that is allowed, to be spoilt; `table` says who decides what; `laws` holds for any question;
//! `sets` refuses files.

mod laws;
mod scene;
mod sets;
mod table;
