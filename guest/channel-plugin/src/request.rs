//! A request as both doors hand it to the plugin: complete, bounded, and without anything of the host's types.

/// Most bytes of a body; a chat message is far shorter and a page sends nothing else.
pub const MAX_BODY_BYTES: usize = 65_536;

/// One request.
#[derive(Debug)]
pub struct Request {
    /// In upper case.
    pub method: String,
    /// Without the query.
    pub path: String,
    /// Still percent-encoded, without the `?`. May hold an invite code: never logged.
    query: String,
    /// Names in lower case.
    headers: Vec<(String, Vec<u8>)>,
    /// The whole body.
    pub body: Vec<u8>,
    /// The client's address as the host saw it.
    pub client: String,
}

impl Request {
    /// A request for `target`, which is a path with or without a query.
    pub fn new(method: String, target: &str, headers: Vec<(String, Vec<u8>)>, body: Vec<u8>, client: String) -> Self {
        let target = target.split_once('#').map_or(target, |(before, _)| before);
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        Self {
            method,
            path: path.to_owned(),
            query: query.to_owned(),
            headers,
            body,
            client,
        }
    }

    /// The first header of a name, given in lower case, if it is text.
    pub fn header<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        self.headers_named(name).next()
    }

    /// Every header of a name, given in lower case, that is text.
    pub fn headers_named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers
            .iter()
            .filter(move |(key, _)| key.eq_ignore_ascii_case(name))
            .filter_map(|(_, value)| std::str::from_utf8(value).ok())
            .map(str::trim)
    }

    /// The first value of a query parameter, decoded.
    pub fn query_value(&self, name: &str) -> Option<String> {
        form_urlencoded::parse(self.query.as_bytes())
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn request(target: &str) -> Request {
        let headers = vec![("x-a".to_owned(), b" one ".to_vec()), ("X-A".to_owned(), vec![0xff])];
        Request::new("GET".to_owned(), target, headers, Vec::new(), String::new())
    }

    #[test]
    fn path_and_query_come_apart() {
        let request = request("/chat?invite=AB%2DC+D&invite=2&x#y?z");
        assert_eq!(request.path, "/chat");
        assert_eq!(request.query_value("invite").unwrap(), "AB-C D");
        assert_eq!(request.query_value("x").unwrap(), "");
        assert_eq!(request.query_value("y"), None);
    }

    #[test]
    fn headers_that_are_not_text_do_not_exist() {
        assert_eq!(request("/").headers_named("x-a").collect::<Vec<_>>(), ["one"]);
        assert_eq!(request("/").header("x-b"), None);
    }
}
