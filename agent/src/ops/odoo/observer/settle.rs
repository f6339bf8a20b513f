//! One check over time: it takes three failures in a row to be failing, one good answer to be well again.

use super::Answer;
use chrono::{DateTime, TimeDelta, Utc};
use ocore_shared::protocol::health::{CheckName, CheckState, HealthCheck};

const FAILURES: u32 = 3;
/// Odoo builds its assets with the first request.
const GRACE: TimeDelta = TimeDelta::seconds(180);

pub struct Settled {
    state: CheckState,
    reason: Option<String>,
    since: DateTime<Utc>,
    failures: u32,
}

impl Settled {
    pub fn new(now: DateTime<Utc>) -> Self {
        Self { state: CheckState::Unknown, reason: None, since: now, failures: 0 }
    }

    /// Take an answer. `age` is how long ago it was started, where that excuses a failure.
    pub fn take(
        &mut self, name: CheckName, answer: &Answer, age: Option<TimeDelta>, now: DateTime<Utc>,
    ) -> HealthCheck {
        self.failures = if matches!(answer, Answer::Failed(_)) { self.failures + 1 } else { 0 };
        let next = match answer {
            Answer::Ok => Some((CheckState::Ok, None)),
            Answer::NotApplicable(reason) => Some((CheckState::NotApplicable, Some((*reason).to_owned()))),
            Answer::Unknown => Some((CheckState::Unknown, None)),
            Answer::Failed(reason) if age.is_some_and(|age| age < GRACE) => {
                Some((CheckState::Starting, Some(reason.clone())))
            }
            Answer::Failed(reason) if self.failures >= FAILURES => Some((CheckState::Failing, Some(reason.clone()))),
            Answer::Failed(_) => None,
        };
        // Why something failed may be said in other words each time; why it is not asked is news.
        if let Some((state, reason)) = next
            && (state != self.state || state == CheckState::NotApplicable && reason != self.reason)
        {
            (self.state, self.reason, self.since) = (state, reason, now);
        }
        HealthCheck { name, state: self.state, reason: self.reason.clone(), since: self.since }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_failures_after_the_grace_are_failing() {
        let at = |n| DateTime::from_timestamp(n, 0).unwrap();
        let mut check = Settled::new(at(0));
        let failed = |text: &str| Answer::Failed(text.into());
        let mut told = |answer: Answer, age, second| {
            let check = check.take(CheckName::Http, &answer, Some(TimeDelta::seconds(age)), at(second));
            (check.state, check.since.timestamp(), check.reason)
        };
        assert_eq!(told(failed("no"), 10, 1), (CheckState::Starting, 1, Some("no".into())));
        assert_eq!(told(failed("still no"), 20, 2), (CheckState::Starting, 1, Some("no".into())), "no news");
        assert_eq!(told(Answer::Ok, 30, 3), (CheckState::Ok, 3, None));
        assert_eq!(told(failed("a"), 1000, 4).0, CheckState::Ok);
        assert_eq!(told(failed("b"), 1000, 5).0, CheckState::Ok);
        assert_eq!(told(failed("c"), 1000, 6), (CheckState::Failing, 6, Some("c".into())));
        assert_eq!(told(Answer::Ok, 1000, 7), (CheckState::Ok, 7, None));
        assert_eq!(told(failed("d"), 1000, 8).0, CheckState::Ok, "the count begins anew");
    }
}
