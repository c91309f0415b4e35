# Two commands do everything on a fresh machine: `make dev` and `make test`. Each line is what you could type yourself.
.PHONY: dev test browser pictures bench bench-peer interop interop-quick interop-clients fmt sqlx
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
	scripts/install browser apache
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

# A person's way through the pages in Chromium, with JavaScript off; `pictures` keeps what it sees
pictures: FOLDER = docs/pictures
browser pictures:
	scripts/install browser
	cargo build
	npm ci --prefix tests/browser --ignore-scripts --no-audit --no-fund --silent
	node tests/browser/walk.mjs $(FOLDER)

# What a check costs, in the process and over HTTP (needs wrk), and what people wait for
bench:
	scripts/install wrk
	cargo bench --bench check
	scripts/with-services cargo bench --bench http
	cargo bench --bench passwords
	scripts/with-services cargo bench --bench people

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
