//! The set of settings, before they mean anything.

#![forbid(unsafe_code)]

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use super::consumer::ConsumerConfig;
use super::properties_file;
use super::property::Property;
use super::table;
use super::value::{ValueError, quoted};
use crate::error::{Error, ErrorKind, Result};
use crate::nearest::nearest;

/// The longest file: a hundred times what a configuration with inline certificates takes.
const FILE_BYTES_MAX: usize = 16 << 20;

/// What stands in place of a secret, as in Java.
const HIDDEN: &str = "[hidden]";

/// An ordered set of settings by Kafka's property names; see the [module](super).
///
/// Printing it, by `Display` in the `.properties` format or by `Debug`, hides passwords, keys and
/// the like; [`Config::get`] and [`Config::iter`] do not.
///
/// # Examples
///
/// ```
/// use kfetch::client::config::Config;
///
/// let mut config = Config::new();
/// config.set("bootstrap.servers", "localhost:9092")?.set("fetch.min.bytes", "1024")?;
/// let consumer = config.consumer()?;
/// assert_eq!(consumer.fetch.min_bytes, 1024);
///
/// let error = config.set("fetch.min.byte", "1").unwrap_err();
/// assert!(error.to_string().contains("fetch.min.bytes"));
/// # Ok::<(), kfetch::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct Config {
    /// At most one for each name, in the order in which the names were last set.
    settings: Vec<Setting>,
}

/// One name with its value.
#[derive(Clone)]
pub(super) struct Setting {
    /// As given, so that two names of one property can be told apart.
    pub(super) name: &'static str,
    pub(super) property: &'static Property,
    /// In the property's one spelling.
    pub(super) value: String,
    pub(super) origin: Origin,
}

/// Where a setting comes from.
#[derive(Clone)]
pub(super) enum Origin {
    Code,
    Line { file: Option<Arc<str>>, line: usize },
}

impl Config {
    /// Makes a set without settings.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a property, in place of an earlier setting of the same name.
    ///
    /// # Errors
    ///
    /// When no property has this name, or the value is none of it. Nothing is changed then.
    pub fn set(&mut self, name: &str, value: &str) -> Result<&mut Self> {
        let setting = Setting::new(name, value, Origin::Code)?;
        self.put(setting);
        Ok(self)
    }

    /// Sets a property on the way: `Config::new().with("client.id", "a")?`.
    ///
    /// # Errors
    ///
    /// As [`Config::set`].
    pub fn with(mut self, name: &str, value: &str) -> Result<Self> {
        self.set(name, value)?;
        Ok(self)
    }

    /// Sets all properties of a text in the `.properties` format, later lines over earlier ones.
    ///
    /// # Errors
    ///
    /// When the text is malformed or [`Config::set`] would refuse one of its lines; the error
    /// names line and property. Nothing is changed then.
    pub fn parse(&mut self, text: &str) -> Result<&mut Self> {
        self.apply(None, text)
    }

    /// Sets all properties of a `.properties` file in UTF-8, later lines over earlier ones.
    ///
    /// # Errors
    ///
    /// When the file cannot be read or is longer than 16 MiB, and as [`Config::parse`]; the error
    /// names the file. Nothing is changed then.
    pub fn load_file(&mut self, path: impl AsRef<Path>) -> Result<&mut Self> {
        let path = path.as_ref();
        let file: Arc<str> = path.to_string_lossy().into();
        let bytes = read_limited(path)
            .map_err(|error| Error::new(ErrorKind::Io, format!("{file}: {error}")))?;
        if bytes.len() > FILE_BYTES_MAX {
            let text = format!("{file}: the file has more than {FILE_BYTES_MAX} bytes");
            return Err(Error::new(ErrorKind::Config, text));
        }
        let text = properties_file::decode(&bytes)
            .map_err(|error| format_error(Some(Arc::clone(&file)), &error))?;
        self.apply(Some(file), text)
    }

    /// Turns the settings into what a consumer runs by, and logs one warning for each of
    /// [`ConsumerConfig::warnings`].
    ///
    /// # Errors
    ///
    /// When a setting asks for what is not built yet, when two names of one property differ, when
    /// it is not said or said twice where to read from, or when two values exclude each other.
    pub fn consumer(&self) -> Result<ConsumerConfig> {
        let config = ConsumerConfig::build(self)?;
        for warning in config.warnings() {
            log::warn!("{warning}");
        }
        Ok(config)
    }

    /// Returns the value of a property under any of its names: what was set last, else the
    /// default. `None` where neither exists and where no property has this name.
    ///
    /// Values come in one spelling: `+007` is `7`, `largest` is `latest`.
    pub fn get(&self, name: &str) -> Option<&str> {
        let (_, property) = table::find(name)?;
        let default = Some(property.default()).filter(|default| !default.is_empty());
        self.last(property).map(|setting| setting.value.as_str()).or(default)
    }

    /// Returns what was set, secrets too, in the order in which the names were last set.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.settings.iter().map(|setting| (setting.name, setting.value.as_str()))
    }

    pub(super) fn settings(&self) -> &[Setting] {
        &self.settings
    }

    /// Returns the last setting of a property under any of its names.
    pub(super) fn last(&self, property: &Property) -> Option<&Setting> {
        self.settings.iter().rev().find(|setting| setting.property.name() == property.name())
    }

    fn apply(&mut self, file: Option<Arc<str>>, text: &str) -> Result<&mut Self> {
        let entries =
            properties_file::parse(text).map_err(|error| format_error(file.clone(), &error))?;
        let settings: Vec<Setting> = entries
            .iter()
            .map(|entry| {
                let origin = Origin::Line { file: file.clone(), line: entry.line };
                Setting::new(&entry.name, &entry.value, origin)
            })
            .collect::<Result<_>>()?;
        settings.into_iter().for_each(|setting| self.put(setting));
        Ok(self)
    }

    fn put(&mut self, setting: Setting) {
        self.settings.retain(|earlier| earlier.name != setting.name);
        self.settings.push(setting);
    }
}

impl fmt::Display for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for setting in &self.settings {
            writeln!(f, "{}", properties_file::format_entry(setting.name, setting.shown()))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.settings.iter().map(|setting| (setting.name, setting.shown()));
        f.debug_map().entries(shown).finish()
    }
}

impl Setting {
    fn new(name: &str, value: &str, origin: Origin) -> Result<Self> {
        let Some((name, property)) = table::find(name) else {
            return Err(unknown(name, &origin));
        };
        match property.kind().canonical(value) {
            Ok(value) => Ok(Self { name, property, value, origin }),
            Err(error) => Err(invalid(name, &error, &origin)),
        }
    }

    /// Returns the value, or what stands for it where it is a secret.
    pub(super) fn shown(&self) -> &str {
        if self.property.is_secret() { HIDDEN } else { &self.value }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code => Ok(()),
            Self::Line { file: Some(file), line } => write!(f, "{file}:{line}: "),
            Self::Line { file: None, line } => write!(f, "line {line}: "),
        }
    }
}

fn unknown(name: &str, origin: &Origin) -> Error {
    let hint = nearest(name, table::names())
        .map_or_else(String::new, |nearest| format!("; the nearest known one is {nearest}"));
    let text = format!("{origin}no property has the name {}{hint}", quoted(name));
    Error::new(ErrorKind::Config, text)
}

fn invalid(name: &str, error: &ValueError, origin: &Origin) -> Error {
    Error::new(ErrorKind::Config, format!("{origin}{name}: {error}"))
}

fn format_error(file: Option<Arc<str>>, error: &properties_file::FormatError) -> Error {
    let origin = Origin::Line { file, line: error.line };
    let name = error.name.as_ref().map_or_else(String::new, |name| format!("{}: ", quoted(name)));
    Error::new(ErrorKind::Config, format!("{origin}{name}{}", error.fault))
}

fn read_limited(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let limit = u64::try_from(FILE_BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1);
    File::open(path)?.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}
