//! Whether the kernel killed a program because the memory ran out that the control group of this process may have. See
//! cgroups(7): `memory.events` of version 2, `memory.oom_control` of version 1.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::OnceLock;

/// More than either file has.
const BYTES_MAX: usize = 1024;

/// How often the kernel has done that so far; none where nobody can know.
pub(super) fn kills() -> Option<u64> {
    static COUNTER: OnceLock<Option<File>> = OnceLock::new();
    let counter = COUNTER.get_or_init(|| {
        let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let files = places(&groups).into_iter().filter_map(|path| File::open(path).ok());
        files.into_iter().find(|file| read(file).is_some())
    });
    read(counter.as_ref()?)
}

fn read(counter: &File) -> Option<u64> {
    let mut text = [0; BYTES_MAX];
    let count = counter.read_at(&mut text, 0).ok()?;
    parse(std::str::from_utf8(text.get(..count)?).ok()?)
}

fn parse(text: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok())
}

/// The places where the counter may be, by what `/proc/self/cgroup` says: `NUMBER:CONTROLLERS:PATH`. In a container the path
/// may be that outside of it, and its own group is the root of what is mounted.
fn places(groups: &str) -> Vec<PathBuf> {
    let mut places = Vec::new();
    for group in groups.lines() {
        let mut parts = group.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { continue };
        let path = path.trim_start_matches('/');
        let (root, file) = match controllers {
            "" => ("/sys/fs/cgroup", "memory.events"),
            _ if controllers.split(',').any(|name| name == "memory") => {
                ("/sys/fs/cgroup/memory", "memory.oom_control")
            }
            _ => continue,
        };
        places.push(PathBuf::from(root).join(path).join(file));
        places.push(PathBuf::from(root).join(file));
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counter_is_looked_for_where_either_version_has_it() {
        let found = places("4:memory:/a/b\n1:cpu,cpuacct:/x\n0::/c\n");
        let found: Vec<_> = found.iter().map(|path| path.to_str().unwrap()).collect();
        assert_eq!(
            found,
            [
                "/sys/fs/cgroup/memory/a/b/memory.oom_control",
                "/sys/fs/cgroup/memory/memory.oom_control",
                "/sys/fs/cgroup/c/memory.events",
                "/sys/fs/cgroup/memory.events",
            ]
        );
        assert_eq!(parse("oom_kill_disable 0\nunder_oom 0\noom_kill 7\n"), Some(7));
        assert_eq!(parse("low 0\noom 3\noom_kill 2\noom_group_kill 0\n"), Some(2));
        assert_eq!(parse("low 0\n"), None);
    }
}
