//! One slave of the swarm: the slave's side of both channels (`wire-spec/slave.md`, `file.md`), strict in what it takes.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use mio::{Registry, Token};
use piwheels::domain::{JobToken, Sha256};
use piwheels::wire::slave::{BuildEnd, BuiltFile, FromSlave, Held, Holding, Resume, ToSlave, Vitals};
use piwheels::wire::{Blob, Channel, List, Text, file};

use super::conn::Conn;
use super::{Ack, Maker, Order, Ports, Tally};
use crate::kit::peer::hello;

/// Between two signs of life.
const BUSY_EVERY: Duration = Duration::from_secs(5);

/// What a build came to.
pub(crate) struct Product {
    pub(crate) end: BuildEnd,
    pub(crate) files: Vec<(String, Bytes)>,
    /// How long it takes.
    pub(crate) takes: Duration,
    /// What it prints: half of it at once, the rest at its end.
    pub(crate) log: Bytes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Away(Instant),
    Greeting,
    Asked,
    Asleep(Instant),
    Working,
    Offered,
    /// A file goes over the file channel: its index, and the transfer's name.
    Sending(u16, [u8; 16]),
}

struct Work {
    order: Order,
    token: JobToken,
    files: Arc<Vec<(String, Bytes, Sha256)>>,
    end: BuildEnd,
    log: Bytes,
    log_sent: usize,
    begun: Instant,
    until: Instant,
}

pub(crate) struct Slave {
    number: usize,
    label: String,
    abi: String,
    address: Ipv4Addr,
    conn: Option<Conn>,
    files: Option<Conn>,
    stage: Stage,
    work: Option<Work>,
    busy_at: Instant,
    pause: Duration,
}

impl Slave {
    pub(crate) fn new(number: usize, label: String, abi: String, address: Ipv4Addr, now: Instant) -> Self {
        let stage = Stage::Away(now);
        let pause = Duration::from_millis(100);
        Self { number, label, abi, address, conn: None, files: None, stage, work: None, busy_at: now, pause }
    }

    pub(crate) fn is_busy(&self) -> bool {
        self.work.is_some()
    }

    pub(crate) fn is_connected(&self) -> bool {
        !matches!(self.stage, Stage::Away(_) | Stage::Greeting)
    }

    /// What `kill -9` of it leaves: nothing. It is started again after a while.
    pub(crate) fn kill(&mut self, now: Instant, back: Duration) {
        (self.conn, self.files, self.work) = (None, None, None);
        self.stage = Stage::Away(now + back);
    }

    fn lost(&mut self, now: Instant, tally: &mut Tally) {
        (self.conn, self.files) = (None, None);
        self.stage = Stage::Away(now + self.pause);
        tally.cuts += 1;
    }

    fn wrong(&mut self, now: Instant, what: String, tally: &mut Tally) {
        tally.faults.push(format!("{} ({:?}): {what}", self.label, self.stage));
        self.lost(now, tally);
    }

    fn say(&mut self, message: &FromSlave) {
        if let Some(conn) = &mut self.conn {
            message.encode(&mut conn.output);
        }
    }

    fn ask(&mut self) {
        self.stage = Stage::Asked;
        self.say(&FromSlave::Idle {});
    }

    /// What is due by the clock.
    pub(crate) fn tick(&mut self, now: Instant, registry: &Registry, ports: Ports, tally: &mut Tally) {
        match self.stage {
            Stage::Away(until) if now >= until => self.connect(now, registry, ports),
            Stage::Asleep(until) if now >= until => self.ask(),
            Stage::Working if self.work.as_ref().is_some_and(|work| now >= work.until) => self.deliver(),
            _ => {}
        }
        if !matches!(self.stage, Stage::Away(_) | Stage::Greeting) && now >= self.busy_at {
            self.busy_at = now + BUSY_EVERY;
            self.say(&FromSlave::Busy { vitals: vitals(), holds_back: None });
        }
        // a file connection that broke while it was needed
        if let Stage::Sending(_, transfer) = self.stage
            && self.files.is_none()
        {
            self.open_files(now, registry, ports, transfer, tally);
        }
        self.flush(now, tally);
    }

    fn connect(&mut self, now: Instant, registry: &Registry, ports: Ports) {
        let conn = Conn::open(registry, Token(2 * self.number), self.address, ports.slaves, Channel::Slave);
        match conn {
            Ok(conn) => self.conn = Some(conn),
            Err(_) => return self.stage = Stage::Away(now + self.pause),
        }
        let held = self.work.as_ref().map(|work| Held {
            token: work.token,
            state: if now >= work.until { Holding::Built } else { Holding::Building },
        });
        self.stage = Stage::Greeting;
        self.say(&hello(piwheels::VERSION, &self.label, &self.abi, held));
    }

    fn open_files(
        &mut self,
        now: Instant,
        registry: &Registry,
        ports: Ports,
        transfer: [u8; 16],
        tally: &mut Tally,
    ) {
        if self.files.is_none() {
            let token = Token(2 * self.number + 1);
            match Conn::open(registry, token, self.address, ports.files, Channel::File) {
                Ok(conn) => self.files = Some(conn),
                Err(_) => return self.lost(now, tally),
            }
        }
        if let Some(files) = &mut self.files {
            file::FromSlave::Hello { transfer }.encode(&mut files.output);
        }
    }

    fn flush(&mut self, now: Instant, tally: &mut Tally) {
        if self.conn.as_mut().is_some_and(|conn| !conn.flush()) {
            self.lost(now, tally);
        }
        if self.files.as_mut().is_some_and(|files| !files.flush()) {
            self.files = None;
        }
    }

    /// The slave channel can be read or written.
    pub(crate) fn ready(
        &mut self,
        now: Instant,
        registry: &Registry,
        ports: Ports,
        maker: &mut Maker,
        tally: &mut Tally,
    ) {
        let Some(conn) = &mut self.conn else { return };
        let open = conn.fill();
        while let Some(conn) = &mut self.conn {
            let message = match conn.frame() {
                Ok(None) => break,
                Ok(Some(frame)) => ToSlave::decode(frame).map_err(|error| error.to_string()),
                Err(error) => Err(error),
            };
            match message.and_then(|message| self.hear(now, message, registry, ports, maker, tally)) {
                Ok(()) => {}
                Err(what) => return self.wrong(now, what, tally),
            }
        }
        match open {
            true => self.flush(now, tally),
            false if self.conn.is_some() => self.lost(now, tally),
            false => {}
        }
    }

    fn hear(
        &mut self,
        now: Instant,
        message: ToSlave,
        registry: &Registry,
        ports: Ports,
        maker: &mut Maker,
        tally: &mut Tally,
    ) -> Result<(), String> {
        match (message, self.stage) {
            (ToSlave::Hello { resume, log_from, .. }, Stage::Greeting) => match (resume, &mut self.work) {
                (Resume::None, None) => self.ask(),
                (Resume::GoOn, Some(work)) => {
                    if log_from > work.log_sent as u64 {
                        return Err(format!("the log goes on at {log_from} of {}", work.log_sent));
                    }
                    work.log_sent = log_from as usize;
                    tally.resumed += 1;
                    self.stage = Stage::Working;
                }
                (Resume::Drop, Some(work)) => {
                    tally.dropped.push(work.order.build);
                    self.work = None;
                    self.ask();
                }
                (resume, work) => return Err(format!("{resume:?}, holding {}", work.is_some())),
            },
            (ToSlave::Sleep { seconds }, Stage::Asked) if seconds > 0 => {
                self.stage = Stage::Asleep(now + Duration::from_secs(seconds.into()));
            }
            (ToSlave::Wake {}, Stage::Asked) => {}
            (ToSlave::Wake {}, Stage::Asleep(_)) => self.ask(),
            (ToSlave::Build { token, package, version, build_tag }, Stage::Asked) => {
                let order = Order {
                    build: token.build,
                    package: package.to_string(),
                    version: version.to_string(),
                    abi: self.abi.clone(),
                    build_tag,
                };
                let Product { end, files, takes, log } = maker(&order);
                let digested = files.into_iter().map(|(name, bytes)| {
                    let sha256 = Sha256::of(&bytes);
                    (name, bytes, sha256)
                });
                let files = Arc::new(digested.collect());
                let until = now + takes;
                self.work = Some(Work { order, token, files, end, log, log_sent: 0, begun: now, until });
                self.stage = Stage::Working;
                self.print(|log| log / 2);
            }
            (ToSlave::Send { index, transfer }, Stage::Offered)
                if self.work.as_ref().is_some_and(|work| usize::from(index) < work.files.len()) =>
            {
                self.stage = Stage::Sending(index, transfer);
                self.open_files(now, registry, ports, transfer, tally);
            }
            (ToSlave::Done { build }, Stage::Offered | Stage::Sending(..))
                if self.work.as_ref().is_some_and(|work| work.order.build == build) =>
            {
                let Some(work) = self.work.take() else { return Err("nothing is held".to_owned()) };
                tally.done(self.number, &work.order, work.end, now - work.begun);
                if tally.keeps_acks {
                    let files = work.files.iter().map(|(name, _, sha256)| (name.clone(), *sha256)).collect();
                    tally.acks.push(Ack { order: work.order, end: work.end, files });
                }
                self.ask();
            }
            (ToSlave::Cancel { build }, Stage::Working) => {
                if let Some(work) = &mut self.work
                    && work.order.build == build
                {
                    (work.end, work.files, work.until) = (BuildEnd::Cancelled, Arc::default(), now);
                }
            }
            (ToSlave::Cancel { .. }, stage) if stage != Stage::Greeting => {}
            (ToSlave::Bye { reason }, _) => {
                tally.byes.push(format!("{}: {reason}", self.label));
            }
            (message, _) => return Err(format!("{message:?}")),
        }
        Ok(())
    }

    /// Sends the log up to there, of its length.
    fn print(&mut self, up_to: impl FnOnce(usize) -> usize) {
        let Some(work) = &mut self.work else { return };
        let end = up_to(work.log.len());
        while work.log_sent < end {
            let piece = (end - work.log_sent).min(32 * 1024);
            let data = Blob::new(work.log.slice(work.log_sent..work.log_sent + piece)).unwrap();
            let message = FromSlave::Log { offset: work.log_sent as u64, data };
            work.log_sent += piece;
            if let Some(conn) = &mut self.conn {
                message.encode(&mut conn.output);
            }
        }
    }

    /// The build is finished: the rest of its log, and BUILT.
    fn deliver(&mut self) {
        self.print(|log| log);
        let Some(work) = &self.work else { return };
        let files = work.files.iter().map(|(name, bytes, sha256)| BuiltFile {
            filename: Text::new(name.as_str()).unwrap(),
            size: bytes.len() as u64,
            sha256: *sha256,
        });
        let message = FromSlave::Built {
            token: work.token,
            end: work.end,
            duration_ms: work.until.duration_since(work.begun).as_millis() as u64,
            log_bytes: work.log.len() as u64,
            files: List::new(files.collect()).unwrap(),
            report: Default::default(),
        };
        self.stage = Stage::Offered;
        self.say(&message);
    }

    /// The file channel can be read or written.
    pub(crate) fn files_ready(&mut self, now: Instant, tally: &mut Tally) {
        let Some(files) = &mut self.files else { return };
        let open = files.fill();
        loop {
            let Some(files) = &mut self.files else { return };
            let message = match files.frame() {
                Ok(None) => break,
                Ok(Some(frame)) => file::ToSlave::decode(frame).map_err(|error| error.to_string()),
                Err(error) => Err(error),
            };
            let (Stage::Sending(index, _), Some(work)) = (self.stage, &self.work) else {
                // the slave channel's DONE came first
                break;
            };
            let bytes = &work.files[usize::from(index)].1;
            match message {
                Ok(file::ToSlave::Fetch { offset, length })
                    if length > 0 && offset + u64::from(length) <= bytes.len() as u64 =>
                {
                    let range = offset as usize..offset as usize + length as usize;
                    let data = Blob::new(bytes.slice(range)).unwrap();
                    file::FromSlave::Chunk { offset, data }.encode(&mut files.output);
                }
                Ok(file::ToSlave::Done {}) => {
                    self.stage = Stage::Offered;
                    self.say(&FromSlave::Sent { index });
                }
                other => return self.wrong(now, format!("on the file channel: {other:?}"), tally),
            }
        }
        if !open {
            self.files = None;
        }
        self.flush(now, tally);
    }
}

fn vitals() -> Vitals {
    let clock = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    Vitals {
        load1_centi: 100,
        cpus: 4,
        memory_total: 4 << 30,
        memory_free: 2 << 30,
        disk_total: 32 << 30,
        disk_free: 16 << 30,
        temperature: Some(555),
        clock_ms: clock.as_millis() as u64,
        throttled: None,
    }
}
