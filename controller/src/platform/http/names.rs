//! Names that people read: what cannot be seen, or turns text around, can only deceive.

/// Rule of garde for a name: no control characters, no marks of direction, nothing blank at either end.
pub fn name_check(name: impl AsRef<str>, _: &()) -> garde::Result {
    let name = name.as_ref();
    if name.chars().any(is_deceptive) {
        return Err(garde::Error::new("must hold no control characters and no invisible marks"));
    }
    if name.trim().len() != name.len() {
        return Err(garde::Error::new("must not begin or end with blanks"));
    }
    Ok(())
}

/// Control characters, marks of direction, and what has no width.
fn is_deceptive(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FEFF}' | '\u{061C}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_show_what_they_are() {
        for good in ["Ada", "ACME GmbH & Co. KG", "Škoda 日本 שלום", "a/b"] {
            assert!(name_check(good, &()).is_ok(), "{good}");
        }
        for bad in ["a\nb", "a\u{0}b", "abc\u{202E}cba", "a\u{200B}b", " a", "a\t", "\u{FEFF}a"] {
            assert!(name_check(bad, &()).is_err(), "{bad:?}");
        }
    }
}
