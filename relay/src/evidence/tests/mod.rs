mod bench;
mod clocks;
mod completeness;
mod crashes;
mod faults;
mod sessions;
mod twins;
