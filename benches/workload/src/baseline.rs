//! What the disk does without an engine.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Instant;

use anyhow::{Result, anyhow};

use crate::figures::median;

/// About what a step's commit takes on disk.
const RECORD: [u8; 300] = [7; 300];

fn fresh(dir: &Path) -> Result<(tempfile::TempDir, File)> {
    let folder = tempfile::tempdir_in(dir)?;
    let file = OpenOptions::new().create(true).append(true).open(folder.path().join("log"))?;
    Ok((folder, file))
}

/// How long it takes to append a record and sync it, in microseconds: the median.
pub(crate) fn append_p50_us(dir: &Path, appends: usize) -> Result<f64> {
    let (_folder, mut file) = fresh(dir)?;
    let mut took = Vec::with_capacity(appends);
    for _ in 0..appends {
        let since = Instant::now();
        file.write_all(&RECORD)?;
        file.sync_data()?;
        took.push(since.elapsed().as_secs_f64() * 1e6);
    }
    Ok(median(took))
}

/// How many records a second a plain writer makes durable for so many producers, each of which waits for its record
/// before it brings the next: the writer takes all that wait, writes them at once, syncs once, answers all.
pub(crate) fn grouped_per_s(dir: &Path, producers: usize, records: usize) -> Result<f64> {
    let (_folder, mut file) = fresh(dir)?;
    let (queue, waiting) = sync_channel::<([u8; 300], SyncSender<()>)>(producers);
    let each = records.div_ceil(producers);
    let since = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..producers {
            let queue = queue.clone();
            scope.spawn(move || {
                let (answer, answered) = sync_channel(1);
                // An error means that the writer failed, and says so itself.
                (0..each).all(|_| queue.send((RECORD, answer.clone())).is_ok() && answered.recv().is_ok())
            });
        }
        drop(queue);
        let writer = scope.spawn(move || -> Result<()> {
            let (mut bytes, mut answers) = (Vec::new(), Vec::new());
            while let Ok(first) = waiting.recv() {
                for (record, answer) in std::iter::once(first).chain(waiting.try_iter()) {
                    bytes.extend_from_slice(&record);
                    answers.push(answer);
                }
                file.write_all(&bytes)?;
                file.sync_data()?;
                bytes.clear();
                for answer in answers.drain(..) {
                    answer.send(())?;
                }
            }
            Ok(())
        });
        writer.join().map_err(|_| anyhow!("the writer panicked"))?
    })?;
    Ok((each * producers) as f64 / since.elapsed().as_secs_f64())
}
