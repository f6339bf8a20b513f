//! Numbers and names inside cursors.

use chrono::{DateTime, Utc};
use std::collections::HashMap;

/// The name of a container inside cursors and files.
pub fn short(id: &str) -> String {
    id.chars().take(12).collect()
}

/// Numbers lines of the same nanosecond. Reading from the start of a second gives the same numbers as reading all.
#[derive(Default)]
pub struct Numbers {
    second: i64,
    seen: HashMap<i64, u32>,
}

impl Numbers {
    pub fn next(&mut self, at: DateTime<Utc>) -> u32 {
        if at.timestamp() > self.second {
            self.second = at.timestamp();
            self.seen.clear();
        }
        let count = self.seen.entry(at.timestamp_nanos_opt().unwrap_or_default()).or_default();
        *count += 1;
        *count - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_one_nanosecond_are_told_apart() {
        let mut numbers = Numbers::default();
        let at = |n| DateTime::from_timestamp(10, n).unwrap();
        assert_eq!([at(1), at(1), at(2), at(1)].map(|t| numbers.next(t)), [0, 1, 0, 2]);
    }
}
