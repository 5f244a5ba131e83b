//! What looking costs, as a person waits for it: whole processes, their start included.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Result, ensure};
use reenact::events::ids::StreamId;
use reenact::events::time::Timestamp;

use crate::engine::{Engine, SLOTS, fan_out, register, start_of};
use crate::figures::{Figures, median};
use crate::past;
use crate::restart::{SLEEPS, list_anew, record};

/// How many runs the short list has.
const FEW: usize = 100;

/// How often each is looked at: by turns, so that both meet the same neighbours.
const TIMES: usize = 11;

/// How much is looked at.
#[derive(Clone, Copy)]
pub(crate) struct Size {
    /// Runs in the long list.
    pub(crate) listed: usize,
    /// Steps of the run that is shown.
    pub(crate) steps: usize,
    /// Runs of a thousand events that are folded beside it.
    pub(crate) folded: usize,
}

/// Adds what the first page of a long list takes beside that of a short one, and what a long run takes to be shown beside what
/// folding as many events takes.
pub(crate) async fn measure(figures: &mut Figures, reenact: &Path, dir: &Path, size: Size) -> Result<()> {
    let folder = tempfile::tempdir_in(dir)?;
    let [few, many] = ["few", "many"].map(|name| folder.path().join(name));
    for (data, runs) in [(&few, FEW), (&many, size.listed)] {
        record(data, 0..runs, SLEEPS, |number| Timestamp(1_700_000_000_000_000 + number as i64)).await?;
        list_anew(data).await?;
    }
    let (mut of_few, mut of_many) = (Vec::new(), Vec::new());
    for _ in 0..TIMES {
        of_few.push(took_ms(reenact, &few, &["list"])?);
        of_many.push(took_ms(reenact, &many, &["list"])?);
    }
    let (of_few, of_many) = (median(of_few), median(of_many));
    figures.add("looks", "list_few_ms", of_few);
    figures.add("looks", "list_many_ms", of_many);
    figures.add("looks", "list_many_of_few", of_many / of_few);

    let long = folder.path().join("long");
    let engine = Engine::open(&long, SLOTS, register)?;
    let run = engine.run(start_of(&fan_out(size.steps))?).await?;
    let head = engine.system().store().head(&StreamId::of_run(&run)).await?;
    let events = head.map_or(0, |head| head.version.0);
    engine.shut_down().await?;
    let rate = past::fold(dir, size.folded).await?.events_per_s();
    let looks = (0..TIMES).map(|_| took_ms(reenact, &long, &["status", run.as_str()]));
    let status = median(looks.collect::<Result<Vec<_>>>()?);
    figures.add("looks", "status_events", events as f64);
    figures.add("looks", "status_ms", status);
    figures.add("looks", "status_of_r1", status / (events as f64 / rate * 1e3));
    Ok(())
}

fn took_ms(reenact: &Path, data: &Path, verb: &[&str]) -> Result<f64> {
    let mut command = Command::new(reenact);
    command.arg("--data").arg(data).args(verb).current_dir(data);
    let since = Instant::now();
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
    ensure!(status.success(), "{command:?} ended with {status}");
    Ok(since.elapsed().as_secs_f64() * 1e3)
}
