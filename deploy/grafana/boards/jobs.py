"""Queued and scheduled work: what waits, what runs, what failed."""

from deploy.grafana.panels import BAD, HALF, QUARTER, WARNED, Board, Choice, Panel, Query, Row

_TOPIC = 'topic=~"$topic"'
_RUNS = f"sum by ({{by}}) (rate(frozenshop_task_runs_total{{{{{_TOPIC}}}}}[$__rate_interval]))"


def _quantile(metric: str) -> str:
    return f"histogram_quantile(0.95, sum by (le, topic) (rate({metric}_bucket{{{_TOPIC}}}[$__rate_interval])))"


JOBS = Board(
    "frozenshop-jobs",
    "frozenshop: jobs",
    "The outbox, its tasks and the schedule.",
    (
        Row(
            "Outbox",
            (
                Panel(
                    "Waiting to be sent",
                    "Rows that are pending.",
                    "short",
                    (Query('max(frozenshop_outbox_messages{status="pending"})'),),
                    "outbox",
                    kind="stat",
                    width=QUARTER,
                ),
                Panel(
                    "Sent, not done",
                    "Rows that a worker has, or will have.",
                    "short",
                    (Query('max(frozenshop_outbox_messages{status="sent"})'),),
                    "worker",
                    kind="stat",
                    width=QUARTER,
                ),
                Panel(
                    "Dead",
                    "Rows that wait for a person.",
                    "short",
                    (Query('max(frozenshop_outbox_messages{status="dead"})'),),
                    "dead-messages",
                    kind="stat",
                    limits=((1, BAD),),
                    width=QUARTER,
                ),
                Panel(
                    "Workers busy",
                    "Tasks in flight per slot.",
                    "percentunit",
                    (Query("sum(frozenshop_tasks_in_flight) / sum(frozenshop_worker_slots)"),),
                    "worker",
                    kind="stat",
                    limits=((0.9, BAD),),
                    width=QUARTER,
                ),
                Panel(
                    "Oldest row",
                    "How long the oldest row of each status is overdue.",
                    "s",
                    (Query("max by (status) (frozenshop_outbox_lag_seconds)", "{{status}}"),),
                    "outbox",
                    limits=((60, WARNED), (300, BAD)),
                    width=HALF,
                ),
                Panel(
                    "Relay",
                    "Messages that the broker confirmed, a second.",
                    "ops",
                    (
                        Query("sum(rate(frozenshop_relay_messages_total[$__rate_interval]))", "sent"),
                        Query("sum(rate(frozenshop_relay_pauses_total[$__rate_interval])) or vector(0)", "pauses"),
                    ),
                    "outbox",
                    width=HALF,
                ),
            ),
        ),
        Row(
            "Tasks",
            (
                Panel(
                    "Runs by outcome",
                    "A second: done, repeated, failed (tried again), dead.",
                    "ops",
                    (
                        Query(
                            _RUNS.format(by="outcome"),
                            "{{outcome}}",
                        ),
                    ),
                    "worker",
                    width=HALF,
                ),
                Panel(
                    "Busiest tasks",
                    "Runs a second, the ten busiest.",
                    "ops",
                    (
                        Query(
                            f"topk(10, {_RUNS.format(by='topic')})",
                            "{{topic}}",
                        ),
                    ),
                    "worker",
                    width=HALF,
                ),
                Panel(
                    "Time of a run",
                    "What 95 of 100 runs stay below, by task.",
                    "s",
                    (Query(_quantile("frozenshop_task_seconds"), "{{topic}}"),),
                    "worker",
                    width=HALF,
                ),
                Panel(
                    "Time until a run",
                    "From when a row was due until its run began, 95 of 100.",
                    "s",
                    (Query(_quantile("frozenshop_task_wait_seconds"), "{{topic}}"),),
                    "outbox",
                    limits=((60, BAD),),
                    width=HALF,
                ),
            ),
        ),
        Row(
            "Schedule",
            (
                Panel(
                    "Slots late",
                    "Age of each job's newest slot in its own periods: above 3 it is late.",
                    "short",
                    (
                        Query(
                            "max by (name) (frozenshop_job_slot_age_seconds) "
                            "/ max by (name) (frozenshop_job_period_seconds)",
                            "{{name}}",
                        ),
                    ),
                    "beat",
                    limits=((3, BAD),),
                    width=HALF,
                ),
                Panel(
                    "Slots unfinished",
                    "How long a job's newest slot has not been finished.",
                    "s",
                    (Query("max by (name) (frozenshop_job_unfinished_seconds)", "{{name}}"),),
                    "beat",
                    limits=((900, WARNED),),
                    width=HALF,
                ),
                Panel(
                    "Beat",
                    "Since beat last went round.",
                    "s",
                    (Query('time() - max(frozenshop_beat_tick_timestamp_seconds{job="beat"})'),),
                    "beat",
                    kind="stat",
                    limits=((120, BAD),),
                    width=QUARTER,
                ),
                Panel(
                    "Relay's round",
                    "Since the relay last went round without an error.",
                    "s",
                    (Query('time() - max(frozenshop_relay_round_timestamp_seconds{job="relay"})'),),
                    "outbox",
                    kind="stat",
                    limits=((120, BAD),),
                    width=QUARTER,
                ),
                Panel(
                    "Audit chain",
                    "How long the oldest act on record has waited for its seal.",
                    "s",
                    (Query("max(frozenshop_audit_unsealed_seconds)"),),
                    "audit",
                    kind="stat",
                    limits=((900, BAD),),
                    width=QUARTER,
                ),
                Panel(
                    "Slots started",
                    "By all beats, in the last hour.",
                    "short",
                    (Query("sum(increase(frozenshop_beat_jobs_started_total[1h]))"),),
                    "beat",
                    kind="stat",
                    width=QUARTER,
                ),
            ),
        ),
    ),
    (Choice("topic", "Task", "label_values(frozenshop_task_runs_total, topic)"),),
)
