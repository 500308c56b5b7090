//! What stands in a request's path and query, checked; an error names the field and what was expected there.

use std::future::{Ready, ready};
use std::ops::RangeInclusive;

use actix_web::{FromRequest, HttpRequest, dev};

use callboard_actors::protocol::{Error, id};

use super::error::HttpError;

/// The longest page; more would keep a thread and its memory for long.
pub const MAX_PAGE: u64 = 1000;

/// The longest text to search for, in bytes: a long sentence.
pub const MAX_WORDS: usize = 500;

/// The page that is sent where nobody says how long it is to be.
pub const PAGE: u64 = 50;

/// The query of a request. What nobody asks for, as credentials, is ignored; of a field given twice the first counts.
#[derive(Clone, Debug)]
pub struct Query(String);

impl Query {
    /// How long a page is to be: `limit`.
    pub fn limit(&self) -> Result<usize, Error> {
        let limit = self.number("limit", 1..=MAX_PAGE)?.unwrap_or(PAGE);
        Ok(usize::try_from(limit).unwrap_or(usize::MAX))
    }

    /// A whole number, if it is there.
    pub fn number(&self, field: &str, allowed: RangeInclusive<u64>) -> Result<Option<u64>, Error> {
        let Some(text) = self.text(field) else { return Ok(None) };
        let number = text.parse().ok().filter(|number| allowed.contains(number));
        let expected = || match *allowed.end() {
            u64::MAX => format!("a whole number from {}", allowed.start()),
            most => format!("a whole number from {} to {most}", allowed.start()),
        };
        number.map(Some).ok_or_else(|| Error::invalid(field, &expected()))
    }

    /// An id, if it is there.
    pub fn id(&self, field: &str) -> Result<Option<String>, Error> {
        let Some(text) = self.text(field) else { return Ok(None) };
        id::check_id(field, &text)?;
        Ok(Some(text))
    }

    /// Words to search for, if there are any.
    pub fn words(&self, field: &str) -> Result<Option<String>, Error> {
        match self.text(field).filter(|text| !text.trim().is_empty()) {
            Some(text) if text.len() > MAX_WORDS => {
                Err(Error::invalid(field, &format!("at most {MAX_WORDS} bytes of words")))
            }
            text => Ok(text),
        }
    }

    /// Whether a field is there.
    pub fn has(&self, field: &str) -> bool {
        self.text(field).is_some()
    }

    fn text(&self, field: &str) -> Option<String> {
        let mut fields = form_urlencoded::parse(self.0.as_bytes());
        fields.find(|(name, _)| name == field).map(|(_, value)| value.into_owned())
    }
}

impl FromRequest for Query {
    type Error = HttpError;
    type Future = Ready<Result<Self, HttpError>>;

    fn from_request(req: &HttpRequest, _: &mut dev::Payload) -> Self::Future {
        ready(Ok(Self(req.query_string().to_owned())))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn query(text: &str) -> Query {
        Query(text.to_owned())
    }

    #[test]
    fn a_page_has_its_bounds() {
        assert_eq!(query("").limit().unwrap(), 50);
        assert_eq!(query("key=x&limit=7&limit=9").limit().unwrap(), 7);
        assert_eq!(query("limit=1000").limit().unwrap(), 1000);
        for bad in ["limit=0", "limit=1001", "limit=-1", "limit=", "limit=x", "limit=1.5", "limit=99999999999999999999"]
        {
            let error = query(bad).limit().unwrap_err();
            assert_eq!(error.details, "limit: expected a whole number from 1 to 1000", "{bad}");
        }
        let error = query("before=0").number("before", 1..=u64::MAX).unwrap_err();
        assert_eq!(error.details, "before: expected a whole number from 1");
    }

    #[test]
    fn an_id_is_held_to_the_rule() {
        assert_eq!(query("after=a%3Ab").id("after").unwrap().as_deref(), Some("a:b"));
        assert_eq!(query("before=1").id("after").unwrap(), None);
        for bad in ["after=", "after=a%2Fb", "after=%FF", "after=a%0Ab"] {
            assert!(query(bad).id("after").unwrap_err().details.starts_with("after: expected"), "{bad}");
        }
    }
}
