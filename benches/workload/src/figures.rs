//! Figures, and how they are printed.

use std::collections::BTreeSet;
use std::fmt;

/// All that was measured, in the order in which it came first.
#[derive(Default)]
pub(crate) struct Figures {
    all: Vec<Figure>,
    /// Those that count what may not be there.
    may_be_zero: BTreeSet<(&'static str, &'static str)>,
    /// What the same disk did just before and just after without an engine.
    baseline: Option<f64>,
}

struct Figure {
    name: &'static str,
    metric: &'static str,
    values: Vec<f64>,
}

impl Figures {
    /// Adds what one round measured.
    pub(crate) fn add(&mut self, name: &'static str, metric: &'static str, value: f64) {
        match self.all.iter_mut().find(|figure| figure.name == name && figure.metric == metric) {
            Some(figure) => figure.values.push(value),
            None => self.all.push(Figure { name, metric, values: vec![value] }),
        }
    }

    /// Adds a number of things, of which there may be none.
    pub(crate) fn count(&mut self, name: &'static str, metric: &'static str, count: usize) {
        self.add(name, metric, count as f64);
        self.may_be_zero.insert((name, metric));
    }

    /// Adds what was measured before and after something else, if it was.
    pub(crate) fn beside(
        &mut self,
        name: &'static str,
        metric: &'static str,
        before: Option<f64>,
        after: Option<f64>,
    ) {
        self.baseline = before.zip(after).map(|(before, after)| f64::midpoint(before, after));
        before.into_iter().chain(after).for_each(|value| self.add(name, metric, value));
    }

    /// Adds a value as a part, or a multiple, of what was measured beside it.
    pub(crate) fn compare(&mut self, name: &'static str, metric: &'static str, value: f64) {
        if let Some(baseline) = self.baseline {
            self.add(name, metric, value / baseline);
        }
    }

    /// Whether every figure is a number above zero, but for counts.
    pub(crate) fn are_positive(&self) -> bool {
        let is_count = |figure: &&Figure| self.may_be_zero.contains(&(figure.name, figure.metric));
        let mut measured =
            self.all.iter().filter(|figure| !is_count(figure)).flat_map(|figure| &figure.values);
        !self.all.is_empty() && measured.all(|value| *value > 0.0)
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Figure { name, metric, values } in &self.all {
            let value = median(values.clone());
            let decimals = if value < 100.0 { 2 } else { 0 };
            writeln!(f, "{name:<9} {metric:<17} {value:.decimals$}")?;
        }
        Ok(())
    }
}

/// The one in the middle; of an even number the higher of the two. Of none, 0.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}
