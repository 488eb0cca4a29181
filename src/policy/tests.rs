//! The policies of this repository over the catalogue of this repository, and policy sets that are wrong.
//!
//! `scene` is a question that is allowed, to be spoilt; `table` says who decides what; `laws` holds for any question;
//! `sets` refuses files, `obligations` unites them; `cases`, `explain`, `shadow` and `difference` are about sets under review.

mod cases;
mod difference;
mod explain;
mod laws;
mod obligations;
mod parties;
mod returns;
mod scene;
mod sets;
mod shadow;
mod slices;
mod table;
