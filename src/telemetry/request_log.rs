//! One line for each request, at the price of copying it: `docs/request-log.md` has the fields.
//!
//! A line is written by hand into the buffer of its thread; one thread of ours carries the buffers to the output, when one
//! holds [`WAKE_BYTES`] or [`TICK`] has passed. So a worker makes no system call for a line and never waits for whoever reads
//! the output: a buffer that nobody empties takes [`MAX_BYTES`], then lines are dropped, counted, and the loss is itself a line.
//! Nothing else is lost: [`RequestLogGuard`] writes what is left when it is dropped.
//!
//! Bad keys come here too and leave as one line a second for each address ([`super::refusals`]).

mod line;
mod writer;

use std::cell::Cell;
use std::io::Write;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::Thread;
use std::time::Duration;

use jiff::Timestamp;
use prometheus_client::metrics::counter::Counter;

pub use self::line::RequestLine;
use self::line::Stamp;
pub use self::writer::RequestLogGuard;
use super::logs::LineFormat;
use super::refusals::{BadKey, Refusals};
use crate::domain::clock::Clock;

/// A buffer of this size is carried off at once: some fifty lines for one system call.
const WAKE_BYTES: usize = 16 * 1024;

/// The most that one buffer takes while nobody reads the output: at 100,000 requests a second some 0.1 s of them.
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// The oldest that a line gets in its buffer.
const TICK: Duration = Duration::from_millis(200);

/// Threads beyond this many share buffers.
const BUFFERS: usize = 16;

/// Takes the lines of requests; clones share the same output.
#[derive(Clone)]
pub struct RequestLog(Arc<Shared>);

/// What a request log needs.
pub struct RequestLogOptions {
    /// How lines look.
    pub format: LineFormat,
    /// Whether each request gets a line; bad keys are summarised in any case.
    pub requests: bool,
    /// Where lines go.
    pub output: Box<dyn Write + Send>,
    /// The time of lines that are not about one request.
    pub clock: Arc<dyn Clock>,
    /// Counts the lines that were dropped.
    pub dropped: Counter,
}

struct Shared {
    format: LineFormat,
    requests: bool,
    dropped: Counter,
    buffers: [Mutex<Buffer>; BUFFERS],
    writer: OnceLock<Thread>,
    stopping: AtomicBool,
}

/// What the threads of one slot have gathered.
#[derive(Default)]
struct Buffer {
    lines: Vec<u8>,
    stamp: Stamp,
    refusals: Refusals,
}

impl RequestLog {
    /// Starts the thread that writes; it ends when the guard is dropped.
    ///
    /// # Errors
    /// When the system has no thread left.
    pub fn start(options: RequestLogOptions) -> std::io::Result<(Self, RequestLogGuard)> {
        let shared = Arc::new(Shared {
            format: options.format,
            requests: options.requests,
            dropped: options.dropped,
            buffers: std::array::from_fn(|_| Mutex::default()),
            writer: OnceLock::new(),
            stopping: AtomicBool::new(false),
        });
        let guard = writer::start(Arc::clone(&shared), options.output, options.clock)?;
        Ok((Self(shared), guard))
    }

    /// Records one request.
    pub fn record(&self, line: &RequestLine<'_>) {
        if !self.0.requests {
            return;
        }
        let mut buffer = self.0.buffer();
        let before = buffer.lines.len();
        if before >= MAX_BYTES {
            drop(buffer);
            self.0.dropped.inc();
            return;
        }
        let Buffer { lines, stamp, .. } = &mut *buffer;
        line.write(self.0.format, stamp, lines);
        let after = lines.len();
        drop(buffer);
        if before < WAKE_BYTES && after >= WAKE_BYTES {
            self.0.wake();
        }
    }

    /// Counts a key that was refused before anything was known of its holder.
    pub fn count_bad_key(&self, address: IpAddr, bad_key: BadKey) {
        self.0.buffer().refusals.count(address, bad_key);
    }
}

impl Shared {
    /// The buffer of this thread. Only the writer contends for it, as long as threads are no more than buffers.
    fn buffer(&self) -> MutexGuard<'_, Buffer> {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        thread_local! {
            static SLOT: Cell<usize> = Cell::new(NEXT.fetch_add(1, Ordering::Relaxed) % BUFFERS);
        }
        // Lines are appended whole, so what a panic left behind is still lines.
        self.buffers[SLOT.get()]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn wake(&self) {
        if let Some(writer) = self.writer.get() {
            writer.unpark();
        }
    }
}

/// Text of a moment in RFC 3339, to the microsecond.
fn stamped(moment: Timestamp) -> String {
    let mut text = Vec::new();
    Stamp::default().write(moment, &mut text);
    String::from_utf8_lossy(&text).into_owned()
}

#[cfg(test)]
mod tests;
