//! What tokens cost. Money is whole numbers: only a price as a person writes it is a fraction.

use crate::events::run::Tokens;

/// The highest price that is taken, in USD for a million tokens. Nothing costs a hundredth of that: a higher one is a mistake
/// by orders of magnitude, as a price for each token would be.
pub const USD_PER_MILLION_MAX: f64 = 10_000.0;

/// How many tokens a price is for.
const MILLION: u128 = 1_000_000;

/// The prices of a model, in billionths of a US dollar for a million tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Prices {
    /// Of tokens that go in; none until it is set.
    pub input: Option<u64>,
    /// Of tokens that come out; none until it is set.
    pub output: Option<u64>,
    /// Of tokens that go in and were kept by the provider; none for that of the others.
    pub cached: Option<u64>,
}

/// The price that a person writes, in USD for a million tokens, as billionths of a dollar.
///
/// # Errors
/// What it takes, in words.
pub fn of_usd(price: f64) -> Result<u64, String> {
    if !(0.0..=USD_PER_MILLION_MAX).contains(&price) {
        return Err(format!("give it in USD per million tokens, from 0 to {USD_PER_MILLION_MAX}"));
    }
    // Below 10^13, which a fraction of 64 bits holds exactly once it is rounded.
    Ok((price * 1e9).round() as u64)
}

impl Prices {
    /// Whether all is said that has to be.
    ///
    /// # Errors
    /// The key that is missing.
    pub fn check(&self) -> Result<(), &'static str> {
        match (self.input, self.output) {
            (None, _) => Err("input"),
            (_, None) => Err("output"),
            _ => Ok(()),
        }
    }

    /// What these tokens cost, in billionths of a US dollar, rounded up: nothing is spent that is not counted.
    pub fn cost(&self, tokens: Tokens) -> u64 {
        let cached = tokens.cached.min(tokens.input);
        let input = self.input.unwrap_or_default();
        let parts = [
            (tokens.input - cached, input),
            (cached, self.cached.unwrap_or(input)),
            (tokens.output, self.output.unwrap_or_default()),
        ];
        let sum = parts.into_iter().map(|(count, price)| u128::from(count).saturating_mul(u128::from(price)));
        let sum = sum.fold(0_u128, u128::saturating_add);
        u64::try_from(sum.div_ceil(MILLION)).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prices(input: f64, output: f64, cached: Option<f64>) -> Prices {
        let of = |price| of_usd(price).unwrap();
        Prices { input: Some(of(input)), output: Some(of(output)), cached: cached.map(of) }
    }

    #[test]
    fn what_tokens_cost_is_exact_to_the_billionth_and_never_less() {
        let tokens = |input, output, cached| Tokens { input, output, cached };
        let small = prices(0.15, 0.6, Some(0.0375));
        assert_eq!(small.cost(tokens(1_000_000, 0, 0)), 150_000_000);
        assert_eq!(small.cost(tokens(0, 1, 0)), 600);
        // 37.5 billionths for a cached token: half a billionth is counted as a whole one.
        assert_eq!(small.cost(tokens(1, 0, 1)), 38);
        assert_eq!(small.cost(tokens(3, 2, 1)), 2 * 150 + 38 + 2 * 600);
        assert_eq!(prices(0.15, 0.6, None).cost(tokens(2, 0, 2)), 300, "cached ones cost what others do");
        assert_eq!(small.cost(tokens(1, 0, 5)), 38, "no more were kept than went in");
        assert_eq!(prices(0.0, 0.0, None).cost(tokens(u64::MAX, u64::MAX, 0)), 0);
        assert_eq!(prices(10_000.0, 10_000.0, None).cost(tokens(u64::MAX, u64::MAX, 0)), u64::MAX);
    }

    #[test]
    fn prices_that_cannot_be_meant_are_refused() {
        for absurd in [-0.01, 10_000.01, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert!(of_usd(absurd).is_err(), "{absurd}");
        }
        assert_eq!(of_usd(0.15), Ok(150_000_000));
    }
}
