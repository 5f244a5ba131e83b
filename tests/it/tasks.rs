//! Work that is handed out to people and programs outside: with the real binary, from a program, by many at once, and with a
//! crash at each moment.

mod crashes;
mod verbs;
mod workers;
