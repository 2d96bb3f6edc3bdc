//! The control channel: the administrator's commands to a running farm (`wire-spec/control.md`).

use super::Text;
use super::limits::*;

code! {
    /// When a slave is to go.
    When {
        /// At its next IDLE: what it builds is finished and delivered.
        0 "next-idle" NextIdle,
        /// At once: what it builds is given back and queued again.
        1 "now" Now,
    }
}

code! {
    /// How the master is to end.
    How {
        /// Slaves finish and deliver what they build.
        0 "drain" Drain,
        /// At once; what is being built is queued again.
        1 "now" Now,
    }
}

messages! {
    /// From a tool to the master.
    FromTool {
        /// Hands nothing out any more; what is being built goes on.
        0x01 "PAUSE" Pause {}
        /// Hands jobs out again.
        0x02 "RESUME" Resume {}
        /// Tells slaves to go.
        0x03 "KILL" Kill {
            /// Which; none for all.
            slave: Option<u32>,
            /// When.
            when: When,
        }
        /// Cancels what a slave builds.
        0x04 "SKIP" Skip {
            /// Which.
            slave: u32,
        }
        /// Gives slaves no job until WAKE; what they build goes on.
        0x05 "SLEEP" Sleep {
            /// Which; none for all that are connected.
            slave: Option<u32>,
        }
        /// Gives slaves jobs again.
        0x06 "WAKE" Wake {
            /// Which; none for all.
            slave: Option<u32>,
        }
        /// Ends the master.
        0x07 "QUIT" Quit {
            /// How.
            how: How,
        }
        /// The file of slaves' keys has changed: reads it again.
        0x08 "KEYS" Keys {}
    }
}

messages! {
    /// From the master to a tool.
    ToTool {
        /// It is done, or under way.
        0x81 "DONE" Done {
            /// Slaves that it concerns.
            affected: u32,
        }
        /// Nothing was changed.
        0x82 "ERROR" Error {
            /// Why, for people.
            reason: Text<REASON_BYTES>,
        }
    }
}
