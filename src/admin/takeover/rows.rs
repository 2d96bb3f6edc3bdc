//! The original's rows whose texts are read by the rules of the domain: each table in pieces, row by row, and back into a
//! temporary table (`sql/takeover/begin.sql`). What the rules refuse is left behind.

use postgres::binary_copy::BinaryCopyInWriter;
use postgres::types::Type;
use postgres::{Row, Transaction};

use super::left::Left;
use super::progress::Rows;
use crate::admin::initdb::{Error, failed};
use crate::domain::{ProjectName, Version, WheelName};

/// Rows that are in memory at a time: some megabytes.
const PIECE: i32 = 20_000;

/// Their names, canonical.
pub(super) fn packages(
    transaction: &mut Transaction<'_>,
    left: &mut Left,
    progress: &mut Rows<'_>,
) -> Result<(), Error> {
    const SELECT: &str = "SELECT package::text, skip FROM public.packages";
    const COPY: &str = "COPY pg_temp.original_package (package, name, skip) FROM STDIN BINARY";
    const TYPES: [Type; 3] = [Type::TEXT, Type::TEXT, Type::BOOL];
    through(transaction, SELECT, COPY, &TYPES, progress, &mut |row, out| {
        let (package, skip): (&str, bool) = (row.try_get(0)?, row.try_get(1)?);
        match ProjectName::parse(package) {
            Ok(name) => out.write(&[&package, &name.as_str(), &skip]),
            Err(_) => {
                left.packages.add(|| format!("{package:?}"));
                Ok(())
            }
        }
    })
}

/// Their spelling by PEP 440, and what they are sorted by.
pub(super) fn versions(
    transaction: &mut Transaction<'_>,
    left: &mut Left,
    progress: &mut Rows<'_>,
) -> Result<(), Error> {
    const SELECT: &str = "SELECT v.package::text, v.version::text, v.skip, o.package IS NOT NULL \
                          FROM public.versions v LEFT JOIN pg_temp.original_package o ON o.package = v.package";
    const COPY: &str = "COPY pg_temp.original_version (package, version, canonical, sort_key, prerelease, skip) \
                        FROM STDIN BINARY";
    const TYPES: [Type; 6] = [Type::TEXT, Type::TEXT, Type::TEXT, Type::BYTEA, Type::BOOL, Type::BOOL];
    through(transaction, SELECT, COPY, &TYPES, progress, &mut |row, out| {
        let (package, text): (&str, &str) = (row.try_get(0)?, row.try_get(1)?);
        let (skip, has_package): (bool, bool) = (row.try_get(2)?, row.try_get(3)?);
        match Version::parse(text) {
            Ok(version) if has_package => out.write(&[
                &package,
                &text,
                &version.to_string(),
                &version.sort_key(),
                &version.is_prerelease(),
                &skip,
            ]),
            _ => {
                left.versions.add(|| format!("{package} {text:?}"));
                Ok(())
            }
        }
    })
}

/// Their names, which pages link to, their digests and tags.
pub(super) fn files(
    transaction: &mut Transaction<'_>,
    left: &mut Left,
    progress: &mut Rows<'_>,
) -> Result<(), Error> {
    const SELECT: &str = "SELECT filename::text, build_id::bigint, filesize::bigint, filehash::text, \
                          py_version_tag::text, abi_tag::text, platform_tag::text FROM public.files";
    const COPY: &str = "COPY pg_temp.original_file (filename, build_id, size, sha256, python_tag, abi_tag, platform_tag) \
                        FROM STDIN BINARY";
    const TYPES: [Type; 7] =
        [Type::TEXT, Type::INT8, Type::INT8, Type::BYTEA, Type::TEXT, Type::TEXT, Type::TEXT];
    through(transaction, SELECT, COPY, &TYPES, progress, &mut |row, out| {
        let filename: &str = row.try_get(0)?;
        let (build, size): (i64, i64) = (row.try_get(1)?, row.try_get(2)?);
        let tags: [&str; 3] = [row.try_get(4)?, row.try_get(5)?, row.try_get(6)?];
        let digest = digest(row.try_get(3)?);
        match digest {
            Some(digest)
                if size > 0
                    && tags.iter().all(|tag| !tag.is_empty())
                    && WheelName::parse(filename).is_ok() =>
            {
                out.write(&[&filename, &build, &size, &digest.as_slice(), &tags[0], &tags[1], &tags[2]])
            }
            _ => {
                left.odd_files.add(|| format!("{filename:?}"));
                Ok(())
            }
        }
    })
}

type Put<'a> = &'a mut dyn FnMut(&Row, &mut BinaryCopyInWriter<'_>) -> Result<(), postgres::Error>;

/// Every row of `select` through `put`, which writes one row, or none, of these types to `copy`.
fn through(
    transaction: &mut Transaction<'_>,
    select: &str,
    copy: &str,
    types: &[Type],
    progress: &mut Rows<'_>,
    put: Put<'_>,
) -> Result<(), Error> {
    let portal = transaction.bind(select, &[]).map_err(failed)?;
    loop {
        let rows = transaction.query_portal(&portal, PIECE).map_err(failed)?;
        let mut out = BinaryCopyInWriter::new(transaction.copy_in(copy).map_err(failed)?, types);
        rows.iter().try_for_each(|row| put(row, &mut out)).map_err(failed)?;
        out.finish().map_err(failed)?;
        progress.read(rows.len());
        if rows.len() < PIECE as usize {
            return Ok(());
        }
    }
}

/// The bytes of a SHA-256 in hexadecimal.
fn digest(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    for (byte, at) in bytes.iter_mut().zip((0..64).step_by(2)) {
        *byte = u8::from_str_radix(text.get(at..at + 2)?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_64_hexadecimal_digits() {
        assert_eq!(digest(&"ab".repeat(32)), Some([0xab; 32]));
        for text in [String::new(), "ab".repeat(31), "ab".repeat(33), "+b".repeat(32), "é".repeat(32)] {
            assert_eq!(digest(&text), None, "{text}");
        }
    }
}
