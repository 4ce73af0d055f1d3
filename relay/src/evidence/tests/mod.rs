mod bench;
mod crashes;
mod sessions;
