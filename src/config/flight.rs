//! Where statements of stewards and auditors come in.

use std::{fmt, net::SocketAddr, str::FromStr};

use super::key::{Rule, subject};

subject! {
    /// Where statements of stewards and auditors come in, over Arrow Flight SQL; see docs/statistics.md.
    "flight" => FlightSettings {
        /// Address and port to listen on, or `off`. Port 0 takes a free one.
        "address" => address: FlightListen = Rule::Text { default: "off", shape: "`off` or address:port" };
    }
}

/// `off`, or an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlightListen {
    Off,
    At(SocketAddr),
}

impl FlightListen {
    pub fn address(self) -> Option<SocketAddr> {
        match self {
            Self::Off => None,
            Self::At(address) => Some(address),
        }
    }
}

impl FromStr for FlightListen {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no address with a port. Write one such as `127.0.0.1:8641`, or `off`");
        if text == "off" { Ok(Self::Off) } else { text.parse().map(Self::At).map_err(|_| wrong()) }
    }
}

impl fmt::Display for FlightListen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("off"),
            Self::At(address) => address.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_door_is_off_or_at_an_address() {
        for text in ["off", "127.0.0.1:8641", "[::1]:0"] {
            assert_eq!(text.parse::<FlightListen>().unwrap().to_string(), text);
        }
        for text in ["on", "8641", "localhost:8641"] {
            assert!(text.parse::<FlightListen>().is_err(), "{text}");
        }
    }
}
