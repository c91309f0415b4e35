//! Parses the arguments and runs one command.

fn main() -> std::process::ExitCode {
    deodar::cli::run()
}
