//! What is looked at while the load runs: the master's memory, and the farm as monitors see it.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};
use piwheels::wire::status::{FromMonitor, ToMonitor};
use piwheels::wire::{Channel, Preamble, frame, preamble};

use crate::process::resident;

const MIB: f64 = 1_048_576.0;

/// Threads that end, with what they came to, when they are asked for it.
pub(crate) struct Watch<T> {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<T>,
}

impl<T: Send + 'static> Watch<T> {
    fn start(work: impl FnOnce(&AtomicBool) -> T + Send + 'static) -> Self {
        let stop = Arc::<AtomicBool>::default();
        let stopped = stop.clone();
        Self { stop, thread: std::thread::spawn(move || work(&stopped)) }
    }

    pub(crate) fn end(self) -> T {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

/// Notes a process's memory, in MiB, four times a second.
pub(crate) fn memory(pid: u32) -> Watch<Vec<f64>> {
    Watch::start(move |stop| {
        let mut all = Vec::new();
        while !stop.load(Ordering::Relaxed) {
            all.push(resident(pid) / MIB);
            std::thread::sleep(Duration::from_millis(250));
        }
        all
    })
}

/// A monitor: it reads everything and counts the messages in `heard`; what it came to is the longest time between two
/// STATS, which come every second.
pub(crate) fn monitor(path: PathBuf, heard: Arc<AtomicU64>) -> Watch<Duration> {
    Watch::start(move |stop| {
        let mut stream = UnixStream::connect(path).unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        let mut out = BytesMut::from(&Preamble { channel: Channel::Status }.encode()[..]);
        FromMonitor::Hello {}.encode(&mut out);
        stream.write_all(&out).unwrap();
        let (mut input, mut piece, mut greeted) = (BytesMut::new(), [0; 64 * 1024], false);
        let (mut last, mut longest) = (Instant::now(), Duration::ZERO);
        while !stop.load(Ordering::Relaxed) {
            match stream.read(&mut piece) {
                Ok(0) => panic!("a monitor was dropped"),
                Ok(read) => input.extend_from_slice(&piece[..read]),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
                    continue;
                }
                Err(error) => panic!("a monitor: {error}"),
            }
            if !greeted && input.len() >= preamble::BYTES {
                input.advance(preamble::BYTES);
                greeted = true;
            }
            while greeted && let Some(frame) = frame::take(&mut input, Channel::Status.frame_limit()).unwrap()
            {
                heard.fetch_add(1, Ordering::Relaxed);
                if let ToMonitor::Stats { .. } = ToMonitor::decode(frame).unwrap() {
                    longest = longest.max(last.elapsed());
                    last = Instant::now();
                }
            }
        }
        longest
    })
}
