//! `--config FILE`: the flags, under the same names, in TOML.
//!
//! ```toml
//! endpoint = "http://localhost:9000"
//! allow-http = true
//!
//! [load]
//! batch = 10000
//! ```
//!
//! What stands at the top is for every command, a table is for the command of that name. The command line and the
//! environment win over the file: its values become the defaults of the flags.

use std::ffi::OsString;

use clap::{ArgAction, Command};
use toml::{Table, Value};

use crate::exit::{Failure, Outcome};

/// The same command with the defaults of the configuration file, if one is named.
pub(crate) fn apply(command: Command, arguments: &[OsString]) -> Outcome<Command> {
    let Some(path) = file_named(arguments) else { return Ok(command) };
    let shown = path.to_string_lossy().into_owned();
    let text = std::fs::read_to_string(&path).map_err(|error| Failure::file(&shown, &error))?;
    let table: Table = text.parse().map_err(|error: toml::de::Error| {
        Failure::usage(format!("{shown}: {}", error.message())).at(shown.clone())
    })?;
    with_table(command, &table).map_err(|why| {
        Failure::usage(format!("{shown}: {why}"))
            .advise("use the names that `isledb help` lists, without dashes in front")
    })
}

fn with_table(mut command: Command, table: &Table) -> Result<Command, String> {
    let names: Vec<String> = command.get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
    for (name, value) in table {
        match value {
            Value::Table(inner) if names.contains(name) => {
                let mut wrong = None;
                command = command.mut_subcommand(name, |sub| {
                    inner.iter().fold(sub, |sub, (flag, value)| {
                        match with_default(sub.clone(), flag, value) {
                            Ok(changed) => changed,
                            Err(why) => {
                                wrong = Some(format!("[{name}] {why}"));
                                sub
                            }
                        }
                    })
                });
                if let Some(why) = wrong {
                    return Err(why);
                }
            }
            value => command = with_default(command, name, value)?,
        }
    }
    Ok(command)
}

fn with_default(command: Command, flag: &str, value: &Value) -> Result<Command, String> {
    let known = command
        .get_arguments()
        .find(|arg| arg.get_long() == Some(flag) && flag != "config")
        .map(|arg| (arg.get_id().clone(), arg.get_action().clone()));
    let Some((id, action)) = known else { return Err(format!("{flag}: there is no such flag")) };
    let text = match (value, action) {
        (Value::Boolean(on), ArgAction::SetTrue) => on.to_string(),
        (Value::Integer(n), ArgAction::Count | ArgAction::Set) => n.to_string(),
        (Value::String(text), ArgAction::Set) => text.clone(),
        (other, _) => return Err(format!("{flag}: cannot be {}", other.type_str())),
    };
    Ok(command.mut_arg(id, |arg| arg.default_value(text)))
}

/// The file that the arguments or the environment name. Looked for before the arguments are parsed, since its values are
/// needed for that; the parser then sees the flag again and checks it.
fn file_named(arguments: &[OsString]) -> Option<OsString> {
    let mut rest = arguments.iter().skip(1);
    while let Some(argument) = rest.next() {
        let text = argument.to_string_lossy();
        if text == "--" {
            break;
        }
        if text == "--config" {
            return rest.next().cloned();
        }
        if let Some(path) = text.strip_prefix("--config=") {
            return Some(path.into());
        }
    }
    std::env::var_os("ISLEDB_CONFIG").filter(|path| !path.is_empty())
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, FromArgMatches};

    use super::*;
    use crate::args::{Cli, Command as Chosen};

    fn parse(config: &str, arguments: &[&str]) -> Result<Cli, String> {
        let table: Table = config.parse().unwrap();
        let command = with_table(Cli::command(), &table)?;
        let matches = command.try_get_matches_from(arguments).map_err(|error| error.to_string())?;
        Cli::from_arg_matches(&matches).map_err(|error| error.to_string())
    }

    #[test]
    fn the_file_gives_defaults_and_the_command_line_wins() {
        let config = "timeout = \"5s\"\njson = true\n[load]\nbatch = 10\n";
        let cli = parse(config, &["isledb", "load", "./x"]).unwrap();
        assert!(cli.global.json);
        assert_eq!(cli.global.timeout, std::time::Duration::from_secs(5));
        let Chosen::Load(load) = cli.command else { panic!("not load") };
        assert_eq!(load.batch, Some(10));
        let cli = parse(config, &["isledb", "load", "./x", "--batch", "3", "--timeout", "9s"]).unwrap();
        assert_eq!(cli.global.timeout, std::time::Duration::from_secs(9));
        let Chosen::Load(load) = cli.command else { panic!("not load") };
        assert_eq!(load.batch, Some(3));
    }

    #[test]
    fn unknown_names_and_wrong_types_are_refused() {
        for config in
            ["colour = true", "json = \"yes\"", "[load]\nbatches = 1", "[unload]\nx = 1", "config = \"x\""]
        {
            assert!(parse(config, &["isledb", "stat", "./x"]).is_err(), "{config}");
        }
    }
}
