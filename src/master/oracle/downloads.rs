//! Downloads and what follows from them: `log_downloads` and `roll_popularity`.

use std::net::{IpAddr, Ipv6Addr};

use postgres::types::Type;

use super::{Failure, Session, ask_one, odd, read};
use crate::master::query::{Answer, Download, DownloadsLogged};
use crate::wire::import;

pub(super) fn log(client: &mut Session, batch: &[u8; 16], downloads: &[Download]) -> Result<Answer, Failure> {
    let of = |text: fn(&import::Download) -> &str| -> Vec<&str> {
        downloads.iter().map(|download| text(&download.record)).collect()
    };
    let packages: Vec<&str> = downloads.iter().map(|download| download.package.as_str()).collect();
    let times: Vec<i64> = downloads.iter().map(|download| download.record.at).collect();
    let addresses: Vec<Option<IpAddr>> = downloads
        .iter()
        .map(|download| download.record.address.map(|bytes| Ipv6Addr::from(bytes).to_canonical()))
        .collect();
    let sql = "SELECT stored, unknown, outside \
               FROM piw.log_downloads($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)";
    let row = ask_one(
        client,
        sql,
        &[
            (&&batch[..], Type::BYTEA),
            (&of(|record| &record.filename), Type::TEXT_ARRAY),
            (&packages, Type::TEXT_ARRAY),
            (&times, Type::INT8_ARRAY),
            (&addresses, Type::INET_ARRAY),
            (&of(|record| &record.arch), Type::TEXT_ARRAY),
            (&of(|record| &record.distro_name), Type::TEXT_ARRAY),
            (&of(|record| &record.distro_version), Type::TEXT_ARRAY),
            (&of(|record| &record.os_name), Type::TEXT_ARRAY),
            (&of(|record| &record.os_version), Type::TEXT_ARRAY),
            (&of(|record| &record.py_name), Type::TEXT_ARRAY),
            (&of(|record| &record.py_version), Type::TEXT_ARRAY),
            (&of(|record| &record.installer_name), Type::TEXT_ARRAY),
            (&of(|record| &record.installer_version), Type::TEXT_ARRAY),
            (&of(|record| &record.setuptools_version), Type::TEXT_ARRAY),
        ],
    )?;
    let count = |column| u32::try_from(read::<i32>(&row, column)?).map_err(odd);
    Ok(Answer::DownloadsLogged(DownloadsLogged { stored: count(0)?, unknown: count(1)?, outside: count(2)? }))
}

pub(super) fn roll_popularity(client: &mut Session, limit: u16) -> Result<Answer, Failure> {
    let row = ask_one(client, "SELECT piw.roll_popularity($1)", &[(&i32::from(limit), Type::INT4)])?;
    Ok(Answer::PopularityRolled(u32::try_from(read::<i32>(&row, 0)?).map_err(odd)?))
}
