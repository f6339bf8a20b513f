//! One moment of a database, held while it is dumped: what is asked here is answered as of that moment, and so is the
//! dump that is made with its name.

use crate::engine::OpError;
use crate::host::docker::exec::{Frames, RawStream};
use crate::host::docker::{DockerHost, ExecSpec};
use crate::ops::postgres;
use tokio::io::{AsyncWriteExt, ReadHalf, WriteHalf};

/// What psql says when it has answered.
const ANSWERED: &str = "\u{1}answered\u{1}";
const SAID: usize = 4096;

/// A session of psql in a transaction that sees nothing newer than its beginning.
pub struct Snapshot {
    read: ReadHalf<RawStream>,
    write: WriteHalf<RawStream>,
    frames: Frames,
    /// Of a line that has not come to its end.
    rest: Vec<u8>,
    said: String,
    /// By which other sessions see the same.
    pub name: String,
}

impl Snapshot {
    /// `application`: how PostgreSQL lists the session.
    pub async fn open(
        docker: &DockerHost, container: &str, database: &str, application: &str,
    ) -> Result<Self, OpError> {
        let mut spec = postgres::psql(database).user("postgres");
        spec.env = vec![format!("PGAPPNAME={application}")];
        let (_, stream) = docker.exec_start(container, ExecSpec { stdin: true, ..spec }).await?;
        let (read, write) = tokio::io::split(stream);
        let mut snapshot =
            Self { read, write, frames: Frames::default(), rest: Vec::new(), said: String::new(), name: String::new() };
        let begin = "SET idle_in_transaction_session_timeout = 0; SET statement_timeout = 0;\n\
             BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;\nSELECT pg_export_snapshot();\n";
        snapshot.name = snapshot.line(begin).await?;
        Ok(snapshot)
    }

    /// Ask, and take each line of the answer.
    pub async fn ask(
        &mut self, script: &str, mut each: impl FnMut(&str) -> Result<(), OpError>,
    ) -> Result<(), OpError> {
        let text = format!("{script}\nSELECT '{ANSWERED}';\n");
        if self.write.write_all(text.as_bytes()).await.is_err() || self.write.flush().await.is_err() {
            return Err(self.broken());
        }
        loop {
            while let Some(end) = self.rest.iter().position(|b| *b == b'\n') {
                let line: Vec<u8> = self.rest.drain(..=end).collect();
                let line = String::from_utf8_lossy(&line[..end]).into_owned();
                if line == ANSWERED {
                    return Ok(());
                }
                each(&line)?;
            }
            match self.frames.next(&mut self.read).await {
                Some((2, data)) if self.said.len() < SAID => self.said.push_str(&String::from_utf8_lossy(&data)),
                Some((2, _)) => {}
                Some((_, data)) => self.rest.extend_from_slice(&data),
                None => return Err(self.broken()),
            }
        }
    }

    /// Ask for all lines of an answer.
    pub async fn lines(&mut self, script: &str) -> Result<Vec<String>, OpError> {
        let mut lines = Vec::new();
        self.ask(script, |line| {
            lines.push(line.to_owned());
            Ok(())
        })
        .await?;
        Ok(lines)
    }

    /// Ask for one line. Empty: there is none.
    pub async fn line(&mut self, script: &str) -> Result<String, OpError> {
        Ok(self.lines(script).await?.pop().unwrap_or_default())
    }

    fn broken(&self) -> OpError {
        match self.said.lines().map(postgres::strip).find(|line| !line.is_empty()) {
            Some(reason) => OpError::new("sql_failed", format!("PostgreSQL refused a statement: {reason}.")),
            None => OpError::retryable("sql_failed", "The connection to PostgreSQL broke."),
        }
    }
}
