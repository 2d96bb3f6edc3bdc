//! The administrator's tools: `piw add`, `requeue`, `remove` and `import`, and commands to the running farm. Each has one request at
//! a time; one that is not answered it gives up, as people do.

use bytes::Bytes;
use piwheels::master::event::ConnId;
use piwheels::wire::import::{FromTool, Removal, Requirement, ToTool};
use piwheels::wire::{Blob, Channel, List, Text, control};

use super::faults::Kind;
use super::network::{Peer, encoded};
use super::wheels::Wheel;
use super::world::{ABIS, Act, PROJECTS, VERSIONS, World};

/// The tool that gives orders to the running farm, and the one that takes them back in the end.
const ORDERS: usize = 2;
const RESUMES: usize = 3;
/// The tool that asks for more when everything is done.
const ENCORE: usize = 4;
/// How often it does.
const ENCORES: u32 = 3;
/// Tools that go on by themselves.
const BUSY: usize = 2;
pub(crate) const TOOLS: usize = 5;
/// How long a tool waits for its answer.
const PATIENCE: u64 = 100_000;

#[derive(Debug)]
enum Request {
    Import(FromTool),
    Control(control::FromTool),
}

/// See the module's head.
#[derive(Debug, Default)]
pub(crate) struct Tool {
    conn: Option<ConnId>,
    request: Option<Request>,
    /// What it imports, and which of it is asked for.
    wheels: Vec<Wheel>,
    index: usize,
    turn: u64,
    /// When it asked.
    asked: u64,
}

impl World {
    /// A tool begins something.
    pub(crate) fn tool_acts(&mut self, at: usize) {
        if at == RESUMES {
            return self.resume();
        }
        if at == ENCORE {
            return self.encore();
        }
        if self.quiet.is_some() || self.tools[at].conn.is_some() {
            return;
        }
        let dice = &mut self.chance.tool;
        let name = *dice.of(&PROJECTS);
        let version = *dice.of(&VERSIONS);
        let which = if dice.once_in(3) { "" } else { version };
        let orders = self.faults.has(Kind::Orders);
        let request = match dice.below(13) {
            0..=2 => FromTool::Add {
                items: List::cut(vec![Requirement {
                    package: Text::cut(name),
                    specifiers: Text::cut(""),
                    extras: Text::cut(""),
                }]),
                with_deps: false,
            },
            3 | 4 => FromTool::Requeue {
                package: Text::cut(name),
                version: Text::cut(which),
                abi: Text::cut(""),
                outcome: Text::cut(if dice.once_in(3) { "built" } else { "" }),
            },
            5 | 6 if orders => FromTool::Remove {
                package: Text::cut(name),
                version: Text::cut(which),
                what: if dice.once_in(3) { Removal::Builds } else { Removal::Files },
                skip: None,
                reason: Text::cut("a simulation"),
            },
            7 | 8 if orders => {
                let abi = *dice.of(&ABIS);
                let tags = *dice.of(&["py3-none-any", "cp39-abi3-linux_armv7l", ""]);
                let tags =
                    if tags.is_empty() { format!("{abi}-{abi}-linux_armv7l") } else { tags.to_owned() };
                let (size, salt) = (dice.between(10, 60_000), dice.below(3));
                let wheel = Wheel::new(name, version, 0, &tags, size, salt);
                let request = FromTool::Import {
                    package: Text::cut(""),
                    version: Text::cut(""),
                    abi: Text::cut(if dice.once_in(2) { abi } else { "" }),
                    duration_ms: 1000,
                    output: Blob::new(Bytes::from_static(b"built elsewhere")).expect("a few bytes"),
                    files: List::cut(vec![wheel.promised()]),
                    create: dice.once_in(2),
                };
                self.tools[at].wheels = vec![wheel];
                request
            }
            9 | 12 if orders => self.unwanted_order(),
            10 | 11 if orders && let Some(request) = self.taken_back(true) => request,
            _ => {
                let delay = self.chance.tool.between(1_000, 20_000);
                return self.at(delay, Act::Tool(at));
            }
        };
        self.begin(at, Request::Import(request));
    }

    fn begin(&mut self, at: usize, request: Request) {
        let channel = match request {
            Request::Import(_) => Channel::Import,
            Request::Control(_) => Channel::Control,
        };
        let Some(conn) = self.connect(Peer::Tool(at), channel, None) else {
            return self.tool_over(at, false);
        };
        self.say(|| format!("tool {at} asks for {request:?}"));
        let clock = self.clock;
        let tool = &mut self.tools[at];
        (tool.conn, tool.request) = (Some(conn), Some(request));
        tool.asked = clock;
        tool.turn += 1;
        let turn = tool.turn;
        self.at(PATIENCE, Act::ToolGives(at, turn));
    }

    pub(crate) fn tool_gives_up(&mut self, at: usize, turn: u64) {
        let tool = &mut self.tools[at];
        if tool.turn == turn
            && let Some(conn) = tool.conn.take()
        {
            self.say(|| format!("tool {at} waits no longer"));
            self.peer_closes(conn);
            self.tool_over(at, false);
        }
    }

    pub(crate) fn tool_lost(&mut self, at: usize, conn: ConnId) {
        if self.tools[at].conn == Some(conn) {
            self.tools[at].conn = None;
            self.tool_over(at, false);
        }
    }

    fn tool_over(&mut self, at: usize, done: bool) {
        if at == RESUMES && done {
            self.resumes += 1;
        }
        if at == ENCORE {
            let again = matches!(self.tools[at].request, Some(Request::Import(FromTool::Requeue { .. })));
            self.encores += u32::from(done && again);
            if !done {
                self.at(1000, Act::Tool(ENCORE));
            }
        }
        self.tools[at].request = None;
        if at < BUSY || at == RESUMES && self.resumes < 2 {
            let delay = self.chance.tool.between(1_000, if at < BUSY { 30_000 } else { 2_000 });
            self.at(delay, Act::Tool(at));
        }
    }

    pub(crate) fn tool_hears(&mut self, at: usize, conn: ConnId) {
        if self.tools[at].conn != Some(conn) {
            return;
        }
        if self.peer_preamble(conn) {
            let bytes = match &self.tools[at].request {
                Some(Request::Import(request)) => encoded(|out| request.encode(out)),
                Some(Request::Control(request)) => encoded(|out| request.encode(out)),
                None => return,
            };
            self.send_to_master(conn, bytes);
        }
        while self.tools[at].conn == Some(conn)
            && let Some(frame) = self.peer_frame(conn)
        {
            if matches!(self.tools[at].request, Some(Request::Control(_))) {
                let done = matches!(control::ToTool::decode(frame), Ok(control::ToTool::Done { .. }));
                self.tool_answered(at, conn, done);
                continue;
            }
            match ToTool::decode(frame) {
                Ok(ToTool::Done { json }) => {
                    self.say(|| format!("tool {at} is answered {}", &*json));
                    let asked = self.tools[at].asked;
                    let request = match &self.tools[at].request {
                        Some(Request::Import(request)) => Some(request.clone()),
                        _ => None,
                    };
                    self.promised_to_tool(asked, request.as_ref(), &json);
                    self.tool_answered(at, conn, true);
                }
                Ok(ToTool::Error { reasons }) => {
                    self.say(|| format!("tool {at} is refused: {reasons:?}"));
                    self.tool_answered(at, conn, false);
                }
                Ok(ToTool::Send { index }) => self.tools[at].index = index.into(),
                Ok(ToTool::Fetch { offset, length }) => {
                    let tool = &self.tools[at];
                    let Some(wheel) = tool.wheels.get(tool.index) else {
                        return self.violated(format!("tool {at} is to send what it did not offer"));
                    };
                    let (from, to) = (offset as usize, offset as usize + length as usize);
                    if to > wheel.bytes.len() {
                        return self.violated(format!("tool {at} is asked for bytes {from} to {to}"));
                    }
                    let data = Blob::new(wheel.bytes.slice(from..to)).expect("a chunk");
                    self.send_to_master(conn, encoded(|out| FromTool::Chunk { offset, data }.encode(out)));
                }
                Err(wrong) => return self.violated(format!("the master says what is no message: {wrong}")),
            }
        }
    }

    fn tool_answered(&mut self, at: usize, conn: ConnId, done: bool) {
        self.tools[at].conn = None;
        self.peer_closes(conn);
        self.tool_over(at, done);
    }

    /// An order to the running farm.
    pub(crate) fn order_something(&mut self) {
        if self.tools[ORDERS].conn.is_some() || self.master.is_none() {
            return;
        }
        use control::{FromTool, When};
        let dice = self.chance.of(Kind::Orders);
        let slave = dice.between(1, 8) as u32;
        let order = match dice.below(7) {
            0 => FromTool::Pause {},
            1 | 2 => FromTool::Resume {},
            3 => FromTool::Kill { slave: Some(slave), when: *dice.of(&[When::NextIdle, When::Now]) },
            4 => FromTool::Skip { slave },
            5 => FromTool::Sleep { slave: Some(slave) },
            _ => FromTool::Wake { slave: None },
        };
        self.fault(Kind::Orders, || format!("{order:?}"));
        self.begin(ORDERS, Request::Control(order));
    }

    /// Whatever was ordered is taken back; a master that stops is hurried, for its slaves have time.
    pub(crate) fn resume(&mut self) {
        self.hurry();
        if self.tools[ORDERS].conn.is_some() {
            // the last order may still be on its way
            return self.at(1000, Act::Tool(RESUMES));
        }
        if let Some(conn) = self.tools[RESUMES].conn.take() {
            self.peer_closes(conn);
        }
        let order = match self.resumes {
            0 => control::FromTool::Resume {},
            _ => control::FromTool::Wake { slave: None },
        };
        self.begin(RESUMES, Request::Control(order));
    }

    /// Everything is done, and everybody sleeps: somebody wants some of it again, and whoever can build it has to be woken.
    pub(crate) fn encore(&mut self) {
        if self.tools[ENCORE].conn.is_some() {
            return;
        }
        if self.faults.has(Kind::News) {
            self.last_news();
        }
        if let Some(request) = self.taken_back(false) {
            return self.begin(ENCORE, Request::Import(request));
        }
        let tables = &self.database.now;
        let built: Vec<_> = tables.builds.values().map(|row| tables.versions[row.pair.0].package).collect();
        let Some(package) = (!built.is_empty()).then(|| *self.chance.tool.of(&built)) else {
            self.encores = ENCORES;
            return;
        };
        let request = FromTool::Requeue {
            package: Text::cut(self.database.now.packages[package].name.as_str()),
            version: Text::cut(""),
            abi: Text::cut(""),
            outcome: Text::cut("built"),
        };
        self.begin(ENCORE, Request::Import(request));
    }

    /// Whether somebody is just asking for something again.
    pub(crate) fn asks_again(&self) -> bool {
        self.tools[ENCORE].conn.is_some()
    }

    /// Whether nobody will ask for anything any more.
    pub(crate) fn is_silent(&self) -> bool {
        self.encores >= ENCORES
    }

    /// Whether the farm may hand everything out again.
    pub(crate) fn resumed(&self) -> bool {
        self.resumes == 2
    }
}
