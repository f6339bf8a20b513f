//! General request limits: per replica, in memory. Sign-in and enrolment have their own, in PostgreSQL.

use crate::app::App;
use crate::config::Config;
use crate::error::Error;
use crate::identity::authentication::address_of;
use crate::platform::http::guard::Identified;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use governor::clock::{Clock as _, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use uuid::Uuid;

/// Under what a request is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Key {
    Caller(Uuid),
    Address(Option<IpAddr>),
}

type Keyed = RateLimiter<Key, DashMapStateStore<Key>, DefaultClock, StateInformationMiddleware>;

/// Buckets of `burst` requests that refill at `per_second`.
pub struct Limiter {
    buckets: Option<(Keyed, NonZeroU32, NonZeroU32)>,
}

impl Limiter {
    pub fn new(config: &Config) -> Self {
        let quota = NonZeroU32::new(config.rate_limit_burst).zip(NonZeroU32::new(config.rate_limit_per_second));
        let buckets = quota.map(|(burst, rate)| {
            let quota = Quota::per_second(rate).allow_burst(burst);
            (RateLimiter::dashmap(quota).with_middleware::<StateInformationMiddleware>(), burst, rate)
        });
        Self { buckets }
    }

    /// Forget callers whose buckets are full again.
    pub fn shrink(&self) {
        if let Some((keyed, ..)) = &self.buckets {
            keyed.retain_recent();
            keyed.shrink_to_fit();
        }
    }
}

/// In the extensions of a request that is part of one that was counted already.
#[derive(Clone, Copy, Debug)]
pub struct Counted;
/// One customer has at least a /64 of IPv6, and must not count as many.
pub fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) => Ipv6Addr::from(u128::from(v6) >> 64 << 64).into(),
        v4 => v4,
    }
}

/// Count the request; every answer says how much is left.
pub async fn limit(State(app): State<App>, request: Request, next: Next) -> Response {
    if request.extensions().get::<Counted>().is_some() {
        return next.run(request).await;
    }
    let Some((keyed, burst, rate)) = &app.limiter.buckets else { return next.run(request).await };
    let caller = request.extensions().get::<Identified>().and_then(|i| i.caller.as_ref().ok()).map(|c| c.id());
    let key = caller.map_or_else(|| Key::Address(address_of(&app.config, &request).map(network)), Key::Caller);
    let (mut response, remaining) = match keyed.check_key(&key) {
        Ok(snapshot) => (next.run(request).await, snapshot.remaining_burst_capacity()),
        Err(not_until) => {
            let wait = not_until.wait_time_from(DefaultClock::default().now());
            let retry_after = wait.as_secs() + 1;
            let message = format!("Too many requests; try again in {retry_after} s.");
            (Error::RateLimited { message, retry_after }.into_response(), 0)
        }
    };
    let full_in = u64::from(burst.get() - remaining.min(burst.get())).div_ceil(u64::from(rate.get()));
    let reset = app.clock.now().timestamp().saturating_add_unsigned(full_in);
    let headers = response.headers_mut();
    headers.insert(HeaderName::from_static("x-ratelimit-limit"), HeaderValue::from(burst.get()));
    headers.insert(HeaderName::from_static("x-ratelimit-remaining"), HeaderValue::from(remaining));
    headers.insert(HeaderName::from_static("x-ratelimit-reset"), HeaderValue::from(reset));
    response
}

#[cfg(test)]
mod tests {
    use crate::identity::authentication::tests::Visitor;
    use crate::testing::TestApp;
    use axum::http::StatusCode;

    #[tokio::test]
    async fn every_answer_says_what_is_left_and_who_has_used_it_up_waits() {
        let test = TestApp::start_with(|config| (config.rate_limit_burst, config.rate_limit_per_second) = (5, 1)).await;
        let (ada, _) = Visitor::new(&test.app).bootstrap().await;
        let number = |answer: &crate::identity::authentication::tests::Answer, name: &str| -> i64 {
            answer.headers[name].to_str().unwrap().parse().unwrap()
        };
        for left in [4, 3, 2, 1, 0] {
            let answer = ada.get("/api/user").await.is(StatusCode::OK);
            assert_eq!((number(&answer, "x-ratelimit-limit"), number(&answer, "x-ratelimit-remaining")), (5, left));
            let wait = number(&answer, "x-ratelimit-reset") - test.app.clock.now().timestamp();
            assert!((4 - left..=6 - left).contains(&wait), "full again in {wait} s");
        }
        let answer = ada.get("/api/user").await.is(StatusCode::TOO_MANY_REQUESTS);
        assert_eq!((answer.code(), number(&answer, "x-ratelimit-remaining")), ("rate_limited", 0));
        assert!((1..=2).contains(&number(&answer, "retry-after")));

        // Refusals count and are marked alike; a caller's bucket is not the address's.
        let anyone = Visitor::new(&test.app);
        let answer = anyone.get("/api/user").await.is(StatusCode::UNAUTHORIZED);
        assert!(number(&answer, "x-ratelimit-remaining") < 5);
    }

    #[tokio::test]
    async fn a_header_is_no_other_address_and_a_network_is_one() {
        let test = TestApp::start_with(|config| (config.rate_limit_burst, config.rate_limit_per_second) = (3, 1)).await;
        let anyone = Visitor::new(&test.app);
        // A slow machine gives tokens back meanwhile, one a second.
        let refused = async |from: &dyn Fn(usize) -> Visitor| {
            for i in 0..100 {
                if from(i).get("/api/auth/bootstrap/status").await.status == StatusCode::TOO_MANY_REQUESTS {
                    return true;
                }
            }
            false
        };
        let pretending = |i: usize| anyone.clone().from("192.0.2.1:1").with("x-forwarded-for", format!("10.0.0.{i}"));
        assert!(refused(&pretending).await);
        let moving = |i: usize| anyone.clone().from(&format!("[2001:db8::{i}]:1"));
        assert!(refused(&moving).await);
        let others = |i: usize| anyone.clone().from(&format!("192.0.2.{}:1", i + 10));
        assert!(!refused(&others).await);
    }
}
