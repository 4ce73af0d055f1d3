mod bench;
mod completeness;
mod crashes;
mod faults;
mod sessions;
