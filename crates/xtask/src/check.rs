//! `cargo xtask check`: what needs no service.

use crate::report::{Report, run as run_to_end, run_tests};
use crate::workspace::{Workspace, cargo_fmt};
use crate::{deployment, links, policy};

pub(crate) fn run(workspace: &Workspace, report: &mut Report) {
    report.part("formatting", |_| {
        run_to_end(&mut cargo_fmt(&workspace.root))
    });
    report.part("links in documents", |_| links::check(&workspace.root));
    report.part("licences and sources", |_| policy::check(workspace));
    report.part("lints", |_| {
        run_to_end(
            workspace
                .cargo("clippy")
                .args(["--all-targets", "--", "-D", "warnings"]),
        )
    });
    report.part("unit tests", |tests| {
        let mut command = workspace.cargo_without_services("test");
        command.args(["--lib", "--bins", "--no-fail-fast"]);
        for name in workspace.test_targets(false) {
            command.args(["--test", &name]);
        }
        run_tests(&mut command, tests)
    });
    report.part("examples in docs", |tests| {
        run_tests(
            workspace
                .cargo_without_services("test")
                .args(["--doc", "--no-fail-fast"]),
            tests,
        )
    });
    report.part("documentation", |_| {
        run_to_end(
            workspace
                .cargo("doc")
                .arg("--no-deps")
                .env("RUSTDOCFLAGS", "-D warnings"),
        )
    });
    deployment::compare(workspace, report);
}
