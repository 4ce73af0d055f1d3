# Thin: each target says what it runs; the work is in cargo and in tests/.
.PHONY: setup setup-test demo up down test definition crash fuzz bench bench-evidence bench-lambdas lambdas image image-local check infra-check test-aws

setup:  ## Installs what is missing (Debian, Ubuntu; elsewhere it names it)
	@tests/setup.sh

setup-test:  ## The same, and what the tests need besides
	@tests/setup.sh --test

demo: setup  ## Tells the whole story once, checks each step of it, leaves nothing running
	@tests/demo/demo.sh

up: setup  ## Leaves PostgreSQL and the relay running and prints what to paste
	@tests/demo/demo.sh up

down:  ## Ends what `up` started
	@tests/demo/demo.sh down

test: setup-test  ## Every test; starts a throwaway PostgreSQL of its own
	cargo test --workspace $(CARGO_TEST_FLAGS)

definition: setup-test  ## Tens of thousands of random queries beside a masked copy; QUERIES=n, SEED=n
	QUERIES=$(QUERIES) SEED=$(SEED) cargo test -p tests --test integration $(CARGO_TEST_FLAGS) definition:: -- --ignored --nocapture

crash: setup-test  ## kill -9 at 50 random moments; KILLS=n for another number
	AFFIDAVIT_KILLS=$(or $(KILLS),50) cargo test -p tests --test integration $(CARGO_TEST_FLAGS) kills:: -- --nocapture

fuzz:  ## Every fuzz target for ten minutes; FUZZ_SECONDS=n for another time
	@tests/setup.sh --fuzz
	@tests/fuzz/run.sh $(or $(FUZZ_SECONDS),600)

bench:  ## The relay beside PgBouncer and PostgreSQL itself, then bench-evidence and bench-lambdas
	@tests/setup.sh --bench
	@tests/bench/bench.sh
	@tests/bench/evidence.sh
	@tests/bench/lambdas.sh

bench-evidence:  ## Sealing and verifying: speed, and the verifier's memory, on gigabytes and a million leaves
	@tests/setup.sh
	@tests/bench/evidence.sh

bench-lambdas:  ## How soon each function polls after it was started, and the sizes of their zips
	@tests/setup.sh
	@tests/bench/lambdas.sh

lambdas:  ## The functions as zips for AWS Lambda, into target/lambdas; checks that it can run them, prints sizes
	@infra/lambdas.sh build

image:  ## The relay's image for a container registry, into target/images; proves that it starts, prints its size
	@infra/image.py build relay
	@tests/infra/image.sh target/images/relay.tar

image-local:  ## The same for the trial in containers (infra/compose)
	@infra/image.py build local
	@tests/infra/image.sh target/images/local.tar

check:  ## What CI asks before the tests
	cargo fmt --check
	cargo clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps
	cargo deny check bans licenses sources

infra-check:  ## Terraform's format, validity and tests, and checkov; skipped, and says so, without Terraform or its provider
	@tests/setup.sh --infra
	@tests/infra/check.sh

test-aws:  ## infra/live/example on an emulator of AWS, the demo's session through it, its evidence verified, all taken down again
	@tests/setup.sh --infra
	@tests/infra/test-aws.sh
