//! The thread that carries buffers to the output, and the lines that are not about one request.

use std::io::{self, Write};
use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::super::logs::LineFormat;
use super::super::refusals::{Counts, Refusals};
use super::{Shared, TICK, stamped};
use crate::domain::clock::Clock;

/// How often bad keys are summarised, at most.
const SUMMARY: Duration = Duration::from_secs(1);

/// How long the end of the process waits for an output that takes nothing any more.
const LAST_WRITE: Duration = Duration::from_secs(5);

/// Room that a buffer keeps; one that a stall has blown up gives the rest back.
const KEPT_BYTES: usize = 64 * 1024;

/// Ends the writing thread when dropped, and waits until it has written what was recorded before (5 s at most).
#[must_use = "dropping it ends the log"]
pub struct RequestLogGuard {
    shared: Arc<Shared>,
    finished: Receiver<()>,
}

impl Drop for RequestLogGuard {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::Release);
        self.shared.wake();
        // Either it has finished, or its output takes nothing: there is nobody left to tell.
        let _ = self.finished.recv_timeout(LAST_WRITE);
    }
}

pub(super) fn start(
    shared: Arc<Shared>,
    output: Box<dyn Write + Send>,
    clock: Arc<dyn Clock>,
) -> io::Result<RequestLogGuard> {
    let (finish, finished) = mpsc::channel();
    let mut writer = Writer {
        shared: Arc::clone(&shared),
        output,
        clock,
        batch: Vec::new(),
        refusals: Refusals::default(),
        reported_drops: shared.dropped.get(),
    };
    let thread = thread::Builder::new()
        .name("request-log".into())
        .spawn(move || {
            writer.run();
            // Nobody listens where the guard has given up waiting.
            let _ = finish.send(());
        })?;
    // Set once, here.
    let _ = shared.writer.set(thread.thread().clone());
    Ok(RequestLogGuard { shared, finished })
}

struct Writer {
    shared: Arc<Shared>,
    output: Box<dyn Write + Send>,
    clock: Arc<dyn Clock>,
    /// Changes places with each buffer in turn, so neither allocates.
    batch: Vec<u8>,
    refusals: Refusals,
    reported_drops: u64,
}

impl Writer {
    fn run(&mut self) {
        let mut summarised = monotonic();
        loop {
            thread::park_timeout(TICK);
            // Read before the buffers: what was recorded before the stop is in them.
            let stopping = self.shared.stopping.load(Ordering::Acquire);
            let summarise = stopping || summarised.elapsed() >= SUMMARY;
            for slot in 0..self.shared.buffers.len() {
                self.carry(slot, summarise);
            }
            self.report_drops();
            if summarise {
                self.report_bad_keys();
                summarised = monotonic();
            }
            // Nothing can be done about an output that fails; the lines were counted as dropped.
            let _ = self.output.flush();
            if stopping {
                return;
            }
        }
    }

    fn carry(&mut self, slot: usize, with_refusals: bool) {
        {
            let mut buffer = self.shared.buffers[slot]
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            std::mem::swap(&mut buffer.lines, &mut self.batch);
            if with_refusals {
                self.refusals.absorb(&mut buffer.refusals);
            }
        }
        self.write_batch();
    }

    fn write_batch(&mut self) {
        if !self.batch.is_empty() && self.output.write_all(&self.batch).is_err() {
            let lines = self.batch.iter().filter(|byte| **byte == b'\n').count();
            self.shared.dropped.inc_by(lines as u64);
        }
        self.batch.clear();
        self.batch.shrink_to(KEPT_BYTES);
    }

    fn report_drops(&mut self) {
        let dropped = self.shared.dropped.get();
        let more = dropped - self.reported_drops;
        if more > 0 {
            self.reported_drops = dropped;
            let time = stamped(self.clock.now());
            let line = match self.shared.format {
                LineFormat::Json => {
                    format!(
                        "{{\"time\":\"{time}\",\"level\":\"warn\",\"event\":\"dropped_lines\",\"lines\":{more}}}\n"
                    )
                }
                LineFormat::Human => {
                    format!("{time} dropped {more} lines: the output is not read fast enough\n")
                }
            };
            // Not through write_batch, where a failure would count this line as dropped, and so on for ever.
            let _ = self.output.write_all(line.as_bytes());
        }
    }

    fn report_bad_keys(&mut self) {
        let Some(summary) = self.refusals.summarise() else {
            return;
        };
        let time = stamped(self.clock.now());
        for (caller, counts) in summary.callers {
            self.push_bad_keys(&time, &caller.to_string(), counts);
        }
        if summary.other != Counts::default() {
            self.push_bad_keys(&time, "other", summary.other);
        }
        self.write_batch();
    }

    fn push_bad_keys(&mut self, time: &str, address: &str, counts: Counts) {
        let Counts {
            malformed,
            forged,
            unknown,
        } = counts;
        // Writing to a Vec cannot fail.
        let _ = match self.shared.format {
            LineFormat::Json => writeln!(
                self.batch,
                "{{\"time\":\"{time}\",\"level\":\"info\",\"event\":\"bad_keys\",\"address\":\"{address}\",\
                 \"malformed\":{malformed},\"forged\":{forged},\"unknown\":{unknown}}}"
            ),
            LineFormat::Human => writeln!(
                self.batch,
                "{time} bad keys from {address}: {malformed} malformed, {forged} forged, {unknown} unknown"
            ),
        };
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "measures the time between two summaries"
)]
fn monotonic() -> Instant {
    Instant::now()
}
