//! Peers that mean no good, or are broken: what no slave sends, what may not come now, what is another's, what is not true. What
//! they do must cost nobody else anything; who shows a defect must be gone soon.

use bytes::{BufMut, Bytes, BytesMut};
use piwheels::VERSION;
use piwheels::domain::{BuildId, JobToken, Sha256};
use piwheels::master::event::ConnId;
use piwheels::wire::limits::CHUNK_BYTES;
use piwheels::wire::slave::{
    Board as Machine, BuildEnd, BuildReport, BuiltFile, FromSlave, Held, Holding, ToSlave,
};
use piwheels::wire::{Blob, Channel, List, Preamble, Text, file};

use super::faults::Kind;
use super::network::{Peer, encoded, said};
use super::wheels::Wheel;
use super::world::{ABIS, Act, World};

/// So long after its defect arrived a peer may still be there: every patience of the master's is shorter.
pub(crate) const PATIENCE: u64 = 100_000;

/// What a villain is up to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Plan {
    /// Bytes that mean nothing.
    #[default]
    Garbage,
    /// A frame that is none: its checksum is wrong, or it is longer than any, or nobody knows its tag.
    BadFrame,
    /// Nothing at all.
    Silent,
    /// A word before its HELLO.
    Rude,
    /// A greeting, and then what an idle slave does not say.
    Early,
    /// Another slave's job.
    Thief,
    /// A job, and then lies about it.
    Liar,
    /// A file connection for nobody's transfer, or somebody else's.
    Intruder,
    /// More words than anybody has to say, at once.
    Flood,
}

/// See the module's head.
#[derive(Debug, Default)]
pub(crate) struct Villain {
    pub(crate) plan: Plan,
    pub(crate) conn: Option<ConnId>,
    file: Option<ConnId>,
    /// Its lie, of those that there are.
    lie: u64,
    job: Option<(JobToken, String, String, u64)>,
    wheel: Option<Wheel>,
    key: [u8; 16],
    /// Its defect has arrived by then, on the connection that must end for it.
    pub(crate) doomed: Option<(ConnId, u64)>,
}

impl World {
    pub(crate) fn villain_acts(&mut self, at: usize) {
        if self.quiet.is_some() {
            return;
        }
        let dice = &mut self.chance.villain;
        let delay = dice.between(3_000, 50_000);
        self.at(delay, Act::Villain(at));
        if self.villains[at].conn.is_some() || self.villains[at].file.is_some() {
            // it has had its time
            if self.chance.villain.once_in(3) {
                self.villain_leaves(at);
            }
            return;
        }
        let dice = &mut self.chance.villain;
        let plans = [
            Plan::Garbage,
            Plan::BadFrame,
            Plan::Silent,
            Plan::Rude,
            Plan::Early,
            Plan::Thief,
            Plan::Thief,
            Plan::Liar,
            Plan::Liar,
            Plan::Liar,
            Plan::Intruder,
            Plan::Flood,
        ];
        let (plan, lie) = (*dice.of(&plans), dice.next());
        let name = dice.once_in(2).then(|| format!("evil-{at}"));
        let channel = if plan == Plan::Intruder { Channel::File } else { Channel::Slave };
        let Some(conn) = self.connect(Peer::Villain(at), channel, name) else { return };
        self.fault(Kind::Villain, || format!("villain {at} connects as {}: {plan:?} {}", conn.0, lie % 8));
        self.villains[at] = Villain { plan, lie, ..Villain::default() };
        let preamble = Bytes::copy_from_slice(&Preamble { channel }.encode());
        match plan {
            Plan::Garbage => {
                let bytes = self.chance.villain.bytes(300);
                self.post_to_master(conn, Bytes::from(bytes));
                self.doom(at, conn);
            }
            Plan::Silent => self.doom(at, conn),
            Plan::BadFrame => {
                self.post_to_master(conn, preamble);
                let bytes = self.bad_frame(lie);
                self.post_to_master(conn, bytes);
                self.doom(at, conn);
            }
            Plan::Rude => {
                self.post_to_master(conn, preamble);
                self.send_to_master(conn, said(&FromSlave::Idle {}));
                self.doom(at, conn);
            }
            Plan::Intruder => {
                self.post_to_master(conn, preamble);
                let spied = self.book.keys.last().cloned().filter(|_| lie % 3 > 0);
                let key = spied.as_ref().map_or([9; 16], |(key, _)| *key);
                let message = file::FromSlave::Hello { transfer: key };
                self.send_to_master(conn, encoded(|out| message.encode(out)));
                // a transfer of a slave with a key is nobody else's, whoever knows of it
                if spied.is_none_or(|(_, owner)| owner.is_some()) {
                    self.doom(at, conn);
                }
                self.villains[at].file = Some(conn);
                return;
            }
            Plan::Early | Plan::Thief | Plan::Liar | Plan::Flood => {
                self.post_to_master(conn, preamble);
                let held = self.stolen(plan);
                let abi = ABIS[(lie % ABIS.len() as u64) as usize];
                self.send_to_master(conn, said(&hello(abi, held)));
                if plan == Plan::Flood {
                    let busy = FromSlave::Busy { vitals: super::board::vitals(), holds_back: None };
                    (0..400).for_each(|_| self.send_to_master(conn, said(&busy)));
                }
            }
        }
        self.villains[at].conn = Some(conn);
    }

    fn bad_frame(&mut self, lie: u64) -> Bytes {
        let mut bytes = BytesMut::from(&said(&FromSlave::Idle {})[..]);
        match lie % 3 {
            0 => bytes[5] ^= 1,
            1 => bytes[0] = 0x7f,
            _ => {
                bytes.clear();
                piwheels::wire::frame::put(&mut bytes, 0x7e, |out| out.put_u8(1));
            }
        }
        bytes.freeze()
    }

    /// A job that is another's, if there is one to steal.
    fn stolen(&mut self, plan: Plan) -> Option<Held> {
        if plan != Plan::Thief {
            return None;
        }
        let live: Vec<JobToken> = self
            .database
            .now
            .leases
            .iter()
            .filter(|(_, lease)| lease.ended.is_none())
            .map(|(build, lease)| JobToken { build: BuildId(*build), secret: lease.secret })
            .collect();
        if live.is_empty() {
            return None;
        }
        let token = *self.chance.villain.of(&live);
        let state = if self.chance.villain.once_in(2) { Holding::Built } else { Holding::Building };
        Some(Held { token, state })
    }

    fn doom(&mut self, at: usize, conn: ConnId) {
        self.villains[at].doomed = Some((conn, self.clock + 20_000));
    }

    fn villain_leaves(&mut self, at: usize) {
        let villain = &mut self.villains[at];
        for conn in [villain.conn.take(), villain.file.take()].into_iter().flatten() {
            self.peer_closes(conn);
        }
        self.villains[at].doomed = None;
    }

    /// All of them are gone.
    pub(crate) fn villains_go(&mut self) {
        (0..self.villains.len()).for_each(|at| self.villain_leaves(at));
    }

    pub(crate) fn villain_lost(&mut self, at: usize, conn: ConnId) {
        let villain = &mut self.villains[at];
        if villain.conn == Some(conn) {
            villain.conn = None;
        }
        if villain.file == Some(conn) {
            villain.file = None;
        }
        if villain.doomed.is_some_and(|(doomed, _)| doomed == conn) {
            villain.doomed = None;
        }
    }

    pub(crate) fn villain_hears(&mut self, at: usize, conn: ConnId) {
        if matches!(self.villains[at].plan, Plan::Silent | Plan::Garbage | Plan::BadFrame) {
            return;
        }
        self.peer_preamble(conn);
        while let Some(frame) = self.peer_frame(conn) {
            let villain = &self.villains[at];
            if villain.file == Some(conn) {
                if let Ok(message) = file::ToSlave::decode(frame) {
                    self.villain_serves(at, conn, message);
                }
            } else if villain.conn == Some(conn)
                && let Ok(message) = ToSlave::decode(frame)
            {
                self.villain_answers(at, conn, message);
            }
        }
    }

    fn villain_answers(&mut self, at: usize, conn: ConnId, message: ToSlave) {
        let (plan, lie) = (self.villains[at].plan, self.villains[at].lie);
        match (plan, message) {
            (Plan::Early, ToSlave::Hello { .. }) => {
                let token = JobToken { build: BuildId(1), secret: [3; 16] };
                let early = match lie % 3 {
                    0 => built(token, BuildEnd::Failed, Vec::new()),
                    1 => FromSlave::Sent { index: 0 },
                    _ => FromSlave::Log {
                        offset: 0,
                        data: Blob::new(Bytes::from_static(b"x")).expect("a byte"),
                    },
                };
                self.send_to_master(conn, said(&early));
                self.doom(at, conn);
            }
            (Plan::Thief | Plan::Liar, ToSlave::Hello { .. }) if self.villains[at].job.is_none() => {
                self.send_to_master(conn, said(&FromSlave::Idle {}));
            }
            (Plan::Thief | Plan::Liar, ToSlave::Build { token, package, version, build_tag }) => {
                let job = (token, package.to_string(), version.to_string(), build_tag);
                self.villains[at].job = Some(job);
                self.villain_lies(at, conn);
            }
            (Plan::Liar | Plan::Thief, ToSlave::Send { transfer, .. }) => {
                let name = self.lines.get(&conn).and_then(|line| line.name.clone());
                let Some(file) = self.connect(Peer::Villain(at), Channel::File, name) else { return };
                self.villains[at].file = Some(file);
                self.villains[at].key = transfer;
                let preamble = Preamble { channel: Channel::File }.encode();
                self.post_to_master(file, Bytes::copy_from_slice(&preamble));
                let message = file::FromSlave::Hello { transfer };
                self.send_to_master(file, encoded(|out| message.encode(out)));
            }
            _ => {}
        }
    }

    /// It has a job, and says of it what is not so.
    fn villain_lies(&mut self, at: usize, conn: ConnId) {
        let lie = self.villains[at].lie;
        let Some((token, package, version, build_tag)) = self.villains[at].job.clone() else { return };
        let tags = "py3-none-any";
        let wheel = Wheel::new(&package, &version, build_tag, tags, 30_000, lie);
        let sound = wheel.promised();
        let named = |filename: &str| BuiltFile { filename: Text::cut(filename), ..sound.clone() };
        let forged = JobToken { secret: [lie as u8; 16], ..token };
        let (message, doomed) = match lie / 8 % 8 {
            0 => (built(forged, BuildEnd::Failed, Vec::new()), true),
            1 => (built(token, BuildEnd::Built, Vec::new()), true),
            2 => (built(token, BuildEnd::Built, vec![named("../../../canary")]), true),
            3 => (built(token, BuildEnd::Built, vec![BuiltFile { size: u64::MAX, ..sound }]), false),
            4 => (built(token, BuildEnd::Built, vec![sound.clone(), sound]), true),
            5 => {
                let data = Blob::new(Bytes::from_static(b"x")).expect("a byte");
                (FromSlave::Log { offset: 1 << 40, data }, true)
            }
            6 => (built(token, BuildEnd::Built, vec![named(&format!("other-{version}-{tags}.whl"))]), false),
            // the bytes will be others than these
            _ => (built(token, BuildEnd::Built, vec![BuiltFile { sha256: Sha256([7; 32]), ..sound }]), false),
        };
        self.villains[at].wheel = Some(wheel);
        self.send_to_master(conn, said(&message));
        if doomed {
            self.doom(at, conn);
        }
    }

    /// It is asked for bytes, and sends some.
    fn villain_serves(&mut self, at: usize, conn: ConnId, message: file::ToSlave) {
        let lie = self.villains[at].lie;
        match message {
            file::ToSlave::Fetch { offset, length } => {
                let length = if (lie / 64).is_multiple_of(5) { length / 2 + 1 } else { length };
                let wheel = self.villains[at].wheel.as_ref();
                let own = wheel.and_then(|w| {
                    let end = (offset + u64::from(length)) as usize;
                    (end <= w.bytes.len()).then(|| w.bytes.slice(offset as usize..end))
                });
                let bytes = own.unwrap_or_else(|| vec![0x55; (length as usize).min(CHUNK_BYTES)].into());
                let Ok(data) = Blob::new(bytes) else { return };
                self.send_to_master(conn, encoded(|out| file::FromSlave::Chunk { offset, data }.encode(out)));
            }
            file::ToSlave::Done {} => {
                if let Some(control) = self.villains[at].conn {
                    self.send_to_master(control, said(&FromSlave::Sent { index: 0 }));
                }
            }
        }
    }
}

fn hello(abi: &str, held: Option<Held>) -> FromSlave {
    FromSlave::Hello {
        software: Text::cut(VERSION),
        label: Text::cut("evil"),
        timeout_secs: 600,
        python_tag: Text::cut(&abi[2..]),
        abi_tag: Text::cut(abi),
        platform_tag: Text::cut("linux_armv7l"),
        board: Machine::default(),
        held,
    }
}

fn built(token: JobToken, end: BuildEnd, files: Vec<BuiltFile>) -> FromSlave {
    FromSlave::Built {
        token,
        end,
        duration_ms: 5,
        log_bytes: 0,
        files: List::cut(files),
        report: BuildReport::default(),
    }
}
