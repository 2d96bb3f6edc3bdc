//! The ABIs of the original: those it built for, in the order of their Pythons, and those that it has builds of only.

use std::collections::BTreeMap;

use postgres::Transaction;

use super::left::Left;
use crate::admin::initdb::{Error, failed};
use crate::domain::AbiTag;

/// As many as `piw.abi` has room for.
const ABIS: usize = 62;

/// Why nothing is built for an ABI that the original's list has not.
const RETIRED: &str = "was no longer built for by the original";

/// An ABI as the farm has it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Planned {
    tag: AbiTag,
    rank: i16,
    retired: bool,
}

/// Writes the rows.
pub(super) fn register(transaction: &mut Transaction<'_>, left: &mut Left) -> Result<(), Error> {
    let mut tags = |sql: &str| -> Result<Vec<String>, Error> {
        let rows = transaction.query(sql, &[]).map_err(failed)?;
        rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>().map_err(failed)
    };
    let listed = tags("SELECT abi_tag::text FROM public.build_abis ORDER BY 1")?;
    let built = tags("SELECT DISTINCT abi_tag::text FROM public.builds ORDER BY 1")?;
    let (abis, odd) = plan(&listed, &built);
    odd.iter().for_each(|tag| left.abis.add(|| format!("{tag:?}")));
    for (id, abi) in (1_i16..).zip(&abis) {
        transaction
            .execute(
                "INSERT INTO piw.abi (abi_id, tag, rank, skip) VALUES ($1, $2, $3, $4)",
                &[&id, &abi.tag.as_str(), &abi.rank, &abi.retired.then_some(RETIRED)],
            )
            .map_err(failed)?;
    }
    Ok(())
}

/// By rank; and the tags that are none to build for, or too many.
fn plan(listed: &[String], built: &[String]) -> (Vec<Planned>, Vec<String>) {
    let mut odd = Vec::new();
    let mut retired = BTreeMap::new();
    for (text, is_retired) in
        built.iter().map(|text| (text, true)).chain(listed.iter().map(|text| (text, false)))
    {
        match AbiTag::parse(text) {
            Ok(tag) => {
                retired.insert(tag, is_retired);
            }
            Err(_) if !odd.contains(text) => odd.push(text.clone()),
            Err(_) => {}
        }
    }
    let mut chosen: Vec<(AbiTag, bool)> = retired.into_iter().collect();
    // where there is not room for all, the oldest Pythons that are not built for any more go
    chosen.sort_by_key(|(tag, retired)| {
        (*retired, if *retired { -tag.default_rank() } else { tag.default_rank() })
    });
    odd.extend(chosen.drain(chosen.len().min(ABIS)..).map(|(tag, _)| tag.to_string()));
    chosen.sort_by_key(|(tag, _)| (tag.default_rank(), tag.clone()));
    let mut free = i16::MIN;
    let abis = chosen.into_iter().map(|(tag, retired)| {
        // two with other flags of one Python would have the same
        let rank = tag.default_rank().max(free);
        free = rank.saturating_add(1);
        Planned { tag, rank, retired }
    });
    (abis.collect(), odd)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(tags: &[&str]) -> Vec<String> {
        tags.iter().map(|tag| (*tag).to_owned()).collect()
    }

    #[test]
    fn abis_are_in_the_order_of_their_pythons_each_with_a_rank_of_its_own() {
        let (abis, odd) =
            plan(&texts(&["cp310", "cp39", "cp34m", "cp34dm", "pp73", "cp39"]), &texts(&["cp33m", "cp39"]));
        let got: Vec<(&str, bool)> = abis.iter().map(|abi| (abi.tag.as_str(), abi.retired)).collect();
        assert_eq!(
            got,
            [("cp33m", true), ("cp34dm", false), ("cp34m", false), ("cp39", false), ("cp310", false)]
        );
        assert!(abis.windows(2).all(|pair| pair[0].rank < pair[1].rank), "{abis:?}");
        assert_eq!(abis[3].rank, AbiTag::parse("cp39").unwrap().default_rank());
        assert_eq!(odd, ["pp73"]);
    }

    #[test]
    fn of_too_many_the_oldest_that_are_not_built_for_any_more_are_left() {
        let built: Vec<String> = (10..90).map(|minor| format!("cp3{minor}")).collect();
        let (abis, odd) = plan(&texts(&["cp32m"]), &built);
        assert_eq!((abis.len(), odd.len()), (62, 19));
        assert_eq!(abis[0].tag.as_str(), "cp32m");
        assert_eq!(abis[1].tag.as_str(), "cp329");
    }
}
