//! Readers of all events, whosever they are: what must see each of them once keeps its place in table `event_readers`,
//! moved in the transaction of what it makes of them. Of all replicas one reads at a time.

pub mod store;
