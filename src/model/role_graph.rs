//! What a role graph must be: without cycles, and bounded.

use std::collections::HashMap;

use super::RoleName;

/// A role graph that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadGraph {
    /// Roles inherit themselves, along this path.
    #[error("roles inherit themselves")]
    Cycle(Vec<RoleName>),
    /// A chain of inheritance is too long.
    #[error("`{role}` would inherit over more than {most} steps")]
    TooDeep {
        /// The start of the chain.
        role: RoleName,
        /// The most steps.
        most: usize,
    },
    /// A role inherits too many.
    #[error("`{role}` would inherit more than {most} roles directly")]
    TooWide {
        /// Which.
        role: RoleName,
        /// The most roles.
        most: usize,
    },
}

/// Checks the whole graph in linear time. `depth` is the most steps of inheritance, `width` the most roles that one
/// inherits directly.
pub fn check_roles(graph: &[(RoleName, Vec<RoleName>)], depth: usize, width: usize) -> Result<(), BadGraph> {
    let edges: HashMap<&RoleName, &[RoleName]> = graph.iter().map(|(role, list)| (role, list.as_slice())).collect();
    let mut heights: HashMap<&RoleName, Option<usize>> = HashMap::with_capacity(graph.len());
    for (start, list) in graph {
        if list.len() > width {
            return Err(BadGraph::TooWide { role: start.clone(), most: width });
        }
        // Depth first without recursion: a chain may be as long as there are roles.
        let mut stack: Vec<(&RoleName, usize)> = vec![(start, 0)];
        while let Some((role, next)) = stack.pop() {
            if next == 0 {
                match heights.get(role) {
                    Some(Some(_)) => continue,
                    Some(None) | None => drop(heights.insert(role, None)),
                }
            }
            let inherited = edges.get(role).copied().unwrap_or_default();
            if let Some(other) = inherited.get(next) {
                stack.push((role, next + 1));
                match heights.get(other) {
                    Some(Some(_)) => {}
                    Some(None) => {
                        let from = stack.iter().position(|(r, _)| *r == other).unwrap_or(0);
                        let path = stack[from..].iter().map(|(r, _)| *r).chain([other]).cloned().collect();
                        return Err(BadGraph::Cycle(path));
                    }
                    None => stack.push((other, 0)),
                }
            } else {
                let below = inherited.iter().filter_map(|other| heights.get(other).copied().flatten()).max();
                let height = below.map_or(0, |below| below + 1);
                if height > depth {
                    return Err(BadGraph::TooDeep { role: role.clone(), most: depth });
                }
                heights.insert(role, Some(height));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(edges: &[(&str, &[&str])]) -> Vec<(RoleName, Vec<RoleName>)> {
        let name = |n: &&str| n.parse::<RoleName>().unwrap();
        edges.iter().map(|(role, list)| (name(role), list.iter().map(name).collect())).collect()
    }

    /// V-039, V-040.
    #[test]
    fn cycles_and_excess_are_found_and_diamonds_are_fine() {
        let diamond = graph(&[("a", &["b", "c"]), ("b", &["d"]), ("c", &["d"]), ("d", &[])]);
        assert_eq!(check_roles(&diamond, 2, 2), Ok(()));
        assert!(matches!(check_roles(&diamond, 1, 2), Err(BadGraph::TooDeep { .. })));
        assert!(matches!(check_roles(&diamond, 2, 1), Err(BadGraph::TooWide { .. })));
        let cycle = graph(&[("x", &["a"]), ("a", &["b"]), ("b", &["c"]), ("c", &["a"])]);
        let Err(BadGraph::Cycle(path)) = check_roles(&cycle, 25, 10) else { panic!("no cycle found") };
        assert_eq!(path.len(), 4);
        assert_eq!(path.first(), path.last());
    }

    /// V-040: 2^20 paths, linear time.
    #[test]
    fn a_ladder_of_diamonds_is_checked_in_linear_time() {
        let name = |n: usize, side: &str| format!("r{n}{side}").parse::<RoleName>().unwrap();
        let rung = |n: usize, side| (name(n, side), vec![name(n + 1, "a"), name(n + 1, "b")]);
        let ladder: Vec<_> = (0..20).flat_map(|n| [rung(n, "a"), rung(n, "b")]).collect();
        assert_eq!(check_roles(&ladder, 25, 10), Ok(()));
    }
}
