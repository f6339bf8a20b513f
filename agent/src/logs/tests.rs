use super::cursor::Cursor;
use super::hub::test_upstream;
use chrono::DateTime;
use ocore_shared::protocol::logs::LogRecord;

fn record(second: i64, text: &str) -> LogRecord {
    let at = DateTime::from_timestamp(second, 0).unwrap();
    let cursor = Cursor { container: "aaaaaaaaaaaa".into(), at, nth: 0 };
    LogRecord { cursor: cursor.to_string(), at, stream: "stderr".into(), text: text.into(), dropped: None, level: None }
}

#[test]
fn each_viewer_has_its_own_place_and_a_slow_one_learns_what_it_missed() {
    let upstream = test_upstream();
    (0..10).for_each(|n| upstream.push(record(n, "short")));
    let taken = upstream.take(0, 4);
    assert_eq!((taken.records.len(), taken.dropped, taken.next), (4, 0, 4));
    // Far more than the ring holds.
    let long = "x".repeat(64 * 1024);
    (10..110).for_each(|n| upstream.push(record(n, &long)));
    let taken = upstream.take(taken.next, 1000);
    assert!(taken.dropped > 0);
    assert_eq!(taken.dropped + taken.records.len() as u64, 106);
    assert_eq!(taken.next, 110);
    assert_eq!(upstream.take(110, 10).records.len(), 0);
}

#[test]
fn a_reader_of_the_past_joins_behind_its_last_line() {
    let upstream = test_upstream();
    (5..10).for_each(|n| upstream.push(record(n, "short")));
    let cursor = |n| Some(record(n, "").cursor.parse::<Cursor>().unwrap());
    assert_eq!(upstream.join(cursor(7).as_ref()), Some(3));
    // The ring has not come so far yet: from its start, leaving out what is older.
    assert_eq!(upstream.join(cursor(20).as_ref()), Some(0));
    assert_eq!(upstream.join(None), Some(0));
    let long = "x".repeat(64 * 1024);
    (10..110).for_each(|n| upstream.push(record(n, &long)));
    assert_eq!(upstream.join(cursor(7).as_ref()), None);
}
