//! What a process takes that holds one sleeping run.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::figures::Figures;

const WORKFLOW: &str = "name: sleeping\nsteps:\n  - id: nap\n    sleep: 1h\n";

/// How long the run may take to fall asleep.
const ASLEEP_MAX: Duration = Duration::from_secs(10);

/// Adds the resident memory of `program run` with a run that sleeps.
pub(crate) fn measure(figures: &mut Figures, program: &Path, dir: &Path) -> Result<()> {
    if !program.is_file() {
        eprintln!("sleeping is skipped: {} is not there (cargo build --release)", program.display());
        return Ok(());
    }
    let folder = tempfile::tempdir_in(dir)?;
    let file = folder.path().join("sleeping.yaml");
    fs::write(&file, WORKFLOW)?;
    let data = folder.path().join("data");
    let mut holder = Command::new(program);
    holder.arg("run").arg(&file).arg("--data").arg(&data).current_dir(folder.path());
    let mut holder = holder.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    let resident = asleep(program, &data, folder.path(), &mut holder).and_then(|()| resident_kb(&holder));
    holder.kill()?;
    holder.wait()?;
    figures.add("sleeping", "rss_mb", resident? / 1024.0);
    Ok(())
}

/// Ends when the run sleeps.
fn asleep(program: &Path, data: &Path, cwd: &Path, holder: &mut Child) -> Result<()> {
    let since = Instant::now();
    while since.elapsed() < ASLEEP_MAX {
        if let Some(status) = holder.try_wait()? {
            bail!("the run that should sleep ended with {status}");
        }
        let mut asked = Command::new(program);
        asked.args(["status", "last", "--json", "--data"]).arg(data).current_dir(cwd);
        let told = asked.stderr(Stdio::null()).output()?;
        if String::from_utf8_lossy(&told.stdout).contains("\"waiting\"") {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    bail!("the run does not sleep after {ASLEEP_MAX:?}")
}

/// How much memory a process has in use, in KiB.
pub(crate) fn resident_kb(process: &Child) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{}/status", process.id()))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next()).context("there is no VmRSS")?;
    Ok(number.parse()?)
}
