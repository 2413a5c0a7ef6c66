//! Asks one registry for what belongs to one reference, with an end to everything that it may send.

use std::error::Error as _;
use std::time::Duration;

use http::header::{ACCEPT, AUTHORIZATION};
use http::{HeaderValue, StatusCode};
use reqwest::redirect::{Attempt, Policy};
use reqwest::{Client, Response, Url};

use super::challenge::{Challenge, Token, challenge};
use super::login::Logins;
use super::manifest::{Layer, MEDIA_TYPES};
use super::reference::{Reference, is_local};
use super::{FetchError, What};

/// Bytes of a manifest: as many as registries have to take.
pub(super) const MANIFEST_BYTES: usize = 4 << 20;

/// Bytes of what comes with a token.
const TOKEN_BYTES: usize = 64 << 10;

/// Redirects of one request. Registries send to where their blobs lie, which is one.
const REDIRECTS: usize = 5;

/// Time to reach a registry.
const CONNECT: Duration = Duration::from_secs(10);

/// Time for which a registry may send nothing.
const SILENCE: Duration = Duration::from_secs(30);

/// The questions about one reference.
pub(super) struct Pull<'a> {
    client: Client,
    reference: &'a Reference,
    logins: &'a Logins,
    /// What the registry has asked for.
    authorization: Option<HeaderValue>,
}

impl<'a> Pull<'a> {
    pub(super) fn from(reference: &'a Reference, logins: &'a Logins) -> Result<Self, FetchError> {
        let may_be_local = reference.is_local();
        let mut client = crate::crypto::client()
            .map_err(|error| FetchError::Unreachable(error.to_string()))?
            .connect_timeout(CONNECT)
            .read_timeout(SILENCE)
            .redirect(Policy::custom(move |attempt| redirected(attempt, may_be_local)));
        if may_be_local {
            client = client.no_proxy();
        }
        Ok(Self {
            client: client.build().map_err(|error| unreachable(&error))?,
            reference,
            logins,
            authorization: None,
        })
    }

    /// The manifest of a tag or digest, not checked.
    pub(super) async fn manifest(&mut self, name: &str) -> Result<Vec<u8>, FetchError> {
        let response = self.get(What::Manifest, &format!("manifests/{name}")).await?;
        whole(What::Manifest, response, MANIFEST_BYTES).await
    }

    /// The component that a manifest names, not checked, and no longer than it says.
    pub(super) async fn component(&mut self, layer: &Layer) -> Result<Vec<u8>, FetchError> {
        let response = self.get(What::Component, &format!("blobs/{}", layer.digest)).await?;
        whole(What::Component, response, layer.size).await
    }

    async fn get(&mut self, what: What, path: &str) -> Result<Response, FetchError> {
        let url = self.reference.url(path);
        let mut response = self.send(&url).await?;
        if response.status() == StatusCode::UNAUTHORIZED && self.meet(&response).await? {
            response = self.send(&url).await?;
        }
        answered(what, response)
    }

    async fn send(&self, url: &str) -> Result<Response, FetchError> {
        let mut request = self.client.get(url).header(ACCEPT, MEDIA_TYPES);
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        request.send().await.map_err(|error| unreachable(&error))
    }

    /// Gets what the registry asks for, and says whether there is something new to show.
    async fn meet(&mut self, response: &Response) -> Result<bool, FetchError> {
        let login = self.logins.of(self.reference.registry());
        let login = login.map(|login| secret(&login.header())).transpose()?;
        let authorization = match challenge(response.headers()).ok_or(FetchError::Challenge)? {
            Challenge::Password => login,
            Challenge::Token { realm, service } => Some(self.token(&realm, service, login).await?),
        };
        let is_new = authorization.is_some() && authorization != self.authorization;
        self.authorization = authorization;
        Ok(is_new)
    }

    async fn token(
        &self,
        realm: &str,
        service: Option<String>,
        login: Option<HeaderValue>,
    ) -> Result<HeaderValue, FetchError> {
        let mut url: Url = realm.parse().map_err(|_| FetchError::Challenge)?;
        if !may_ask(&url, self.reference.is_local()) {
            return Err(FetchError::Challenge);
        }
        url.query_pairs_mut()
            .extend_pairs(service.map(|service| ("service", service)))
            .append_pair("scope", &format!("repository:{}:pull", self.reference.name()));
        let mut request = self.client.get(url);
        if let Some(login) = login {
            request = request.header(AUTHORIZATION, login);
        }
        let response = request.send().await.map_err(|error| unreachable(&error))?;
        let body = whole(What::Token, answered(What::Token, response)?, TOKEN_BYTES).await?;
        let token: Token = serde_json::from_slice(&body).map_err(|_| FetchError::Challenge)?;
        let token = token.text().ok_or(FetchError::Challenge)?;
        secret(&format!("Bearer {token}"))
    }
}

/// A header that no log shows.
fn secret(text: &str) -> Result<HeaderValue, FetchError> {
    let mut value = HeaderValue::from_str(text).map_err(|_| FetchError::Challenge)?;
    value.set_sensitive(true);
    Ok(value)
}

/// Whether an address may be asked: without TLS only one of this machine, and only for a registry of this machine.
fn may_ask(url: &Url, may_be_local: bool) -> bool {
    match url.scheme() {
        "https" => true,
        "http" => may_be_local && url.host_str().is_some_and(is_local),
        _ => false,
    }
}

fn redirected(attempt: Attempt<'_>, may_be_local: bool) -> reqwest::redirect::Action {
    if attempt.previous().len() > REDIRECTS {
        return attempt.error("it sends from one address to the next without end");
    }
    match may_ask(attempt.url(), may_be_local) {
        true => attempt.follow(),
        false => attempt.error("it sends to an address without TLS"),
    }
}

fn answered(what: What, response: Response) -> Result<Response, FetchError> {
    match response.status() {
        StatusCode::OK => Ok(response),
        status => Err(FetchError::Refused { what, status }),
    }
}

/// A whole body of at most so many bytes.
async fn whole(what: What, mut response: Response, most: usize) -> Result<Vec<u8>, FetchError> {
    let too_long = FetchError::TooLong { what, bytes: most };
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| unreachable(&error))? {
        if body.len().saturating_add(chunk.len()) > most {
            return Err(too_long);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// The deepest cause, without the address, which says nothing new.
fn unreachable(error: &reqwest::Error) -> FetchError {
    let mut words = None;
    let mut cause = error.source();
    while let Some(error) = cause {
        words = Some(error.to_string());
        cause = error.source();
    }
    FetchError::Unreachable(words.unwrap_or_else(|| error.to_string()))
}
