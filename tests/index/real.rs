//! The index that pip on this machine is configured for: a handful of pages.

use std::fs;

use piwheels::master::cloud_gazer::{CloudGazer, pip, xml_rpc_url};
use piwheels::master::event::{LookAnswer, LookUp};
use piwheels::master::gaze::{
    GazeAnswer, GazeRequest, PageNews, PageTruth, PageWish, ProjectStatus, ReleaseTruth,
};

use crate::{name, wish};

fn read(gazer: &mut CloudGazer, wish: PageWish) -> PageNews {
    match gazer.gaze(&GazeRequest::Page(wish)) {
        GazeAnswer::Page(_, news) => news,
        other => panic!("{other:?}"),
    }
}

fn release<'a>(page: &'a PageTruth, version: &str) -> &'a ReleaseTruth {
    page.releases.iter().find(|release| release.version.to_string() == version).unwrap()
}

#[test]
fn pages_of_the_real_index_are_read() {
    let pip = pip::settings().unwrap();
    let certificates = pip.cert.map(|file| fs::read(file).unwrap());
    let mut gazer = CloudGazer::new(&pip.index_url, &xml_rpc_url(&pip.index_url), certificates.as_deref());
    let mut page = |package: &str| match read(&mut gazer, wish(package)) {
        PageNews::Seen(truth) => *truth,
        other => panic!("{package}: {other:?}"),
    };
    let six = page("six");
    let one = release(&six, "1.16.0");
    assert!(one.sdist && one.wanted && one.yanked.is_none());
    assert_eq!(one.pure.as_deref(), Some("six-1.16.0-py2.py3-none-any.whl"));
    assert_eq!(one.released.map(|at| at / 86_400), Some(18_752), "on the fifth of May 2021");
    assert_eq!(one.pythons.map(|mask| mask & 0b1111), Some(0b1000), "from 3.3 on");
    assert!(six.releases.is_sorted_by(|a, b| a.version < b.version));

    let markupsafe = page("MarkupSafe");
    let two = release(&markupsafe, "2.1.5");
    assert!(two.sdist && two.pure.is_none());
    assert_eq!(two.pythons.map(|mask| mask & 0xff), Some(0x80), "from 3.7 on");
    assert!(two.tags.iter().any(|tag| tag.starts_with("cp311-cp311-manylinux_")), "{:?}", two.tags);

    let pyyaml = page("pyyaml");
    assert_eq!(pyyaml.status, ProjectStatus::Active);
    assert!(release(&pyyaml, "6.0.2").sdist);
    if let Some(etag) = pyyaml.etag {
        assert_eq!(read(&mut gazer, PageWish { etag: Some(etag), ..wish("pyyaml") }), PageNews::Unchanged);
    }

    let specifiers = ">=1.15,<1.16.1".to_owned();
    match gazer.look(&[LookUp { package: name("six"), specifiers, extras: Vec::new(), required: false }]) {
        LookAnswer::Found(found) => assert_eq!(found[0].version.to_string(), "1.16.0"),
        other => panic!("{other:?}"),
    }
}
