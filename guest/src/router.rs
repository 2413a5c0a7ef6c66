//! Which route a method and a path mean. Decides nothing else and knows no state.

use crate::assets::{self, Asset};

/// A route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    Page,
    /// The page's service worker.
    Worker,
    /// What the page is when it is installed.
    Manifest,
    /// A file of the page.
    Asset(&'static Asset),
    Health,
    AuthStatus,
    Invite,
    Redeem,
    Link,
    Logout,
    Nickname,
    Language,
    Notes,
    Forget,
    Chat,
    Stop,
    History,
    Seen,
    Notifications,
    NotificationsOn,
    NotificationsOff,
    Stream,
    Socket,
}

/// A request that means no route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoRoute {
    /// Nothing is there.
    NotFound,
    /// Something is there, for another method; carries the `Allow` header's value.
    MethodNotAllowed(&'static str),
}

const READ: &str = "GET, HEAD";
const WRITE: &str = "POST";

/// Finds the route; `HEAD` means what `GET` means.
pub(crate) fn find(method: &str, path: &str) -> Result<Route, NoRoute> {
    let (route, allowed) = match path {
        "/" | "/chat" => (Route::Page, READ),
        "/sw.js" => (Route::Worker, READ),
        "/api/health" => (Route::Health, READ),
        "/api/auth/status" => (Route::AuthStatus, READ),
        "/api/auth/invite" => (Route::Invite, WRITE),
        "/api/auth/redeem" => (Route::Redeem, WRITE),
        "/api/auth/link" => (Route::Link, WRITE),
        "/api/auth/logout" => (Route::Logout, WRITE),
        "/api/nickname" => (Route::Nickname, WRITE),
        "/api/language" => (Route::Language, WRITE),
        "/api/notes" => (Route::Notes, READ),
        "/api/notes/forget" => (Route::Forget, WRITE),
        "/api/chat" => (Route::Chat, WRITE),
        "/api/chat/stop" => (Route::Stop, WRITE),
        "/api/history" => (Route::History, READ),
        "/api/seen" => (Route::Seen, WRITE),
        "/api/notifications" => (Route::Notifications, READ),
        "/api/notifications/on" => (Route::NotificationsOn, WRITE),
        "/api/notifications/off" => (Route::NotificationsOff, WRITE),
        "/api/stream" | "/api/push" => (Route::Stream, READ),
        "/api/socket" => (Route::Socket, READ),
        // The worker has its own address: only there does it come with its policy.
        _ => match path
            .strip_prefix("/assets/")
            .and_then(assets::find)
            .filter(|asset| asset.name != assets::WORKER)
        {
            Some(asset) if asset.name == assets::MANIFEST => (Route::Manifest, READ),
            Some(asset) => (Route::Asset(asset), READ),
            None => return Err(NoRoute::NotFound),
        },
    };
    let fits = match method {
        "GET" | "HEAD" => allowed == READ,
        "POST" => allowed == WRITE,
        _ => false,
    };
    if fits {
        Ok(route)
    } else {
        Err(NoRoute::MethodNotAllowed(allowed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_names_of_a_route_mean_the_same() {
        assert_eq!(find("GET", "/"), Ok(Route::Page));
        assert_eq!(find("HEAD", "/chat"), Ok(Route::Page));
        assert_eq!(find("GET", "/api/stream"), find("GET", "/api/push"));
    }

    #[test]
    fn wrong_methods_learn_the_right_ones() {
        assert_eq!(find("GET", "/api/chat"), Err(NoRoute::MethodNotAllowed("POST")));
        assert_eq!(find("POST", "/api/health"), Err(NoRoute::MethodNotAllowed("GET, HEAD")));
        assert_eq!(find("OPTIONS", "/"), Err(NoRoute::MethodNotAllowed("GET, HEAD")));
        assert_eq!(find("get", "/"), Err(NoRoute::MethodNotAllowed("GET, HEAD")));
    }

    #[test]
    fn everything_else_is_not_found() {
        for path in [
            "",
            "/chat/",
            "//",
            "/api",
            "/api/chat/../health",
            "/CHAT",
            "/assets/",
            "/assets/index.html",
            "/assets/0123456789abcdef/index.html",
            "/assets/0123456789abcdef/",
            "/assets/no-version/app.js",
            "/assets/sw.js",
            "/chat%20",
        ] {
            assert_eq!(find("GET", path), Err(NoRoute::NotFound), "{path}");
        }
    }
}
