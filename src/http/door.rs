//! The door: how many connections and sessions one client may have at a time.
//!
//! Two things are counted. A connection by its address, as soon as it is there: over the limit it is cut without a word,
//! for whoever floods a server is owed no answer. A session by its address and by its principal, when it asks for its
//! upgrade: over the limit it is answered 429, so that an honest client learns why. The anonymous are nobody in
//! particular and are counted by their addresses alone. A header that any client can write is not believed.

use std::any::Any;
use std::net::SocketAddr;
use std::sync::Arc;

use actix_tls::accept::rustls_0_23::TlsStream;
use actix_web::dev::Extensions;
use actix_web::http::StatusCode;
use actix_web::rt::net::TcpStream;
use callboard_actors::protocol::{Code, Principal, Subject, TenantId};

use super::address::Address;
use super::crowd::{Crowd, Place};
use super::error::HttpError;
use crate::config::ServerConfig;
use crate::metrics::{self, Full};
use crate::ws::cord::{self, Cord};

/// Connections of one address beyond its sessions: room for HTTP, for upgrades under way and to answer 429.
const BESIDES: usize = 256;

/// When one who was turned away may try again, in seconds.
const RETRY: u32 = 5;

/// Who is here; one a server.
#[derive(Debug)]
pub struct Door {
    connections: Arc<Crowd<Address>>,
    by_address: Arc<Crowd<Address>>,
    by_principal: Arc<Crowd<(TenantId, Subject)>>,
}

/// The places of one session, given back when dropped.
#[derive(Debug, Default)]
pub struct Places {
    _address: Option<Place<Address>>,
    _principal: Option<Place<(TenantId, Subject)>>,
}

impl Door {
    /// A door with the limits of `config`.
    pub fn new(config: &ServerConfig) -> Self {
        Self {
            connections: Crowd::new(config.max_sessions_per_address.saturating_add(BESIDES)),
            by_address: Crowd::new(config.max_sessions_per_address),
            by_principal: Crowd::new(config.max_sessions_per_principal),
        }
    }

    /// For `HttpServer::on_connect`: ties the connection and counts it, or cuts it.
    pub fn on_connect(&self, stream: &dyn Any, data: &mut Extensions) {
        let (tcp, plain) = match (stream.downcast_ref::<TcpStream>(), stream.downcast_ref::<TlsStream<TcpStream>>()) {
            (Some(tcp), _) => (tcp, true),
            (None, Some(tls)) => (tls.get_ref().0, false),
            (None, None) => return,
        };
        cord::hold(tcp, plain, data);
        let Ok(peer) = tcp.peer_addr() else { return };
        match self.connections.enter(peer.ip().into()) {
            Some(place) => drop(data.insert(place)),
            None => {
                metrics::turned_away(Full::Connections);
                if let Some(cord) = data.get::<Arc<Cord>>() {
                    cord.cut();
                }
            }
        }
    }

    /// Places for a session of `principal` that comes from `peer`.
    ///
    /// # Errors
    /// 429, if the address or the principal has as many as it may.
    pub fn seat(&self, peer: Option<SocketAddr>, principal: &Principal) -> Result<Places, HttpError> {
        let address = match peer {
            None => None,
            Some(peer) => {
                let place = self.by_address.enter(peer.ip().into());
                Some(place.ok_or_else(|| full(Full::Address, self.by_address.most()))?)
            }
        };
        let principal = if !principal.authenticated {
            None
        } else {
            let place = self.by_principal.enter((principal.tenant.clone(), principal.subject.clone()));
            Some(place.ok_or_else(|| full(Full::Principal, self.by_principal.most()))?)
        };
        Ok(Places { _address: address, _principal: principal })
    }
}

fn full(full: Full, most: usize) -> HttpError {
    metrics::turned_away(full);
    let whose = if full == Full::Address { "address" } else { "principal" };
    let words = format!("All sessions of this {whose} are taken; try again later");
    let error = HttpError::new(StatusCode::TOO_MANY_REQUESTS, Code::RateLimitExceeded.as_str(), words);
    error.details(format!("at most {most} at a time")).retry_after(RETRY)
}
