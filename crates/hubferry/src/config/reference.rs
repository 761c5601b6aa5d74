//! The commented file with every key and its default, as `hubferry config reference` prints it.

/// The reference configuration. A test reads it back and compares it with the defaults.
pub const REFERENCE: &str = r#"# hubferry: every key with its default.
#
# YAML or JSON. Several files may be given (`--config` is repeatable; a folder holds hubferry.yaml and
# mappings/*.yaml); destinations and mappings of the same name are joined, later ones win.
# ${NAME} inside a value takes an environment variable; $${NAME} stands for the text itself.
# HUBFERRY__SECTION__KEY overrides a value, e.g. HUBFERRY__KAFKA__BROKERS=kafka:9092 or
# HUBFERRY__DESTINATIONS__ACME__HUBSPOT__LIMITS__TEN_SECONDS=190.
# Durations and sizes carry units: 25ms, 2s, 24h, 7d; 64KiB, 16MiB. Unknown keys are errors.

# Where events come from. Not needed for `run --input FILE`.
kafka:
  brokers: localhost:9092                     # required; a text with commas or a list
  group: hubferry
  topics: [customer-events]                   # required
  dead_letter_topic: "{topic}.hubferry.dlq"   # {topic} stands for the source
  group_protocol: classic                     # or consumer: the broker assigns (Kafka 4.0 and later)
  session_timeout: 45s
  properties: {}                              # passed to the client as they are, e.g. security.protocol: SASL_SSL

# What the workers of a fleet share: the call limit, contact ids, waiting links.
# Without it everything is held in one process.
redis:
  url: redis://localhost:6379                 # rediss:// for TLS
  prefix: hubferry
  allow_eviction: false                       # a Redis that drops keys may let a limit be exceeded

input:
  format: json                                # json: one event or one batch envelope a message; array; ndjson
  max_event_bytes: 1MiB
  max_batch_events: 10000

# How much may be in flight before partitions are paused.
intake:
  partition_bytes: 16MiB
  worker_bytes: 64MiB
  partition_messages: 20000

delivery:
  linger: 25ms                                # how long a step waits for company when there is little traffic
  max_age: 2s                                 # after this long a waiting step outweighs a fuller call

# With Redis the fleet remembers what it delivered: the same event is not delivered twice.
dedupe:
  window: 24h                                 # or off; ten million events take about 1 GB of Redis

# A mapping is held, its events waiting, when too much of it would become dead letters.
brake:
  max_ratio: 5%                               # of its last thousand deliveries
  max_consecutive: 100                        # refused by HubSpot one after the other

# The shape of the limiter's windows; the limits themselves stand with each portal.
limiter:
  slot: 100ms
  spread: 300ms                               # how much the way to HubSpot may vary
  horizon: 2s                                 # how far ahead a call may be booked
  pacing_burst: 25%                           # the burst after idle time, as a share of the limit
  # max_workers: 3                            # the most there ever are, the surge of an upgrade included
  on_redis_loss: closed                       # with max_workers: ticket, go on at 80% of the limit shared among them; share: for a day
  ticket: 10m                                 # how long a worker may go on without Redis

# What seals the OAuth tokens that the workers of a fleet share in Redis; private apps need none.
secrets: {}
  # key_file: /run/secrets/hubferry-key       # 32 bytes, as they are, in hexadecimal or base64; or key_env: NAME

# /healthz, /readyz and /metrics.
admin:
  listen: 127.0.0.1:9400
  # token_file: /run/secrets/admin-token      # required unless `listen` is loopback

drain: 55s                                    # the longest an orderly stop may take; below the pod's grace period

destinations:
  - name: acme
    enabled: true
    aliases: [HubSpot Cloud Mode (Actions), actions-hubspot-cloud, HubSpot]   # names in an event's `integrations`
    group_id_property: segment_group_id       # the unique property of companies that holds the group id
    deletion:
      enabled: false                          # whether delete events delete the contact of their user
      mode: archive                           # or gdpr: nothing is left of it, and it cannot be restored
    hubspot:
      base_url: https://api.hubapi.com
      api_version: "2026-03"                  # 2026-03, 2026-09, or v3 for the legacy paths
      # portal_id: 123456                     # checked against the token
      # events_prefix: events/2026-03         # where the paths of custom events begin, when not as the version has it
      auth:
        kind: private_app                     # or oauth, with client_id, client_secret_file and refresh_token_file
        token_file: /run/secrets/hubspot-token   # or token_env: NAME, or token: TEXT (`check` warns)
      timeouts:
        single: 10s
        batch: 30s
      limits:
        ten_seconds: 100                      # calls in any 10 s
        associations: 100                     # association batches in any 10 s
        search: 5                             # searches in any second
        event_sends: 1250                     # event sends in any second
        # ten_seconds_ceiling: 190            # how far HubSpot's answers may raise ten_seconds
        # daily: 250000                       # calls a day; learned from HubSpot's answers when not said
        others_share: 0%                      # left to the customer's other apps
    mappings:
      - name: contacts
        enabled: true
        action: upsertContact
        trigger: type = "identify"
        # trigger_dialect: reference          # or fql; without it the trigger has to mean the same in both
        path_dialect: reference
        use_defaults: true                    # default: false; the action's default for every field not named here
        coalesce: on                          # off: every intermediate value is written
        # unknown_property: dead_letter       # drop, create; the default is drop when a whole object is mapped
        invalid_property: dead_letter         # or drop
        blank_fields: skip                    # or clear: "" in a declared field
        nulls: skip                           # or clear: null in a property object
        lifecycle: both_ways                  # forward_only, both_ways, never
        allow_email_change: false
        dates: { truncate: false }            # true: a date property takes the date of a value with a time of day
        flatten: { skip_null_elements: false }   # whether null elements of a list leave its text
        fields:
          email: { "@path": "$.traits.email" }
      - name: companies
        action: upsertCompany
        trigger: type = "group"
        use_defaults: true
        on_missing_contact: wait              # wait, create, skip, dead_letter
        link_wait: 7d
        search: { match: all }                # or any: how companysearchfields are combined
      - name: deals
        action: upsertObject                  # any type of record
        sync_mode: upsert                     # required: add, update, upsert
        associate_existing: false             # whether `add` still associates what is there already
        property_name_fix: dead_letter        # or prefix: p_ before names that do not begin with a letter
        trigger: type = "track" and event = "Deal Won"
        fields:
          object_details:
            object_type: deal
            id_field_name: deal_key           # a unique property of deals
            id_field_value: { "@path": "$.properties.deal_id" }
          association_sync_mode: upsert       # or read: targets are not created
          properties:
            dealname: { "@path": "$.properties.name" }
            amount: { "@path": "$.properties.amount" }
      - name: order-events
        action: customEvent                   # or sendCustomBehavioralEvent, for definitions made by hand
        sync_mode: update                     # required: whether definitions and their properties are created
        overflow: dead_letter                 # or truncate: more than 50 properties
        invalid_email: drop                   # or dead_letter: an invalid e-mail beside another identifier
        trigger: type = "track" and event = "Order Completed"
        fields:
          event_name: order_completed
          record_details:
            object_type: contact
            email: { "@path": "$.properties.email" }
          occurred_at: { "@path": "$.timestamp" }
          properties:
            total: { "@path": "$.properties.total" }
"#;
