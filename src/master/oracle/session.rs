//! A session at the database with the statements that it has prepared.
//!
//! Each statement is prepared when it is asked for the first time, which costs one more round trip then, and spares the
//! server from parsing and planning it ever after. There are some sixty of them, all constants: what a session holds is
//! bounded by the program's text.

use std::collections::HashMap;
use std::ops::{Deref, DerefMut};

use postgres::{Client, Row, Statement};

use super::{Failure, Parameters, failure};

/// A connection, and what was prepared on it.
pub struct Session {
    client: Client,
    statements: HashMap<&'static str, Statement>,
}

impl From<Client> for Session {
    fn from(client: Client) -> Self {
        Self { client, statements: HashMap::new() }
    }
}

impl Deref for Session {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl DerefMut for Session {
    fn deref_mut(&mut self) -> &mut Client {
        &mut self.client
    }
}

impl Session {
    /// The rows that a statement gives.
    ///
    /// After any error all that was prepared is forgotten: another session may have replaced the functions meanwhile, so
    /// that what was planned fits no more, and the same question is asked again.
    pub(super) fn ask(&mut self, sql: &'static str, parameters: Parameters<'_>) -> Result<Vec<Row>, Failure> {
        let answer = self.prepared(sql, parameters);
        if answer.is_err() {
            self.statements.clear();
        }
        answer.map_err(failure)
    }

    fn prepared(
        &mut self,
        sql: &'static str,
        parameters: Parameters<'_>,
    ) -> Result<Vec<Row>, postgres::Error> {
        if !self.statements.contains_key(sql) {
            let types: Vec<_> = parameters.iter().map(|(_, kind)| kind.clone()).collect();
            let statement = self.client.prepare_typed(sql, &types)?;
            self.statements.insert(sql, statement);
        }
        let values: Vec<_> = parameters.iter().map(|(value, _)| *value).collect();
        self.client.query(&self.statements[sql], &values)
    }
}
