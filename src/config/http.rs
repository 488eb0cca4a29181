//! How calls come in.

use std::{net::SocketAddr, time::Duration};

use super::{
    key::{Rule, subject},
    limits,
};

subject! {
    /// How calls come in.
    "http" => HttpSettings {
        /// Address and port to listen on. Port 0 takes a free one.
        "listen" => listen: SocketAddr = Rule::Text { default: "127.0.0.1:8640", shape: "address:port" };
        /// Largest request body accepted.
        "body_bytes_max" => body_bytes_max: usize = Rule::Number(&limits::BODY_BYTES);
        /// Longest time in which the headers of a request must have arrived.
        "header_ms_max" => header_max: Duration = Rule::Number(&limits::HEADER_MS);
        /// Longest time from the headers of a request to its answer, the body's arrival included.
        "request_ms_max" => request_max: Duration = Rule::Number(&limits::REQUEST_MS);
        /// Calls under way at once; the next one is refused with `overloaded`.
        "calls_in_flight_max" => calls_in_flight_max: usize = Rule::Number(&limits::CALLS_IN_FLIGHT);
        /// How long a node that was asked to stop lets calls under way finish.
        "shutdown_grace_ms" => shutdown_grace: Duration = Rule::Number(&limits::SHUTDOWN_GRACE_MS);
    }
}
