//! A Markdown chain that is only checked, beside a workflow file in YAML of as many steps.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};

use crate::figures::{Figures, median};

/// How often each is checked, by turns.
const TIMES: usize = 11;

/// Adds how long the program takes to check a chain of so many subtasks, as a part of what a file of as many short steps takes,
/// and of the same workflow as YAML; whole processes.
pub(crate) fn validate(figures: &mut Figures, program: &Path, dir: &Path, subtasks: usize) -> Result<()> {
    if !program.exists() {
        eprintln!("chains are left out: {} is not there", program.display());
        return Ok(());
    }
    let folder = tempfile::tempdir_in(dir)?;
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("agents"))?;
    fs::write(at("agents/worker.md"), "---\nname: worker\ndescription: works\ncommand: [work]\n---\n")?;
    fs::write(at("chain.md"), chain(subtasks))?;
    let mut yaml = "name: steps\nsteps:\n".to_owned();
    for step in 0..subtasks {
        // A String takes all that is written to it.
        let _ = writeln!(yaml, "  - id: step_{step}\n    run: echo {step}");
    }
    fs::write(at("steps.yaml"), yaml)?;
    let run = |verb: &str, file: &str| -> Result<(f64, Vec<u8>)> {
        let since = Instant::now();
        let mut command = Command::new(program);
        command.args([verb, file]).current_dir(folder.path()).stdin(Stdio::null()).stderr(Stdio::piped());
        let ended = command.output().with_context(|| format!("{verb} {file}"))?;
        let took = since.elapsed().as_secs_f64() * 1e3;
        ensure!(ended.status.success(), "{verb} {file}: {}", String::from_utf8_lossy(&ended.stderr));
        Ok((took, ended.stdout))
    };
    fs::write(at("same.yaml"), run("convert", "chain.md")?.1)?;
    let (mut of_chain, mut of_steps, mut of_same) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..TIMES {
        of_steps.push(run("validate", "steps.yaml")?.0);
        of_chain.push(run("validate", "chain.md")?.0);
        of_same.push(run("validate", "same.yaml")?.0);
    }
    let (of_chain, of_steps, of_same) = (median(of_chain), median(of_steps), median(of_same));
    figures.add("chains", "process_ms", of_chain);
    figures.add("chains", "of_steps", of_chain / of_steps);
    figures.add("chains", "of_same", of_chain / of_same);
    Ok(())
}

/// A chain in which each subtask uses what the one before it answered.
fn chain(subtasks: usize) -> String {
    let mut text = "# Chain\n".to_owned();
    for number in 1..=subtasks {
        let input = match number {
            1 => "- `topic`: What it is about".to_owned(),
            _ => format!("- Output from Subtask {0} (`found_{0}`)", number - 1),
        };
        let uses = if number == 1 { "topic".to_owned() } else { format!("found_{}", number - 1) };
        let _ = write!(
            text,
            "\n### Subtask {number}: Part {number}\n\n**Agent**: Worker\n\n**Goal**: Find more\n\n**Input**:\n{input}\n\n\
             **Output**:\n```json\n{{\"found_{number}\": [{{\"what\": \"a thing\", \"sure\": true, \"share\": 0.5}}]}}\n```\n\n\
             **Prompt**:\n```\nYou look for more.\n\nSo far: {{{uses}}}\n\n1. Look closely.\n2. Say how sure you are.\n\n\
             An item:\n   ```json\n   {{\"what\": \"a thing\", \"sure\": true, \"share\": 0.5}}\n   ```\n```\n"
        );
    }
    text
}
