//! Figures that benchmarks print.

/// Prints one figure on a line of its own: what it is, the value with its unit, and what it has to reach.
#[expect(clippy::print_stdout, reason = "a benchmark prints what it measured")]
pub fn figure(what: &str, value: &str, wanted: &str) {
    println!("  {what:<44}{value:>16}   {wanted}");
}
