# Two commands do everything on a fresh machine: `make dev` and `make test`. Each line is what you could type yourself.
.PHONY: dev test bench bench-peer interop interop-quick interop-clients fmt sqlx
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

# Complete logins by clients that nobody here wrote
interop: interop-clients
	scripts/install chromium apache
	node tests/interop/run.mjs

# Those that need neither a browser nor a web server
interop-quick: interop-clients
	node tests/interop/run.mjs --quick

interop-clients:
	scripts/install node python
	cargo build
	cargo build --quiet --locked --manifest-path tests/interop/openidconnect/Cargo.toml --target-dir target/interop
	npm ci --silent --prefix tests/interop
	[ -x target/interop/venv/bin/pip ] || python3 -m venv target/interop/venv
	target/interop/venv/bin/pip install --quiet --disable-pip-version-check -r tests/interop/requirements.txt

# What a check costs, in the process and over HTTP
bench:
	scripts/install wrk
	cargo bench --bench check
	scripts/with-services cargo bench --bench http

# What tokens cost beside npm oidc-provider
bench-peer:
	scripts/install node wrk
	npm ci --silent --prefix bench/peer
	scripts/with-services cargo bench --bench oauth

fmt:
	cargo fmt

# After a changed query or migration
sqlx:
	scripts/install
	scripts/sqlx-prepare
