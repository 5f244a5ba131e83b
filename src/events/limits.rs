//! How long what is stored may be: one table, for the code that writes and the code that reads.
//! `docs/limits.md` says the same for people.
//!
//! What cannot be read back is never written: each bound is checked before anything is stored, and whatever
//! reads takes at least as much, also of what earlier versions wrote without such a bound. Reading takes no
//! more memory than a small multiple of the bytes that are there, whatever length they claim.
//!
//! | what | bound | what is beyond it |
//! |---|---|---|
//! | a commit | [`COMMIT_BYTES_MAX`] | is refused; its run is parked. Read is whatever was stored |
//! | what one fan-out adds to a commit | [`FAN_OUT_BYTES_MAX`] | its step fails |
//! | commands decided in one commit | until it has [`COMMIT_BYTES_FULL`] | the others are decided in the next |
//! | a blob | [`BLOB_BYTES_MAX`] | is refused with its commit; a longer file is damaged |
//! | a blob in the tree | [`TREE_BLOB_BYTES_MAX`] | is a file of its own |
//! | a value in the tree | [`VALUE_BYTES_MAX`] | is stored in parts |
//! | a snapshot | [`SNAPSHOT_BYTES_MAX`] | is not taken |
//! | the name of a stream | [`STREAM_NAME_BYTES_MAX`] | is refused |
//! | the key and the row of a read model | [`VIEW_KEY_BYTES_MAX`], [`VIEW_ROW_BYTES_MAX`] | are refused; rows of runs are cut |
//! | a value of a shared context | [`CONTEXT_VALUE_BYTES_MAX`] | is refused |
//! | keys of a shared context, of locks that are held at once, who waits for one | [`CONTEXT_KEYS_MAX`], [`CONTEXT_LOCKS_MAX`], [`LOCK_WAITERS_MAX`] | are refused |
//! | a turn of a conversation, turns that are added at once, tokens of a window | [`TURN_BYTES_MAX`], [`TURNS_ADDED_MAX`], [`WINDOW_TOKENS_MAX`] | are refused |
//! | the body of a message, messages of one attempt | [`MESSAGE_BODY_BYTES_MAX`], [`MESSAGES_SENT_MAX`] | the attempt fails |
//! | messages that nobody hears, said while an attempt goes on | [`UNHEARD_MAX`] | are refused |
//! | messages that wait, for one receiver and in a run | [`MAILBOX_MAX`], [`MESSAGES_WAITING_MAX`] | the attempt fails, and may be made again |
//! | what one attempt is given of them | [`MESSAGES_GIVEN_MAX`], [`MESSAGES_GIVEN_BYTES_MAX`] | the others wait for the next |
//! | dead messages that can be sent again | [`DEAD_MESSAGES_MAX`] | the oldest can only be looked at |
//! | how long a lock is granted | [`LEASE_MAX`] | is refused |
//! | the answer to a task | [`TASK_ANSWER_BYTES_MAX`] | is refused while it is read |
//! | how long somebody has a task | [`TASK_LEASE_MAX`] | is refused |
//! | name and tags of a run, in its row | [`RUN_LABELS_BYTES_MAX`] | are refused before the run starts |
//! | subtasks of a Markdown chain, variables of one, their names, and how often they are used | [`CHAIN_SUBTASKS_MAX`], [`CHAIN_VARIABLES_MAX`], [`CHAIN_VARIABLE_CHARS_MAX`], [`CHAIN_USES_MAX`] | the chain is refused |

use std::time::Duration;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// The longest commit that is stored, in bytes. A commit is in memory several times while it is stored, and
/// is read as a whole. A hundred thousand items, which is as far as a run fans out by default, fit in with
/// room for what follows from them at once.
pub const COMMIT_BYTES_MAX: usize = 192 * MIB;

/// How much the items of fan-outs may add to one commit, in bytes: half of it, because each item may
/// bring one more event.
pub const FAN_OUT_BYTES_MAX: usize = COMMIT_BYTES_MAX / 2;

/// From this length on, in bytes, no further command is decided in a commit: those that wait go into the
/// next. So only a single decision can ever be too long.
pub const COMMIT_BYTES_FULL: usize = MIB;

/// The longest blob, in bytes. More than any machine should hold in memory at once; a file that is longer
/// than this was not written as a blob.
pub const BLOB_BYTES_MAX: u64 = 4 * 1024 * MIB as u64;

/// The longest blob that is kept in the tree, in bytes. A longer one is a file.
pub const TREE_BLOB_BYTES_MAX: usize = 64 * KIB;

/// The longest value in the tree, in bytes: longer pages go to files that sled never syncs.
pub const VALUE_BYTES_MAX: usize = 4 * KIB;

/// The longest snapshot, in bytes: reading one must not take longer than folding the events again.
pub const SNAPSHOT_BYTES_MAX: usize = 32 * MIB;

/// The longest name of a stream, in bytes. It is part of keys. A run's id has at most 64 bytes, so this
/// leaves room for what is to come.
pub const STREAM_NAME_BYTES_MAX: usize = 512;

/// The longest key of a row of a read model, in bytes. Keys are ids.
pub const VIEW_KEY_BYTES_MAX: usize = 256;

/// The longest row of a read model, in bytes. Rows are summaries.
pub const VIEW_ROW_BYTES_MAX: usize = VALUE_BYTES_MAX;

/// How long the name of a workflow and the tags of a run may be together, in bytes of JSON: with them its row
/// in the list of runs is no longer than a row may be.
pub const RUN_LABELS_BYTES_MAX: usize = 3 * KIB;

/// The longest value of a shared context, in bytes of JSON. What is longer is a file's: a context is read as a whole.
pub const CONTEXT_VALUE_BYTES_MAX: usize = MIB;

/// How many keys a shared context has, those counted that were removed: their versions are remembered, so that no version of a
/// key ever means two values. The state holds them all, some 5 MB at most.
pub const CONTEXT_KEYS_MAX: usize = 10_000;

/// How many locks of a shared context are held at once.
pub const CONTEXT_LOCKS_MAX: usize = 1_024;

/// How many wait for one lock. Who comes after them is told so at once, and need not wait in vain.
pub const LOCK_WAITERS_MAX: usize = 1_024;

/// How long a lock is granted at most before it is renewed: whoever waits for one whose holder is dead waits for that.
pub const LEASE_MAX: Duration = Duration::from_secs(24 * 3_600);

/// How long somebody has a task who does not say for how long: people forget that they took one, and nobody else does it meanwhile.
pub const TASK_LEASE: Duration = Duration::from_secs(30 * 60);

/// How long somebody has a task at most before they say that they go on with it: as long as somebody may be away for whom it
/// is done.
pub const TASK_LEASE_MAX: Duration = Duration::from_secs(30 * 24 * 3_600);

/// The longest answer to a task, in bytes: as much as a program may write.
pub const TASK_ANSWER_BYTES_MAX: usize = 8 * MIB;

/// The longest JSON that such an answer becomes, in bytes: in a text each byte may be written as six.
pub const TASK_ANSWER_JSON_BYTES_MAX: usize = 6 * TASK_ANSWER_BYTES_MAX + KIB;

/// How many handoffs a chain of agents may have, unless it is configured otherwise.
pub const CHAIN_HANDOFFS: u32 = 5;

/// How many steps the fan-outs of one run may add, unless it is configured otherwise.
pub const RUN_ITEMS: u32 = 100_000;

/// The longest turn of a conversation, in bytes of text. What is longer is a file's: no model reads it at once.
pub const TURN_BYTES_MAX: usize = MIB;

/// How many turns are added to a conversation at once: they are in one commit.
pub const TURNS_ADDED_MAX: usize = 100;

/// The smallest window of a conversation, in tokens: a question, an answer and a summary fit in.
pub const WINDOW_TOKENS_MIN: u32 = 100;

/// The largest window of a conversation, in tokens: more than models read. The state names all turns in it, some 10 MB at most
/// for turns of an ordinary length.
pub const WINDOW_TOKENS_MAX: u32 = 1_000_000;

/// How many of the last turns of a conversation may be kept from being compressed.
pub const WINDOW_KEEP_LAST_MAX: u32 = 10_000;

/// The longest body of a message, in bytes of JSON: as much as is stored without a file of its own. What is longer is a file's.
pub const MESSAGE_BODY_BYTES_MAX: usize = TREE_BLOB_BYTES_MAX;

/// How many messages one attempt sends: they are in one commit.
pub const MESSAGES_SENT_MAX: usize = 1_000;

/// How many messages that nobody hears one attempt or one delivery sends while it goes on. Those that somebody hears are bounded by mailboxes.
pub const UNHEARD_MAX: u32 = 10_000;

/// How many messages wait for one receiver. Who sends it more has to wait until some are handled.
pub const MAILBOX_MAX: usize = 10_000;

/// How many messages wait in a run, counted once for each receiver. The state holds them all, some 50 MB at most.
pub const MESSAGES_WAITING_MAX: usize = 100_000;

/// How many messages one attempt is given, so that what it handles is one commit.
pub const MESSAGES_GIVEN_MAX: usize = 100;

/// How much the bodies of the messages that one attempt is given have together, in bytes. A first one is always given.
pub const MESSAGES_GIVEN_BYTES_MAX: usize = 256 * KIB;

/// How many attempts that are given a message may end without success before it is dead.
pub const MESSAGE_TRIES_MAX: u32 = 5;

/// How many dead messages of a run can be sent again. The state holds them, some 5 MB at most.
pub const DEAD_MESSAGES_MAX: usize = 10_000;

/// The longest word by which messages belong together, and the longest name of a type, in bytes.
pub const MESSAGE_WORDS_BYTES_MAX: usize = 200;

/// How many subtasks a Markdown chain has. A person who writes more than a few dozen of them by hand writes a program.
pub const CHAIN_SUBTASKS_MAX: usize = 1_000;

/// How many variables one subtask of a chain declares to use, or to answer.
pub const CHAIN_VARIABLES_MAX: usize = 256;

/// The longest name of a variable of a chain, in characters: as long as the id of a step.
pub const CHAIN_VARIABLE_CHARS_MAX: usize = 64;

/// How often the prompts of a chain use variables, together: each use is an expression that is compiled.
pub const CHAIN_USES_MAX: usize = 10_000;

/// The greatest number of tokens that a limit or a report says: what is more is a slip, and programs that read JSON into floats
/// could not tell it from the next.
pub const TOKENS_MAX: u64 = 1_000_000_000_000_000;

/// The greatest number of calls that one attempt reports: as many as a limit may be.
pub const CALLS_MAX: u64 = u32::MAX as u64;
