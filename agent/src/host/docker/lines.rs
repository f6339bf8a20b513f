//! A container's log as lines with their time, from the engine's frames.

use super::{DockerHost, absent_is_none, failed, log_files};
use crate::engine::OpError;
use bollard::container::LogOutput;
use bollard::query_parameters::LogsOptionsBuilder;
use futures::{Stream, StreamExt};
use std::pin::Pin;

/// Which lines to read.
#[derive(Clone, Debug, Default)]
pub struct LinesOptions {
    pub follow: bool,
    /// Whole seconds only: the caller leaves out what it has already.
    pub since: Option<i64>,
    /// None: from the beginning.
    pub tail: Option<usize>,
}

/// One line. `at` is the engine's own text: RFC 3339 with nanoseconds.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    pub at: String,
    pub stderr: bool,
    pub text: String,
}

pub type Lines = Pin<Box<dyn Stream<Item = Result<Line, OpError>> + Send>>;

/// A line longer than this is cut into several.
const MAX_LINE: usize = 64 * 1024;

impl DockerHost {
    /// The stream ends when the log does, or, when following, when the container stops. Empty when there is none.
    pub async fn lines(&self, container: &str, options: LinesOptions) -> Result<Lines, OpError> {
        if !options.follow
            && options.tail.is_none()
            && let Some(files) = self.log_files(container).await
        {
            return Ok(Box::pin(log_files::lines(files, options.since)));
        }
        let docker = self.client().await?;
        let query = LogsOptionsBuilder::default()
            .follow(options.follow)
            .stdout(true)
            .stderr(true)
            .timestamps(true)
            .since(options.since.and_then(|s| i32::try_from(s).ok()).unwrap_or(0).max(0))
            .tail(&options.tail.map_or_else(|| "all".into(), |n| n.to_string()))
            .build();
        let mut frames = Box::pin(docker.logs(container, Some(query)));
        Ok(Box::pin(async_lines(async move || match frames.next().await {
            None => Ok(None),
            Some(frame) => absent_is_none(frame).map_err(|e| failed("read a container's log", e)),
        })))
    }

    /// The last lines of a container that has ended, for a message.
    pub async fn last_lines(&self, container: &str, count: usize) -> Result<String, OpError> {
        let options = LinesOptions { tail: Some(count), ..LinesOptions::default() };
        let mut lines = self.lines(container, options).await?;
        let mut text = Vec::new();
        while let Some(line) = lines.next().await {
            text.push(line?.text.chars().take(400).collect::<String>());
        }
        Ok(text.join("\n"))
    }
}

fn async_lines<F>(next: F) -> impl Stream<Item = Result<Line, OpError>>
where
    F: AsyncFnMut() -> Result<Option<LogOutput>, OpError>,
{
    let state = (next, Joiner::default(), false);
    futures::stream::unfold(state, |(mut next, mut joiner, ended)| async move {
        if ended {
            return None;
        }
        loop {
            match next().await {
                Ok(Some(frame)) => {
                    if let Some(line) = joiner.push_frame(&frame) {
                        return Some((Ok(line), (next, joiner, false)));
                    }
                }
                Ok(None) => return joiner.rest().map(|line| (Ok(line), (next, joiner, true))),
                Err(e) => return Some((Err(e), (next, joiner, true))),
            }
        }
    })
}

/// Puts lines together that the engine cut at 16 KiB: such a part has no line break at its end.
#[derive(Default)]
pub struct Joiner(Option<Line>);

impl Joiner {
    fn push_frame(&mut self, frame: &LogOutput) -> Option<Line> {
        let text = String::from_utf8_lossy(frame.as_ref());
        let (at, rest) = text.split_once(' ').unwrap_or((text.trim_end(), ""));
        self.push(at, matches!(frame, LogOutput::StdErr { .. }), rest)
    }

    /// The line that this part of one ends, if it does.
    pub fn push(&mut self, at: &str, stderr: bool, rest: &str) -> Option<Line> {
        let whole = rest.ends_with('\n') || rest.is_empty();
        let rest = rest.strip_suffix('\n').unwrap_or(rest);
        let rest = rest.strip_suffix('\r').unwrap_or(rest);
        let mut line = match self.0.take() {
            Some(part) if part.stderr == stderr => part,
            // Parts of both streams mixed: what there is of the other stands as it is.
            Some(other) => {
                self.0 = Some(Line { at: at.into(), stderr, text: rest.into() });
                return Some(other);
            }
            None => Line { at: at.into(), stderr, text: String::new() },
        };
        line.text.push_str(rest);
        if whole || line.text.len() >= MAX_LINE {
            return Some(line);
        }
        self.0 = Some(line);
        None
    }

    pub fn rest(&mut self) -> Option<Line> {
        self.0.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(text: &str) -> LogOutput {
        LogOutput::StdOut { message: text.as_bytes().to_vec().into() }
    }

    #[test]
    fn cut_lines_are_joined() {
        let mut joiner = Joiner::default();
        assert_eq!(joiner.push_frame(&frame("2026-11-22T01:00:00.1Z first half, ")), None);
        let line = joiner.push_frame(&frame("2026-11-22T01:00:00.2Z second half\n")).unwrap();
        assert_eq!((line.at.as_str(), line.text.as_str()), ("2026-11-22T01:00:00.1Z", "first half, second half"));
        let empty = joiner.push_frame(&frame("2026-11-22T01:00:00.3Z \n")).unwrap();
        assert_eq!(empty.text, "");
        assert_eq!(joiner.rest(), None);
    }
}
