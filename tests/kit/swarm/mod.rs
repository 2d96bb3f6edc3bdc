//! Many light slaves in one thread: the real protocol, over real sockets, on both channels; what they "build" is made in
//! memory. They keep their builds through breaks as a real slave does, and note what they were told DONE for.

pub(crate) mod conn;
mod slave;

use std::io;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use mio::{Events, Poll};
use piwheels::domain::{BuildId, Sha256};
use piwheels::wire::slave::BuildEnd;

pub(crate) use slave::Product;
use slave::Slave;

/// The clock is looked at this often.
const TICK: Duration = Duration::from_millis(10);
/// Slaves that share an address: fewer than the master lets one address have, with both of their connections.
const PER_ADDRESS: usize = 100;

/// Where the master listens.
#[derive(Clone, Copy)]
pub(crate) struct Ports {
    pub(crate) slaves: u16,
    pub(crate) files: u16,
}

/// A job as BUILD says it.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub(crate) build: BuildId,
    pub(crate) package: String,
    pub(crate) version: String,
    pub(crate) abi: String,
    pub(crate) build_tag: u64,
}

/// What is made of a job.
pub(crate) type Maker = dyn FnMut(&Order) -> Product + Send;

/// A build for which DONE came.
#[derive(Clone, Debug)]
pub(crate) struct Ack {
    pub(crate) order: Order,
    pub(crate) end: BuildEnd,
    pub(crate) files: Vec<(String, Sha256)>,
}

/// What the slaves have seen.
#[derive(Default)]
pub(crate) struct Tally {
    keeps_acks: bool,
    pub(crate) acks: Vec<Ack>,
    /// DONEs of each slave.
    pub(crate) served: Vec<u64>,
    pub(crate) built: u64,
    pub(crate) failed: u64,
    /// From BUILD to DONE, all together.
    pub(crate) time: Duration,
    /// Connections that broke or could not be made.
    pub(crate) cuts: u64,
    /// HELLOs that named a job and were told to go on with it.
    pub(crate) resumed: u64,
    /// Jobs that were not wanted any more on return.
    pub(crate) dropped: Vec<BuildId>,
    pub(crate) byes: Vec<String>,
    /// What the master must not say.
    pub(crate) faults: Vec<String>,
    /// Slaves that hold a job, and that are let in, at the last look.
    pub(crate) busy: usize,
    pub(crate) connected: usize,
}

impl Tally {
    fn done(&mut self, slave: usize, _: &Order, end: BuildEnd, took: Duration) {
        self.served[slave] += 1;
        self.time += took;
        match end {
            BuildEnd::Built => self.built += 1,
            _ => self.failed += 1,
        }
    }

    pub(crate) fn builds(&self) -> u64 {
        self.built + self.failed
    }
}

enum Command {
    /// This slave dies, and is started again after so long.
    Kill(usize, Duration),
}

/// The slaves of one thread; they end when it is dropped.
pub(crate) struct Swarm {
    tally: Arc<Mutex<Tally>>,
    commands: Sender<Command>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Swarm {
    /// Starts a slave for each of these ABIs. `keeps_acks`: every DONE is kept, not only counted.
    pub(crate) fn start(
        ports: Ports,
        abis: &[&str],
        keeps_acks: bool,
        maker: impl FnMut(&Order) -> Product + Send + 'static,
    ) -> Self {
        let tally = Tally { keeps_acks, served: vec![0; abis.len()], ..Tally::default() };
        let tally = Arc::new(Mutex::new(tally));
        let now = Instant::now();
        let address = |n: usize| Ipv4Addr::new(127, 0, 1, (n / PER_ADDRESS + 1) as u8);
        let slave = |(n, abi): (usize, &&str)| {
            Slave::new(n, format!("light-{n}"), (*abi).to_owned(), address(n), now)
        };
        let slaves: Vec<Slave> = abis.iter().enumerate().map(slave).collect();
        let (commands, inbox) = channel();
        let stop = Arc::new(AtomicBool::new(false));
        let (shared, stopped) = (tally.clone(), stop.clone());
        let mut maker: Box<Maker> = Box::new(maker);
        let thread = std::thread::spawn(move || {
            run(slaves, ports, &mut *maker, &shared, &inbox, &stopped).unwrap();
        });
        Self { tally, commands, stop, thread: Some(thread) }
    }

    /// What was seen until now.
    pub(crate) fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn kill(&self, slave: usize, back: Duration) {
        self.commands.send(Command::Kill(slave, back)).unwrap();
    }
}

impl Drop for Swarm {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn run(
    mut slaves: Vec<Slave>,
    ports: Ports,
    maker: &mut Maker,
    tally: &Mutex<Tally>,
    inbox: &Receiver<Command>,
    stop: &AtomicBool,
) -> io::Result<()> {
    let mut poll = Poll::new()?;
    let registry = poll.registry().try_clone()?;
    let mut events = Events::with_capacity(1024);
    let mut ticked = Instant::now() - TICK;
    while !stop.load(Ordering::Relaxed) {
        match poll.poll(&mut events, Some(TICK)) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
        let now = Instant::now();
        let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
        for command in inbox.try_iter() {
            match command {
                Command::Kill(slave, back) => slaves[slave].kill(now, back),
            }
        }
        for event in &events {
            let slave = &mut slaves[event.token().0 / 2];
            match event.token().0 % 2 {
                0 => slave.ready(now, &registry, ports, maker, &mut tally),
                _ => slave.files_ready(now, &mut tally),
            }
        }
        if now - ticked >= TICK {
            ticked = now;
            slaves.iter_mut().for_each(|slave| slave.tick(now, &registry, ports, &mut tally));
            tally.busy = slaves.iter().filter(|slave| slave.is_busy()).count();
            tally.connected = slaves.iter().filter(|slave| slave.is_connected()).count();
        }
    }
    Ok(())
}
