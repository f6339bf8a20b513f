//! What happened, for people and programs.

pub mod events;
