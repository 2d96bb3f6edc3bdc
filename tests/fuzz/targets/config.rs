//! Configuration: the file, spans of time, sizes, DSNs, files of keys.

use std::fmt::Write;
use std::path::Path;

use super::{Target, text};
use crate::config::{Config, Duration, Size};
use crate::dsn;
use crate::keyfile::{self, Keys};

pub(super) const TARGETS: &[Target] = &[
    Target { name: "config_file", run: file },
    Target { name: "durations_and_sizes", run: durations_and_sizes },
    Target { name: "dsn", run: database },
    Target { name: "key_file", run: keys },
];

fn file(data: &[u8]) {
    text(data, |text| {
        let mut config = Config::default();
        if let Err(error) = config.read(Path::new("f.conf"), text) {
            assert!(error.to_string().contains("f.conf, line "), "{error}");
        }
        let errors = [
            config.find::<Duration>(None, "fuzz-time", "").err(),
            config.find::<Size>(None, "fuzz-size", "").err(),
            config.find::<u16>(None, "fuzz-number", "").err(),
            config.find::<bool>(None, "fuzz-switch", "").err(),
        ];
        for error in errors.iter().flatten() {
            assert!(error.to_string().starts_with("fuzz-"), "{error}");
            assert!(!error.to_string().contains('\n'), "one line: {error}");
        }
        // read once more, it says the same
        let before = config.find::<String>(None, "fuzz-time", "").unwrap();
        let _ = config.read(Path::new("f.conf"), text);
        assert_eq!(config.find::<String>(None, "fuzz-time", "").unwrap(), before);
    });
}

fn durations_and_sizes(data: &[u8]) {
    text(data, |text| {
        if let Ok(span) = text.parse::<Duration>() {
            let millis = span.0.as_millis();
            assert_eq!(format!("{millis}ms").parse(), Ok(span));
            assert_eq!(span.to_string().parse(), Ok(span), "as --print-config says it");
            assert_eq!(format!(" {text} ").parse(), Ok(span));
        }
        if let Ok(size) = text.parse::<Size>() {
            assert_eq!(size.0.to_string().parse(), Ok(size));
            assert_eq!(size.to_string().parse(), Ok(size), "as --print-config says it");
        }
    });
}

fn database(data: &[u8]) {
    text(data, |text| {
        let parsed = dsn::parse_in(text, &|_| None, &|| Some("account".to_owned()), &|_| false);
        match parsed {
            Ok(config) => {
                assert!(!config.get_hosts().is_empty() || !config.get_hostaddrs().is_empty());
                assert!(
                    config.get_user().is_some() && config.get_dbname().is_some_and(|name| !name.is_empty())
                );
                let mut out = String::new();
                write!(out, "{}", dsn::describe(&config)).unwrap();
                assert!(out.starts_with("database "));
            }
            Err(error) => {
                let error = error.to_string();
                assert!(error.starts_with("the DSN cannot be used: ") && !error.contains('\n'), "{error}");
            }
        }
    });
}

fn keys(data: &[u8]) {
    text(data, |text| match Keys::parse(text) {
        Ok(keys) => {
            assert_eq!(Keys::parse(&keys.format()), Ok(keys.clone()), "what is written is read back");
            if let Some((name, key)) = keys.only() {
                keyfile::check_name(name).unwrap();
                assert_eq!(Keys::parse(&keyfile::line(name, key)), Ok(keys.clone()));
            }
        }
        Err(error) => {
            assert!(error.starts_with("line ") && error.len() < 200, "never what is in it: {error}")
        }
    });
}
