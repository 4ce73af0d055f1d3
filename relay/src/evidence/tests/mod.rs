mod bench;
mod crashes;
mod faults;
mod sessions;
