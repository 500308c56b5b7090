//! Exact values: fractions of big integers, bounded in size, with a mark for what had to be rounded.

use num_bigint::BigInt;
use num_integer::Integer;
use num_rational::BigRational;
use num_traits::{One, Signed, ToPrimitive, Zero};

use crate::protocol::{Code, Error};

/// The size of a number, in bits: about 5,000 digits, more than anybody reads, and multiplying two of them takes well
/// under a millisecond.
const MAX_BITS: u64 = 16_610;

/// The largest whole number whose factorial fits into 5,000 digits, rounded down.
const MAX_FACTORIAL: u32 = 1_700;

/// Significant digits of a rounded result: what a pocket calculator shows.
const SIGNIFICANT: usize = 12;

/// The most decimals shown of a number that ends; one with more is rounded.
const MAX_DECIMALS: usize = 60;

/// Decimals that a root is computed to before it is rounded for showing.
const ROOT_DECIMALS: u32 = 50;

/// A number.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Value {
    number: BigRational,
    exact: bool,
}

fn failed(sentence: &str) -> Error {
    Error::new(Code::AgentFailed, sentence)
}

fn too_large() -> Error {
    failed("The result has more than 5,000 digits, which is more than I compute")
}

impl Value {
    /// A number as written: `12`, `0.5`, `1e3`.
    pub(super) fn written(text: &str) -> Result<Self, Error> {
        let not_a_number = || failed("That is not a number I can read").with_details(text.to_owned());
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().map_err(|_| too_large())?),
            None => (text, 0),
        };
        let (whole, decimals) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits: BigInt = format!("0{whole}{decimals}").parse().map_err(|_| not_a_number())?;
        if !mantissa.contains(|c: char| c.is_ascii_digit()) {
            return Err(not_a_number());
        }
        let places = i32::try_from(decimals.len()).map_err(|_| too_large())?;
        let shift = exponent.checked_sub(places).ok_or_else(too_large)?;
        let scale = Self::from(BigInt::from(10)).power(&Self::from(BigInt::from(shift)))?;
        Self::from(digits).times(&scale)
    }

    fn bounded(number: BigRational, exact: bool) -> Result<Self, Error> {
        let fits = number.numer().bits() <= MAX_BITS && number.denom().bits() <= MAX_BITS;
        if fits { Ok(Self { number, exact }) } else { Err(too_large()) }
    }

    pub(super) fn plus(&self, other: &Self) -> Result<Self, Error> {
        Self::bounded(&self.number + &other.number, self.exact && other.exact)
    }

    pub(super) fn minus(&self, other: &Self) -> Result<Self, Error> {
        Self::bounded(&self.number - &other.number, self.exact && other.exact)
    }

    pub(super) fn times(&self, other: &Self) -> Result<Self, Error> {
        Self::bounded(&self.number * &other.number, self.exact && other.exact)
    }

    pub(super) fn over(&self, other: &Self) -> Result<Self, Error> {
        if other.number.is_zero() {
            return Err(failed("Division by zero has no answer"));
        }
        Self::bounded(&self.number / &other.number, self.exact && other.exact)
    }

    /// What is left over, with the sign of the divisor, as on a clock: -17 mod 5 is 3.
    pub(super) fn modulo(&self, other: &Self) -> Result<Self, Error> {
        if other.number.is_zero() {
            return Err(failed("Division by zero has no remainder"));
        }
        let times = (&self.number / &other.number).floor();
        Self::bounded(&self.number - times * &other.number, self.exact && other.exact)
    }

    pub(super) fn negated(&self) -> Self {
        Self { number: -&self.number, exact: self.exact }
    }

    /// The number as a share of a hundred.
    pub(super) fn percent(&self) -> Result<Self, Error> {
        self.over(&Self::from(BigInt::from(100)))
    }

    /// Powers with a whole exponent, or half of one.
    pub(super) fn power(&self, exponent: &Self) -> Result<Self, Error> {
        if exponent.number.denom() == &BigInt::from(2) {
            let doubled = Self { number: &exponent.number * BigInt::from(2), exact: exponent.exact };
            return self.root()?.power(&doubled);
        }
        if !exponent.number.is_integer() {
            return Err(failed("I compute powers with whole exponents and square roots only"));
        }
        let is_unit = self.number.is_zero() || (self.number.is_integer() && self.number.numer().magnitude().is_one());
        let whole = exponent.number.to_integer();
        let steps = if is_unit {
            // 0, 1 and -1 stay what they are however often they are multiplied; only the parity counts.
            2 * i64::from(!whole.is_zero()) + i64::from(whole.is_odd())
        } else {
            whole.magnitude().to_i64().ok_or_else(too_large)?
        };
        if whole.is_negative() && self.number.is_zero() {
            return Err(failed("Zero to a negative power is a division by zero, which has no answer"));
        }
        let bits = self.number.numer().bits().max(self.number.denom().bits()).saturating_sub(1);
        let steps = i32::try_from(steps).map_err(|_| too_large())?;
        if bits.saturating_mul(u64::from(steps.unsigned_abs())) > MAX_BITS {
            return Err(too_large());
        }
        let number = self.number.pow(if whole.is_negative() { -steps } else { steps });
        Self::bounded(number, self.exact && exponent.exact)
    }

    /// The square root: exact where there is an exact one, else to 50 decimals.
    pub(super) fn root(&self) -> Result<Self, Error> {
        if self.number.is_negative() {
            return Err(failed("A negative number has no real square root"));
        }
        let (numer, denom) = (self.number.numer().sqrt(), self.number.denom().sqrt());
        if &(&numer * &numer) == self.number.numer() && &(&denom * &denom) == self.number.denom() {
            return Self::bounded(BigRational::new(numer, denom), self.exact);
        }
        let scale = BigInt::from(10).pow(ROOT_DECIMALS);
        let scaled = (&self.number * &scale * &scale).floor().to_integer();
        Self::bounded(BigRational::new(scaled.sqrt(), scale), false)
    }

    /// 1 × 2 × 3 × … up to the number.
    pub(super) fn factorial(&self) -> Result<Self, Error> {
        if !self.number.is_integer() || self.number.is_negative() {
            return Err(failed("Only whole numbers from 0 have a factorial"));
        }
        let to = self.number.to_integer().to_u32().filter(|to| *to <= MAX_FACTORIAL);
        let to = to.ok_or_else(|| failed("I compute factorials up to that of 1,700, which has 4,756 digits"))?;
        let product = (1..=to).fold(BigInt::one(), |product, factor| product * factor);
        Self::bounded(BigRational::from(product), self.exact)
    }

    /// The number in digits, and whether these are all of it.
    pub(super) fn show(&self) -> (String, bool) {
        let ends = decimals_of(self.number.denom()).filter(|decimals| *decimals <= MAX_DECIMALS);
        match ends.filter(|_| self.exact) {
            Some(decimals) => (self.digits(decimals), true),
            None => {
                let shown = self.digits(self.rounded_decimals());
                (shown, false)
            }
        }
    }

    /// How many decimals make 12 significant digits, at least 2 and at most what the bounds of a number allow.
    fn rounded_decimals(&self) -> usize {
        let whole = self.number.abs().to_integer();
        if !whole.is_zero() {
            return SIGNIFICANT.saturating_sub(whole.to_string().len()).max(2);
        }
        let numer = self.number.numer().magnitude().to_string().len();
        let denom = self.number.denom().magnitude().to_string().len();
        SIGNIFICANT + denom.saturating_sub(numer)
    }

    fn digits(&self, decimals: usize) -> String {
        let scale = BigInt::from(10).pow(u32::try_from(decimals).unwrap_or(u32::MAX));
        let scaled = (self.number.abs() * scale).round().to_integer();
        let padded = format!("{scaled:0>width$}", width = decimals + 1);
        let (whole, fraction) = padded.split_at(padded.len() - decimals);
        let fraction = fraction.trim_end_matches('0');
        let sign = if self.number.is_negative() && !scaled.is_zero() { "-" } else { "" };
        if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
    }
}

impl From<BigInt> for Value {
    fn from(number: BigInt) -> Self {
        Self { number: BigRational::from(number), exact: true }
    }
}

/// How many decimals a fraction with this denominator has; `None`: they do not end.
fn decimals_of(denom: &BigInt) -> Option<usize> {
    let mut rest = denom.clone();
    let mut take = |prime: u8| {
        let mut times = 0;
        while (&rest % prime).is_zero() && times <= MAX_DECIMALS {
            rest /= prime;
            times += 1;
        }
        times
    };
    let decimals = take(2).max(take(5));
    rest.is_one().then_some(decimals)
}
