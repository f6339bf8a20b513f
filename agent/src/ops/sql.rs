//! Values inside SQL text. Statements travel on psql's standard input, so nothing of them shows up in a process list;
//! psql has no bound parameters there, hence these two, which follow PostgreSQL's own `quote_literal`/`quote_ident`.

use crate::engine::OpError;

/// `'it''s'`. A value with a backslash becomes `E'…'`, so that it means the same whatever
/// `standard_conforming_strings` says.
pub fn literal(text: &str) -> Result<String, OpError> {
    refuse_zero(text)?;
    let quoted = text.replace('\'', "''");
    Ok(match quoted.contains('\\') {
        true => format!(" E'{}'", quoted.replace('\\', "\\\\")),
        false => format!("'{quoted}'"),
    })
}

/// `"a ""name"""`.
pub fn ident(name: &str) -> Result<String, OpError> {
    refuse_zero(name)?;
    if name.is_empty() || name.len() > 63 {
        return Err(OpError::new(
            "invalid_name",
            format!("`{name}` is no name for PostgreSQL: 1 to 63 bytes are allowed."),
        ));
    }
    Ok(format!("\"{}\"", name.replace('"', "\"\"")))
}

fn refuse_zero(text: &str) -> Result<(), OpError> {
    if text.contains('\0') {
        return Err(OpError::new("invalid_value", "A value contains a zero byte, which PostgreSQL cannot hold."));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_cannot_be_left() {
        assert_eq!(literal("plain").unwrap(), "'plain'");
        assert_eq!(literal("it's").unwrap(), "'it''s'");
        assert_eq!(literal(r"a\'; DROP TABLE x; --").unwrap(), r" E'a\\''; DROP TABLE x; --'");
        assert_eq!(literal(r"\").unwrap(), r" E'\\'");
        assert_eq!(literal("żółw\n").unwrap(), "'żółw\n'");
        assert!(literal("a\0b").is_err());
    }

    #[test]
    fn names_cannot_be_left() {
        assert_eq!(ident("inst_x").unwrap(), "\"inst_x\"");
        assert_eq!(ident("a\"b").unwrap(), "\"a\"\"b\"");
        assert!(ident("").is_err());
        assert!(ident(&"x".repeat(64)).is_err());
    }
}
