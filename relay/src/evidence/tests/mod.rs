mod bench;
mod completeness;
mod crashes;
mod sessions;
