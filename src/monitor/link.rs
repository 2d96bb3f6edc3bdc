//! The connection to the master's status channel: made again with back-off whenever it is gone.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use super::model::Model;
use crate::admin::client::{Client, Queue};
use crate::domain::Millis;
use crate::options::Failure;
use crate::wire::status::{FromMonitor, ToMonitor};

/// The pause after the first failure, doubled with each up to the second.
const FIRST_PAUSE: Millis = Millis(500);
const LONGEST_PAUSE: Millis = Millis::secs(15);
/// A master that takes a connection and says nothing for so long is none: STATS comes every second.
const SILENCE: Millis = Millis::secs(30);
/// How long it may take to send what a monitor says: a few bytes.
const WRITE_LIMIT: Duration = Duration::from_secs(5);
/// Messages that are taken in one go, so that keys come through.
const AT_ONCE: usize = 4096;

/// See the module's head.
#[derive(Debug)]
pub struct Link {
    queue: Queue,
    client: Option<Client>,
    pause: Millis,
    again: Millis,
    heard: Millis,
}

/// What came of a look at the connection.
#[derive(Debug, Default)]
pub struct Heard {
    /// The master's messages, in order.
    pub messages: Vec<ToMonitor>,
    /// The connection is new.
    pub connected: bool,
    /// It is gone, or was not to be had: why.
    pub lost: Option<String>,
    /// More is there already.
    pub more: bool,
}

impl Link {
    /// To the master that listens there; nothing is connected yet.
    pub fn new(queue: Queue) -> Self {
        Self { queue, client: None, pause: FIRST_PAUSE, again: Millis(0), heard: Millis(0) }
    }

    /// What to wait for, if there is a connection.
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.client.as_ref().map(AsFd::as_fd)
    }

    /// When the connection is tried again.
    pub const fn again(&self) -> Millis {
        self.again
    }

    /// Connects if it is time, and takes what has come.
    pub fn look(&mut self, now: Millis) -> Heard {
        let mut heard = Heard::default();
        if self.client.is_none() {
            if now < self.again {
                return heard;
            }
            match self.connect() {
                Ok(client) => (self.client, self.heard, heard.connected) = (Some(client), now, true),
                Err(failure) => {
                    heard.lost = Some(self.fail(now, &failure));
                    return heard;
                }
            }
        }
        while let Some(client) = &mut self.client {
            match client.arrived(ToMonitor::decode) {
                Ok(Some(message)) => {
                    // it is a master, and it speaks with us
                    (self.pause, self.heard) = (FIRST_PAUSE, now);
                    heard.messages.push(message);
                    if heard.messages.len() >= AT_ONCE {
                        heard.more = true;
                        break;
                    }
                }
                Ok(None) if now.since(self.heard) >= SILENCE => {
                    let failure = Failure::error("the master says nothing; its machine may be in trouble");
                    heard.lost = Some(self.fail(now, &failure));
                }
                Ok(None) => break,
                Err(failure) => heard.lost = Some(self.fail(now, &failure)),
            }
        }
        heard
    }

    fn connect(&self) -> Result<Client, Failure> {
        let mut client = Client::connect(&self.queue, WRITE_LIMIT)?;
        client.send(|out| FromMonitor::Hello {}.encode(out))?;
        Ok(client)
    }

    fn fail(&mut self, now: Millis, failure: &Failure) -> String {
        self.client = None;
        self.again = now + self.pause;
        self.pause = Millis(self.pause.0 * 2).min(LONGEST_PAUSE);
        failure.reasons.join("; ")
    }

    /// Tells the master which log to send. A connection that does not take it is found broken at the next look.
    pub fn watch(&mut self, slave: Option<u32>) {
        if let Some(client) = &mut self.client {
            let _ = client.send(|out| FromMonitor::Subscribe { slave }.encode(out));
        }
    }
}

impl Heard {
    /// Puts what came into the model.
    pub fn into_model(self, link: &Link, now: Millis, model: &mut Model) {
        self.messages.into_iter().for_each(|message| model.apply(now, message));
        if let Some(reason) = self.lost {
            model.lost(now, reason, link.again());
        }
    }
}
