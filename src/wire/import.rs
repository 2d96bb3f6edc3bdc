//! The import channel: the administrator's tools and Mr Chase (manual 6.3, 7.3; `wire-spec/import.md`).

use super::ids::{BuildId, Sha256};
use super::limits::*;
use super::slave::BuiltFile;
use super::{Blob, List, Text};

record! {
    /// A package that is wanted.
    Requirement {
        /// Its name, in any spelling.
        package: Text<NAME_BYTES>,
        /// PEP 440 specifiers; empty for the newest version.
        specifiers: Text<NAME_BYTES>,
        /// Extras whose requirements are wanted too, where those of the package are: names with spaces between.
        extras: Text<NAME_BYTES>,
    }
}

record! {
    /// A published file that somebody fetched from the web server. Texts are empty where the client does not say.
    Download {
        /// The wheel's file name.
        filename: Text<FILENAME_BYTES>,
        /// When: seconds since 1970.
        at: i64,
        /// From where: an IPv6 address, or an IPv4 one mapped into it (RFC 4291, 2.5.5.2).
        address: Option<[u8; 16]>,
        /// The client's processor.
        arch: Text<CLIENT_BYTES>,
        /// The client's distribution.
        distro_name: Text<CLIENT_BYTES>,
        /// Its version.
        distro_version: Text<CLIENT_BYTES>,
        /// The client's operating system.
        os_name: Text<CLIENT_BYTES>,
        /// Its version.
        os_version: Text<CLIENT_BYTES>,
        /// The client's implementation of Python.
        py_name: Text<CLIENT_BYTES>,
        /// Its version.
        py_version: Text<CLIENT_BYTES>,
        /// The program that fetched the file.
        installer_name: Text<CLIENT_BYTES>,
        /// Its version.
        installer_version: Text<CLIENT_BYTES>,
        /// The version of setuptools beside it.
        setuptools_version: Text<CLIENT_BYTES>,
    }
}

messages! {
    /// From a tool to the master.
    FromTool {
        /// Puts packages on the farm's list, all or none.
        0x01 "ADD" Add {
            /// What is wanted.
            items: List<Requirement, ADD_ITEMS>,
            /// The requirements of what is built for it are wanted too.
            with_deps: bool,
        }
        /// Asks what became of a package.
        0x02 "WHY" Why {
            /// Its name, in any spelling.
            package: Text<NAME_BYTES>,
            /// One version; empty for all.
            version: Text<NAME_BYTES>,
        }
        /// Registers an ABI to build for.
        0x03 "ABI_ADD" AbiAdd {
            /// The tag.
            abi: Text<TAG_BYTES>,
            /// Its place in the order of attempts; none for the one its Python version gives.
            rank: Option<i16>,
            /// Platforms of the slaves that may build for it; none: any.
            platforms: List<Text<TAG_BYTES>, ABI_PLATFORMS>,
        }
        /// Asks for the ABIs that the farm builds for.
        0x04 "ABI_LIST" AbiList {}
        /// Builds nothing more of a package, of a version of it, or of a package for an ABI.
        0x05 "SKIP" Skip {
            /// Its name, in any spelling.
            package: Text<NAME_BYTES>,
            /// One version; empty for all, those to come too.
            version: Text<NAME_BYTES>,
            /// One ABI; empty for all. Not with a version.
            abi: Text<TAG_BYTES>,
            /// Why, for people; not empty.
            reason: Text<REASON_BYTES>,
        }
        /// Takes SKIP back.
        0x06 "UNSKIP" Unskip {
            /// As in SKIP.
            package: Text<NAME_BYTES>,
            /// As in SKIP.
            version: Text<NAME_BYTES>,
            /// As in SKIP.
            abi: Text<TAG_BYTES>,
        }
        /// Builds nothing more of packages with such names, those to come too.
        0x07 "BLOCK" Block {
            /// A name in any spelling, with `*` for any characters.
            pattern: Text<NAME_BYTES>,
            /// Why, for people; not empty.
            reason: Text<REASON_BYTES>,
        }
        /// Takes BLOCK back.
        0x08 "UNBLOCK" Unblock {
            /// The same pattern.
            pattern: Text<NAME_BYTES>,
        }
        /// Sets a policy of the whole farm.
        0x09 "POLICY" Policy {
            /// Which.
            name: Text<TAG_BYTES>,
            /// To what; none for what holds where none is set.
            value: Option<Text<REASON_BYTES>>,
            /// Why, for people; may be empty.
            reason: Text<REASON_BYTES>,
        }
        /// Asks for the policies and the blocked names.
        0x0a "POLICIES" Policies {}
        /// Builds nothing more for an ABI.
        0x0b "ABI_RETIRE" AbiRetire {
            /// The tag.
            abi: Text<TAG_BYTES>,
            /// Why, for people; not empty.
            reason: Text<REASON_BYTES>,
        }
        /// Takes failed attempts as never made: those that fit all that is named, which is something.
        0x0c "REQUEUE" Requeue {
            /// Of this package; empty for any.
            package: Text<NAME_BYTES>,
            /// Of this version of it; empty for any.
            version: Text<NAME_BYTES>,
            /// For this ABI; empty for any.
            abi: Text<TAG_BYTES>,
            /// That ended so; empty for any that made no wheel.
            outcome: Text<TAG_BYTES>,
        }
        /// Asks for the farm in numbers.
        0x0d "STATISTICS" Statistics {}
        /// Compares what the database keeps for speed with what it follows from.
        0x0e "AUDIT" Audit {
            /// What is wrong is mended.
            mend: bool,
        }
        /// Asks how far the index is followed.
        0x0f "FEED" Feed {}
        /// Has downloads counted.
        0x10 "DOWNLOADS" Downloads {
            /// Drawn at random for these records: asked again with the same, nothing is counted twice.
            batch: [u8; 16],
            /// What was downloaded.
            records: List<Download, DOWNLOAD_RECORDS>,
        }
        /// Has pages written again.
        0x11 "REBUILD" Rebuild {
            /// Which.
            what: Pages,
            /// Of these projects, in any spelling; none: of all. Only with [`Pages::Project`].
            names: List<Text<NAME_BYTES>, ADD_ITEMS>,
        }
        /// Asks where the web tree is.
        0x14 "TREE" Tree {}
        /// Asks which projects the web tree is to have.
        0x15 "AUDIT_PROJECTS" AuditProjects {
            /// After this name; empty for the beginning.
            after: Text<NAME_BYTES>,
            /// How many are looked at.
            limit: u16,
        }
        /// Asks what the web tree is to have of a project.
        0x16 "AUDIT_PROJECT" AuditProject {
            /// Its canonical name.
            project: Text<NAME_BYTES>,
            /// Files after this name; empty for the beginning.
            after: Text<TREE_NAME_BYTES>,
            /// How many.
            limit: u16,
        }
        /// Asks which names are of no project that the web tree has anything of.
        0x17 "AUDIT_STRANGERS" AuditStrangers {
            /// Names of directories.
            names: List<Text<TREE_NAME_BYTES>, AUDIT_NAMES>,
        }
        /// Asks which builds the farm does not know.
        0x18 "AUDIT_BUILDS" AuditBuilds {
            /// Their numbers.
            builds: List<BuildId, AUDIT_NAMES>,
        }
        /// Keeps a published file from its page, or shows it again.
        0x19 "WITHHOLD" Withhold {
            /// Which.
            filename: Text<TREE_NAME_BYTES>,
            /// Why, for people; none to show it again.
            reason: Option<Text<REASON_BYTES>>,
        }
        /// Removes what nothing in the database stands for from a project's directory, where it is older than a day.
        0x1a "SWEEP" Sweep {
            /// The project's canonical name.
            project: Text<NAME_BYTES>,
            /// Names in its directory; when that is empty then, it goes, too.
            names: List<Text<TREE_NAME_BYTES>, AUDIT_NAMES>,
        }
        /// Asks which projects the root index is to name.
        0x1c "AUDIT_ROOT" AuditRoot {
            /// After this name; empty for the beginning.
            after: Text<NAME_BYTES>,
            /// How many.
            limit: u16,
        }
        /// Takes METADATA out of a published wheel again and puts it beside it.
        0x1b "UNPACK_METADATA" UnpackMetadata {
            /// The wheel's file name.
            filename: Text<FILENAME_BYTES>,
            /// What METADATA must be.
            sha256: Sha256,
        }
        /// Has wheels published that the tool has: one build of one version.
        0x20 "IMPORT" Import {
            /// Whose they are, in any spelling; empty: as their names say.
            package: Text<NAME_BYTES>,
            /// Which version; empty: as their names say.
            version: Text<NAME_BYTES>,
            /// The ABI that they were built for; empty: as their names say.
            abi: Text<TAG_BYTES>,
            /// Wall-clock time of the build.
            duration_ms: u64,
            /// What the build printed; not empty.
            output: Blob<OUTPUT_BYTES>,
            /// The wheels; one at least.
            files: List<BuiltFile, FILES_PER_BUILD>,
            /// A package or version that the farm does not know is made.
            create: bool,
        }
        /// Bytes that a FETCH asked for.
        0x21 "CHUNK" Chunk {
            /// Where they stand in the file.
            offset: u64,
            /// The bytes.
            data: Blob<CHUNK_BYTES>,
        }
        /// Removes what is published of a package, or marks it.
        0x22 "REMOVE" Remove {
            /// Its name, in any spelling.
            package: Text<NAME_BYTES>,
            /// One version; empty for all that are known.
            version: Text<NAME_BYTES>,
            /// What of it.
            what: Removal,
            /// Nothing of it is built any more, for this reason. Only where something is removed.
            skip: Option<Text<REASON_BYTES>>,
            /// Why, for people; not empty.
            reason: Text<REASON_BYTES>,
        }
    }
}

code! {
    /// What of a package is removed.
    Removal {
        /// Its files.
        1 "files" Files,
        /// The same, and what is recorded of its builds.
        2 "builds" Builds,
        /// Nothing: it is marked as yanked.
        3 "yank" Yank,
        /// That mark.
        4 "unyank" Unyank,
    }
}

code! {
    /// Which pages are written again.
    Pages {
        /// The home page.
        1 "home" Home,
        /// Projects' pages.
        2 "project" Project,
        /// The root index.
        3 "index" Index,
        /// Everything.
        4 "all" All,
    }
}

messages! {
    /// From the master to a tool.
    ToTool {
        /// Done; the answer is JSON.
        0x81 "DONE" Done {
            /// See `wire-spec/import.md` for each request's form.
            json: Text<JSON_BYTES>,
        }
        /// Not done, and nothing changed.
        0x82 "ERROR" Error {
            /// Reasons, for people, one a line.
            reasons: List<Text<REASON_BYTES>, ADD_ITEMS>,
        }
        /// Turns to a file of an IMPORT.
        0xa0 "SEND" Send {
            /// Its place among them, from 0.
            index: u16,
        }
        /// Asks for bytes of the file that SEND named last.
        0xa1 "FETCH" Fetch {
            /// Where they begin.
            offset: u64,
            /// How many, 1 to 262,144.
            length: u32,
        }
    }
}
