//! The forms of an export: JSON lines and CSV.

use super::model::{AuditEntry, ExportFormat};
use crate::error::{Error, Result};
use bytes::Bytes;

const COLUMNS: [&str; 16] = [
    "id",
    "organization_id",
    "seq",
    "created_at",
    "action",
    "actor_type",
    "actor_id",
    "actor_name",
    "resource_type",
    "resource_id",
    "resource_name",
    "address",
    "user_agent",
    "request_id",
    "before",
    "after",
];

impl ExportFormat {
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/x-ndjson",
            Self::Csv => "text/csv; charset=utf-8",
        }
    }

    pub fn file_name(self) -> &'static str {
        match self {
            Self::Json => "audit-log.jsonl",
            Self::Csv => "audit-log.csv",
        }
    }

    /// What comes before the first entry.
    pub fn head(self) -> Result<Bytes> {
        match self {
            Self::Json => Ok(Bytes::new()),
            Self::Csv => csv_lines([COLUMNS.map(str::to_owned).to_vec()]),
        }
    }

    pub fn entries(self, entries: &[AuditEntry]) -> Result<Bytes> {
        match self {
            Self::Json => {
                let mut text = Vec::new();
                for entry in entries {
                    serde_json::to_writer(&mut text, entry).map_err(Error::internal)?;
                    text.push(b'\n');
                }
                Ok(text.into())
            }
            Self::Csv => csv_lines(entries.iter().map(cells)),
        }
    }
}

fn cells(entry: &AuditEntry) -> Vec<String> {
    let json = |value: &Option<serde_json::Value>| value.as_ref().map_or(String::new(), ToString::to_string);
    let text = |value: &Option<String>| safe(value.as_deref().unwrap_or_default());
    vec![
        entry.id.to_string(),
        entry.organization_id.map_or(String::new(), |id| id.to_string()),
        entry.seq.map_or(String::new(), |seq| seq.to_string()),
        entry.created_at.to_rfc3339(),
        safe(&entry.action),
        safe(&entry.actor.kind),
        entry.actor.id.to_string(),
        safe(&entry.actor.name),
        safe(&entry.subject.kind),
        entry.subject.id.to_string(),
        safe(&entry.subject.name),
        text(&entry.address),
        text(&entry.user_agent),
        text(&entry.request_id),
        json(&entry.before),
        json(&entry.after),
    ]
}

/// A spreadsheet takes some texts for formulas, and others choose their names.
fn safe(text: &str) -> String {
    let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    if is_formula { format!("'{text}") } else { text.to_owned() }
}

fn csv_lines(lines: impl IntoIterator<Item = Vec<String>>) -> Result<Bytes> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    for line in lines {
        writer.write_record(&line).map_err(Error::internal)?;
    }
    writer.into_inner().map(Bytes::from).map_err(|error| Error::internal(anyhow::anyhow!("{error}")))
}
