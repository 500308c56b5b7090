//! How many requests one address may make.
//!
//! Probes at `/health/` are not counted: an orchestrator must hear the truth also from a busy server, and they cost
//! nothing. Nor are upgrades of sockets: after a restart a thousand clients behind one proxy come back at once, and
//! their number is bounded by `server.max_sessions`. Everything else counts, `/metrics` too. The address is that of the
//! connection; a header that any client can write is not believed.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::{StatusCode, header};
use actix_web::middleware::Next;
use actix_web::{Error, web};
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use callboard_actors::protocol::Code;

use super::address::Address;
use super::error::HttpError;

/// Addresses that are watched at a time. An address at rest is forgotten after a burst's time, so these are such as
/// asked within the last seconds; those beyond share one allowance.
const MAX_ADDRESSES: usize = 65_536;

/// Seconds between two looks at which addresses are at rest.
const SWEEP: u64 = 5;

/// How many requests each address may make.
#[derive(Debug)]
pub struct Rate {
    per_second: usize,
    addresses: DefaultKeyedRateLimiter<Who>,
    clock: DefaultClock,
    since: Instant,
    /// The second of the next look.
    sweep_at: AtomicU64,
}

/// Whose allowance a request is counted against.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Who {
    One(Address),
    /// All beyond `MAX_ADDRESSES`, and such as have none.
    Others,
}

impl Rate {
    /// So many requests a second, and so many at once after a pause; at least one of each.
    pub fn new(per_second: usize, burst: usize) -> Self {
        let at_least_one =
            |number: usize| NonZeroU32::new(u32::try_from(number).unwrap_or(u32::MAX)).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::per_second(at_least_one(per_second)).allow_burst(at_least_one(burst));
        Self {
            per_second,
            addresses: RateLimiter::keyed(quota),
            clock: DefaultClock::default(),
            since: Instant::now(),
            sweep_at: AtomicU64::new(SWEEP),
        }
    }

    /// Counts a request, or says after how many seconds one will pass.
    fn count(&self, ip: Option<IpAddr>) -> Result<(), u32> {
        self.sweep();
        let full = self.addresses.len() >= MAX_ADDRESSES;
        let who = ip.filter(|_| !full).map_or(Who::Others, |ip| Who::One(ip.into()));
        self.addresses.check_key(&who).map_err(|refused| {
            let wait = refused.wait_time_from(self.clock.now());
            u32::try_from(wait.as_millis().div_ceil(1000)).unwrap_or(u32::MAX).max(1)
        })
    }

    fn sweep(&self) {
        let now = self.since.elapsed().as_secs();
        let due = self.sweep_at.load(Ordering::Relaxed);
        let next = now + SWEEP;
        if now >= due && self.sweep_at.compare_exchange(due, next, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            self.addresses.retain_recent();
            self.addresses.shrink_to_fit();
        }
    }
}

/// Turns away what comes too fast: 429 with `Retry-After`.
pub async fn limit<B: MessageBody + 'static>(
    req: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    if !is_exempt(&req)
        && let Some(rate) = req.app_data::<web::Data<Rate>>()
        && let Err(seconds) = rate.count(req.peer_addr().map(|peer| peer.ip()))
    {
        let per_second = rate.per_second;
        let error =
            HttpError::new(StatusCode::TOO_MANY_REQUESTS, Code::RateLimitExceeded.as_str(), "Too many requests");
        let error = error.details(format!("at most {per_second} a second; wait {seconds} s")).retry_after(seconds);
        return Ok(req.error_response(error).map_into_boxed_body());
    }
    Ok(next.call(req).await?.map_into_boxed_body())
}

fn is_exempt(req: &ServiceRequest) -> bool {
    let path = req.path();
    let is_socket = path == "/ws" || path.starts_with("/chat/") || path.contains("/v1/ws");
    path.starts_with("/health/") || is_socket && req.headers().contains_key(header::UPGRADE)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn ip(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn each_address_has_its_own_allowance() {
        let rate = Rate::new(1, 3);
        for _ in 0..3 {
            rate.count(ip("10.0.0.1")).unwrap();
        }
        assert_eq!(rate.count(ip("10.0.0.1")), Err(1));
        assert_eq!(rate.count(ip("::ffff:10.0.0.1")), Err(1), "the same address in another notation");
        rate.count(ip("10.0.0.2")).unwrap();
    }

    #[test]
    fn a_network_of_v6_is_one_client() {
        let rate = Rate::new(1, 2);
        rate.count(ip("2001:db8::1")).unwrap();
        rate.count(ip("2001:db8::ffff:2")).unwrap();
        assert_eq!(rate.count(ip("2001:db8::3")), Err(1));
        rate.count(ip("2001:db8:0:1::1")).unwrap();
    }

    #[test]
    fn no_more_addresses_are_watched_than_may_be() {
        let rate = Rate::new(1, 100_000);
        for number in 0..MAX_ADDRESSES + 100 {
            let bits = u32::try_from(number).unwrap();
            rate.count(Some(IpAddr::V4(bits.into()))).unwrap();
        }
        assert!(rate.addresses.len() <= MAX_ADDRESSES + 1, "{}", rate.addresses.len());
    }
}
