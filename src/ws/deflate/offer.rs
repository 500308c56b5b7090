//! Reads the offers of `Sec-WebSocket-Extensions` (RFC 7692 §7.1, grammar of RFC 6455 §9.1).

use actix_web::http::header::{HeaderMap, SEC_WEBSOCKET_EXTENSIONS};

use super::{FULL_WINDOW, LEAST_WINDOW};

/// What a client offers that concerns the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Offer {
    /// The limit, if any, that it sets to the server's window.
    pub window_bits: Option<u8>,
    /// It asks the server to keep no context.
    pub server_forgets: bool,
    /// It keeps none itself.
    pub client_forgets: bool,
}

/// The first offer, in the order of preference they come in, that is well formed and can be kept.
pub(super) fn first_acceptable(headers: &HeaderMap) -> Option<Offer> {
    headers
        .get_all(SEC_WEBSOCKET_EXTENSIONS)
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .find_map(accept)
}

/// One offer. Quoted values hold neither commas nor semicolons here: every valid value is a short number, and a split
/// within quotes leaves an invalid one, which is declined as it should be.
fn accept(offer: &str) -> Option<Offer> {
    let mut words = offer.split(';').map(str::trim);
    if !words.next()?.eq_ignore_ascii_case("permessage-deflate") {
        return None;
    }
    let mut window_bits = None;
    let mut seen = [false; 4];
    for word in words {
        let (name, value) = match word.split_once('=') {
            Some((name, value)) => (name.trim(), Some(unquoted(value.trim()))),
            None => (word, None),
        };
        let place = match (name, value) {
            ("server_no_context_takeover", None) => 0,
            ("client_no_context_takeover", None) => 1,
            ("client_max_window_bits", None) => 2,
            ("client_max_window_bits", Some(value)) => bits(value).map(|_| 2)?,
            ("server_max_window_bits", Some(value)) => {
                // The compressor cannot keep a window of 256 bytes, so such an offer is declined.
                window_bits = Some(bits(value).filter(|bits| *bits >= LEAST_WINDOW)?);
                3
            }
            _ => return None,
        };
        if std::mem::replace(seen.get_mut::<usize>(place)?, true) {
            return None;
        }
    }
    let [server_forgets, client_forgets, ..] = seen;
    Some(Offer { window_bits, server_forgets, client_forgets })
}

/// A window as a power of two: 8 to 15, without leading zeros.
fn bits(value: &str) -> Option<u8> {
    let bits: u8 = value.parse().ok()?;
    let plain = value.starts_with(['1', '8', '9']);
    ((8..=FULL_WINDOW).contains(&bits) && plain).then_some(bits)
}

fn unquoted(value: &str) -> &str {
    value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_browsers_and_libraries_offer_is_taken() {
        let plain = Offer::default();
        assert_eq!(accept("permessage-deflate"), Some(plain));
        assert_eq!(accept("permessage-deflate; client_max_window_bits"), Some(plain));
        let limited = Offer { window_bits: Some(10), ..plain };
        assert_eq!(accept(" permessage-deflate ; server_max_window_bits=\"10\" "), Some(limited));
        let offer = "permessage-deflate; client_max_window_bits=8; server_no_context_takeover";
        assert_eq!(accept(offer), Some(Offer { server_forgets: true, ..plain }));
        let offer = "permessage-deflate; client_no_context_takeover";
        assert_eq!(accept(offer), Some(Offer { client_forgets: true, ..plain }));
    }

    #[test]
    fn invalid_offers_are_declined() {
        for offer in [
            "permessage-deflate; server_max_window_bits",
            "permessage-deflate; server_max_window_bits=8",
            "permessage-deflate; server_max_window_bits=16",
            "permessage-deflate; server_max_window_bits=09",
            "permessage-deflate; server_max_window_bits=+9",
            "permessage-deflate; client_max_window_bits=7",
            "permessage-deflate; client_no_context_takeover=1",
            "permessage-deflate; client_no_context_takeover; client_no_context_takeover",
            "permessage-deflate; unheard_of",
            "permessage-deflate;",
            "x-webkit-deflate-frame",
        ] {
            assert_eq!(accept(offer), None, "{offer}");
        }
    }

    #[test]
    fn a_later_offer_stands_in_for_one_that_cannot_be_kept() {
        let mut headers = HeaderMap::new();
        let offers = "permessage-deflate; server_max_window_bits=8, permessage-deflate; server_max_window_bits=9";
        headers.insert(SEC_WEBSOCKET_EXTENSIONS, offers.parse().unwrap_or_else(|_| unreachable!()));
        assert_eq!(first_acceptable(&headers), Some(Offer { window_bits: Some(9), ..Offer::default() }));
    }
}
