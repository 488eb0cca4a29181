//! Calls that are finished later: filed with a receipt, tried again, told by a signed webhook.

mod deliveries;
mod filing;
mod kills;
mod receiver;
mod scene;
mod settling;
