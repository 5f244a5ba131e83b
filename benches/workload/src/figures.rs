//! Figures, and how they are printed.

use std::fmt;

/// All that was measured, in the order in which it came first.
#[derive(Default)]
pub(crate) struct Figures(Vec<Figure>);

struct Figure {
    name: &'static str,
    metric: &'static str,
    values: Vec<f64>,
}

impl Figures {
    /// Adds what one round measured.
    pub(crate) fn add(&mut self, name: &'static str, metric: &'static str, value: f64) {
        match self.0.iter_mut().find(|figure| figure.name == name && figure.metric == metric) {
            Some(figure) => figure.values.push(value),
            None => self.0.push(Figure { name, metric, values: vec![value] }),
        }
    }

    /// Adds what was measured before and after something else, and answers what to compare that with.
    pub(crate) fn beside(
        &mut self,
        name: &'static str,
        metric: &'static str,
        before: f64,
        after: f64,
    ) -> f64 {
        self.add(name, metric, before);
        self.add(name, metric, after);
        f64::midpoint(before, after)
    }

    /// Whether every figure is a number above zero.
    pub(crate) fn are_positive(&self) -> bool {
        !self.0.is_empty() && self.0.iter().flat_map(|figure| &figure.values).all(|value| *value > 0.0)
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Figure { name, metric, values } in &self.0 {
            let value = median(values.clone());
            let decimals = if value < 100.0 { 2 } else { 0 };
            writeln!(f, "{name:<9} {metric:<16} {value:.decimals$}")?;
        }
        Ok(())
    }
}

/// The one in the middle; of an even number the higher of the two. Of none, 0.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}
