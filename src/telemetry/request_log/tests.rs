//! Lines as they arrive at the output.

use std::io;
use std::sync::mpsc;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::domain::clock::MockClock;

const TIME: &str = "2026-11-22T09:30:00.000123Z";

/// An output that a test can read.
#[derive(Clone, Default)]
struct Output(Arc<Mutex<Vec<u8>>>);

impl Output {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    fn json(&self) -> Vec<Value> {
        self.text()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn start(
    format: LineFormat,
    output: impl Write + Send + 'static,
) -> (RequestLog, RequestLogGuard, Counter) {
    let dropped = Counter::default();
    let (log, guard) = RequestLog::start(RequestLogOptions {
        format,
        requests: true,
        output: Box::new(output),
        clock: Arc::new(MockClock::at(TIME.parse().unwrap())),
        dropped: dropped.clone(),
    })
    .unwrap();
    (log, guard, dropped)
}

fn line() -> RequestLine<'static> {
    RequestLine {
        time: TIME.parse().unwrap(),
        request_id: "req_1",
        method: "POST",
        route: "/v1/token",
        status: 200,
        duration: Duration::from_nanos(123_456),
        address: "::ffff:192.0.2.7".parse().unwrap(),
        key_id: Some("key_a"),
        organization_id: Some("org_a"),
        reason: Some("why"),
        code: None,
        actor: None,
    }
}

#[test]
fn a_request_becomes_one_json_line() {
    let output = Output::default();
    let (log, guard, _) = start(LineFormat::Json, output.clone());
    log.record(&line());
    drop(guard);
    let expected = json!({
        "time": TIME, "level": "info", "event": "request", "request_id": "req_1", "method": "POST",
        "route": "/v1/token", "status": 200, "duration_us": 123, "address": "192.0.2.7",
        "key_id": "key_a", "organization_id": "org_a", "reason": "why",
    });
    assert_eq!(output.json(), [expected]);
}

#[test]
fn a_request_becomes_one_line_for_eyes() {
    let output = Output::default();
    let (log, guard, _) = start(LineFormat::Human, output.clone());
    let failed = RequestLine {
        status: 503,
        code: Some("unavailable"),
        actor: Some("operator:me"),
        ..line()
    };
    log.record(&failed);
    drop(guard);
    assert_eq!(
        output.text(),
        format!(
            "{TIME} 503 POST /v1/token 123µs 192.0.2.7 key_id=key_a organization_id=org_a \
             code=unavailable reason=why actor=operator:me request_id=req_1\n"
        )
    );
}

#[test]
fn the_time_is_rfc_3339_at_any_moment() {
    for moment in [
        "1969-12-31T23:59:59.999999Z",
        "2026-11-22T09:30:00.000000Z",
        "2026-11-22T09:30:59.100200Z",
    ] {
        assert_eq!(stamped(moment.parse().unwrap()), moment);
    }
}

proptest! {
    #[test]
    fn hostile_text_stays_in_its_field(text in ".*", other in "[\\x00-\\xff]*") {
        let mut lines = Vec::new();
        let line = RequestLine { route: &text, method: &other, actor: Some(&text), code: Some(&other), ..line() };
        line.write(LineFormat::Json, &mut Stamp::default(), &mut lines);
        prop_assert_eq!(lines.iter().filter(|byte| **byte == b'\n').count(), 1);
        let parsed: Value = serde_json::from_slice(&lines).unwrap();
        prop_assert_eq!(parsed["route"].as_str(), Some(&*text));
        prop_assert_eq!(parsed["method"].as_str(), Some(&*other));
        prop_assert_eq!(parsed["actor"].as_str(), Some(&*text));

        lines.clear();
        line.write(LineFormat::Human, &mut Stamp::default(), &mut lines);
        prop_assert_eq!(lines.iter().filter(|byte| **byte < 0x20).count(), 1);
    }
}

#[test]
fn what_threads_recorded_before_the_end_is_written() {
    let output = Output::default();
    let (log, guard, dropped) = start(LineFormat::Json, output.clone());
    thread_scope(20, |_| {
        for _ in 0..500 {
            log.record(&line());
        }
    });
    drop(guard);
    assert_eq!(output.json().len(), 10_000);
    assert_eq!(dropped.get(), 0);
}

#[test]
fn a_reader_that_stands_still_stops_no_worker_and_learns_what_it_missed() {
    /// Says when it is written to, and blocks each write until the test lets it go.
    struct Still {
        output: Output,
        reached: mpsc::Sender<()>,
        gate: mpsc::Receiver<()>,
    }

    impl Write for Still {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.reached.send(());
            // Fails once the test has dropped its end: from then on everything passes.
            let _ = self.gate.recv();
            self.output.write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    let output = Output::default();
    let (go, gate) = mpsc::channel();
    let (reached, is_reached) = mpsc::channel();
    let still = Still {
        output: output.clone(),
        reached,
        gate,
    };
    let (log, guard, dropped) = start(LineFormat::Json, still);
    // From the moment that the reader stands still nobody empties the buffer.
    log.record(&line());
    is_reached.recv().unwrap();
    let more = 20_000;
    for _ in 0..more {
        log.record(&line());
    }
    let recorded = 1 + more;
    let missed = dropped.get();
    assert!(missed > 0);
    drop(go);
    drop(guard);
    let (reports, requests): (Vec<_>, Vec<_>) = output
        .json()
        .into_iter()
        .partition(|line| line["event"] == "dropped_lines");
    assert_eq!(requests.len() as u64 + missed, recorded);
    assert_eq!(
        reports
            .iter()
            .map(|line| line["lines"].as_u64().unwrap())
            .sum::<u64>(),
        missed
    );
}

#[test]
fn bad_keys_are_summarised_by_address() {
    let output = Output::default();
    let (log, guard, _) = start(LineFormat::Json, output.clone());
    thread_scope(4, |thread| {
        for _ in 0..100 {
            log.count_bad_key("192.0.2.7".parse().unwrap(), BadKey::Forged);
        }
        if thread == 0 {
            log.count_bad_key("2001:db8::1".parse().unwrap(), BadKey::Malformed);
        }
    });
    drop(guard);
    let count = |address: &str, field: &str| -> u64 {
        output
            .json()
            .iter()
            .filter(|line| line["address"] == address)
            .map(|line| line[field].as_u64().unwrap())
            .sum()
    };
    assert_eq!(count("192.0.2.7", "forged"), 400);
    assert_eq!(count("2001:db8::/64", "malformed"), 1);
    assert!(
        output
            .json()
            .iter()
            .all(|line| line["event"] == "bad_keys" && line["time"] == TIME)
    );
}

#[test]
fn the_documented_fields_are_the_fields() {
    let document = include_str!("../../../docs/request-log.md");
    let mut lines = Vec::new();
    let full = RequestLine {
        code: Some("x"),
        actor: Some("x"),
        ..line()
    };
    full.write(LineFormat::Json, &mut Stamp::default(), &mut lines);
    let parsed: Value = serde_json::from_slice(&lines).unwrap();
    let mut fields: Vec<&str> = parsed
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    let requests = document
        .split("\n## ")
        .find(|section| section.starts_with("A request"))
        .unwrap();
    let mut documented: Vec<&str> = requests
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .collect();
    fields.sort_unstable();
    documented.sort_unstable();
    assert_eq!(documented, fields);
}

fn thread_scope(threads: usize, work: impl Fn(usize) + Sync) {
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let work = &work;
            scope.spawn(move || work(thread));
        }
    });
}
