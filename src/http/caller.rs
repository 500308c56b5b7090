//! Who makes a request: its credentials and its origin, judged.

use std::future::{Ready, ready};
use std::sync::Arc;

use actix_web::http::header;
use actix_web::{FromRequest, HttpRequest, dev, web};
use secrecy::{ExposeSecret, SecretString};

use callboard_actors::archive::Archive;
use callboard_actors::protocol::{AgentName, Principal, Scope, Subject};
use callboard_actors::tenant::Tenant;

use super::app::App;
use super::error::HttpError;
use crate::auth::{Need, Presented};

/// The subject of everybody without credentials.
const ANONYMOUS: &str = "anonymous";

/// The caller of an endpoint that is open unless authentication is required.
#[derive(Clone, Debug)]
pub struct Caller(pub Arc<Principal>);

/// The caller of an endpoint that always asks for credentials.
#[derive(Clone, Debug)]
pub struct KnownCaller(pub Arc<Principal>);

/// Judges a request's credentials and origin.
pub fn judge(req: &HttpRequest, app: &App, need: Need) -> Result<Arc<Principal>, HttpError> {
    let text = |name| req.headers().get(name).and_then(|value: &header::HeaderValue| value.to_str().ok());
    app.auth.check_origin(text(header::ORIGIN), text(header::HOST))?;
    let presented =
        Presented::read(req.query_string(), text(header::AUTHORIZATION), text(header::SEC_WEBSOCKET_PROTOCOL));
    let principal = app.auth.authenticate(&presented, need, &Subject::trusted(ANONYMOUS))?;
    Ok(Arc::new(principal))
}

/// The same where the client must send some key and need not have one of the server's: if the server asks for none, a
/// bearer that is neither a key of ours nor a token counts as absent.
pub fn judge_any_key(req: &HttpRequest, app: &App) -> Result<Arc<Principal>, HttpError> {
    let authorization = req.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let presented = Presented::read(req.query_string(), authorization, None);
    let foreign = presented.key.is_none() && presented.token.as_ref().is_some_and(|token| !looks_signed(token));
    if !foreign || app.auth.is_required() {
        return judge(req, app, Need::Open);
    }
    let text = |name| req.headers().get(name).and_then(|value: &header::HeaderValue| value.to_str().ok());
    app.auth.check_origin(text(header::ORIGIN), text(header::HOST))?;
    Ok(Arc::new(app.auth.authenticate(&Presented::default(), Need::Open, &Subject::trusted(ANONYMOUS))?))
}

/// Whether a bearer has the three parts of a token, good or bad.
fn looks_signed(token: &SecretString) -> bool {
    token.expose_secret().split('.').count() == 3
}

/// The same principal as the agent it acts as: the one its credentials name, or its subject.
pub fn acting(principal: &Principal) -> Arc<Principal> {
    let agent = principal.agent.clone().unwrap_or_else(|| AgentName::trusted(principal.subject.as_str()));
    Arc::new(Principal { agent: Some(agent), ..principal.clone() })
}

fn extract(req: &HttpRequest, need: Need) -> Result<Arc<Principal>, HttpError> {
    match req.app_data::<web::Data<App>>() {
        Some(app) => judge(req, app, need),
        None => Err(callboard_actors::protocol::Error::internal("The server is not set up").into()),
    }
}

impl Caller {
    /// The caller's tenant.
    pub fn tenant(&self, app: &App) -> Arc<Tenant> {
        app.runtime.tenant(&self.0.tenant)
    }

    /// Refuses callers without a scope.
    pub fn require(&self, scope: Scope) -> Result<(), HttpError> {
        self.0.require(scope).map_err(HttpError::from)
    }

    /// Refuses callers that are no operators, once the server asks for credentials.
    pub fn require_operator(&self, app: &App) -> Result<(), HttpError> {
        if app.config.auth.required { self.require(Scope::Admin) } else { Ok(()) }
    }

    /// Reads from the archive as this caller may see it, off the worker.
    pub async fn read<T: Send + 'static>(
        &self,
        app: &App,
        read: impl FnOnce(&Archive<'_>) -> Result<T, callboard_actors::protocol::Error> + Send + 'static,
    ) -> Result<T, HttpError> {
        let (journal, principal) = (app.runtime.house().journal.clone(), self.0.clone());
        let result = web::block(move || read(&Archive::new(&*journal, &principal))).await;
        match result {
            Ok(result) => result.map_err(HttpError::from),
            Err(_) => Err(callboard_actors::protocol::Error::internal("Reading the store failed unexpectedly").into()),
        }
    }
}

impl FromRequest for Caller {
    type Error = HttpError;
    type Future = Ready<Result<Self, HttpError>>;

    fn from_request(req: &HttpRequest, _: &mut dev::Payload) -> Self::Future {
        ready(extract(req, Need::Open).map(Self))
    }
}

impl FromRequest for KnownCaller {
    type Error = HttpError;
    type Future = Ready<Result<Self, HttpError>>;

    fn from_request(req: &HttpRequest, _: &mut dev::Payload) -> Self::Future {
        ready(extract(req, Need::Always).map(Self))
    }
}
