//! From options to the library's configuration.

use kfetch::Config;

use crate::failure::{Failure, Outcome};
use crate::source_args::{SettingArg, SourceArgs};

/// The names under which the brokers may be set.
const BROKERS: [&str; 2] = ["bootstrap.servers", "metadata.broker.list"];

/// Makes the configuration. The command asks for the ends of partitions, which it acts on, and
/// creates no topic unless it is told to; an option wins over a property.
///
/// # Errors
///
/// [`Failure::Usage`] where nothing says where to read from, and what the library refuses.
pub(crate) fn config(args: &SourceArgs) -> Outcome<Config> {
    let mut config = Config::new().with("allow.auto.create.topics", "false")?;
    for setting in &args.settings {
        match setting {
            SettingArg::File(path) => config.load_file(path)?,
            SettingArg::Property(property) => match property.split_once('=') {
                Some((name, value)) => config.set(name.trim(), value)?,
                None => {
                    let text = format!("-X '{property}' is not of the form NAME=VALUE");
                    return Err(Failure::Usage(text));
                }
            },
        };
    }
    if let Some(brokers) = &args.brokers {
        // The same property set under its other name would contradict this.
        let is_set = |name: &str| config.iter().any(|(set, _)| set == name);
        let names: Vec<&str> = BROKERS.into_iter().filter(|name| is_set(name)).collect();
        for name in names {
            config.set(name, brokers)?;
        }
        config.set("bootstrap.servers", brokers)?;
    }
    if let Some(log_dirs) = &args.log_dirs {
        config.set("log.dirs", log_dirs)?;
    }
    let has = |name| config.get(name).is_some_and(|value| !value.is_empty());
    if !has("bootstrap.servers") && !has("log.dirs") {
        return Err(Failure::Usage("neither -b nor --log-dirs says where to read from".to_owned()));
    }
    config.set("enable.partition.eof", "true")?;
    Ok(config)
}
