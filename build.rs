//! Generates the C header into `OUT_DIR`, and gives the shared library its soname.
//!
//! The header that is shipped, `include/kfetch.h`, is a copy that `tests/header.rs` holds to it.

use std::env;
use std::error::Error;
use std::path::{Path, PathBuf};

use cbindgen::{Builder, Config, DocumentationLength, DocumentationStyle, EnumConfig};
use cbindgen::{ExportConfig, FunctionConfig, Language, RenameRule, Style};

/// The modules in the order in which a reader of the header meets them.
const MODULES: [&str; 21] = [
    "status_code",
    "status",
    "error",
    "config",
    "engine",
    "partition",
    "consumer",
    "assignment",
    "seek",
    "offsets",
    "topics",
    "records",
    "fill",
    "group",
    "rebalance",
    "commit",
    "committed",
    "assignor",
    "stats",
    "log_writer",
    "version",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=src/ffi");
    let major = env::var("CARGO_PKG_VERSION_MAJOR")?;
    if env::var("CARGO_CFG_TARGET_OS")? == "linux" {
        println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libkfetch.so.{major}");
    }
    let source = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("src/ffi");
    let header = PathBuf::from(env::var("OUT_DIR")?).join("kfetch.h");
    generate(&source)?.write_to_file(header);
    Ok(())
}

fn generate(source: &Path) -> Result<cbindgen::Bindings, Box<dyn Error>> {
    let mut builder = Builder::new().with_config(config()?);
    for module in MODULES {
        let path = source.join(module).with_extension("rs");
        if path.exists() {
            builder = builder.with_src(path);
        }
    }
    Ok(builder.generate()?)
}

fn config() -> Result<Config, Box<dyn Error>> {
    // No function names them: C may pass any number where one of them is meant.
    let numbers = [
        "kfetch_log_level",
        "kfetch_offset",
        "kfetch_column",
        "kfetch_codec",
        "kfetch_group_membership_operation",
    ];
    let include = numbers.map(str::to_owned).to_vec();
    let export = ExportConfig { include, ..ExportConfig::default() };
    let enumeration = EnumConfig {
        prefix_with_name: true,
        rename_variants: RenameRule::ScreamingSnakeCase,
        ..EnumConfig::default()
    };
    Ok(Config {
        language: Language::C,
        cpp_compat: true,
        style: Style::Type,
        documentation_style: DocumentationStyle::Doxy,
        documentation_length: DocumentationLength::Full,
        usize_is_size_t: true,
        no_includes: true,
        sys_includes: ["stdbool.h", "stddef.h", "stdint.h"].map(str::to_owned).to_vec(),
        include_guard: Some("KFETCH_H".to_owned()),
        header: Some(INTRODUCTION.to_owned()),
        after_includes: Some(version()?),
        line_length: 100,
        export,
        enumeration,
        function: FunctionConfig { sort_by: None, ..FunctionConfig::default() },
        ..Config::default()
    })
}

fn version() -> Result<String, env::VarError> {
    let number = |part: &str| env::var(format!("CARGO_PKG_VERSION_{part}"));
    Ok(format!(
        "\n/**\n * The version of this header; `kfetch_version` is that of the library.\n */\n\
         #define KFETCH_VERSION \"{}\"\n\
         #define KFETCH_VERSION_MAJOR {}\n\
         #define KFETCH_VERSION_MINOR {}\n\
         #define KFETCH_VERSION_PATCH {}\n",
        env::var("CARGO_PKG_VERSION")?,
        number("MAJOR")?,
        number("MINOR")?,
        number("PATCH")?,
    ))
}

const INTRODUCTION: &str = "\
/*
 * kfetch: a Kafka fetch engine in a library.
 *
 * It takes record batches from Apache Kafka brokers, or straight from Kafka's log segment files,
 * and hands them out in bulk. Begin at `kfetch_consumer`: its text shows the flow of calls.
 *
 * Statuses. A function that can fail returns a `kfetch_status`: 0 is success. Names that end in
 * `_out` are results, written on success alone, but for `error_out`: there comes NULL on success
 * and on failure an error with a text, which the caller frees; NULL asks for none.
 *
 * Handles. What a `_new`, `_open` or a call with a `kfetch_..._out` of a handle gives is freed by
 * its own `_free` or `_close`; `_free(NULL)` does nothing. A NULL handle elsewhere, or a NULL where
 * a value is needed, is KFETCH_STATUS_INVALID_ARGUMENT. Structs that the library fills point into
 * the handle that they came from and are valid until that is freed.
 *
 * Threads. \"Any thread\" and \"One thread at a time per handle\" stand at each function. A second
 * thread in a call on the same handle gets KFETCH_STATUS_CONCURRENT at once. The library's own
 * threads block all signals; its descriptors are closed on exec. In a fork's child handles of the
 * parent answer KFETCH_STATUS_FORKED, and the child can make its own.
 *
 * Callbacks of a group's member (rebalance, commit, assignor) run inside of the program's own call
 * on the consumer, on its thread. From inside of those that are given the consumer they may call
 * what does not poll, subscribe, assign or close; what they may not is KFETCH_STATUS_STATE at once.
 * They must not throw or jump out.
 *
 * Strings are UTF-8 and NUL-terminated; times are milliseconds. The section \"Safety\" of a
 * function is what the library cannot check.
 *
 * Generated from the source: changes belong there.
 */";
