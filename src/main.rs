//! `shuqiao`: parse the command, run it, exit with its code.

fn main() {}
