//! Tools that bring wheels: what passes between Mr Chase, the publisher and the juggler for them.

use super::Farm;
use crate::domain::{BuildId, Millis};
use crate::master::event::{ConnId, Out, TransferId};
use crate::master::publisher::Offer;
use crate::master::query::Imported;
use crate::wire::import::FromTool;

impl Farm {
    /// A message on an import channel; the error is the peer's defect.
    pub(super) fn tool(
        &mut self,
        now: Millis,
        conn: ConnId,
        message: FromTool,
        out: &mut Out,
    ) -> Result<(), String> {
        match message {
            FromTool::Chunk { .. } if self.chase.passes_over(conn) => Ok(()),
            FromTool::Chunk { offset, data } => {
                self.juggler.tool_chunk(now, conn, offset, data, &mut out.effects)
            }
            FromTool::Import { .. } if let Some((_, reason)) = self.brother.hold() => {
                let reason = format!("nothing is taken in now: {reason}; 'piw status' says when it is over");
                self.chase.turn_away(conn, &message, reason, out)
            }
            FromTool::Import { .. } => {
                self.chase.import(conn, message, self.secrets.draw(), &self.limits, out)
            }
            message => {
                let message = self.spare(message);
                self.chase.message(conn, message, out)
            }
        }
    }

    /// A tool is gone. What it was sending goes with it, unless every byte is here.
    pub(super) fn tool_gone(&mut self, conn: ConnId, out: &mut Out) {
        self.juggler.closed(conn);
        if let Some(build) = self.chase.closed(conn)
            && self.publisher.cancel(build, out)
        {
            log::warn!("import {build}: its tool is gone; nothing of it is published");
        }
    }

    /// Has a tool send a file.
    pub(super) fn fetch_import(
        &mut self,
        now: Millis,
        build: BuildId,
        index: u16,
        transfer: TransferId,
        out: &mut Out,
    ) {
        let Some(expected) = self.publisher.expected(transfer) else { return };
        let Some(conn) = self.chase.bringer(build) else {
            self.publisher.cancel(build, out);
            return;
        };
        self.juggler.expect(now, transfer, self.secrets.draw(), expected, &mut out.effects);
        self.chase.send(conn, index, out);
        self.juggler.comes_from_tool(now, conn, transfer, &mut out.effects);
        // it sends nothing but what it is asked for: there is no SENT to wait for
        if let Err(odd) = self.publisher.sent(build, index, out) {
            log::error!("import {build}: {odd}");
        }
    }

    /// An import came to nothing.
    pub(super) fn import_refused(&mut self, build: BuildId, reason: String, out: &mut Out) {
        log::warn!("import {build} is refused: {reason}");
        self.tally.imports_refused += 1;
        if let Some(conn) = self.chase.import_refused(build, reason, out) {
            self.juggler.closed(conn);
        }
    }

    /// An import is in the database.
    pub(super) fn imported(&mut self, now: Millis, offer: &Offer, imported: Imported, out: &mut Out) {
        let (job, files) = (&offer.job, offer.files.iter().map(|f| f.wheel.as_str()).collect::<Vec<_>>());
        log::info!(
            "build {}: {} {} for {} is imported: {}",
            job.token.build,
            job.package,
            job.version,
            job.abi,
            files.join(" ")
        );
        self.counts.built += 1;
        self.tally.imported += 1;
        self.tally.published(offer);
        if let Some(conn) = self.chase.imported(now, offer, &imported, out) {
            self.juggler.closed(conn);
        }
        imported.opened.iter().for_each(|abi| self.arrived(abi, out));
        self.stop_builds(&imported.cancelled, out);
        self.pages.kick_for_tool(now, out);
    }
}
