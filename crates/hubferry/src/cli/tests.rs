use super::*;

fn parsed(arguments: &[&str]) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(std::iter::once("hubferry").chain(arguments.iter().copied()))
}

fn refusal(arguments: &[&str]) -> String {
    match parsed(arguments) {
        Ok(cli) => panic!("accepted: {cli:?}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn the_help_names_every_command_with_examples() {
    insta::assert_snapshot!(refusal(&["--help"]), @r"
    Carries customer events from Kafka into HubSpot: ordered per user, in full batches, within the limit

    Usage: hubferry [OPTIONS] <COMMAND>

    Commands:
      demo     Show the whole thing in a minute: embedded broker, simulated HubSpot, sample events
      run      Run the worker; with --input, carry the events of a file and end
      produce  Put NDJSON events on the topic, keyed by identity
      route    Copy a topic that is not keyed by identity to one that is
      check    Check configuration and mappings; with --live, broker, Redis and token too
      auth     Sign in by OAuth, look at connections, renew, cut and connect them again
      schema   What the portal offers: types, properties, groups, ids, labels, lists, events; pin it, compare it
      eval     Evaluate mapping, trigger or payload cases: NDJSON on standard input, one answer a line
      try      Show what events would do: mappings, payloads, steps and calls; nothing is written
      test     Run the mapping tests (*.test.yaml) of folders; no network, no token
      import   Turn the reference workspace's exported subscriptions into a configuration, with notes
      init     Write a first configuration: mappings, their tests, the portal's schema; overwrites nothing
      doctor   Look at everything outside, pass or fail with the fix: Kafka, Redis, clock, token, scopes, limits
      limits   The account's windows: what is used, who holds what, what is left of the day
      dlq      Dead letters: list, show, count by cause, explain, export
      replay   Send dead letters through again: plan, run, status, stop, resume, discard
      sim      Serve the HubSpot simulator
      config   About the configuration file
      help     Print this message or the help of the given subcommand(s)

    Options:
      -c, --config <PATH>  Configuration: a YAML or JSON file, or a folder with hubferry.yaml and mappings/*.yaml; repeatable
      -o, --output <FORM>  How results are printed [default: text] [possible values: text, json]
      -h, --help           Print help
      -V, --version        Print version

    Examples:
      hubferry demo                                        see it work: nothing else is needed
      hubferry check --config hubferry.yaml                find every mistake before the first event
      hubferry run --config hubferry.yaml                  the worker: Kafka to HubSpot
      hubferry run --config c.yaml --input events.ndjson   the same for a file, without Kafka

    Exit codes: 0 done, nothing lost; 1 configuration or command line; 2 data; 3 something outside (broker, Redis, HubSpot)
    ");
}

#[test]
fn what_is_wrong_with_a_command_line_is_said() {
    insta::assert_snapshot!(refusal(&["rum"]), @r"
    error: unrecognized subcommand 'rum'

      tip: a similar subcommand exists: 'run'

    Usage: hubferry [OPTIONS] <COMMAND>

    For more information, try '--help'.
    ");
    insta::assert_snapshot!(refusal(&["run", "--dead-letters", "d.ndjson"]), @r"
    error: the following required arguments were not provided:
      --input <FILE|->

    Usage: hubferry run --input <FILE|-> --dead-letters <FILE>

    For more information, try '--help'.
    ");
    insta::assert_snapshot!(refusal(&["sim", "--listen", "nowhere"]), @r"
    error: invalid value 'nowhere' for '--listen <ADDR>': invalid socket address syntax

    For more information, try '--help'.
    ");
}

#[test]
fn common_flags_go_before_and_after_the_command() {
    for arguments in [
        &["--config", "a.yaml", "-o", "json", "check"][..],
        &["check", "--config", "a.yaml", "--output", "json"][..],
    ] {
        let cli = parsed(arguments).unwrap();
        assert_eq!(cli.common.config, [PathBuf::from("a.yaml")]);
        assert!(matches!(cli.common.output, OutputForm::Json));
    }
    assert!(matches!(
        parsed(&["-o", "table", "check"]).unwrap().common.output,
        OutputForm::Text
    ));
}

#[test]
fn a_command_without_configuration_says_how_to_get_one() {
    let cli = parsed(&["run"]).unwrap();
    let failure = dispatch(cli, &Surroundings::default()).unwrap_err();
    assert_eq!(failure.code(), 1);
    assert_eq!(
        failure.to_string(),
        "no configuration: add --config FILE (`hubferry config reference` prints one to start from)"
    );
}
