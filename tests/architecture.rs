//! Who may use whom: the table of `src/lib.rs`, and the few words that only one room may say.

#![expect(clippy::unwrap_used, reason = "a test may stop")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// A source file with everything that is no code blanked out.
struct Source {
    /// `src/admin/roles.rs`.
    path: String,
    /// `admin`; `main` and `lib` for the two roots.
    room: String,
    /// Without comments and texts.
    code: String,
    /// The same without tests.
    shipped: String,
    lines: usize,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    collect(&root.join("src"), &mut files);
    files.sort();
    let read = |file: PathBuf| {
        let path = file.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
        let room = path.split('/').nth(1).unwrap().trim_end_matches(".rs").to_owned();
        let text = fs::read_to_string(&file).unwrap();
        let code = code(&text);
        let tests = path.ends_with("tests.rs") || is_declared_for_tests(&file);
        let shipped = if tests { String::new() } else { without_tests(&code) };
        Source { path, room, code, shipped, lines: text.lines().count() }
    };
    files.into_iter().map(read).collect()
}

/// Whether the folder's own module says `#[cfg(test)]` of a file.
fn is_declared_for_tests(file: &Path) -> bool {
    let name = file.file_stem().unwrap().to_str().unwrap();
    let declared = fs::read_to_string(file.with_file_name("mod.rs")).unwrap_or_default();
    declared.contains(&format!("#[cfg(test)]\nmod {name};"))
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// Replaces comments, texts and characters by spaces; lines stay where they are.
fn code(text: &str) -> String {
    let (mut rest, mut code) = (text, String::with_capacity(text.len()));
    while let Some(first) = rest.chars().next() {
        let before = code.chars().next_back();
        let starts_word = !before.is_some_and(|c| c.is_alphanumeric() || c == '_');
        let skipped = match first {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |end| end + 2),
            '"' => quoted(rest),
            'r' | 'b' if starts_word => raw(rest),
            '\'' => character(rest),
            _ => 0,
        };
        if skipped == 0 {
            code.push(first);
            rest = &rest[first.len_utf8()..];
        } else {
            code.extend(rest[..skipped].chars().map(|c| if c == '\n' { c } else { ' ' }));
            rest = &rest[skipped..];
        }
    }
    code
}

fn quoted(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            '"' if !escaped => return at + 1,
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    text.len()
}

/// The length of `r"…"`, `r#"…"#`, `b"…"`, `br"…"`; 0 for anything else.
fn raw(text: &str) -> usize {
    let prefix = text.len() - text.trim_start_matches(['r', 'b']).len();
    let hashes = text[prefix..].len() - text[prefix..].trim_start_matches('#').len();
    let start = prefix + hashes;
    if prefix > 2 || !text[start..].starts_with('"') {
        return 0;
    }
    if hashes == 0 && !text[..prefix].contains('r') {
        return start + quoted(&text[start..]);
    }
    let end = format!("\"{}", "#".repeat(hashes));
    text[start + 1..].find(&end).map_or(text.len(), |at| start + 1 + at + end.len())
}

/// The length of a character literal; 0 for a lifetime.
fn character(text: &str) -> usize {
    let mut chars = text.char_indices().skip(1);
    match (chars.next(), chars.next()) {
        (Some((_, '\\')), Some((at, escaped))) => {
            let from = at + escaped.len_utf8();
            text[from..].find('\'').map_or(0, |end| from + end + 1)
        }
        (Some(_), Some((at, '\''))) => at + 1,
        _ => 0,
    }
}

/// Blanks out what follows `#[cfg(test)]`, to the end of its braces or its statement.
fn without_tests(code: &str) -> String {
    let mark = "#[cfg(test)]";
    let Some(at) = code.find(mark) else { return code.to_owned() };
    let tail = &code[at..];
    let (mut depth, mut end) = (0usize, tail.len());
    for (n, c) in tail.char_indices().skip(mark.len()) {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 && (c == '}' || c == ';') {
            end = n + 1;
            break;
        }
    }
    format!("{}{}", &code[..at], without_tests(&tail[end..]))
}

/// Whether `word` stands in the code by itself.
fn says(code: &str, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(word).any(|(at, _)| {
        let after = code[at + word.len()..].chars().next();
        !code[..at].chars().next_back().is_some_and(part) && !after.is_some_and(part)
    })
}

/// The rooms that a file names by `crate::`, also inside braces, and by `deodar::` in `main`.
fn used(source: &Source) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let own = if source.room == "main" { "deodar::" } else { "crate::" };
    for (at, _) in source.code.match_indices(own) {
        let rest = &source.code[at + own.len()..];
        match rest.strip_prefix('{') {
            None => found.extend(first_word(rest)),
            Some(inside) => {
                let (mut depth, mut start) = (1, true);
                for (n, c) in inside.char_indices() {
                    match c {
                        '{' => depth += 1,
                        '}' => depth -= 1,
                        ',' => start = depth == 1,
                        c if c.is_whitespace() => {}
                        _ if start => {
                            found.extend(first_word(&inside[n..]));
                            start = false;
                        }
                        _ => {}
                    }
                    if depth == 0 {
                        break;
                    }
                }
            }
        }
    }
    found
}

fn first_word(text: &str) -> Option<String> {
    let word: String = text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    (!word.is_empty()).then_some(word)
}

/// The table of `src/lib.rs`: room → line.
fn table() -> BTreeMap<String, u32> {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).unwrap();
    let mut lines = BTreeMap::new();
    for row in text.lines().filter_map(|line| line.strip_prefix("//! | ")) {
        let Some((number, rooms)) = row.split_once('|') else { continue };
        let Ok(number) = number.trim().parse::<u32>() else { continue };
        for part in rooms.split("[`").skip(1) {
            let room = part.split('`').next().unwrap().to_owned();
            assert!(lines.insert(room.clone(), number).is_none(), "`{room}` stands in the table twice");
        }
    }
    lines
}

#[track_caller]
fn none(faults: Vec<String>, rule: &str) {
    assert!(faults.is_empty(), "{rule}:\n{}", faults.join("\n"));
}

#[test]
fn the_table_has_every_room() {
    let mut rooms: BTreeSet<String> = sources().into_iter().map(|source| source.room).collect();
    rooms.remove("lib");
    rooms.remove("main");
    assert_eq!(rooms, table().into_keys().collect(), "rooms of `src/` and rooms of the table");
}

#[test]
fn a_room_uses_rooms_on_lower_lines_only() {
    let table = table();
    let mut faults = Vec::new();
    for source in sources().iter().filter(|source| source.room != "lib") {
        let mine = table.get(&source.room).copied().unwrap_or(u32::MAX);
        for other in used(source) {
            let Some(line) = table.get(&other) else {
                faults.push(format!("{} uses `{other}`, which is no room", source.path));
                continue;
            };
            if other != source.room && *line >= mine {
                faults.push(format!("{} (line {mine}) uses `{other}` (line {line})", source.path));
            }
        }
    }
    none(faults, "a room uses rooms on lower lines only");
}

#[test]
fn some_words_are_said_in_one_room_only() {
    let rules: [(&str, &[&str]); 16] = [
        ("cedar_policy", &["src/policy/"]),
        ("cedar_policy_core", &["src/policy/core.rs"]),
        ("sqlx", &["src/store/"]),
        ("jsonwebtoken", &["src/crypto/"]),
        ("argon2", &["src/crypto/"]),
        ("bcrypt", &["src/crypto/"]),
        ("pbkdf2", &["src/crypto/"]),
        ("scrypt", &["src/crypto/"]),
        ("totp_rs", &["src/crypto/"]),
        ("zxcvbn", &["src/crypto/"]),
        ("thread_priority", &["src/crypto/"]),
        ("aws_lc_rs", &["src/crypto/"]),
        ("lettre", &["src/mail/", "src/config/parse.rs"]),
        ("redis", &["src/app/"]),
        ("reqwest", &["src/fetch/"]),
        ("std::env", &["src/config/"]),
    ];
    let mut faults = Vec::new();
    for source in sources() {
        for (word, places) in rules {
            // A field or a setting may have the name of what it is about.
            let named = if word == "redis" { says(&source.code, "redis::") } else { says(&source.code, word) };
            if named && !places.iter().any(|place| source.path.starts_with(place)) {
                faults.push(format!("{} says `{word}`, which is for {}", source.path, places.join(", ")));
            }
        }
    }
    none(faults, "some words are said in one room only");
}

#[test]
fn no_file_is_longer_than_600_lines() {
    let long = sources().into_iter().filter(|source| source.lines > 600);
    none(long.map(|source| format!("{}: {}", source.path, source.lines)).collect(), "no file is over 600 lines");
}

#[test]
fn nothing_panics_on_purpose_outside_of_tests() {
    let words = [".unwrap()", ".expect(", "panic!(", "todo!(", "unimplemented!(", "dbg!(", ".unwrap_unchecked("];
    let mut faults = Vec::new();
    for source in sources() {
        for (n, line) in source.shipped.lines().enumerate() {
            faults
                .extend(words.iter().filter(|w| line.contains(**w)).map(|w| format!("{}:{}: {w}", source.path, n + 1)));
        }
    }
    none(faults, "errors are values");
}

#[test]
fn every_suppressed_lint_says_why() {
    let mut faults = Vec::new();
    for source in sources() {
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(&source.path)).unwrap();
        let code = &source.code;
        faults.extend(
            ["#[allow(", "#![allow("].iter().filter(|a| code.contains(**a)).map(|a| format!("{}: {a}", source.path)),
        );
        for (at, _) in text.match_indices("#[expect(") {
            let attribute = &text[at..at + text[at..].find(")]").unwrap()];
            if !attribute.contains("reason = \"") {
                faults.push(format!("{}: {attribute}", source.path));
            }
        }
    }
    none(faults, "a suppression is an `expect` with a reason");
}

#[test]
fn the_reader_of_this_test_tells_code_from_text() {
    let text = "use crate::{a::{b, c}, d}; // crate::e\nlet x = \"crate::f\"; let y = r#\"crate::\"g\"#; let z = '\"';\n\
                fn h<'a>(i: &'a str) { crate::j::k() }\n#[cfg(test)]\nmod tests { fn l() { x.unwrap() } }\nfn m() {}";
    let code = code(text);
    let shipped = without_tests(&code);
    let source = Source { path: String::new(), room: "x".to_owned(), code, shipped, lines: 0 };
    assert_eq!(used(&source).into_iter().collect::<Vec<_>>(), ["a", "d", "j"]);
    assert!(!source.shipped.contains("unwrap") && source.shipped.contains("fn m()"));
    assert!(says("sqlx::query", "sqlx") && !says("my_sqlx", "sqlx") && !says("cedar_policy_core::x", "cedar_policy"));
}
