//! Where a request carries credentials: the query, `Authorization`, or `Sec-WebSocket-Protocol`.
//!
//! They are only found here, not judged.

use secrecy::SecretString;

use super::key::KEY_PREFIX;

/// The WebSocket subprotocol that a client names beside `bearer.<token>`, and that the server agrees to.
pub const SUBPROTOCOL: &str = "callboard";

/// The credentials that a request presents. A key wins over a token. Its `Debug` shows neither.
#[derive(Clone, Debug, Default)]
pub struct Presented {
    /// An API key.
    pub key: Option<SecretString>,
    /// A token (JWT).
    pub token: Option<SecretString>,
}

impl Presented {
    /// Finds them in the parts of a request: its query without the `?`, and the headers `Authorization` and
    /// `Sec-WebSocket-Protocol`. What comes first wins, in the order query, `Authorization`, subprotocol; an empty
    /// value counts as none, and a scheme other than Bearer is a proxy's matter.
    pub fn read(query: &str, authorization: Option<&str>, subprotocols: Option<&str>) -> Self {
        let mut presented = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "key" => presented.take_key(&value),
                "token" => presented.take_bearer(&value),
                _ => {}
            }
        }
        let scheme = authorization.and_then(|header| header.trim().split_once(char::is_whitespace));
        if let Some((_, value)) = scheme.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")) {
            presented.take_bearer(value.trim());
        }
        for protocol in subprotocols.unwrap_or_default().split(',') {
            if let Some(value) = protocol.trim().strip_prefix("bearer.") {
                presented.take_bearer(value);
            }
        }
        presented
    }

    /// Whether a client offers the subprotocol that the server agrees to.
    pub fn offers_subprotocol(subprotocols: &str) -> bool {
        subprotocols.split(',').any(|protocol| protocol.trim() == SUBPROTOCOL)
    }

    fn take_key(&mut self, value: &str) {
        if self.key.is_none() && !value.is_empty() {
            self.key = Some(value.into());
        }
    }

    /// A bearer's value is a key or a token by its shape.
    fn take_bearer(&mut self, value: &str) {
        if value.starts_with(KEY_PREFIX) {
            self.take_key(value);
        } else if self.token.is_none() && !value.is_empty() {
            self.token = Some(value.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn text(secret: Option<&SecretString>) -> Option<&str> {
        secret.map(ExposeSecret::expose_secret)
    }

    #[test]
    fn credentials_are_found_wherever_they_may_stand() {
        for (query, authorization, subprotocols, expected) in [
            ("", None, None, (None, None)),
            ("token=a.b.c", None, None, (None, Some("a.b.c"))),
            ("since=4&key=cbk_1_2&x", None, None, (Some("cbk_1_2"), None)),
            ("key=k&token=t", None, None, (Some("k"), Some("t"))),
            ("token=a%2Eb%2Ec", None, None, (None, Some("a.b.c"))),
            ("token=&key=", None, None, (None, None)),
            ("token=first&token=second", None, None, (None, Some("first"))),
            ("", Some("Bearer a.b.c"), None, (None, Some("a.b.c"))),
            ("", Some("bearer   a.b.c "), None, (None, Some("a.b.c"))),
            ("", Some("Bearer cbk_1_2"), None, (Some("cbk_1_2"), None)),
            ("", Some("Basic dTpw"), None, (None, None)),
            ("", Some("Bearer"), None, (None, None)),
            ("", None, Some("callboard, bearer.a.b.c"), (None, Some("a.b.c"))),
            ("", None, Some("bearer.cbk_1_2,callboard"), (Some("cbk_1_2"), None)),
            ("", None, Some("callboard"), (None, None)),
            ("token=query", Some("Bearer header"), Some("bearer.protocol"), (None, Some("query"))),
            ("token=%FF%00%", None, None, (None, Some("\u{fffd}\0%"))),
        ] {
            let presented = Presented::read(query, authorization, subprotocols);
            let found = (text(presented.key.as_ref()), text(presented.token.as_ref()));
            assert_eq!(found, expected, "{query:?} {authorization:?} {subprotocols:?}");
        }
    }

    #[test]
    fn the_subprotocol_is_agreed_to_only_where_it_is_offered() {
        assert!(Presented::offers_subprotocol("bearer.x, callboard"));
        assert!(!Presented::offers_subprotocol("bearer.callboard, callboard2"));
    }

    #[test]
    fn debug_shows_no_credentials() {
        let shown = format!("{:?}", Presented::read("key=hush1&token=hush2", None, None));
        assert!(!shown.contains("hush"), "{shown}");
    }
}
