//! How far it makes sense to ask the process again that holds a store: it may be ending, or unable to answer.

use std::time::Duration;

use crate::events::problem::{Code, Problem};

/// How often one process may hang up on one question before nobody asks it again. Once it may do so because it ends; more
/// often, what is asked is what it cannot answer.
const HANG_UPS_MAX: u32 = 4;

/// A question that was answered for so long, before the holder hung up, is a new one.
pub(crate) const ASKED_LONG: Duration = Duration::from_secs(60);

/// From the first pause before one process is asked again to the longest. Another process is asked at once: whoever is late
/// finds the store taken again.
const PAUSE: (Duration, Duration) = (Duration::from_millis(25), Duration::from_millis(400));

/// How far it makes sense to ask one process again.
#[derive(Default)]
pub(crate) struct Patience {
    holder: Option<i32>,
    /// How often it has not answered, in a row.
    asked: u32,
    /// How often that process hung up on the question.
    hung_up: u32,
}

impl Patience {
    /// How long to wait before the question is asked again: longer and longer, if the same process did not answer it.
    ///
    /// # Errors
    /// [`Code::HungUp`] when it will hang up again.
    pub(crate) fn again(&mut self, holder: Option<i32>, hung_up: bool) -> Result<Option<Duration>, Problem> {
        if self.holder != holder {
            *self = Self { holder, ..Self::default() };
        }
        self.asked = self.asked.saturating_add(1);
        self.hung_up += u32::from(hung_up);
        if self.hung_up > HANG_UPS_MAX {
            let who = holder.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"));
            let times = self.hung_up;
            let message = format!("{who} holds the store, and hung up {times} times on what it was asked");
            return Err(Problem::new(Code::HungUp, message));
        }
        let Some(doublings) = self.asked.checked_sub(2) else { return Ok(None) };
        let (first, longest) = PAUSE;
        Ok(Some(first.saturating_mul(1 << doublings.min(10)).min(longest)))
    }

    /// How often that process has not answered, in a row.
    pub(crate) const fn asked(&self) -> u32 {
        self.asked
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_process_is_asked_again_with_patience_and_another_at_once() {
        let mut patience = Patience::default();
        assert_eq!(patience.again(Some(1), false), Ok(None));
        assert_eq!(patience.again(Some(1), false), Ok(Some(PAUSE.0)));
        for _ in 0..100 {
            assert!(patience.again(Some(1), false).unwrap().unwrap() <= PAUSE.1);
        }
        for holder in 2..100 {
            assert_eq!(patience.again(Some(holder), true), Ok(None), "each hangs up when it ends");
        }
        let hung_up = (0..HANG_UPS_MAX).filter(|_| patience.again(Some(7), true).is_ok()).count();
        assert_eq!(hung_up, HANG_UPS_MAX as usize);
        assert_eq!(patience.again(Some(7), true).unwrap_err().code, Code::HungUp);
    }
}
