//! The line of one request, as JSON or for eyes. The whole of it is copying: no allocation, no formatting machinery.

use std::io::Write;
use std::net::IpAddr;
use std::time::Duration;

use jiff::Timestamp;

use super::super::escape::push_escaped;
use super::super::logs::LineFormat;

/// What is told of one request. All text may come from outside: it is escaped.
#[derive(Clone, Copy, Debug)]
pub struct RequestLine<'a> {
    /// When it was answered.
    pub time: Timestamp,
    /// The request's id, as in the answer's `X-Request-Id`.
    pub request_id: &'a str,
    /// The method.
    pub method: &'a str,
    /// The pattern of the route, such as `/v1/keys/{id}`; empty if there is none.
    pub route: &'a str,
    /// The status.
    pub status: u16,
    /// From the head of the request to the head of the answer.
    pub duration: Duration,
    /// The caller, proxies that are trusted taken off.
    pub address: IpAddr,
    /// The key that was presented and served or, for the management of a key, dealt with.
    pub key_id: Option<&'a str>,
    /// That key's organization, or the one that the caller of the management API is bound to.
    pub organization_id: Option<&'a str>,
    /// The problem's or OAuth error's code.
    pub code: Option<&'a str>,
    /// Why, more exactly than the caller was told.
    pub reason: Option<&'a str>,
    /// Who called the management API, its token's `sub`.
    pub actor: Option<&'a str>,
}

impl RequestLine<'_> {
    /// Appends the line and its end.
    pub(super) fn write(&self, format: LineFormat, stamp: &mut Stamp, line: &mut Vec<u8>) {
        match format {
            LineFormat::Json => self.write_json(stamp, line),
            LineFormat::Human => self.write_human(stamp, line),
        }
    }

    fn write_json(&self, stamp: &mut Stamp, line: &mut Vec<u8>) {
        line.extend_from_slice(b"{\"time\":\"");
        stamp.write(self.time, line);
        line.extend_from_slice(b"\",\"level\":\"");
        line.extend_from_slice(self.level().as_bytes());
        line.extend_from_slice(b"\",\"event\":\"request\",\"request_id\":\"");
        push_escaped(line, self.request_id);
        line.extend_from_slice(b"\",\"method\":\"");
        push_escaped(line, self.method);
        line.extend_from_slice(b"\",\"route\":\"");
        push_escaped(line, self.route);
        line.extend_from_slice(b"\",\"status\":");
        push_number(line, self.status.into());
        line.extend_from_slice(b",\"duration_us\":");
        push_number(line, self.microseconds());
        line.extend_from_slice(b",\"address\":\"");
        push_address(line, self.address);
        line.push(b'"');
        for (name, value) in self.optional() {
            if let Some(value) = value {
                line.extend_from_slice(b",\"");
                line.extend_from_slice(name.as_bytes());
                line.extend_from_slice(b"\":\"");
                push_escaped(line, value);
                line.push(b'"');
            }
        }
        line.extend_from_slice(b"}\n");
    }

    fn write_human(&self, stamp: &mut Stamp, line: &mut Vec<u8>) {
        stamp.write(self.time, line);
        line.push(b' ');
        push_number(line, self.status.into());
        line.push(b' ');
        push_escaped(line, self.method);
        line.push(b' ');
        push_escaped(
            line,
            if self.route.is_empty() {
                "-"
            } else {
                self.route
            },
        );
        line.push(b' ');
        push_number(line, self.microseconds());
        line.extend_from_slice("µs ".as_bytes());
        push_address(line, self.address);
        for (name, value) in self.optional() {
            if let Some(value) = value {
                line.push(b' ');
                line.extend_from_slice(name.as_bytes());
                line.push(b'=');
                push_escaped(line, value);
            }
        }
        line.extend_from_slice(b" request_id=");
        push_escaped(line, self.request_id);
        line.push(b'\n');
    }

    fn optional(&self) -> [(&'static str, Option<&str>); 5] {
        [
            ("key_id", self.key_id),
            ("organization_id", self.organization_id),
            ("code", self.code),
            ("reason", self.reason),
            ("actor", self.actor),
        ]
    }

    fn level(&self) -> &'static str {
        if self.status >= 500 { "error" } else { "info" }
    }

    fn microseconds(&self) -> u64 {
        u64::try_from(self.duration.as_micros()).unwrap_or(u64::MAX)
    }
}

/// Writes times in RFC 3339 with microseconds; keeps the text of the second, which lasts for thousands of lines.
#[derive(Default)]
pub(super) struct Stamp {
    second: Option<i64>,
    /// `2026-11-22T09:30:00`.
    text: String,
}

impl Stamp {
    pub(super) fn write(&mut self, moment: Timestamp, line: &mut Vec<u8>) {
        let microseconds = moment.as_microsecond();
        let second = microseconds.div_euclid(1_000_000);
        if self.second != Some(second) {
            // A second of a timestamp is a timestamp: flooring leaves the range only at its very first second.
            let whole = Timestamp::from_second(second).unwrap_or(Timestamp::MIN);
            self.text = whole.to_string();
            self.text.truncate(self.text.len() - "Z".len());
            self.second = Some(second);
        }
        let mut fraction = *b".000000Z";
        let mut rest = microseconds.rem_euclid(1_000_000);
        for digit in fraction[1..7].iter_mut().rev() {
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        line.extend_from_slice(self.text.as_bytes());
        line.extend_from_slice(&fraction);
    }
}

fn push_number(line: &mut Vec<u8>, number: u64) {
    line.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

fn push_address(line: &mut Vec<u8>, address: IpAddr) {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            let [a, b, c, d] = address.octets();
            push_number(line, a.into());
            for octet in [b, c, d] {
                line.push(b'.');
                push_number(line, octet.into());
            }
        }
        // Writing to a Vec cannot fail.
        IpAddr::V6(address) => drop(write!(line, "{address}")),
    }
}
