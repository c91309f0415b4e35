//! The table as a whole.

use std::collections::{BTreeMap, BTreeSet};

use super::*;

const KEY: &str = "8T3v0cSGZ1rXbKq9yN5uPzWm2hLdJfAe7iVgRxQoB4k=";

fn minimal() -> BTreeMap<String, String> {
    with(&[
        ("DATABASE_URL", "postgres://deodar:hunter2@db/deodar"),
        ("DEODAR_ISSUER", "https://id.shop.test"),
        ("DEODAR_MASTER_KEY", KEY),
    ])
}

fn with(values: &[(&str, &str)]) -> BTreeMap<String, String> {
    values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn read(values: &BTreeMap<String, String>) -> Result<Config, ConfigErrors> {
    Config::read(|name| values.get(name).cloned(), values.keys().cloned())
}

fn variables(errors: &ConfigErrors) -> Vec<&str> {
    errors.faults().iter().map(|fault| fault.variable.as_str()).collect()
}

#[test]
fn the_required_ones_are_enough_and_every_default_is_valid() {
    let config = read(&minimal()).unwrap();
    assert_eq!(config.issuer.as_str(), "https://id.shop.test");
    assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.metrics_listen.unwrap().to_string(), "127.0.0.1:9090");
    assert_eq!(config.access_token_lifetime, 15 * MINUTE);
    assert_eq!(config.body_limit, MIB);
    assert_eq!(config.database_connections, 16);
    assert!(config.tls().is_none() && config.redis_url.is_none() && config.trusted_proxies.is_empty());
}

#[test]
fn every_fault_is_reported_at_once_on_its_own_line() {
    let values = with(&[
        ("DATABASE_URL", "mysql://db"),
        ("DEODAR_MASTER_KEY", "  "),
        ("DEODAR_LISTEN", "8080"),
        ("DEODAR_METRICS_LISTEN", "on"),
        ("DEODAR_TLS_CERT", "/nonexistent.pem"),
        ("DEODAR_TRUSTED_PROXIES", "10.0.0.0/8, 10.0.0.1/8"),
        ("DEODAR_BODY_LIMIT", "1MB"),
        ("DEODAR_TOKEN_RATE", "-1"),
        ("DEODAR_LOG", "inof"),
        ("DEODAR_LOG_FORMAT", "xml"),
        ("DEODAR_STALENESS_BOUND", "5"),
        ("DEODAR_POLL_INTERVALL", "1s"),
    ]);
    let errors = read(&values).unwrap_err();
    assert_eq!(
        errors.to_string(),
        "\
DATABASE_URL: has the wrong beginning; write a URL that begins with `postgres://` or `postgresql://`
DEODAR_ISSUER: is missing; write the base URL under which browsers and clients reach this server, as in `https://login.my-company.com`
DEODAR_MASTER_KEY: is missing; write the keys that seal secrets in the database, each 32 bytes in base64 as `openssl rand -base64 32` prints, with commas between them; the first one encrypts, the others still decrypt
DEODAR_LISTEN: `8080` is not an address with a port; write one as `127.0.0.1:8080` or `[::]:8080`
DEODAR_METRICS_LISTEN: `on` is not an address with a port; write one as `127.0.0.1:8080` or `[::]:8080`, or `off`
DEODAR_TLS_CERT: `/nonexistent.pem` cannot be read (entity not found); write the path of a PEM file that this user may read
DEODAR_TRUSTED_PROXIES: `10.0.0.1/8` has bits after its prefix; write `10.0.0.0/8` or `10.0.0.1`
DEODAR_BODY_LIMIT: `1MB` is not a size; write a number and `B`, `KiB` or `MiB`, from `16KiB` to `16MiB`
DEODAR_TOKEN_RATE: `-1` does not fit; write a whole number from 0 to 1000000
DEODAR_LOG: `inof` is not a level; write `info`
DEODAR_LOG_FORMAT: `xml` is not a choice; write `auto` or `json` or `text`
DEODAR_STALENESS_BOUND: `5` is not a duration; write a number and `ms`, `s`, `m`, `h` or `d`, from `1s` to `1m`
DEODAR_TLS_KEY: is missing; write it too, or take `DEODAR_TLS_CERT` away
DEODAR_POLL_INTERVALL: is not a setting; the nearest one is `DEODAR_POLL_INTERVAL`"
    );
}

#[test]
fn an_unknown_variable_names_the_nearest_known_one() {
    for (unknown, nearest) in [
        ("DEODAR_LISTNE", "`DEODAR_LISTEN`"),
        ("DEODAR_DATABASE_URL", "`DATABASE_URL`"),
        ("DEODAR_SMTP_URL", "`SMTP_URL`"),
        ("DEODAR_MASTER_KEYS", "`DEODAR_MASTER_KEY`"),
        ("DEODAR_ACCES_TOKEN_LIFETIME", "`DEODAR_ACCESS_TOKEN_LIFETIME`"),
    ] {
        let mut values = minimal();
        values.insert(unknown.to_owned(), "hunter2".to_owned());
        let errors = read(&values).unwrap_err();
        assert_eq!(variables(&errors), [unknown]);
        let message = &errors.faults()[0].message;
        assert!(message.contains(nearest) && !message.contains("hunter2"), "{message}");
    }
}

#[test]
fn a_secret_is_never_printed() {
    let mut values = minimal();
    values.insert("REDIS_URL".to_owned(), "rediss://:hunter2@cache".to_owned());
    values.insert("SMTP_URL".to_owned(), "smtps://ana:hunter2@mail".to_owned());
    values.insert("MAIL_FROM".to_owned(), "no-reply@shop.test".to_owned());
    let printed = format!("{:?}", read(&values).unwrap());
    assert!(!printed.contains("hunter2") && !printed.contains(KEY), "{printed}");

    let pem = "-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----";
    for value in ["hunter2", "hunter2://x", "postgres://a:hunter2@[", "redis://a:hunter2@[", "smtp://a:hunter2@[", pem]
    {
        for name in ["DATABASE_URL", "REDIS_URL", "SMTP_URL", "DEODAR_MASTER_KEY", "DEODAR_TLS_KEY"] {
            // A path is no secret, so what looks like one is shown.
            if name == "DEODAR_TLS_KEY" && value != pem {
                continue;
            }
            let mut values = minimal();
            values.insert(name.to_owned(), value.to_owned());
            let errors = read(&values).unwrap_err();
            assert!(variables(&errors).contains(&name));
            assert!(!format!("{errors} {errors:?}").contains("hunter2"), "{errors}");
        }
    }
}

#[test]
fn tls_needs_both_files() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml").display().to_string();
    let mut values = minimal();
    values.insert("DEODAR_TLS_KEY".to_owned(), path.clone());
    assert_eq!(variables(&read(&values).unwrap_err()), ["DEODAR_TLS_CERT"]);
    values.insert("DEODAR_TLS_CERT".to_owned(), path);
    assert!(read(&values).unwrap().tls().is_some());
}

#[test]
fn mail_needs_a_server_and_one_sender() {
    let sender = |text: &str| {
        let mut values = minimal();
        values.insert("SMTP_URL".to_owned(), "smtp://mail".to_owned());
        values.insert("MAIL_FROM".to_owned(), text.to_owned());
        read(&values).map(|config| config.mail_from.unwrap().email.to_string())
    };
    assert_eq!(sender("no-reply@shop.test").unwrap(), "no-reply@shop.test");
    assert_eq!(sender("\"Shop, Ltd\" <no-reply@shop.test>").unwrap(), "no-reply@shop.test");
    assert_eq!(sender("'Shop' <no-reply@shop.test>").unwrap(), "no-reply@shop.test");
    for wrong in
        ["shop", "a@b.test, c@d.test", "Shop <a@b.test> c", "Shop\r\nBcc: <a@b.test>", "a@b.test\nBcc: c@d.test"]
    {
        assert_eq!(variables(&sender(wrong).unwrap_err()), ["MAIL_FROM"], "{wrong:?}");
    }
    for (one, other, value) in [("SMTP_URL", "MAIL_FROM", "smtp://mail"), ("MAIL_FROM", "SMTP_URL", "a@b.test")] {
        let mut values = minimal();
        values.insert(one.to_owned(), value.to_owned());
        assert_eq!(variables(&read(&values).unwrap_err()), [other]);
    }
    let mut values = minimal();
    values.insert("SMTP_URL".to_owned(), "smtp://".to_owned());
    values.insert("MAIL_FROM".to_owned(), "a@b.test".to_owned());
    assert_eq!(variables(&read(&values).unwrap_err()), ["SMTP_URL"]);
}

#[test]
fn metrics_can_be_off_and_the_log_can_name_modules() {
    let mut values = minimal();
    values.insert("DEODAR_METRICS_LISTEN".to_owned(), "off".to_owned());
    values.insert("DEODAR_LOG".to_owned(), "warn,deodar::pdp=debug,sqlx=off".to_owned());
    assert!(read(&values).unwrap().metrics_listen.is_none());
    values.insert("DEODAR_LOG".to_owned(), "deodar=loud".to_owned());
    assert_eq!(variables(&read(&values).unwrap_err()), ["DEODAR_LOG"]);
}

#[test]
fn the_database_alone_can_be_read() {
    let values = with(&[("DATABASE_URL", "postgresql:///deodar?host=/run/postgresql")]);
    let read = |values: &BTreeMap<String, String>| {
        DatabaseConfig::read(|name| values.get(name).cloned(), values.keys().cloned())
    };
    assert_eq!(read(&values).unwrap().url.expose(), "postgresql:///deodar?host=/run/postgresql");
    assert_eq!(variables(&read(&with(&[("DEODAR_LISTNE", "x")])).unwrap_err()), ["DATABASE_URL", "DEODAR_LISTNE"]);
}

#[test]
fn the_example_file_is_refused_as_it_is() {
    let example = include_str!("../../.env.example");
    let values: BTreeMap<_, _> = dotenvy::from_read_iter(example.as_bytes()).map(Result::unwrap).collect();
    let errors = read(&values).unwrap_err();
    let required: Vec<_> = SETTINGS.iter().filter(|s| s.presence == Presence::Required).map(|s| s.name).collect();
    assert_eq!(variables(&errors), required);
    assert!(errors.faults().iter().all(|fault| fault.message.starts_with("still holds the example")), "{errors}");

    // Also with its optional lines taken in.
    let everything = example.lines().map(|line| line.strip_prefix('#').filter(|l| !l.starts_with(' ')).unwrap_or(line));
    let everything = everything.collect::<Vec<_>>().join("\n");
    let names: Vec<_> = dotenvy::from_read_iter(everything.as_bytes()).map(|entry| entry.unwrap().0).collect();
    assert!(names.len() > required.len());
    for name in names {
        assert!(SETTINGS.iter().any(|setting| setting.name == name), "{name}");
    }
}

#[test]
fn every_setting_is_described_once_in_one_sentence() {
    let names: BTreeSet<_> = Config::describe().map(|(name, ..)| name).collect();
    assert_eq!(names.len(), Config::describe().count());
    for (name, default, sentence) in Config::describe() {
        assert!(sentence.ends_with('.') && sentence.starts_with(char::is_uppercase), "{name}: {sentence}");
        assert!(!default.to_string().is_empty());
    }
}

/// N-146, N-150: no setting makes passwords weaker than the standards allow.
#[test]
fn passwords_can_be_made_stronger_only() {
    let config = read(&minimal()).unwrap();
    assert_eq!((config.password_memory, config.password_iterations, config.password_min_length), (19_456, 2, 15));
    assert!(config.password_require.is_empty());
    let mut stricter = minimal();
    stricter.insert("DEODAR_PASSWORD_REQUIRE".to_owned(), "digit, upper".to_owned());
    assert_eq!(read(&stricter).unwrap().password_require, [CharacterClass::Digit, CharacterClass::Upper]);
    for (name, value) in [
        ("DEODAR_PASSWORD_MEMORY", "19455"),
        ("DEODAR_PASSWORD_ITERATIONS", "1"),
        ("DEODAR_PASSWORD_MIN_LENGTH", "7"),
        ("DEODAR_PASSWORD_MIN_STRENGTH", "1"),
        ("DEODAR_PASSWORD_QUEUE", "0"),
        ("DEODAR_PASSWORD_REQUIRE", "digit,uper"),
    ] {
        let mut values = minimal();
        values.insert(name.to_owned(), value.to_owned());
        assert_eq!(variables(&read(&values).unwrap_err()), [name]);
    }
}
