//! The disk below a data folder: how much room there is, and how long a sync takes. All that is written is a file without a
//! name, which nobody can see and which goes with this process.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::{Access, CWD, Mode, OFlags, StatVfsMountFlags, access, openat, statfs, statvfs};

use super::Check;

const MIB: u64 = 1024 * 1024;

/// With less no run comes far.
const FREE_MIN: u64 = 64 * MIB;

/// With less somebody should make room in time.
const FREE_LOW: u64 = 1024 * MIB;

/// With fewer files left somebody should look: each run has some.
const FILES_LOW: u64 = 1000;

/// How often a sync is measured: the median of few is not that of the one that happened to be slow.
const SYNCS: usize = 11;

/// What each of them writes: about what a commit has.
const WRITTEN: [u8; 4096] = [b'.'; 4096];

/// A step costs a sync or two. Slower is slow for a chain of short steps, and nothing worse.
const SLOW: Duration = Duration::from_millis(20);

/// File systems that lie in memory: tmpfs and ramfs.
const IN_MEMORY: [u64; 2] = [0x0102_1994, 0x8584_58f6];

/// File systems of other machines: NFS, SMB (of three ages) and 9P. Their locks and syncs may be less than they say.
const REMOTE: [u64; 5] = [0x6969, 0x517b, 0xff53_4d42, 0xfe53_4d42, 0x0102_1997];

pub(super) fn check(data: &Path) -> Vec<Check> {
    // Where it will lie, if it is not there yet.
    let Some(folder) = data.ancestors().find(|above| above.is_dir()) else {
        return vec![Check::wrong(
            "disk",
            format!("no folder above {} can be read", data.display()),
            "check the path",
        )];
    };
    let mut checks = vec![room(folder)];
    if access(folder, Access::WRITE_OK | Access::EXEC_OK).is_ok() {
        checks.push(sync(folder));
    }
    checks
}

/// How much room there is, and whether it can be used.
fn room(folder: &Path) -> Check {
    let (name, shown) = ("disk", folder.display());
    let found = match statvfs(folder) {
        Ok(found) => found,
        Err(error) => {
            return Check::wrong(name, format!("{shown} cannot be looked at: {error}"), "check the path");
        }
    };
    if found.f_flag.contains(StatVfsMountFlags::RDONLY) {
        let hint = "mount it for writing, or name another folder with --data or REENACT_DATA";
        return Check::wrong(name, format!("{shown} lies in a file system that is read only"), hint);
    }
    if access(folder, Access::WRITE_OK | Access::EXEC_OK).is_err() {
        let hint = "check its owner and its permissions, or name another folder with --data or REENACT_DATA";
        return Check::wrong(name, format!("you cannot write to {shown}"), hint);
    }
    let free = found.f_bavail.saturating_mul(found.f_frsize);
    let left = format!("{} are free for {shown}", size(free));
    let make_room =
        "make room: `reenact` stops when it can write no more, and loses nothing of what it acknowledged";
    match free {
        ..FREE_MIN => Check::wrong(name, left, make_room),
        FREE_MIN..FREE_LOW => Check::warning(name, left, make_room),
        // Some file systems count no files.
        _ if found.f_files > 0 && found.f_favail < FILES_LOW => Check::warning(
            name,
            format!("no more than {} files can be made below {shown}", found.f_favail),
            make_room,
        ),
        _ => Check::good(name, left),
    }
}

fn size(bytes: u64) -> String {
    let mib = bytes / MIB;
    if mib >= 10 * 1024 { format!("{} GiB", mib / 1024) } else { format!("{mib} MiB") }
}

/// How long a sync takes, in a file system that keeps what it is given.
fn sync(folder: &Path) -> Check {
    let (name, shown) = ("sync", folder.display());
    let kind = statfs(folder).map_or(0, |found| found.f_type.cast_unsigned() & 0xffff_ffff);
    if IN_MEMORY.contains(&kind) {
        let hint = "name a folder on a disk with --data or REENACT_DATA, if runs are to survive that";
        return Check::warning(
            name,
            format!("{shown} lies in memory: what is there does not survive a power cut"),
            hint,
        );
    }
    if REMOTE.contains(&kind) {
        let hint =
            "name a folder on a disk of this machine, unless you know that it syncs and locks as it says";
        return Check::warning(name, format!("{shown} lies in the file system of another machine"), hint);
    }
    match median(folder) {
        Ok(median) => {
            let ms = median.as_secs_f64() * 1000.0;
            let says = format!("a sync takes {ms:.2} ms (the median of {SYNCS})");
            match median >= SLOW {
                true => {
                    Check::warning(name, says, "each step waits for one or two: a faster disk is what helps")
                }
                false => Check::good(name, says),
            }
        }
        Err(error) => {
            let says = format!("how long a sync takes cannot be measured in {shown}: {error}");
            Check::warning(name, says, "name a folder on a disk of this machine, if steps seem slow")
        }
    }
}

fn median(folder: &Path) -> std::io::Result<Duration> {
    let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
    let mut file = File::from(openat(CWD, folder, flags, Mode::RUSR | Mode::WUSR)?);
    let mut took = Vec::with_capacity(SYNCS);
    for _ in 0..SYNCS {
        file.write_all(&WRITTEN)?;
        let since = Instant::now();
        file.sync_data()?;
        took.push(since.elapsed());
    }
    took.sort_unstable();
    Ok(took.get(SYNCS / 2).copied().unwrap_or_default())
}
