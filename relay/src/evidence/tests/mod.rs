mod bench;

mod sessions;
