//! `isledb completions`.

use clap::{Args as Flags, CommandFactory};
use clap_complete::Shell;

use super::Context;
use crate::args::Cli;
use crate::exit::Outcome;

/// Print what a shell needs to complete commands, flags and values
#[derive(Debug, Flags)]
#[command(after_help = "\
Examples:
  isledb completions bash > ~/.local/share/bash-completion/completions/isledb
  isledb completions zsh > \"${fpath[1]}/_isledb\"
  isledb completions fish > ~/.config/fish/completions/isledb.fish
  isledb completions powershell >> $PROFILE")]
pub(crate) struct Args {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

pub(crate) fn run(args: &Args, context: &mut Context) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "isledb", &mut script);
    Ok(context.out.bytes(&script)?)
}
