# Two commands do everything on a fresh machine: `make dev` and `make test`. Each line is what you could type yourself.
.PHONY: dev test bench fmt sqlx
export SQLX_OFFLINE = true

# Installs what is missing and runs the server: make dev ARGS="--listen 127.0.0.1:9000"
dev:
	scripts/install
	cargo run -- dev $(ARGS)

# Everything that must hold before a commit
test:
	scripts/install
	cargo fmt --check
	cargo clippy --quiet --all-targets -- -D warnings
	scripts/sqlx-prepare --check
	scripts/with-services cargo test

# What a check costs, in the process and over HTTP; needs wrk
bench:
	scripts/install
	cargo bench --bench check
	scripts/with-services cargo bench --bench http

fmt:
	cargo fmt

# After a changed query or migration
sqlx:
	scripts/install
	scripts/sqlx-prepare
