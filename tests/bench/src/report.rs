//! What is handed back: rows, as a table for people and as JSON for the guide. A row exists only when it was measured.

use crate::stats::{median, spread};
use serde::{Deserialize, Serialize};
use std::path::Path;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Row {
    /// Of the table of targets, e.g. `P1`.
    pub id: String,
    pub what: String,
    pub value: f64,
    pub unit: String,
    /// What it was compared with; says so when that figure was not measured in this run.
    pub peer: Option<String>,
    pub peer_value: Option<f64>,
    /// `value / peer_value`.
    pub ratio: Option<f64>,
    pub rounds: usize,
    /// Largest minus smallest round.
    pub spread: f64,
}

impl Row {
    /// The median of the rounds.
    pub fn of(id: &str, what: impl Into<String>, unit: &str, rounds: &[f64]) -> Self {
        Self {
            id: id.into(),
            what: what.into(),
            value: rounded(median(rounds)),
            unit: unit.into(),
            peer: None,
            peer_value: None,
            ratio: None,
            rounds: rounds.len(),
            spread: rounded(spread(rounds)),
        }
    }

    /// Compared with the median of a peer that was measured in between.
    pub fn against(self, peer: impl Into<String>, rounds: &[f64]) -> Self {
        self.against_value(peer, median(rounds))
    }

    /// Compared with a figure from elsewhere, which `peer` must name as such.
    pub fn quoted(self, peer: &str, value: f64) -> Self {
        self.against_value(format!("{peer} (quoted, not measured here)"), value)
    }

    fn against_value(mut self, peer: impl Into<String>, value: f64) -> Self {
        self.peer = Some(peer.into());
        self.peer_value = Some(rounded(value));
        self.ratio = (value > 0.0).then(|| rounded(self.value / value));
        self
    }
}

/// Three decimals are more than any of this is good for.
fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

pub fn print(rows: &[Row]) {
    println!("\n{:<4} {:<66} {:>10} {:<8} {:>9} {:>6}  against", "id", "what", "value", "unit", "spread", "ratio");
    for row in rows {
        let against = match (&row.peer, row.peer_value) {
            (Some(peer), Some(value)) => format!("{value} {peer}"),
            _ => String::new(),
        };
        let ratio = row.ratio.map(|r| format!("{r:.2}")).unwrap_or_default();
        println!(
            "{:<4} {:<66} {:>10} {:<8} {:>9} {:>6}  {against}",
            row.id, row.what, row.value, row.unit, row.spread, ratio
        );
    }
}

const FIGURES_BEGIN: &str = "<!-- figures: written by tests/bench/run -->\n";
const FIGURES_END: &str = "<!-- end of the figures -->";

/// The rows as a table of the guide's page in `path`, between its two marks.
fn write_page(path: &Path, rows: &[Row], date: &str) -> std::io::Result<()> {
    let page = std::fs::read_to_string(path)?;
    let (before, rest) = page.split_once(FIGURES_BEGIN).ok_or_else(|| std::io::Error::other("no mark in the page"))?;
    let (_, after) = rest.split_once(FIGURES_END).ok_or_else(|| std::io::Error::other("no second mark in the page"))?;
    let mut table =
        format!("Last measured on {date}.\n\n| | what | value | spread | peer | ratio |\n|---|---|---|---|---|---|\n");
    for row in rows {
        let peer = match (&row.peer, row.peer_value) {
            (Some(peer), Some(value)) => format!("{value} {}: {peer}", row.unit),
            _ => String::new(),
        };
        let ratio = row.ratio.map(|r| format!("{r:.2}")).unwrap_or_default();
        let (id, what, value, unit, spread) = (&row.id, &row.what, row.value, &row.unit, row.spread);
        table.push_str(&format!("| {id} | {what} | {value} {unit} | {spread} | {peer} | {ratio} |\n"));
    }
    std::fs::write(path, format!("{before}{FIGURES_BEGIN}{table}{FIGURES_END}{after}"))
}

/// Keep the rows in `path`: those of the same id are replaced, others stay as they were measured.
/// The page `performance.md` beside it shows all of them.
pub fn write(path: &Path, rows: &[Row], date: &str) -> std::io::Result<()> {
    let known = std::fs::read(path).ok().and_then(|bytes| serde_json::from_slice::<Vec<Row>>(&bytes).ok());
    let mut all: Vec<Row> = known.unwrap_or_default();
    all.retain(|old| !rows.iter().any(|new| new.id == old.id));
    all.extend(rows.iter().cloned());
    // P1 … P17, then the others.
    all.sort_by_key(|row| (!row.id.starts_with('P'), row.id[1..].parse::<u32>().unwrap_or(u32::MAX)));
    let lines: Result<Vec<String>, _> = all.iter().map(serde_json::to_string).collect();
    std::fs::write(path, format!("[\n  {}\n]\n", lines.map_err(std::io::Error::other)?.join(",\n  ")))?;
    write_page(&path.with_file_name("performance.md"), &all, date)
}
