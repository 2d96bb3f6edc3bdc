//! Commands to a running farm: `piw pause`, `resume`, `quit`, `kill`, `skip-build`, `sleep`, `wake`.

use clap::Args;

use super::client::{self, Queue};
use super::slaves::Picture;
use crate::options::{Failure, say};
use crate::wire::control::{FromTool, How, When};
use crate::wire::status::Mode;

/// One slave, or all.
#[derive(Args, Clone, Debug)]
#[group(required = true, multiple = false)]
pub struct Whom {
    /// The slave's number or label, as 'piw slaves' shows them
    #[arg(value_name = "SLAVE")]
    pub slave: Option<String>,
    /// All slaves that are connected
    #[arg(long)]
    pub all: bool,
}

/// Tell slaves to go: at their next idle moment, or now
#[derive(Args, Clone, Debug)]
pub struct Kill {
    /// Who.
    #[command(flatten)]
    pub whom: Whom,
    /// At once; what they build is given back and queued again
    #[arg(long)]
    pub now: bool,
}

/// Cancel what a slave builds: its log is kept, and the build is not tried again until somebody asks for it
#[derive(Args, Clone, Debug)]
pub struct SkipBuild {
    /// The slave's number or label, as 'piw slaves' shows them
    #[arg(value_name = "SLAVE")]
    pub slave: String,
}

/// End the master when its slaves have delivered what they build
#[derive(Args, Clone, Debug)]
pub struct Quit {
    /// At once; what is being built is queued again
    #[arg(long)]
    pub now: bool,
}

/// Where the running farm is commanded and watched.
#[derive(Clone, Debug)]
pub struct Queues {
    /// Takes commands.
    pub control: Queue,
    /// Knows the slaves' labels.
    pub status: Queue,
}

impl Queues {
    fn whom(&self, whom: &Whom) -> Result<Option<u32>, Failure> {
        whom.slave.as_deref().map(|name| Picture::take(&self.status)?.find(name)).transpose()
    }

    fn order(&self, command: &FromTool) -> Result<String, Failure> {
        Ok(match client::command(&self.control, command)? {
            1 => "1 slave".to_owned(),
            affected => format!("{affected} slaves"),
        })
    }
}

/// `piw pause`
pub fn pause(queues: &Queues) -> Result<(), Failure> {
    let slaves = queues.order(&FromTool::Pause {})?;
    say(format_args!("paused: {slaves} get no jobs until 'piw resume'; what is being built goes on"))
}

/// `piw reload-keys`
pub fn reload_keys(queues: &Queues) -> Result<(), Failure> {
    queues.order(&FromTool::Keys {})?;
    say("the master reads the keys again; its log says what came of it")
}

/// `piw resume`
pub fn resume(queues: &Queues) -> Result<(), Failure> {
    let slaves = queues.order(&FromTool::Resume {})?;
    // the order is carried out, whether or not it can be looked at what came of it
    if Picture::take(&queues.status).is_ok_and(|picture| picture.mode() == Some(Mode::Held)) {
        return say(
            "the pause is over; nothing is handed out all the same, for want of disk: see 'piw status'",
        );
    }
    say(format_args!("jobs are handed out again, to {slaves}"))
}

/// `piw kill`
pub fn kill(kill: &Kill, queues: &Queues) -> Result<(), Failure> {
    let when = if kill.now { When::Now } else { When::NextIdle };
    let slaves = queues.order(&FromTool::Kill { slave: queues.whom(&kill.whom)?, when })?;
    say(match when {
        When::Now => format!("{slaves}: told to go now"),
        When::NextIdle => format!("{slaves}: told to go when idle"),
    })
}

/// `piw skip-build`
pub fn skip_build(skip: &SkipBuild, queues: &Queues) -> Result<(), Failure> {
    let slave = Picture::take(&queues.status)?.find(&skip.slave)?;
    queues.order(&FromTool::Skip { slave })?;
    say(format_args!("the build of slave {slave} is being cancelled"))
}

/// `piw sleep`
pub fn sleep(whom: &Whom, queues: &Queues) -> Result<(), Failure> {
    let slaves = queues.order(&FromTool::Sleep { slave: queues.whom(whom)? })?;
    say(format_args!("{slaves}: no more jobs until 'piw wake'; what is being built goes on"))
}

/// `piw wake`
pub fn wake(whom: &Whom, queues: &Queues) -> Result<(), Failure> {
    let slaves = queues.order(&FromTool::Wake { slave: queues.whom(whom)? })?;
    say(format_args!("{slaves}: jobs again"))
}

/// `piw quit`
pub fn quit(quit: &Quit, queues: &Queues) -> Result<(), Failure> {
    let how = if quit.now { How::Now } else { How::Drain };
    let slaves = queues.order(&FromTool::Quit { how })?;
    say(match how {
        How::Drain => format!("the master ends when what is being built is delivered; {slaves} are told"),
        How::Now => format!("the master ends now; {slaves} are told"),
    })
}
