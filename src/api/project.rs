//! New projects: a workflow with what belongs to it, from a template. The templates are files of the sources, below
//! `templates`, and built into the program.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::events::problem::{Code, Problem, Remedy};

/// A project to begin with.
#[derive(Debug, Clone, Copy)]
pub struct Template {
    /// Its name, which is that of its folder in the sources.
    pub name: &'static str,
    /// What it shows, in a line.
    pub shows: &'static str,
    /// The path and the content of each of its files. The first is its workflow.
    files: &'static [(&'static str, &'static str)],
}

/// The files of a template, which lie in the folder of that name; and perhaps some of the agents that come with the program,
/// which are put into `agents`.
macro_rules! files {
    ($folder:literal: $($path:literal),+ $(, agents: $($agent:literal),+)? $(,)?) => {
        &[
            $(($path, include_str!(concat!("../../templates/", $folder, "/", $path))),)+
            $($((concat!("agents/", $agent), include_str!(concat!("../../config/agents/", $agent))),)+)?
        ]
    };
}

/// All templates.
pub const TEMPLATES: &[Template] = &[
    Template {
        name: "pipeline",
        shows: "steps that go on where they were, after a crash and after a failure",
        files: files!("pipeline": "pipeline.yaml", "data/orders.csv"),
    },
    Template {
        name: "empty",
        shows: "one step, to write the rest yourself",
        files: files!("empty": "hello.yaml"),
    },
    Template {
        name: "release",
        shows: "build, test, publish and announce a version, or leave no trace of it",
        files: files!("release": "release.yaml", "src/greeting.txt"),
    },
    Template {
        name: "approval",
        shows: "a step that waits until a person has been through a checklist",
        files: files!("approval": "approval.yaml"),
    },
    Template {
        name: "fan-out",
        shows: "a step for each file of a folder, some at a time",
        files: files!("fan-out": "fan-out.yaml", "data/sea.txt", "data/times.txt", "data/woods.txt"),
    },
    Template {
        name: "agents",
        shows: "agents that write, review and publish, to be tried without a model",
        files: files!(
            "agents": "notes.yaml",
            "agents/writer.md",
            "agents/writer.answers.yaml",
            "agents/reviewer.md",
            "agents/reviewer.answers.yaml",
            "agents/publisher.md",
            "bin/publish",
        ),
    },
    Template {
        name: "team",
        shows: "a manager and eight specialists who hand over to each other, to be tried without a model",
        files: files!(
            "team": "team.yaml",
            "reenact.toml",
            "bin/stand-in",
            agents:
                "manager.md",
                "backend_engineer.md",
                "search_engineer.md",
                "ai_engineer.md",
                "frontend_engineer.md",
                "devops_engineer.md",
                "qa_engineer.md",
                "security_reviewer.md",
                "docs_writer.md",
        ),
    },
    Template {
        name: "saga",
        shows: "bookings that are all made, or all taken back",
        files: files!("saga": "trip.yaml"),
    },
    Template {
        name: "audit",
        shows: "an audit, its findings and a plan to move, by a Markdown chain",
        files: files!(
            "audit": "audit.md",
            "answers.yaml",
            "agents/estate_surveyor.md",
            "agents/risk_analyst.md",
            "agents/migration_planner.md",
        ),
    },
    Template {
        name: "incident",
        shows: "an incident from triage to lessons, by a chain in which an agent hands over",
        files: files!(
            "incident": "incident.md",
            "answers.yaml",
            "agents/incident_commander.md",
            "agents/incident_engineer.md",
            "agents/database_specialist.md",
        ),
    },
    Template {
        name: "cost-review",
        shows: "what something costs, and what can be saved, by a chain",
        files: files!(
            "cost-review": "cost-review.md",
            "answers.yaml",
            "agents/cost_analyst.md",
            "agents/finance_partner.md",
        ),
    },
    Template {
        name: "security-review",
        shows: "whether a change may go out, by a chain",
        files: files!(
            "security-review": "security-review.md",
            "answers.yaml",
            "agents/threat_modeller.md",
            "agents/security_reviewer.md",
        ),
    },
    Template {
        name: "onboarding",
        shows: "a new customer, from needs to a letter, by a chain",
        files: files!(
            "onboarding": "onboarding.md",
            "answers.yaml",
            "agents/account_manager.md",
            "agents/onboarding_engineer.md",
        ),
    },
    Template {
        name: "data-quality",
        shows: "what records are like, and what mends them, by a chain",
        files: files!(
            "data-quality": "data-quality.md",
            "answers.yaml",
            "agents/data_steward.md",
            "agents/quality_auditor.md",
        ),
    },
    Template {
        name: "release-notes",
        shows: "notes of a release, sorted, written and read, by a chain",
        files: files!(
            "release-notes": "release-notes.md",
            "answers.yaml",
            "agents/release_editor.md",
            "agents/technical_writer.md",
        ),
    },
    Template {
        name: "goal",
        shows: "a goal for the web: intake, a plan of tasks, its approval, and a team that does them",
        files: files!(
            "goal": "goal.yaml",
            "reenact.toml",
            "bin/worker",
            "agents/manager.md",
            "agents/manager.answers.yaml",
            "agents/analyst.md",
            "agents/web_developer.md",
            "agents/tester.md",
            "agents/writer.md",
        ),
    },
    Template {
        name: "goal-cli",
        shows: "a goal for a command line: intake, a plan of tasks, its approval, and a team that does them",
        files: files!(
            "goal-cli": "goal.yaml",
            "reenact.toml",
            "bin/worker",
            "agents/manager.md",
            "agents/manager.answers.yaml",
            "agents/analyst.md",
            "agents/cli_developer.md",
            "agents/tester.md",
            "agents/writer.md",
        ),
    },
    Template {
        name: "goal-library",
        shows: "a goal for a library: intake, a plan of tasks, its approval, and a team that does them",
        files: files!(
            "goal-library": "goal.yaml",
            "reenact.toml",
            "bin/worker",
            "agents/manager.md",
            "agents/manager.answers.yaml",
            "agents/analyst.md",
            "agents/library_developer.md",
            "agents/tester.md",
            "agents/writer.md",
        ),
    },
];

/// The name of the template for who names none: the shortest that shows what Reenact is for.
pub const DEFAULT_TEMPLATE: &str = "pipeline";

impl Template {
    /// The template of that name.
    pub fn named(name: &str) -> Option<&'static Self> {
        TEMPLATES.iter().find(|template| template.name == name)
    }

    /// The template of that name for a project of that type, where it has some: `goal` for a web page, a command or a library.
    pub fn of_type(name: &str, kind: &str) -> Option<&'static Self> {
        match (name, kind) {
            ("goal", "web") => Self::named("goal"),
            ("goal", "cli" | "library") => Self::named(&format!("{name}-{kind}")),
            _ => None,
        }
    }

    /// The file of its workflow.
    pub fn workflow(&self) -> &'static str {
        self.paths().next().unwrap_or_default()
    }

    /// The paths of its files, in the folder of the project.
    pub fn paths(&self) -> impl Iterator<Item = &'static str> {
        self.files.iter().map(|(path, _)| *path)
    }

    /// Writes all of its files below a folder, which is made if it is not there; or none of them.
    ///
    /// # Errors
    /// [`Code::InTheWay`] with all that is there already; [`Code::FileNotMade`] for what cannot be written.
    pub fn write(&self, folder: &Path) -> Result<(), Problem> {
        let in_the_way = self.in_the_way(folder)?;
        if !in_the_way.is_empty() {
            let all: Vec<_> = in_the_way.iter().map(|path| format!("`{}`", path.display())).collect();
            let message = format!("nothing was written, because this is there already: {}", all.join(", "));
            return Err(Problem::new(Code::InTheWay, message));
        }
        let mut made = Made::default();
        self.files.iter().try_for_each(|(path, content)| made.file(&folder.join(path), content))
    }

    /// What there is in the place of its files, and of the folders that they lie in.
    fn in_the_way(&self, folder: &Path) -> Result<Vec<PathBuf>, Problem> {
        let mut found = Vec::new();
        for path in self.paths().map(|path| folder.join(path)) {
            let no_folder =
                path.ancestors().skip(1).find(|above| above.exists()).filter(|above| !above.is_dir());
            match no_folder {
                Some(above) if found.iter().any(|known| known == above) => {}
                Some(above) => found.push(above.to_path_buf()),
                None => match fs::symlink_metadata(&path) {
                    Ok(_) => found.push(path),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => return Err(not_made(&path, &error)),
                },
            }
        }
        Ok(found)
    }
}

/// Everything that was made so far. It is taken away again unless all of it could be made.
#[derive(Default)]
struct Made {
    folders: Vec<PathBuf>,
    files: Vec<PathBuf>,
}

impl Made {
    fn file(&mut self, path: &Path, content: &str) -> Result<(), Problem> {
        self.try_file(path, content).map_err(|error| {
            // What cannot be removed either is named by the message, or is an empty folder.
            self.files.drain(..).for_each(|file| drop(fs::remove_file(file)));
            self.folders.drain(..).rev().for_each(|folder| drop(fs::remove_dir(folder)));
            not_made(path, &error)
        })
    }

    fn try_file(&mut self, path: &Path, content: &str) -> io::Result<()> {
        let missing =
            path.ancestors().skip(1).take_while(|above| !above.as_os_str().is_empty() && !above.exists());
        let missing: Vec<_> = missing.map(Path::to_path_buf).collect();
        for folder in missing.into_iter().rev() {
            fs::create_dir(&folder)?;
            self.folders.push(folder);
        }
        // Somebody may have made it since it was looked for.
        let mut file = File::create_new(path)?;
        self.files.push(path.to_path_buf());
        file.write_all(content.as_bytes())
    }
}

fn not_made(path: &Path, error: &io::Error) -> Problem {
    let message = format!("`{}` cannot be written, and nothing of it was: {error}", path.display());
    let problem = Problem::new(Code::FileNotMade, message);
    match error.kind() {
        io::ErrorKind::AlreadyExists => {
            problem.hint(Remedy::plain("somebody made it meanwhile: look at it first"))
        }
        _ => problem,
    }
}
