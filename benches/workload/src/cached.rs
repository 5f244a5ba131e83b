//! Steps that take earlier answers, beside steps that are done: each is a commit, and the one in place of the other may cost twice as
//! much at most.

use std::path::Path;
use std::time::Instant;

use anyhow::{Result, ensure};

use crate::engine::{Engine, sequential, start_of};
use crate::figures::Figures;

/// A run of so many steps after one another: all done, then all taken, by turns, one after the other three times.
pub(crate) async fn steps(figures: &mut Figures, dir: &Path, steps: usize) -> Result<()> {
    let fresh = Engine::start(dir)?;
    let plain = start_of(&sequential(steps))?;
    let cached =
        start_of(&sequential(steps).replace("    agent: work", "    agent: work\n    cache: {ttl: 1h}"))?;
    // Each step's answer is kept from here on.
    fresh.engine.run(cached.clone()).await?;
    let (mut of_plain, mut of_cached) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        for (start, attempts, times) in [(&plain, steps, &mut of_plain), (&cached, 0, &mut of_cached)] {
            let since = Instant::now();
            let run = fresh.engine.run(start.clone()).await?;
            times.push(since.elapsed().as_secs_f64() * 1e6 / steps as f64);
            let state = fresh.engine.system().fold(&run).await?.0;
            ensure!(state.fence().0 == attempts as u64, "{} attempts", state.fence());
        }
    }
    let (plain, cached) = (median(of_plain), median(of_cached));
    figures.add("cached_step", "us", cached);
    figures.add("cached_step", "of_plain", cached / plain);
    fresh.close().await.map(drop)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}
