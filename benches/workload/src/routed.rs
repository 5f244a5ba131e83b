//! What routing a request costs among few agents and among many, as a person waits for it, without what a process takes to start.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Result, ensure};

use crate::figures::{Figures, median};

/// How many agents the small folder has.
const FEW: usize = 10;

/// How often each is asked: by turns, so that all meet the same neighbours.
const TIMES: usize = 11;

/// What agents are for, so that most of them do not fit.
const TOPICS: [&str; 8] = [
    "DNS zones",
    "Azure",
    "SQL queries",
    "React pages",
    "unit tests",
    "roadmaps",
    "newsletters",
    "firewalls",
];

/// Adds what `route` takes among ten agents and among so many.
pub(crate) fn measure(figures: &mut Figures, reenact: &Path, dir: &Path, agents: usize) -> Result<()> {
    let folder = tempfile::tempdir_in(dir)?;
    let [few, many] = ["few", "many"].map(|name| folder.path().join(name));
    for (work, agents) in [(&few, FEW), (&many, agents)] {
        fs::create_dir_all(work.join("agents"))?;
        for number in 0..agents {
            let topic = TOPICS[number % TOPICS.len()];
            let text = format!(
                "---\nname: agent_{number}\ndescription: Knows {topic} of team {number}\nexpertise: [{topic}]\n---\n\nYou know {topic}, and help team {number} with it.\n"
            );
            fs::write(work.join(format!("agents/agent_{number}.md")), text)?;
        }
    }
    let (mut start, mut of_few, mut of_many) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..TIMES {
        start.push(took_ms(reenact, &few, &["--version"])?);
        of_few.push(took_ms(reenact, &few, &["route", "help me configure Azure DNS records"])?);
        of_many.push(took_ms(reenact, &many, &["route", "help me configure Azure DNS records"])?);
    }
    let (start, of_few, of_many) = (median(start), median(of_few), median(of_many));
    figures.add("route", "few_ms", of_few);
    figures.add("route", "many_ms", of_many);
    figures.add("route", "many_of_few", (of_many - start) / (of_few - start));
    Ok(())
}

fn took_ms(reenact: &Path, work: &Path, verb: &[&str]) -> Result<f64> {
    let mut command = Command::new(reenact);
    command.args(verb).current_dir(work);
    let since = Instant::now();
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
    ensure!(status.success(), "{command:?} ended with {status}");
    Ok(since.elapsed().as_secs_f64() * 1e3)
}
