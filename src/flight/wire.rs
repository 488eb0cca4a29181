//! The few protobuf messages that the Flight library wants written or read by hand.
//!
//! A command travels as `google.protobuf.Any`. To cancel, a client sends back the description of its statement; of that,
//! only the ticket is read.

use arrow_flight::sql::{Any, Command, ProstMessageExt, TicketStatementQuery};
use bytes::Bytes;

/// A field of bytes, text or a message.
const LENGTH_DELIMITED: u64 = 2;

/// A command, packed.
pub(super) fn packed(command: &impl ProstMessageExt) -> Bytes {
    let Any { type_url, value } = command.as_any();
    let mut written = Vec::with_capacity(type_url.len() + value.len() + 12);
    field(&mut written, 1, type_url.as_bytes());
    field(&mut written, 2, &value);
    written.into()
}

/// The handle of the statement that a `FlightInfo` describes.
pub(super) fn handle_of_info(info: &[u8]) -> Option<Bytes> {
    // FlightInfo.endpoint, FlightEndpoint.ticket, Ticket.ticket.
    let ticket = inner(info, &[3, 1, 1])?;
    let type_url = std::str::from_utf8(inner(ticket, &[1])?).ok()?.to_owned();
    let any = Any { type_url, value: Bytes::copy_from_slice(inner(ticket, &[2])?) };
    match Command::try_from(any) {
        Ok(Command::TicketStatementQuery(TicketStatementQuery { statement_handle })) => Some(statement_handle),
        _ => None,
    }
}

/// The `FlightInfo` in a `CancelFlightInfoRequest`.
pub(super) fn info_to_cancel(request: &[u8]) -> Option<&[u8]> {
    inner(request, &[1])
}

/// A `CancelFlightInfoResult` of that status.
pub(super) fn cancelled(status: i32) -> Bytes {
    vec![0x08, u8::try_from(status).unwrap_or_default()].into()
}

fn field(written: &mut Vec<u8>, number: u64, bytes: &[u8]) {
    varint(written, number << 3 | LENGTH_DELIMITED);
    varint(written, bytes.len() as u64);
    written.extend_from_slice(bytes);
}

fn varint(written: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        written.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    written.push(number as u8);
}

/// The bytes at a path of field numbers, the first of each.
fn inner<'a>(message: &'a [u8], path: &[u64]) -> Option<&'a [u8]> {
    let Some((wanted, rest)) = path.split_first() else { return Some(message) };
    let mut left = message;
    while !left.is_empty() {
        let tag = read_varint(&mut left)?;
        let bytes = match tag & 7 {
            0 => {
                read_varint(&mut left)?;
                continue;
            }
            1 => take(&mut left, 8)?,
            LENGTH_DELIMITED => {
                let length = usize::try_from(read_varint(&mut left)?).ok()?;
                take(&mut left, length)?
            }
            5 => take(&mut left, 4)?,
            _ => return None,
        };
        if tag == *wanted << 3 | LENGTH_DELIMITED {
            return inner(bytes, rest);
        }
    }
    None
}

fn take<'a>(left: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, rest) = left.split_at_checked(length)?;
    *left = rest;
    Some(taken)
}

fn read_varint(left: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let byte = take(left, 1)?[0];
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packed_ticket_is_found_in_the_description_that_it_came_with() {
        for length in [0, 1, 16, 127, 128, 300] {
            let handle: Bytes = vec![7; length].into();
            let ticket = packed(&TicketStatementQuery { statement_handle: handle.clone() });
            let (mut ticket_message, mut endpoint, mut info) = (Vec::new(), Vec::new(), Vec::new());
            field(&mut ticket_message, 1, &ticket);
            field(&mut endpoint, 1, &ticket_message);
            field(&mut info, 1, b"a schema");
            varint(&mut info, 4 << 3);
            varint(&mut info, 300);
            field(&mut info, 3, &endpoint);
            let mut request = Vec::new();
            field(&mut request, 1, &info);
            let info = info_to_cancel(&request).unwrap();
            // An empty handle is left out of the message, as protobuf has it.
            assert_eq!(handle_of_info(info).unwrap_or_default(), handle);
        }
    }

    #[test]
    fn what_is_no_message_has_no_handle() {
        for bytes in [&b""[..], b"\x1a", b"\x1a\xff", b"\x1a\x05ab", b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"] {
            assert_eq!(handle_of_info(bytes), None);
        }
    }
}
