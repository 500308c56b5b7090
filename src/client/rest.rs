//! Resources of a server over HTTP.

use reqwest::{Response, StatusCode};
use serde_json::Value;

use super::socket::PATIENCE;
use super::{Fault, Server};

impl Server {
    /// What is found at a path; `None` if there is nothing.
    ///
    /// # Errors
    /// The server cannot be reached, refuses, or does not answer in time.
    pub async fn find(&self, path: &str) -> Result<Option<Value>, Fault> {
        let mut request = self.http.get(self.http(path)).timeout(PATIENCE);
        if let Some(value) = self.authorization() {
            request = request.header("authorization", value);
        }
        let response = request.send().await.map_err(|error| self.unreachable(&error))?;
        let status = response.status();
        if status == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        let body = self.body(response).await?;
        if status.is_success() { Ok(Some(body)) } else { Err(refused(&self.http(""), status, &body)) }
    }

    /// What is found at a path, which must be there.
    ///
    /// # Errors
    /// As [`Server::find`]; and nothing is there.
    pub async fn get(&self, path: &str) -> Result<Value, Fault> {
        let missing = || Fault::Unreachable(self.http(""), format!("it has no {path}, so it is no callboard"));
        self.find(path).await?.ok_or_else(missing)
    }

    async fn body(&self, response: Response) -> Result<Value, Fault> {
        let text = response.text().await.map_err(|error| self.unreachable(&error))?;
        Ok(serde_json::from_str(&text).unwrap_or(Value::Null))
    }

    /// A fault of the way there, without the address, which is in the sentence already.
    fn unreachable(&self, error: &reqwest::Error) -> Fault {
        let mut cause: &dyn std::error::Error = error;
        while let Some(deeper) = cause.source() {
            cause = deeper;
        }
        let why = if error.is_timeout() { "it does not answer in time".to_owned() } else { cause.to_string() };
        Fault::unreachable(self.http(""), why)
    }
}

/// Why a request was refused, by its status and body.
pub(super) fn refused(at: &str, status: StatusCode, body: &Value) -> Fault {
    let error = &body["error"];
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            let text = |name: &str| error[name].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
            Fault::Refused(text("details").or_else(|| text("message")).unwrap_or_else(|| status.to_string()))
        }
        _ if error["code"].is_string() && !status.is_server_error() => Fault::of(error),
        _ => Fault::Unreachable(at.to_owned(), format!("it answers {status}")),
    }
}
