//! A bundle: the hand-written Cedar files, checked as a whole.
//!
//! Why one schema text: the files of `schema/` are joined and parsed as one, so that what the server decides
//! with and what `deodar policy export` writes is the same text.

use std::{collections::BTreeMap, str::FromStr};

use cedar_policy::{Policy, PolicyId, PolicySet, Schema, ValidationMode, Validator, pst};

use super::{
    diagnostic::{CompileError, Diagnostic, Severity},
    generate::{MAX_DEPTH, NO_CLIMBING, climbs_from_context, depth},
    handwritten::Handwritten,
    slice::SliceCache,
    vocabulary::Vocabulary,
};

/// The path of the schema of Deodar's own API inside every bundle.
pub const OWN_SCHEMA_PATH: &str = "schema/deodar.cedarschema";
/// Its text. The server's own calls are typed by it, so a bundle cannot replace it.
pub const OWN_SCHEMA: &str = include_str!("../../schema/deodar.cedarschema");
/// How many attribute steps from `principal` or `resource` a policy may take (RFC 76): a request carries the
/// attributes of these two only.
pub const MAX_LEVEL: u32 = 1;
/// Brackets inside brackets; deeper text is refused before it reaches a recursive parser.
pub const MAX_NESTING: usize = 64;
/// Signs in one statement that make trees deep without brackets (`.`, `+`, `&&`, `if` …); for the parser, too.
const MAX_SIGNS: usize = 2000;
/// Declarations of the schema: entity types and actions can be inside each other as far as there are any.
const MAX_DECLARATIONS: usize = 1000;
/// Room to parse what these bounds allow, several times over. Cedar's parser takes up to 55 kB for a bracket in an
/// unoptimized build, and its type checker *passes* what it has no stack left for.
pub(super) const STACK: usize = 128 * 1024 * 1024;
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// Path → text.
pub type Files = BTreeMap<String, String>;

/// A bundle that compiled: everything a decision needs of it.
#[derive(Debug)]
pub struct Bundle {
    /// Its number in the database; 0 for one that was never stored.
    pub number: i32,
    /// What the schema says.
    pub vocabulary: Vocabulary,
    /// The policies, findable by scope.
    pub policies: Handwritten,
    /// The text of the joined schema.
    pub schema_text: String,
    /// Findings that do not keep the bundle from being used.
    pub warnings: Vec<Diagnostic>,
    /// Small policy sets that recent checks were decided with.
    pub(super) slices: SliceCache,
}

/// Compiles files into a bundle, or says everything that is wrong with them.
pub fn compile(number: i32, files: &Files) -> Result<Bundle, CompileError> {
    stacker::grow(STACK, || checked(number, files))
}

fn checked(number: i32, files: &Files) -> Result<Bundle, CompileError> {
    let mut files = files.clone();
    if let Some(other) = files.insert(OWN_SCHEMA_PATH.into(), OWN_SCHEMA.into())
        && number == 0
        && other != OWN_SCHEMA
    {
        let message = "this file belongs to the server: leave it out or as the server ships it";
        return Err(CompileError { diagnostics: vec![Diagnostic::whole(OWN_SCHEMA_PATH, message)] });
    }
    check_shape(&files)?;
    let (schema, schema_text) = schema(&files)?;
    let vocabulary = Vocabulary::new(schema)
        .map_err(|error| CompileError { diagnostics: vec![Diagnostic::whole("schema", error.to_string())] })?;
    if let Some(action) = vocabulary.actions().iter().find(|action| ambiguous(action.uid.id().as_ref())) {
        let id: &str = action.uid.id().as_ref();
        let message =
            format!("the action id `{id}` has `::` inside or `:` in front, which parts a namespace from an id");
        let quoted = format!("\"{id}\"");
        let (path, source, at) = (files.iter().filter(|(path, _)| path.starts_with("schema/")))
            .find_map(|(path, text)| Some((path.as_str(), text.as_str(), text.find(&quoted)?)))
            .unwrap_or(("schema", "", 0));
        return Err(CompileError { diagnostics: vec![Diagnostic::at(path, source, at, message)] });
    }
    let (policies, warnings) = policies(&files, &vocabulary)?;
    Ok(Bundle { number, policies, vocabulary, schema_text, warnings, slices: SliceCache::default() })
}

/// Whether the name of an action with this id could be another's: `Docs::read` is `Docs::Action::"read"`, so it cannot
/// be `Action::"Docs::read"` as well.
fn ambiguous(id: &str) -> bool {
    id.contains("::") || id.starts_with(':')
}

fn check_shape(files: &Files) -> Result<(), CompileError> {
    let mut diagnostics = Vec::new();
    for (path, text) in files {
        let name = path.strip_prefix("policies/").and_then(|p| p.strip_suffix(".cedar"));
        let name = name.or_else(|| path.strip_prefix("schema/").and_then(|p| p.strip_suffix(".cedarschema")));
        let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
        let good = name.is_some_and(|n| {
            !n.is_empty()
                && n.len() <= 200
                && n.chars().all(legal)
                && n.split('/').all(|part| !matches!(part, "" | "." | ".."))
        });
        if !good {
            diagnostics
                .push(Diagnostic::whole(path, "a bundle holds `policies/*.cedar` and `schema/*.cedarschema` only"));
        } else if let Some((offset, message)) = too_deep(text) {
            diagnostics.push(Diagnostic::at(path, text, offset, message));
        }
    }
    let schema = files.iter().filter(|(path, _)| path.starts_with("schema/"));
    if schema.map(|(_, text)| text.matches(';').count()).sum::<usize>() > MAX_DECLARATIONS {
        diagnostics.push(Diagnostic::whole("schema", format!("more than {MAX_DECLARATIONS} declarations in all")));
    }
    if files.values().map(String::len).sum::<usize>() > MAX_BYTES {
        diagnostics.push(Diagnostic::whole("bundle", format!("the files are over {MAX_BYTES} bytes in all")));
    }
    if diagnostics.is_empty() { Ok(()) } else { Err(CompileError { diagnostics }) }
}

/// Where text goes too deep, outside of strings and comments.
pub(super) fn too_deep(text: &str) -> Option<(usize, String)> {
    let (mut depth, mut signs, mut string, mut last) = (0usize, 0usize, false, b' ');
    let mut bytes = text.bytes().enumerate();
    while let Some((offset, mut byte)) = bytes.next() {
        match byte {
            b'\\' if string => drop(bytes.next()),
            b'"' => string = !string,
            _ if string => {}
            // Either kind of line end ends a comment in Cedar.
            b'/' if last == b'/' => {
                byte = b'\n';
                bytes.find(|(_, b)| matches!(b, b'\n' | b'\r'));
            }
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            // `<`: of `Set<`.
            b'.' | b'+' | b'-' | b'*' | b'&' | b'|' | b'<' => signs += 1,
            b'f' if last == b'i' => signs += 1,
            b';' => signs = 0,
            _ => {}
        }
        if depth > MAX_NESTING {
            return Some((offset, format!("more than {MAX_NESTING} brackets inside each other")));
        } else if signs > MAX_SIGNS {
            return Some((offset, format!("more than {MAX_SIGNS} operators in one statement")));
        }
        last = byte;
    }
    None
}

fn schema(files: &Files) -> Result<(Schema, String), CompileError> {
    let parts: Vec<(&String, &String)> = files.iter().filter(|(path, _)| path.starts_with("schema/")).collect();
    let mut diagnostics = Vec::new();
    for (path, text) in &parts {
        if let Err(error) = cedar_policy::SchemaFragment::from_cedarschema_str(text) {
            diagnostics.push(Diagnostic::from_cedar(path, text, Severity::Error, &error));
        }
    }
    if !diagnostics.is_empty() {
        return Err(CompileError { diagnostics });
    }
    let joined = parts.iter().map(|(path, text)| format!("// {path}\n{text}\n")).collect::<String>();
    match Schema::from_cedarschema_str(&joined) {
        Ok((schema, _)) => Ok((schema, joined)),
        Err(error) => Err(CompileError { diagnostics: vec![locate(&parts, &error)] }),
    }
}

/// Each file parses, all together do not: finds the file that the finding points at, or the one that uses the
/// name it complains about.
fn locate(parts: &[(&String, &String)], error: &dyn miette::Diagnostic) -> Diagnostic {
    let text = super::diagnostic::message(error);
    let named = text.split(['`', '"']).skip(1).step_by(2).collect::<Vec<_>>();
    for name in named {
        let word = name.rsplit("::").next().unwrap_or(name);
        for (path, source) in parts {
            if *path != OWN_SCHEMA_PATH
                && let Some(offset) = source.find(word)
            {
                return Diagnostic::at(path, source, offset, text);
            }
        }
    }
    let file = parts.iter().map(|(path, _)| path.as_str()).find(|path| *path != OWN_SCHEMA_PATH).unwrap_or("schema");
    Diagnostic::whole(file, text)
}

fn policies(files: &Files, vocabulary: &Vocabulary) -> Result<(Handwritten, Vec<Diagnostic>), CompileError> {
    let mut set = PolicySet::new();
    let mut diagnostics = Vec::new();
    for (path, text) in files.iter().filter(|(path, _)| path.starts_with("policies/")) {
        match named(path, text) {
            Ok(policies) => {
                for policy in policies {
                    if set.add(policy.clone()).is_err() {
                        let message = format!("two policies of this file have the id `{}`", policy.id());
                        let name = AsRef::<str>::as_ref(policy.id()).split_once('#').map_or("", |(_, name)| name);
                        let again = text.rfind(&format!("\"{name}\"")).unwrap_or(0);
                        diagnostics.push(Diagnostic::at(path, text, again, message));
                    }
                }
            }
            Err(found) => diagnostics.extend(found),
        }
    }
    let result = Validator::new(vocabulary.schema.clone()).validate_with_level(&set, ValidationMode::Strict, MAX_LEVEL);
    let place = |id: &PolicyId, severity, finding: &dyn miette::Diagnostic| {
        let path = AsRef::<str>::as_ref(id).split('#').next().unwrap_or_default();
        Diagnostic::from_cedar(path, files.get(path).map_or("", String::as_str), severity, finding)
    };
    diagnostics.extend(result.validation_errors().map(|e| place(e.policy_id(), Severity::Error, e)));
    let warnings: Vec<Diagnostic> =
        result.validation_warnings().map(|w| place(w.policy_id(), Severity::Warning, w)).collect();
    if diagnostics.is_empty() {
        Ok((Handwritten::new(set, vocabulary), warnings))
    } else {
        diagnostics.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
        Err(CompileError { diagnostics })
    }
}

/// The policies of one file under their full ids: `<path>#<@id>`, or `<path>#<n>` from 0.
fn named(path: &str, text: &str) -> Result<Vec<Policy>, Vec<Diagnostic>> {
    let set = PolicySet::from_str(text).map_err(|errors| {
        let found = errors.iter().map(|error| Diagnostic::from_cedar(path, text, Severity::Error, error));
        found.collect::<Vec<_>>()
    })?;
    if set.templates().next().is_some() {
        let offset = text.find(['?']).unwrap_or(0);
        let message = "templates have no place here: write a policy without slots, and grants for single roles";
        return Err(vec![Diagnostic::at(path, text, offset, message)]);
    }
    let mut policies: Vec<(usize, &Policy)> = set.policies().map(|p| (ordinal(p.id()), p)).collect();
    policies.sort_by_key(|(n, _)| *n);
    if let Some(policy) = policies.iter().map(|(_, policy)| *policy).find(|policy| climbs(policy)) {
        let offset = policy.annotation("id").and_then(|id| text.find(id)).unwrap_or(0);
        return Err(vec![Diagnostic::at(path, text, offset, NO_CLIMBING)]);
    }
    if let Some(policy) = policies.iter().map(|(_, policy)| *policy).find(|policy| nested(policy) > MAX_DEPTH) {
        let message = format!("{} operators inside each other; at most {MAX_DEPTH}", nested(policy));
        let offset = policy.annotation("id").and_then(|id| text.find(id)).unwrap_or(0);
        return Err(vec![Diagnostic::at(path, text, offset, message)]);
    }
    let renamed = policies.into_iter().map(|(n, policy)| {
        let name = policy.annotation("id").map_or_else(|| n.to_string(), str::to_owned);
        policy.new_id(PolicyId::new(format!("{path}#{name}")))
    });
    Ok(renamed.collect())
}

/// The depth of the conditions, which Cedar puts inside each other; endless for a policy that has no syntax tree.
fn nested(policy: &Policy) -> usize {
    let Ok(pst::Policy::Static(body)) = policy.to_pst() else { return usize::MAX };
    let clauses = body.body().clauses().iter();
    let depths = clauses.map(|clause| match clause {
        pst::Clause::When(expr) | pst::Clause::Unless(expr) => depth(expr),
    });
    depths.max().unwrap_or(0) + body.body().clauses().len()
}

/// Whether some condition asks for the ancestors of an entity of the context.
fn climbs(policy: &Policy) -> bool {
    let Ok(pst::Policy::Static(body)) = policy.to_pst() else { return false };
    body.body().clauses().iter().any(|clause| match clause {
        pst::Clause::When(expr) | pst::Clause::Unless(expr) => climbs_from_context(expr),
    })
}

fn ordinal(id: &PolicyId) -> usize {
    AsRef::<str>::as_ref(id).trim_start_matches("policy").parse().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::{MAX_SIGNS, too_deep};

    fn at(text: &str) -> Option<usize> {
        too_deep(text).map(|(offset, _)| offset)
    }

    #[test]
    fn an_entity_of_the_context_is_compared_and_not_climbed_from() {
        let schema =
            "entity Thing; action read appliesTo { principal: [User], resource: [Thing], context: { as: Role } };";
        let with = |condition: &str| {
            let policy = format!("forbid (principal, action == Action::\"read\", resource) when {{ {condition} }};");
            let files = [("schema/t.cedarschema", schema.to_owned()), ("policies/t.cedar", policy)];
            super::compile(0, &super::Files::from(files.map(|(path, text)| (path.to_owned(), text))))
        };
        assert!(with("context.as == Role::\"viewer\"").is_ok());
        assert!(with("principal in context.as").is_ok());
        let refused = with("true && context.as in Role::\"viewer\"").unwrap_err();
        assert!(refused.to_string().contains("compare it with `==`"), "{refused}");
    }

    #[test]
    fn depth_counts_outside_of_strings_and_comments() {
        assert_eq!(at(&"(".repeat(64)), None);
        assert_eq!(at(&"(".repeat(65)), Some(64));
        assert_eq!(at(&format!("\"{}\"", "(".repeat(100))), None);
        assert_eq!(at(&format!("// {}\n", "(".repeat(100))), None);
        assert_eq!(at(&format!("// \r{}", "(".repeat(65))), Some(68));
        assert_eq!(at(&format!("//\n/{}", "(".repeat(65))), Some(68));
        assert!(at(&format!("\"\\\"\" // {}\n{}", "(".repeat(100), "[".repeat(65))).is_some());
        assert_eq!(at(&"(1 > ".repeat(65)), Some(320));
    }

    #[test]
    fn a_statement_has_so_many_operators() {
        assert_eq!(at(&"a.".repeat(MAX_SIGNS)), None);
        assert_eq!(at(&"a.".repeat(MAX_SIGNS + 1)), Some(2 * MAX_SIGNS + 1));
        assert_eq!(at(&format!("{};{}", "a.".repeat(MAX_SIGNS), "a.".repeat(MAX_SIGNS))), None);
        assert_eq!(at(&"if a then b else ".repeat(MAX_SIGNS + 1)), Some(17 * MAX_SIGNS + 1));
    }
}
