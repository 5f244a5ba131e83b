//! The content of workflow files: the definition of a workflow, and the meaning of its expressions.
//!
//! - [`retry`]: when a failed attempt is followed by another
//! - [`definition`]: a workflow as its file defines it, checked, with every default filled in
//! - [`chain`]: from a Markdown chain to the same
//! - [`parse`]: from a file's text to a definition, or to everything that is wrong with it
//! - [`input`]: the input of a run, from arguments, checked against its schema
//! - [`schema`]: JSON Schemas
//! - [`expression`]: `{{ … }}` and bare expressions, compiled once
//! - [`template`]: JSON trees whose texts hold expressions
//! - [`scope`]: what expressions see, and which part of it they use
//! - [`dry_run`]: what a run would do, as far as that is known before it starts
//! - [`handoff`]: how an agent hands its work over to another
//! - [`goal`]: how a plan of tasks becomes steps
//! - [`stuck`]: what is asked about an agent that does not get on
//! - [`routing`]: what a request is about, how much work it is, and which agents fit it
//! - `ranking`: how much texts have to do with what is asked
//! - [`conversation`]: what of a conversation matters, in how many words
//! - [`render`]: from a step to the work that an agent gets
//! - [`uses`]: which values a step uses, as its expressions name them
//! - [`work`]: the work that an agent gets; [`estimate`]: what that may cost; [`cache`]: under which key its answer is kept
//! - [`script`]: answers that were written down before; [`suite`]: tests of a workflow
//! - `answer`: what an agent says of its work in its answer
//! - [`envelope`]: messages as agents send them; [`topic`]: what they are about, and who subscribes
//!
//! Behind these: `graph`, what the steps' `needs` say about their order; `pieces`, where the expressions of a
//! text are; `shell`, values in a text for `sh -c`; `json_text`, JSON parsed one level at a time.

pub(crate) mod answer;
pub mod approval;
pub mod cache;
pub mod chain;
pub mod conversation;
pub mod definition;
pub mod dry_run;
pub mod envelope;
pub mod estimate;
pub mod expression;
pub mod goal;
pub mod handoff;
pub mod input;
pub mod parse;
mod phases;
mod ranking;
pub mod render;
pub mod retry;
pub mod routing;
pub mod schema;
pub mod scope;
pub mod script;
pub mod stuck;
pub mod suite;
pub mod template;
pub mod topic;
pub mod turns;
pub mod uses;
pub mod work;

pub(crate) mod graph;
pub(crate) mod json_text;
pub(crate) mod output;
mod pieces;
mod shell;
