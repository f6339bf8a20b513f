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
use std::net::IpAddr;
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

/// Count the request; every answer says how much is left.
pub async fn limit(State(app): State<App>, request: Request, next: Next) -> Response {
    if request.extensions().get::<Counted>().is_some() {
        return next.run(request).await;
    }
    let Some((keyed, burst, rate)) = &app.limiter.buckets else { return next.run(request).await };
    let caller = request.extensions().get::<Identified>().and_then(|i| i.caller.as_ref().ok()).map(|c| c.id());
    let key = caller.map_or_else(|| Key::Address(address_of(&app.config, &request)), Key::Caller);
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
