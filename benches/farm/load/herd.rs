//! Peers that mean no good beside those that work: some say a byte a second, some send rubbish, are dropped and come again.
//! One thread; from addresses of their own.

use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use mio::{Events, Poll, Token};
use piwheels::wire::{Channel, Preamble};

use crate::kit::peer::hello;
use crate::kit::swarm::Ports;
use crate::kit::swarm::conn::Conn;
use crate::kit::wheel::noise;

/// A slow one says its next byte, and one that was dropped comes again.
const SECOND: Duration = Duration::from_secs(1);
/// What one sends that sends rubbish.
const RUBBISH: usize = 16 * 1024;
/// Fewer than the master lets one address have.
const PER_ADDRESS: usize = 100;

/// They go when it is dropped.
pub(crate) struct Herd {
    stop: Arc<AtomicBool>,
    /// Connections that they made.
    pub(crate) connections: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

struct Rogue {
    number: usize,
    slow: bool,
    conn: Option<Conn>,
    /// What it still has to say.
    words: BytesMut,
    next: Instant,
}

impl Herd {
    pub(crate) fn start(ports: Ports, slow: usize, rubbish: usize) -> Self {
        let (stop, connections) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
        let (stopped, made) = (stop.clone(), connections.clone());
        let thread = std::thread::spawn(move || run(ports, slow, slow + rubbish, &stopped, &made).unwrap());
        Self { stop, connections, thread: Some(thread) }
    }
}

impl Drop for Herd {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn run(ports: Ports, slow: usize, all: usize, stop: &AtomicBool, made: &AtomicU64) -> io::Result<()> {
    let mut poll = Poll::new()?;
    let registry = poll.registry().try_clone()?;
    let mut events = Events::with_capacity(1024);
    let begun = Instant::now();
    let mut rogues: Vec<Rogue> = (0..all)
        .map(|number| Rogue {
            number,
            slow: number < slow,
            conn: None,
            words: BytesMut::new(),
            // not all in the same moment
            next: begun + SECOND.mul_f64(number as f64 / all as f64),
        })
        .collect();
    while !stop.load(Ordering::Relaxed) {
        match poll.poll(&mut events, Some(Duration::from_millis(20))) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
        for event in &events {
            let rogue = &mut rogues[event.token().0];
            if rogue.conn.as_mut().is_some_and(|conn| !(conn.fill() && conn.flush())) {
                rogue.conn = None;
            }
        }
        let now = Instant::now();
        for rogue in rogues.iter_mut().filter(|rogue| now >= rogue.next) {
            rogue.next = now + SECOND;
            if rogue.conn.is_none() {
                rogue.conn = rogue.come(&registry, ports).ok();
                made.fetch_add(1, Ordering::Relaxed);
            }
            rogue.speak();
        }
    }
    Ok(())
}

impl Rogue {
    fn come(&mut self, registry: &mio::Registry, ports: Ports) -> io::Result<Conn> {
        let channel = if self.number.is_multiple_of(3) { Channel::File } else { Channel::Slave };
        let port = if channel == Channel::File { ports.files } else { ports.slaves };
        self.words = BytesMut::new();
        // every other one that sends rubbish begins as it should
        if self.slow || self.number.is_multiple_of(2) {
            self.words.extend_from_slice(&Preamble { channel }.encode());
        }
        match self.slow {
            true => hello(piwheels::VERSION, "slow", "cp311", None).encode(&mut self.words),
            false => self.words.extend_from_slice(&noise(RUBBISH, self.number as u64 * 2 + 1)),
        }
        let address = Ipv4Addr::new(127, 0, 9, (self.number / PER_ADDRESS + 1) as u8);
        Conn::open_bare(registry, Token(self.number), address, port, channel)
    }

    fn speak(&mut self) {
        let length = if self.slow { self.words.len().min(1) } else { self.words.len() };
        if let Some(conn) = &mut self.conn {
            conn.output.extend_from_slice(&self.words.split_to(length));
            if !conn.flush() {
                self.conn = None;
            }
        }
    }
}
