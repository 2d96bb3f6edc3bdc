//! Seraph: the queue in front of the oracles (manual 2.4.3).
//!
//! Bounded by its askers: a connection has at most one question under way, and the master's own rooms a fixed few.
//! Pure: it knows which oracles are free, not what they are.

use std::collections::VecDeque;

use super::event::Ticket;
use super::query::Query;

/// Which oracle, counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OracleId(pub usize);

/// Questions that wait, and oracles that are free.
#[derive(Debug)]
pub struct Seraph {
    oracles: usize,
    waiting: VecDeque<(Ticket, Query)>,
    free: Vec<OracleId>,
}

impl Seraph {
    /// As many oracles as the pool has connections.
    pub fn new(oracles: usize) -> Self {
        Self { oracles, waiting: VecDeque::new(), free: (0..oracles).rev().map(OracleId).collect() }
    }

    /// A question came.
    pub fn push(&mut self, ticket: Ticket, query: Query) {
        self.waiting.push_back((ticket, query));
    }

    /// Takes a question back whose asker is gone; false when an oracle has it already.
    pub fn forget(&mut self, ticket: Ticket) -> bool {
        let before = self.waiting.len();
        self.waiting.retain(|(waiting, _)| *waiting != ticket);
        self.waiting.len() < before
    }

    /// An oracle has answered.
    pub fn freed(&mut self, oracle: OracleId) {
        debug_assert!(!self.free.contains(&oracle), "an oracle answers one question at a time");
        self.free.push(oracle);
    }

    /// The next question and the oracle that is to answer it, while there are both.
    pub fn take(&mut self) -> Option<(OracleId, Ticket, Query)> {
        if self.waiting.is_empty() {
            return None;
        }
        let oracle = self.free.pop()?;
        let (ticket, query) = self.waiting.pop_front()?;
        Some((oracle, ticket, query))
    }

    /// Oracles that are not free.
    pub fn busy(&self) -> usize {
        self.oracles - self.free.len()
    }

    /// Questions that wait for an oracle.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_wait_in_order_for_a_free_oracle() {
        let mut seraph = Seraph::new(1);
        for n in 1..=3 {
            seraph.push(Ticket(n), Query::Sweep);
        }
        let (oracle, ticket, _) = seraph.take().unwrap();
        assert_eq!(ticket, Ticket(1));
        assert!(seraph.take().is_none());
        assert_eq!((seraph.busy(), seraph.waiting()), (1, 2));
        assert!(seraph.forget(Ticket(2)) && !seraph.forget(Ticket(1)), "what is asked already is answered");
        seraph.freed(oracle);
        assert_eq!(seraph.take().unwrap().1, Ticket(3));
    }
}
