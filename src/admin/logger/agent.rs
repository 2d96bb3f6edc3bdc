//! What a client's `User-Agent` says of it. pip and uv send a JSON object behind their name and version, others a list
//! of products (RFC 9110, 10.1.5); whatever cannot be read is not known. Pure.

use serde_json::Value;

use crate::wire::Text;
use crate::wire::limits::CLIENT_BYTES;

/// What is read of a `User-Agent`, in bytes; web servers take no longer headers by default.
const AGENT_BYTES: usize = 8192;

/// Implementations of Python, as products are called.
const PYTHONS: [&str; 5] = ["CPython", "PyPy", "GraalPy", "Jython", "IronPython"];
/// Operating systems, as products are called.
const SYSTEMS: [&str; 6] = ["Linux", "Darwin", "Windows", "FreeBSD", "OpenBSD", "NetBSD"];

/// What is known of a client; empty texts for the rest.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Client {
    pub(crate) arch: Text<CLIENT_BYTES>,
    pub(crate) distro_name: Text<CLIENT_BYTES>,
    pub(crate) distro_version: Text<CLIENT_BYTES>,
    pub(crate) os_name: Text<CLIENT_BYTES>,
    pub(crate) os_version: Text<CLIENT_BYTES>,
    pub(crate) py_name: Text<CLIENT_BYTES>,
    pub(crate) py_version: Text<CLIENT_BYTES>,
    pub(crate) installer_name: Text<CLIENT_BYTES>,
    pub(crate) installer_version: Text<CLIENT_BYTES>,
    pub(crate) setuptools_version: Text<CLIENT_BYTES>,
}

/// Reads a `User-Agent`.
pub(crate) fn describe(agent: &str) -> Client {
    let agent = &agent[..agent.floor_char_boundary(AGENT_BYTES)];
    let mut client = Client::default();
    let (products, json) = agent.split_at(agent.find('{').unwrap_or(agent.len()));
    from_products(products, &mut client);
    // nesting deeper than serde_json takes (128) is no client's
    if let Ok(said @ Value::Object(_)) = serde_json::from_str(json.trim_end()) {
        from_json(&said, &mut client);
    }
    client
}

/// `NAME/VERSION` of the client itself, then those of what it is made of.
fn from_products(text: &str, client: &mut Client) {
    let mut products = text.split([' ', '\t', ';', ',', '(', ')', '[', ']']).filter_map(|product| {
        let (name, version) = product.split_once('/')?;
        (!name.is_empty()).then_some((name, version))
    });
    let Some((name, version)) = products.next() else { return };
    (client.installer_name, client.installer_version) = (clean(name), clean(version));
    for (name, version) in products {
        if client.py_name.is_empty() && PYTHONS.contains(&name) {
            (client.py_name, client.py_version) = (clean(name), clean(version));
        } else if client.os_name.is_empty() && SYSTEMS.contains(&name) {
            (client.os_name, client.os_version) = (clean(name), clean(version));
        }
    }
}

/// The object of pip and uv. A pair of name and version that it has replaces what the products said.
fn from_json(said: &Value, client: &mut Client) {
    let text = |value: &Value| clean(value.as_str().unwrap_or_default());
    let pair = |value: &Value, version: &str| {
        let name = text(&value["name"]);
        (!name.is_empty()).then(|| (name, text(&value[version])))
    };
    client.arch = text(&said["cpu"]);
    client.setuptools_version = text(&said["setuptools_version"]);
    if let Some(found) = pair(&said["distro"], "version") {
        (client.distro_name, client.distro_version) = found;
    }
    if let Some(found) = pair(&said["system"], "release") {
        (client.os_name, client.os_version) = found;
    }
    if let Some(found) = pair(&said["installer"], "version") {
        (client.installer_name, client.installer_version) = found;
    }
    if let Some(found) = pair(&said["implementation"], "version") {
        (client.py_name, client.py_version) = found;
    } else if let Some(python) = said["python"].as_str() {
        (client.py_name, client.py_version) = (clean("CPython"), clean(python));
    }
}

/// As much as fits, control characters replaced: it is shown to people, on terminals too.
fn clean(text: &str) -> Text<CLIENT_BYTES> {
    if text.contains(char::is_control) {
        return Text::cut(text.replace(char::is_control, "?").trim());
    }
    Text::cut(text.trim())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn words(agent: &str) -> String {
        let c = describe(agent);
        let pairs = [
            (&c.installer_name, &c.installer_version),
            (&c.py_name, &c.py_version),
            (&c.os_name, &c.os_version),
            (&c.distro_name, &c.distro_version),
            (&c.arch, &c.setuptools_version),
        ];
        pairs.map(|(name, version)| format!("{name} {version}")).join("|")
    }

    #[test]
    fn clients_say_who_they_are_in_many_ways() {
        for (agent, expected) in [
            (
                r#"pip/24.0 {"ci":null,"cpu":"armv7l","distro":{"id":"bookworm","libc":{"lib":"glibc","version":"2.36"},"name":"Raspbian GNU/Linux","version":"12"},"implementation":{"name":"CPython","version":"3.11.2"},"installer":{"name":"pip","version":"24.0"},"openssl_version":"OpenSSL 3.0.11 19 Sep 2023","python":"3.11.2","setuptools_version":"66.1.1","system":{"name":"Linux","release":"6.1.21-v7+"}}"#,
                "pip 24.0|CPython 3.11.2|Linux 6.1.21-v7+|Raspbian GNU/Linux 12|armv7l 66.1.1",
            ),
            (
                r#"uv/0.4.18 {"installer":{"name":"uv","version":"0.4.18","subcommand":["pip","install"]},"python":"3.12.2","implementation":{"name":"CPython","version":"3.12.2"},"distro":{"name":"Ubuntu","version":"22.04","id":"jammy","libc":{"lib":"glibc","version":"2.35"}},"system":{"name":"Linux","release":"6.5.0-1016-azure"},"cpu":"x86_64","openssl_version":null,"setuptools_version":null,"rustc_version":null,"ci":true}"#,
                "uv 0.4.18|CPython 3.12.2|Linux 6.5.0-1016-azure|Ubuntu 22.04|x86_64 ",
            ),
            // Windows has no distribution, and uv has no Python before it has installed one
            (
                r#"uv/0.4.18 {"installer":{"name":"uv","version":"0.4.18"},"python":null,"implementation":{"name":null,"version":null},"distro":null,"system":{"name":"Windows","release":"11"},"cpu":"AMD64"}"#,
                "uv 0.4.18| |Windows 11| |AMD64 ",
            ),
            // an old pip, without implementation
            (
                r#"pip/9.0.1 {"cpu":"armv6l","distro":{"name":"Raspbian","version":"9"},"installer":{"name":"pip","version":"9.0.1"},"python":"2.7.13","system":{"name":"Linux","release":"4.14"}}"#,
                "pip 9.0.1|CPython 2.7.13|Linux 4.14|Raspbian 9|armv6l ",
            ),
            (
                "pip/1.5.6 CPython/2.7.9 Linux/3.16.0-4-amd64",
                "pip 1.5.6|CPython 2.7.9|Linux 3.16.0-4-amd64| | ",
            ),
            (
                "poetry/1.8.2 CPython/3.11.2 Linux/6.1.0-18-arm64",
                "poetry 1.8.2|CPython 3.11.2|Linux 6.1.0-18-arm64| | ",
            ),
            ("pdm/2.15.0 PyPy/7.3.15 (Darwin/23.3.0; arm64)", "pdm 2.15.0|PyPy 7.3.15|Darwin 23.3.0| | "),
            ("curl/7.88.1", "curl 7.88.1| | | | "),
            ("Mozilla/5.0 (X11; Linux armv7l) AppleWebKit/537.36 (KHTML)", "Mozilla 5.0| | | | "),
            ("devpi", " | | | | "),
            ("-", " | | | | "),
            ("", " | | | | "),
        ] {
            assert_eq!(words(agent), expected, "{agent}");
        }
    }

    #[test]
    fn what_is_odd_is_not_known_and_harms_nothing_else() {
        for (agent, expected) in [
            (r#"pip/24.0 {"cpu":"armv7l""#, "pip 24.0| | | | "),
            (
                r#"pip/24.0 {"cpu":7,"distro":"x","system":["Linux"],"installer":{"name":{}}}"#,
                "pip 24.0| | | | ",
            ),
            (r#"pip/24.0 {"cpu":"arm\u0000v7\u001b[31m\nl"}"#, "pip 24.0| | | |arm?v7?[31m?l "),
            ("pip/24.0 CPython/3.11 {not json", "pip 24.0|CPython 3.11| | | "),
            (r#"{"cpu":"arm"}"#, " | | | |arm "),
            ("/1.0 x/", "x | | | | "),
        ] {
            assert_eq!(words(agent), expected, "{agent}");
        }
        let nested = format!("pip/24.0 {}{}", "{\"a\":".repeat(5000), "}".repeat(5000));
        assert_eq!(words(&nested), "pip 24.0| | | | ");
        let long = describe(&format!("pip/{} {{\"cpu\":\"{}\"}}", "9".repeat(500), "é".repeat(200)));
        assert_eq!((long.installer_version.len(), long.arch.len()), (100, 100));
        let endless = describe(&format!("pip/1 {{\"cpu\":\"{}\"}}", "x".repeat(100_000)));
        assert_eq!((&*endless.installer_name, &*endless.arch), ("pip", ""));
    }

    proptest! {
        #[test]
        fn no_agent_panics(agent in "\\PC{0,200}|pip/[0-9.]{0,8} \\{[\\[\\]{}:,\"a-z0-9\\\\]{0,100}") {
            describe(&agent);
        }
    }
}
