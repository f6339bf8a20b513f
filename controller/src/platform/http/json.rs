//! What JSON must be before any type looks at it: no deeper than anything of ours, no field twice (two readers could
//! take different ones), and no NUL, which PostgreSQL's text cannot hold. One pass over the bytes, nothing is kept.

use crate::error::{Error, Problem, Result};
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use std::collections::HashSet;
use std::fmt;

/// No body of the API is deeper: an object with a list of objects that hold a map is 4.
pub const DEEPEST: usize = 32;
/// More are not told: the answer must not be larger than the question.
const MOST_PROBLEMS: usize = 20;
/// As much of a path as is told.
const LONGEST_PATH: usize = 200;

/// Look through a whole document.
pub fn check(bytes: &[u8]) -> Result<()> {
    let mut found = Found::default();
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let read = Walk { found: &mut found, depth: 0 }.deserialize(&mut deserializer);
    if found.too_deep {
        let message = format!("The body is nested more than {DEEPEST} levels deep.");
        return Err(Error::field(&found.field(), "depth", message));
    }
    if let Err(error) = read.and_then(|()| deserializer.end()) {
        return Err(Error::field("body", "json", format!("The body is not valid JSON: {error}.")));
    }
    if found.problems.is_empty() { Ok(()) } else { Err(Error::Invalid(found.problems)) }
}

/// Whether PostgreSQL can store it.
pub fn is_storable(text: &str) -> bool {
    !text.contains('\0')
}

/// The problem of a text that cannot be stored.
pub fn unstorable(field: &str) -> Problem {
    Problem {
        field: field.to_owned(),
        constraint: "characters".into(),
        message: format!("The field '{field}' holds a NUL character, which cannot be stored; leave it out."),
    }
}

#[derive(Default)]
struct Found {
    /// From the outside to where the walk is.
    path: String,
    problems: Vec<Problem>,
    too_deep: bool,
}

impl Found {
    fn field(&self) -> String {
        if self.path.is_empty() { "body".into() } else { self.path.chars().take(LONGEST_PATH).collect() }
    }

    fn tell(&mut self, problem: Problem) {
        if self.problems.len() < MOST_PROBLEMS {
            self.problems.push(problem);
        }
    }

    fn text(&mut self, text: &str) {
        if !is_storable(text) {
            let problem = unstorable(&self.field());
            self.tell(problem);
        }
    }
}

/// One value, wherever it is.
struct Walk<'a> {
    found: &'a mut Found,
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.found.text(text);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<(), A::Error> {
        let depth = self.deeper()?;
        let before = self.found.path.len();
        for index in 0_usize.. {
            self.found.path.push_str(&format!("[{index}]"));
            let next = list.next_element_seed(Walk { found: &mut *self.found, depth })?;
            self.found.path.truncate(before);
            if next.is_none() {
                break;
            }
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        let depth = self.deeper()?;
        let before = self.found.path.len();
        let mut seen = HashSet::new();
        while let Some(key) = map.next_key::<String>()? {
            self.found.text(&key);
            if before > 0 {
                self.found.path.push('.');
            }
            // A key of megabytes must not be copied for each of its values.
            self.found.path.extend(key.chars().filter(|c| *c != '\0').take(LONGEST_PATH));
            if seen.contains(&key) {
                let field = self.found.field();
                let message = format!("The field '{field}' is there more than once; leave the others out.");
                self.found.tell(Problem { field, constraint: "duplicate".into(), message });
            }
            seen.insert(key);
            map.next_value_seed(Walk { found: &mut *self.found, depth })?;
            self.found.path.truncate(before);
        }
        Ok(())
    }
}

impl Walk<'_> {
    /// One level further in. The error ends the walk; what is told instead stands in `too_deep`.
    fn deeper<E: serde::de::Error>(&mut self) -> Result<usize, E> {
        if self.depth == DEEPEST {
            self.found.too_deep = true;
            return Err(E::custom("too deep"));
        }
        Ok(self.depth + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(json: impl AsRef<[u8]>) -> Vec<(String, String)> {
        match check(json.as_ref()) {
            Ok(()) => vec![],
            Err(Error::Invalid(problems)) => problems.into_iter().map(|p| (p.field, p.constraint)).collect(),
            Err(other) => panic!("{other:?}"),
        }
    }

    fn one(field: &str, constraint: &str) -> Vec<(String, String)> {
        vec![(field.into(), constraint.into())]
    }

    #[test]
    fn ordinary_json_is_let_through() {
        for good in [
            "null",
            "7",
            "-1.5e3",
            "\"text\"",
            "[]",
            "{}",
            r#"{"a": [1, true, null, {"b": "\u00e9\n"}], "c": 18446744073709551615}"#,
            r#"{"a": {"x": 1}, "b": {"x": 2}}"#,
        ] {
            assert_eq!(problems(good), [], "{good}");
        }
    }

    #[test]
    fn nul_is_named_wherever_it_is() {
        assert_eq!(problems(r#"{"name": "a\u0000b"}"#), one("name", "characters"));
        assert_eq!(
            problems(r#"{"list": ["a", {"deep": "\u0000"}], "name": "\u0000"}"#),
            [one("list[1].deep", "characters"), one("name", "characters")].concat()
        );
        assert_eq!(problems(r#"{"labels": {"a\u0000b": "x"}}"#), one("labels", "characters"));
        assert_eq!(problems(r#"{"\u0000": 1}"#), one("body", "characters"));
    }

    #[test]
    fn a_field_that_is_there_twice_is_named() {
        assert_eq!(problems(r#"{"role": "viewer", "role": "owner"}"#), one("role", "duplicate"));
        assert_eq!(problems(r#"{"a": [{"b": 1, "\u0062": 1}]}"#), one("a[0].b", "duplicate"));
    }

    #[test]
    fn deep_json_is_refused_before_it_is_read() {
        let nested = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
        assert_eq!(problems(nested(DEEPEST)), []);
        assert_eq!(problems(nested(DEEPEST + 1)).first().unwrap().1, "depth");
        // Half a million levels, and never closed: no recursion, no time.
        let endless = problems("[".repeat(500_000));
        assert_eq!((endless.len(), endless[0].1.as_str()), (1, "depth"));
        let objects = "{\"a\":".repeat(100_000);
        assert_eq!(problems(objects).first().unwrap().1, "depth");
    }

    #[test]
    fn what_is_no_json_is_told_with_its_place() {
        for bad in
            [&b"{"[..], b"{} {}", b"nul", b"{\"a\": 1,}", b"\"\xff\"", b"{\"\xc3\x28\": 1}", b"1e999", b"\"\\ud800\""]
        {
            assert_eq!(problems(bad), one("body", "json"), "{}", String::from_utf8_lossy(bad));
        }
    }

    #[test]
    fn many_problems_do_not_make_a_large_answer() {
        let many = format!("[{}]", vec![r#""\u0000""#; 100_000].join(","));
        assert_eq!(problems(many).len(), MOST_PROBLEMS);
        let long = format!(r#"{{"{}": "\u0000"}}"#, "k".repeat(100_000));
        assert!(problems(long)[0].0.len() <= LONGEST_PATH);
    }
}
