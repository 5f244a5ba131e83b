//! The program: see `reenact::cli`.

fn main() -> std::process::ExitCode {
    reenact::cli::main(std::env::args_os())
}
