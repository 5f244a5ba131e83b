//! The data folder, who holds its store, and a quick look into it. Where nobody holds it a private copy is looked into, so
//! that nothing is taken from whoever comes meanwhile.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use super::{Check, Patient};
use crate::api::copy;
use crate::api::door::{Door, NoAnswer};
use crate::api::folder::{is_held, is_store, is_yours};
use crate::api::holder::{self, SOCKETS};
use crate::api::house::{House, OwnAgents};
use crate::api::protocol::{Request, Response};
use crate::config::Config;
use crate::events::problem::Problem;
use crate::events::time::Timestamp;
use crate::text_file;
use crate::views::projections::runs::{RunFilter, RunRow};

/// How long the process that holds the store may take to answer: as long as a verb waits for it.
const ANSWER_WAIT: Duration = Duration::from_secs(5);

/// The largest store that is looked into, in bytes. A look at more is not a quick one.
const LOOKED_BYTES_MAX: u64 = 1024 * 1024 * 1024;

const DATA: &str = "data";
const STORE: &str = "store";
const HOLDER: &str = "holder";

/// Who holds a store.
enum Held {
    /// A process that answers.
    By(Door),
    /// A process that does not.
    InSilence,
    /// Nobody.
    ByNobody,
}

/// Looks at it. Answers also when the newest run was started, if there is one.
pub(super) async fn check(
    data: &Path,
    config: &Config,
    patient: &Patient,
) -> (Vec<Check>, Option<Timestamp>) {
    let mut checks = vec![folder(data, patient)];
    if !is_store(data) || text_file::check_data_folder(data).is_err() {
        return (checks, None);
    }
    let (work_folder, own) = (patient.sources.cwd.clone(), OwnAgents::default());
    let house = House {
        data: data.to_path_buf(),
        config: config.clone(),
        work_folder,
        looks: true,
        own,
        fatal: None,
    };
    let (held, of_holder) = held(&house, patient).await;
    checks.extend(of_holder);
    let newest = match look(&house, held).await {
        Ok(Looked::TooLarge(bytes)) => {
            let says = format!("it has {} GiB: too much for a quick look", bytes / LOOKED_BYTES_MAX);
            checks
                .push(Check::good(STORE, format!("{says}; {} proves it whole", command(patient, "verify"))));
            None
        }
        Ok(Looked::At { damage: Some(damage), .. }) => {
            let hint = format!("{} names the first bad position", command(patient, "verify"));
            checks.push(Check::wrong(STORE, format!("it is damaged: {damage}"), hint));
            None
        }
        Ok(Looked::At { damage: None, newest }) => {
            let says = match &newest {
                Some(row) => format!("it can be read; the newest run is {}, {}", row.run, row.status.text()),
                None => "it can be read, and has no runs yet".to_owned(),
            };
            checks.push(Check::good(
                STORE,
                format!("{says} ({} proves all of it)", command(patient, "verify")),
            ));
            newest.map(|row| row.started_at)
        }
        Ok(Looked::Not) => None,
        Err(problem) => {
            checks.push(Check::problem(STORE, &problem, &patient.call));
            None
        }
    };
    (checks, newest)
}

fn command(patient: &Patient, verb: &str) -> String {
    format!("`{}`", patient.call.command([verb]))
}

/// Whose the data folder is, and who may look into it.
fn folder(data: &Path, patient: &Patient) -> Check {
    let shown = data.display();
    if let Err(problem) = text_file::check_data_folder(data) {
        return Check::problem(DATA, &problem, &patient.call);
    }
    let Ok(found) = fs::metadata(data) else {
        return Check::good(DATA, format!("{shown} is not there yet: the first run makes it"));
    };
    if !is_yours(data) {
        let says = format!("{shown} belongs to the user {}: you can look, and record nothing", found.uid());
        return Check::warning(DATA, says, "call it as that user, or name a folder of your own with --data");
    }
    if found.mode() & 0o077 != 0 {
        let says = format!("others may look into {shown}, which holds all that was said");
        return Check::warning(DATA, says, "the next verb that opens it closes it to them");
    }
    Check::good(DATA, format!("{shown} is yours, and closed to others"))
}

async fn held(house: &House, patient: &Patient) -> (Held, Vec<Check>) {
    let data = &house.data;
    match tokio::time::timeout(ANSWER_WAIT, house.connect()).await {
        Ok(Ok(client)) => {
            let check =
                Check::good(HOLDER, format!("{} holds the store, and answers", holder::holder_of(data)));
            return (Held::By(Door::There(client)), vec![check]);
        }
        Ok(Err(NoAnswer::Problem(problem))) => {
            return (Held::InSilence, vec![Check::problem(HOLDER, &problem, &patient.call)]);
        }
        Ok(Err(NoAnswer::Ending | NoAnswer::Gone)) | Err(_) => {}
    }
    if is_held(data) == Some(true) {
        let says = format!("{} holds the store, and does not answer", holder::holder_of(data));
        let hint = "see what it does (`ps`, `strace -p`), and end it: what it acknowledged is safe";
        return (Held::InSilence, vec![Check::wrong(HOLDER, says, hint)]);
    }
    let mut checks = vec![Check::good(HOLDER, "nobody holds the store")];
    let left =
        SOCKETS.iter().map(|name| data.join(name)).filter(|socket| fs::symlink_metadata(socket).is_ok());
    checks.extend(left.map(|socket| {
        let says = format!("{} was left behind by a process that died", socket.display());
        Check::warning("socket", says, "nothing: the next verb that opens the store takes its place")
    }));
    (Held::ByNobody, checks)
}

/// What was seen of a store.
enum Looked {
    At {
        damage: Option<String>,
        newest: Option<RunRow>,
    },
    TooLarge(u64),
    /// Whoever holds it does not let anybody look.
    Not,
}

async fn look(house: &House, held: Held) -> Result<Looked, Problem> {
    let mut door = match held {
        Held::By(door) => door,
        Held::InSilence => return Ok(Looked::Not),
        Held::ByNobody => match copy::size_bytes(&house.data) {
            bytes @ LOOKED_BYTES_MAX.. => return Ok(Looked::TooLarge(bytes)),
            _ => house.open_to_look().await?,
        },
    };
    let damage = door.damage();
    let newest = Request::List { filter: RunFilter { limit: Some(1), ..RunFilter::default() } };
    let asked = tokio::time::timeout(ANSWER_WAIT, door.ask(&newest, &mut |_| {})).await;
    let newest = match asked {
        Ok(Ok(Response::Runs(rows))) => rows.into_iter().next(),
        Ok(Err(NoAnswer::Problem(problem))) => return Err(problem),
        _ => None,
    };
    door.leave(std::future::ready(())).await?;
    Ok(Looked::At { damage, newest })
}
