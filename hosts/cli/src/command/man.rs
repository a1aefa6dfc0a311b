//! `isledb man`.

use std::path::PathBuf;

use clap::{Args as Flags, Command, CommandFactory};
use clap_mangen::Man;

use super::Context;
use crate::args::Cli;
use crate::exit::{Failure, Outcome};

/// Print manual pages, or write them all into a folder
#[derive(Debug, Flags)]
#[command(after_help = "\
Examples:
  isledb man | man -l -
  isledb man verify | man -l -
  isledb man --out ~/.local/share/man/man1")]
pub(crate) struct Args {
    /// The page of this command; without it, that of isledb as a whole
    #[arg(value_name = "COMMAND", conflicts_with = "out")]
    command: Option<String>,
    /// Write the pages of all commands into this folder, as isledb.1, isledb-get.1 and so on
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
}

pub(crate) fn run(args: &Args, context: &mut Context) -> Outcome {
    // Pages name their command in full (`isledb get`), and carry the flags of every command.
    let mut whole = Cli::command().disable_help_subcommand(true);
    whole.build();
    if let Some(folder) = &args.out {
        let failed = |error: &std::io::Error| Failure::file(&folder.display().to_string(), error);
        std::fs::create_dir_all(folder).map_err(|error| failed(&error))?;
        let pages = std::iter::once(&whole).chain(whole.get_subcommands());
        for command in pages {
            let path = folder.join(format!("{}.1", file_name(command)));
            std::fs::write(&path, page(command)?).map_err(|error| failed(&error))?;
        }
        return Ok(());
    }
    let command = match &args.command {
        None => &whole,
        Some(name) => whole.find_subcommand(name).ok_or_else(|| {
            Failure::usage(format!("there is no command {name:?}")).advise("`isledb help` lists them")
        })?,
    };
    let page = page(command)?;
    Ok(context.out.bytes(&page)?)
}

/// `isledb-get`.
fn file_name(command: &Command) -> String {
    command.get_display_name().unwrap_or(command.get_name()).to_owned()
}

fn page(command: &Command) -> Outcome<Vec<u8>> {
    let mut page = Vec::new();
    let title = file_name(command).to_uppercase();
    Man::new(command.clone()).title(title).render(&mut page)?;
    Ok(page)
}
