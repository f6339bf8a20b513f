//! Jobs on their way to an agent: claimed, handed over, given back, or ended because nobody can have them. Table `jobs`.

pub mod store;
