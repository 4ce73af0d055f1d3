//! Integration tests over real servers and real clients; everything is in `tests/integration`, one binary.
//!
//! Beside it: `setup.sh` (installs what is missing), `postgres.sh` (a throwaway PostgreSQL), `demo/` and `bench/`.
