//! How a slave ends, and how it begins anew: at its operator's wish, when what is held is delivered or at once; at the
//! master's BYE; when its machine cannot build.
//!
//! Beginning anew loses nothing either: what is held is delivered first, then the start is tried with what is configured
//! by then, and only if that works does the program say BYE and give way. Otherwise it goes on as it is.

use std::str::FromStr;

use log::Level;

use super::{Effect, Link, Session, Stage, Work};
use crate::config::Duration;
use crate::domain::Millis;
use crate::wire::Text;
use crate::wire::slave::FromSlave;

const BY_OPERATOR: &str = "stopped by its operator";

/// What becomes of the build that is held when the operator wants an end; a second wish gives it back in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnTerm {
    /// It is finished and delivered.
    Finish,
    /// The same, if it takes no longer than this; then it is given back.
    Within(Millis),
    /// It is given back.
    Abort,
}

impl FromStr for OnTerm {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text.trim() {
            "finish" => Ok(Self::Finish),
            "abort" => Ok(Self::Abort),
            other => match other.parse::<Duration>() {
                Ok(Duration(span)) if span.is_zero() => Ok(Self::Abort),
                Ok(Duration(span)) => {
                    Ok(Self::Within(Millis(u64::try_from(span.as_millis()).unwrap_or(u64::MAX))))
                }
                Err(_) => Err(format!("{text:?} is neither finish nor abort nor a duration")),
            },
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    No,
    /// Deliver what is held, take nothing new; give it back if that takes longer.
    WhenDelivered {
        until: Option<Millis>,
    },
    /// Hold nothing any more, and go.
    Now {
        reason: String,
        failure: bool,
    },
    /// Deliver what is held, take nothing new; then try the start (`trying`: that is under way), and begin anew.
    Renew {
        trying: bool,
    },
}

impl Session {
    /// The operator wants an end.
    pub(super) fn stop_asked(&mut self, now: Millis, on_term: OnTerm, out: &mut Vec<Effect>) {
        let until = match (&self.stop, on_term) {
            (Stop::Now { .. }, _) => return,
            (Stop::WhenDelivered { .. }, _) | (_, OnTerm::Abort) => {
                return self.leave(BY_OPERATOR.to_owned(), false, out);
            }
            (_, OnTerm::Finish) => None,
            (_, OnTerm::Within(span)) => Some(now + span),
        };
        if self.work != Work::Nothing {
            let at_most = match on_term {
                OnTerm::Within(span) => format!(", or in {} s", span.0 / 1000),
                _ => String::new(),
            };
            let text =
                format!("stopping when the build is delivered{at_most}; a second signal gives it back now");
            out.push(Effect::Report(Level::Warn, text));
        }
        self.stop = Stop::WhenDelivered { until };
    }

    /// The operator wants the configuration read anew; what it now says was read, or could not be.
    pub(super) fn renewal_asked(&mut self, read: Result<(), String>, out: &mut Vec<Effect>) {
        match (read, &self.stop) {
            (_, Stop::WhenDelivered { .. } | Stop::Now { .. }) => {}
            (Err(reason), _) => self.go_on(&reason, out),
            (Ok(()), Stop::Renew { .. }) => {}
            (Ok(()), Stop::No) => {
                if self.work != Work::Nothing {
                    let text = "the configuration is read anew when the build is delivered";
                    out.push(Effect::Report(Level::Warn, text.to_owned()));
                }
                self.stop = Stop::Renew { trying: false };
            }
        }
    }

    /// The start was tried.
    pub(super) fn start_tried(&mut self, tried: Result<(), String>, out: &mut Vec<Effect>) {
        if self.stop != (Stop::Renew { trying: true }) {
            return;
        }
        match tried {
            // a job that was asked for before came meanwhile
            Ok(()) if self.work != Work::Nothing => self.stop = Stop::Renew { trying: false },
            Ok(()) => {
                out.push(Effect::Report(Level::Warn, "begins anew, with the new configuration".to_owned()));
                self.say_bye("begins anew, with another configuration", out);
                out.push(Effect::Renew);
                self.link = Link::Gone;
            }
            Err(reason) => self.go_on(&reason, out),
        }
    }

    fn go_on(&mut self, reason: &str, out: &mut Vec<Effect>) {
        let text = format!("the new configuration is no good, and the old one stays: {reason}");
        out.push(Effect::Report(Level::Error, text));
        self.stop = Stop::No;
    }

    /// Stops whatever runs; BYE and the end follow when it is gone.
    pub(super) fn leave(&mut self, reason: String, failure: bool, out: &mut Vec<Effect>) {
        self.discard(out);
        if !matches!(self.stop, Stop::Now { .. }) {
            self.stop = Stop::Now { reason, failure };
        }
    }

    pub(super) fn discard(&mut self, out: &mut Vec<Effect>) {
        if let Link::Open(stage @ (Stage::Reporting { .. } | Stage::Offered { .. } | Stage::Sending { .. })) =
            self.link
        {
            if !matches!(stage, Stage::Reporting { .. }) {
                out.push(Effect::StopTransfer);
            }
            self.link = Link::Open(Stage::Idle);
        }
        if matches!(self.work, Work::Building { .. } | Work::Finished { .. }) {
            out.push(Effect::DiscardBuild);
            self.work = Work::Discarding;
        }
    }

    /// When the build that is held is given back, if it is not delivered before.
    pub(super) fn patience_ends(&self) -> Option<Millis> {
        match self.stop {
            Stop::WhenDelivered { until } => until,
            _ => None,
        }
    }

    /// Nothing is held: does what was put off until now. False when nothing was.
    pub(super) fn finish(&mut self, out: &mut Vec<Effect>) -> bool {
        let (reason, failure) = match &mut self.stop {
            Stop::No => return false,
            Stop::Renew { trying } => {
                if !std::mem::replace(trying, true) {
                    out.push(Effect::TryStart);
                }
                return true;
            }
            Stop::WhenDelivered { .. } => (BY_OPERATOR.to_owned(), false),
            Stop::Now { reason, failure } => (std::mem::take(reason), *failure),
        };
        self.say_bye(&reason, out);
        out.push(Effect::Exit { failure });
        self.link = Link::Gone;
        true
    }

    fn say_bye(&self, reason: &str, out: &mut Vec<Effect>) {
        if matches!(self.link, Link::Greeting { .. } | Link::Open(_)) {
            out.push(Effect::Send(FromSlave::Bye { reason: Text::cut(reason) }));
        }
    }
}
