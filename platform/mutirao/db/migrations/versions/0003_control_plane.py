"""the control plane"""

import sqlalchemy as sa
from alembic import op
from mutirao.db import wall
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"

# The moves of `mutirao.jobs.states.TRANSITIONS` (a test holds the two together); MU002 for any other.
TRANSITION = """
CREATE OR REPLACE FUNCTION mutirao_transition() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT (OLD.state || '>' || NEW.state = ANY ('{
        queued>running,queued>cancelled,queued>paused,queued>stranded,queued>failed,
        running>succeeded,running>failed,running>cancelled,running>dead,running>budget_exhausted,running>queued,
        running>waiting,running>paused,
        waiting>queued,waiting>cancelled,waiting>failed,
        paused>queued,paused>cancelled,paused>failed,{more}
        stranded>queued,stranded>cancelled,stranded>failed,
        failed>queued,dead>queued,budget_exhausted>queued}'::text[])) THEN
        RAISE EXCEPTION 'job % may not move from % to %', OLD.id, OLD.state, NEW.state USING ERRCODE = 'MU002';
    END IF;
    RETURN NEW;
END $$"""

# Nothing is left of a job that was to be rolled back: neither its checkpoints nor what it has written under those of
# earlier jobs (answers, updates, outputs of tasks), where what it has displaced comes back. The next one of its thread, which
# may be claimed as soon as this one has ended, begins where this one began. By the schema's owner, whoever ends the job.
ROLLED_BACK = """
CREATE FUNCTION mutirao_rolled_back() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    IF to_regclass('checkpoints') IS NOT NULL THEN
        DELETE FROM checkpoint_writes w USING displaced_writes d
        WHERE d.job_id = NEW.id AND d.channel IS NULL AND w.thread_id = d.thread_id AND w.checkpoint_ns = d.checkpoint_ns
            AND w.checkpoint_id = d.checkpoint_id AND w.task_id = d.task_id AND w.idx = d.idx;
        INSERT INTO checkpoint_writes AS w
            (thread_id, checkpoint_ns, checkpoint_id, task_id, task_path, idx, channel, type, blob)
        SELECT thread_id, checkpoint_ns, checkpoint_id, task_id, task_path, idx, channel, d.type, blob
        FROM displaced_writes d JOIN checkpoints c USING (thread_id, checkpoint_ns, checkpoint_id)
        WHERE d.job_id = NEW.id AND d.channel IS NOT NULL
        ON CONFLICT (thread_id, checkpoint_ns, checkpoint_id, task_id, idx)
            DO UPDATE SET channel = excluded.channel, type = excluded.type, blob = excluded.blob;
        DELETE FROM displaced_writes WHERE job_id = NEW.id;
        DELETE FROM checkpoint_writes w USING checkpoints c
        WHERE c.thread_id = NEW.thread_id::text AND NEW.id::text IN (c.metadata ->> 'job_id', c.metadata ->> 'run_id')
            AND w.thread_id = c.thread_id AND w.checkpoint_ns = c.checkpoint_ns AND w.checkpoint_id = c.checkpoint_id;
        DELETE FROM checkpoints c
        WHERE c.thread_id = NEW.thread_id::text AND NEW.id::text IN (c.metadata ->> 'job_id', c.metadata ->> 'run_id');
    END IF;
    RETURN NULL;
END $$"""
ROLLED_BACK_TRIGGER = """
CREATE TRIGGER jobs_rolled_back AFTER UPDATE OF state ON jobs FOR EACH ROW
WHEN (NEW.rolled_back AND NEW.epoch > 0 AND NEW.finished_at IS NOT NULL) EXECUTE FUNCTION mutirao_rolled_back()"""


# A job that others than its attempt have ended (its worker was lost, its deadline has passed, it was cancelled while it
# waited) may have stored checkpoints of which its thread's row does not say anything yet: a reader is asked to fill it in.
STALE_THREAD = """
CREATE FUNCTION mutirao_stale_thread() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    asked uuid := mutirao_new_id();
BEGIN
    IF EXISTS (SELECT FROM threads t WHERE t.id = NEW.thread_id
            AND (t.state_updated_at IS NULL OR t.state_updated_at < NEW.finished_at)) THEN
        INSERT INTO queries (id, project_id, workflow, kind, request)
        VALUES (asked, NEW.project_id, NEW.workflow, 'refresh', jsonb_build_object('thread_id', NEW.thread_id));
        PERFORM pg_notify('mutirao_queries', asked::text);
    END IF;
    RETURN NULL;
END $$"""
STALE_THREAD_TRIGGER = """
CREATE CONSTRAINT TRIGGER jobs_stale_thread AFTER UPDATE OF state ON jobs DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
WHEN (NEW.run IS NOT NULL AND NEW.epoch > 0 AND NEW.finished_at IS NOT NULL AND OLD.state <> NEW.state
    AND NEW.state <> 'succeeded' AND NOT NEW.rolled_back) EXECUTE FUNCTION mutirao_stale_thread()"""


# Messages to webhooks are written in the transaction of what they tell of. Where a project has no webhook, that costs one
# look at an index.
WEBHOOKS = (
    """
CREATE FUNCTION mutirao_new_id() RETURNS uuid LANGUAGE sql VOLATILE AS $$
    SELECT encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid())
        PLACING substring(int8send((extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3) FROM 1 FOR 6),
        52, 1), 53, 1), 'hex')::uuid
$$""",
    """
CREATE FUNCTION mutirao_tell(project uuid, job uuid, what text, about jsonb) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO webhook_deliveries (id, project_id, webhook_id, job_id, url, event, payload)
    SELECT mutirao_new_id(), project, w.id, job, w.url, what,
        jsonb_build_object('type', what, 'timestamp', now(), 'data', about)
    FROM webhooks w WHERE w.project_id = project AND w.enabled AND EXISTS (
        SELECT FROM unnest(w.events) AS e(pattern)
        WHERE pattern IN (what, '*') OR right(pattern, 2) = '.*' AND starts_with(what, left(pattern, -1)));
    IF FOUND THEN
        PERFORM pg_notify('mutirao_webhooks', '');
    END IF;
END $$""",
    """
CREATE FUNCTION mutirao_job_summary(j jobs) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT jsonb_build_object('id', j.id, 'thread_id', j.thread_id, 'workflow', j.workflow, 'version', j.version,
        'state', j.state, 'waiting_for', j.waiting_for, 'error', j.error, 'metadata', j.metadata, 'attempts', j.epoch,
        'created_by', j.created_by, 'created_at', j.created_at, 'started_at', j.started_at, 'finished_at', j.finished_at)
$$""",
    """
CREATE FUNCTION mutirao_job_told() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM webhooks WHERE project_id = NEW.project_id AND enabled) THEN
        PERFORM mutirao_tell(NEW.project_id, NEW.id, 'job.' || NEW.state,
            jsonb_build_object('job', mutirao_job_summary(NEW)));
    END IF;
    RETURN NULL;
END $$""",
    """
CREATE TRIGGER jobs_told AFTER UPDATE OF state ON jobs FOR EACH ROW
WHEN (NEW.parent_id IS NULL AND OLD.state <> NEW.state
    AND NEW.state IN ('succeeded', 'failed', 'cancelled', 'dead', 'budget_exhausted'))
EXECUTE FUNCTION mutirao_job_told()""",
    # What LangGraph's clients get is the run with its thread's values.
    """
CREATE FUNCTION mutirao_job_webhook() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    told jsonb;
BEGIN
    IF NOT EXISTS (SELECT FROM jobs WHERE id = NEW.id) THEN
        RETURN NULL;  -- deleted in the transaction that ended it
    END IF;
    IF NEW.run IS NULL THEN
        told := jsonb_build_object('type', 'job.' || NEW.state, 'timestamp', now(),
            'data', jsonb_build_object('job', mutirao_job_summary(NEW) || jsonb_build_object('output', NEW.output)));
    ELSE
        told := jsonb_strip_nulls(jsonb_build_object('error', NEW.error ->> 'message')) || jsonb_build_object(
            'run_id', NEW.id, 'thread_id', NEW.thread_id, 'assistant_id', NEW.assistant_id, 'metadata', NEW.metadata,
            'created_at', NEW.created_at, 'updated_at', now(), 'run_started_at', NEW.started_at, 'run_ended_at', now(),
            'multitask_strategy', coalesce(NEW.run ->> 'multitask_strategy', 'enqueue'),
            'kwargs', coalesce(NEW.run -> 'kwargs', '{}'),
            'status', CASE WHEN NEW.state IN ('succeeded', 'paused') THEN 'success'
                WHEN NEW.state = 'cancelled' THEN 'interrupted'
                WHEN NEW.error ->> 'code' IN ('deadline_exceeded', 'time_limit_exceeded') THEN 'timeout' ELSE 'error' END,
            'values', coalesce((SELECT t.values FROM threads t WHERE t.id = NEW.thread_id), NEW.output));
    END IF;
    INSERT INTO webhook_deliveries (id, project_id, job_id, url, event, payload)
    VALUES (mutirao_new_id(), NEW.project_id, NEW.id, NEW.webhook, 'job.' || NEW.state, told);
    PERFORM pg_notify('mutirao_webhooks', '');
    RETURN NULL;
END $$""",
    # At the commit: the thread's values may be written after the job's end, in the same transaction. To LangGraph's
    # clients a run that asks people has ended.
    """
CREATE CONSTRAINT TRIGGER jobs_webhook AFTER UPDATE OF state ON jobs DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
WHEN (NEW.webhook IS NOT NULL AND OLD.state <> NEW.state AND (
    NEW.state IN ('failed', 'cancelled', 'dead', 'budget_exhausted')
    OR NEW.state = 'succeeded' AND (NEW.run IS NULL OR OLD.state <> 'paused')
    OR NEW.state = 'paused' AND NEW.waiting_for = 'approval' AND NEW.run IS NOT NULL))
EXECUTE FUNCTION mutirao_job_webhook()""",
    """
CREATE FUNCTION mutirao_approval_told() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM webhooks WHERE project_id = NEW.project_id AND enabled) THEN
        PERFORM mutirao_tell(NEW.project_id, NEW.job_id,
            CASE WHEN TG_OP = 'INSERT' THEN 'approval.requested'
                WHEN NEW.state <> OLD.state THEN 'approval.' || NEW.state
                WHEN NEW.reminders > OLD.reminders THEN 'approval.reminder'
                WHEN NEW.on_expiry <> OLD.on_expiry THEN 'approval.escalated' ELSE 'approval.assigned' END,
            (SELECT jsonb_build_object('approval', jsonb_build_object('id', NEW.id, 'job_id', NEW.job_id,
                'thread_id', j.thread_id, 'workflow', j.workflow, 'step', NEW.step, 'request', NEW.request,
                'request_sha256', NEW.request_sha256, 'state', NEW.state, 'assignee', NEW.assignee,
                'reminders', NEW.reminders, 'expires_at', NEW.expires_at, 'decision', NEW.decision,
                'comment', NEW.comment, 'decided_by', NEW.decided_by, 'created_at', NEW.created_at))
             FROM jobs j WHERE j.id = NEW.job_id));
    END IF;
    RETURN NULL;
END $$""",
    """
CREATE TRIGGER approvals_asked AFTER INSERT ON approvals FOR EACH ROW
WHEN (NEW.state = 'pending') EXECUTE FUNCTION mutirao_approval_told()""",
    """
CREATE TRIGGER approvals_told AFTER UPDATE OF state, reminders, assignee ON approvals FOR EACH ROW
WHEN (OLD.state <> NEW.state AND NEW.state IN ('decided', 'expired')
    OR NEW.state = 'pending' AND (NEW.reminders > OLD.reminders OR NEW.assignee IS DISTINCT FROM OLD.assignee))
EXECUTE FUNCTION mutirao_approval_told()""",
)
NO_WEBHOOKS = (
    "DROP TRIGGER approvals_told ON approvals",
    "DROP TRIGGER approvals_asked ON approvals",
    "DROP TRIGGER jobs_webhook ON jobs",
    "DROP TRIGGER jobs_told ON jobs",
    "DROP FUNCTION mutirao_approval_told()",
    "DROP FUNCTION mutirao_job_webhook()",
    "DROP FUNCTION mutirao_job_told()",
    "DROP FUNCTION mutirao_job_summary(jobs)",
    "DROP FUNCTION mutirao_tell(uuid, uuid, text, jsonb)",
    "DROP FUNCTION mutirao_new_id()",
)


def _transition(more: str) -> str:
    return TRANSITION.replace("{more}", more)


def upgrade() -> None:
    op.create_table(
        "queries",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("project_id", sa.UUID(), nullable=False),
        sa.Column("workflow", sa.Text(), nullable=True),
        sa.Column("version", sa.Text(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column(
            "request", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False
        ),
        sa.Column("answer", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("error", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("worker_id", sa.UUID(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_queries")),
        prefixes=["UNLOGGED"],
    )
    op.create_table(
        "assistants",
        sa.Column("project_id", sa.UUID(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("workflow", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column(
            "config", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False
        ),
        sa.Column(
            "context", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False
        ),
        sa.Column(
            "metadata", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False
        ),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("system", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_assistants_project_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("project_id", "id", name=op.f("pk_assistants")),
    )
    op.create_index(
        "ix_assistants_metadata",
        "assistants",
        ["metadata"],
        unique=False,
        postgresql_using="gin",
        postgresql_ops={"metadata": "jsonb_path_ops"},
    )
    op.create_index("ix_assistants_workflow", "assistants", ["project_id", "workflow"], unique=False)
    op.create_table(
        "audit_log",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("project_id", sa.UUID(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("resource_id", sa.Text(), nullable=True),
        sa.Column(
            "data", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False
        ),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_audit_log_project_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_log")),
    )
    op.create_index("ix_audit_log_project_id", "audit_log", ["project_id", "id"], unique=False)
    op.create_table(
        "store_items",
        sa.Column("project_id", sa.UUID(), nullable=False),
        sa.Column("namespace", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ttl_minutes", sa.Float(), nullable=True),
        sa.Column("embedding", postgresql.ARRAY(sa.REAL()), nullable=True),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_store_items_project_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("project_id", "namespace", "key", name=op.f("pk_store_items")),
    )
    op.create_index(
        "ix_store_items_expires_at",
        "store_items",
        ["expires_at"],
        unique=False,
        postgresql_where=sa.text("expires_at IS NOT NULL"),
    )
    op.create_table(
        "webhooks",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("project_id", sa.UUID(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("events", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("enabled", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("revision", sa.Integer(), server_default="1", nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_webhooks_project_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhooks")),
    )
    op.create_index("ix_webhooks_project_id", "webhooks", ["project_id", "id"], unique=False)
    op.create_table(
        "assistant_versions",
        sa.Column("project_id", sa.UUID(), nullable=False),
        sa.Column("assistant_id", sa.UUID(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("workflow", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column(
            "config", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False
        ),
        sa.Column(
            "context", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False
        ),
        sa.Column(
            "metadata", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id", "assistant_id"],
            ["assistants.project_id", "assistants.id"],
            name="fk_assistant_versions_assistant_id",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("project_id", "assistant_id", "version", name=op.f("pk_assistant_versions")),
    )
    op.create_table(
        "webhook_deliveries",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("project_id", sa.UUID(), nullable=False),
        sa.Column("webhook_id", sa.UUID(), nullable=True),
        sa.Column("job_id", sa.UUID(), nullable=True),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("payload", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("state", sa.Text(), server_default="pending", nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column(
            "tries", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'::jsonb"), nullable=False
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("state IN ('pending', 'delivered', 'failed')", name=op.f("ck_webhook_deliveries_state")),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_webhook_deliveries_job_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_webhook_deliveries_project_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["webhook_id"], ["webhooks.id"], name=op.f("fk_webhook_deliveries_webhook_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_deliveries")),
    )
    op.create_index(
        "ix_webhook_deliveries_due",
        "webhook_deliveries",
        ["project_id", "next_at"],
        unique=False,
        postgresql_where=sa.text("state = 'pending'"),
    )
    op.create_index(op.f("ix_webhook_deliveries_job_id"), "webhook_deliveries", ["job_id"], unique=False)
    op.create_index("ix_webhook_deliveries_project_id", "webhook_deliveries", ["project_id", "id"], unique=False)
    op.create_index(op.f("ix_webhook_deliveries_webhook_id"), "webhook_deliveries", ["webhook_id"], unique=False)
    op.add_column(
        "api_keys",
        sa.Column(
            "scopes",
            postgresql.ARRAY(sa.Text()),
            server_default=sa.text("'{read,submit,approve,admin}'::text[]"),
            nullable=False,
        ),
    )
    op.add_column("api_keys", sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("api_keys", sa.Column("created_by", sa.Text(), nullable=True))
    op.add_column("approvals", sa.Column("assignee", sa.Text(), nullable=True))
    op.add_column("approvals", sa.Column("on_expiry", sa.Text(), server_default="expire", nullable=False))
    op.add_column("approvals", sa.Column("escalate_to", sa.Text(), nullable=True))
    op.add_column("approvals", sa.Column("remind_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("approvals", sa.Column("reminders", sa.Integer(), server_default="0", nullable=False))
    op.add_column("approvals", sa.Column("expires_seconds", sa.Float(), nullable=True))
    op.add_column("approvals", sa.Column("remind_seconds", sa.Float(), nullable=True))
    op.add_column("approvals", sa.Column("request_sha256", sa.Text(), server_default="", nullable=False))
    op.add_column("approvals", sa.Column("revision", sa.Integer(), server_default="1", nullable=False))
    op.create_index(
        "ix_approvals_due",
        "approvals",
        ["expires_at"],
        unique=False,
        postgresql_where=sa.text("state = 'pending' AND expires_at IS NOT NULL"),
    )
    op.create_index(
        "ix_approvals_remind_at",
        "approvals",
        ["remind_at"],
        unique=False,
        postgresql_where=sa.text("state = 'pending' AND remind_at IS NOT NULL"),
    )
    op.add_column("jobs", sa.Column("assistant_id", sa.UUID(), nullable=True))
    op.add_column("jobs", sa.Column("run", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True))
    op.add_column("jobs", sa.Column("webhook", sa.Text(), nullable=True))
    op.add_column("jobs", sa.Column("created_by", sa.Text(), nullable=True))
    op.add_column("jobs", sa.Column("rolled_back", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.create_index("ix_jobs_rolled_back", "jobs", ["id"], unique=False, postgresql_where=sa.text("rolled_back"))
    op.drop_index("ix_jobs_thread_id", table_name="jobs")
    op.create_index("ix_jobs_thread_id", "jobs", ["thread_id", "id"], unique=False)
    op.add_column("attempts", sa.Column("began_seq", sa.BigInteger(), server_default="0", nullable=False))
    op.create_table(
        "displaced_writes",
        sa.Column("job_id", sa.UUID(), nullable=False),
        sa.Column("thread_id", sa.Text(), nullable=False),
        sa.Column("checkpoint_ns", sa.Text(), nullable=False),
        sa.Column("checkpoint_id", sa.Text(), nullable=False),
        sa.Column("task_id", sa.Text(), nullable=False),
        sa.Column("idx", sa.Integer(), nullable=False),
        sa.Column("task_path", sa.Text(), nullable=True),
        sa.Column("channel", sa.Text(), nullable=True),
        sa.Column("type", sa.Text(), nullable=True),
        sa.Column("blob", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_displaced_writes_job_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint(
            "job_id", "thread_id", "checkpoint_ns", "checkpoint_id", "task_id", "idx", name=op.f("pk_displaced_writes")
        ),
    )
    op.execute(ROLLED_BACK)
    op.execute(ROLLED_BACK_TRIGGER)
    op.add_column("projects", sa.Column("revision", sa.Integer(), server_default="1", nullable=False))
    op.add_column("schedules", sa.Column("thread_id", sa.UUID(), nullable=True))
    op.add_column("schedules", sa.Column("assistant_id", sa.UUID(), nullable=True))
    op.add_column(
        "schedules", sa.Column("run", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True)
    )
    op.add_column("schedules", sa.Column("webhook", sa.Text(), nullable=True))
    op.add_column("schedules", sa.Column("on_run_completed", sa.Text(), nullable=True))
    op.add_column("schedules", sa.Column("revision", sa.Integer(), server_default="1", nullable=False))
    op.create_foreign_key(
        op.f("fk_schedules_thread_id"), "schedules", "threads", ["thread_id"], ["id"], ondelete="CASCADE"
    )
    op.add_column(
        "threads", sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False)
    )
    op.add_column("threads", sa.Column("workflow", sa.Text(), nullable=True))
    op.add_column("threads", sa.Column("assistant_id", sa.UUID(), nullable=True))
    op.add_column(
        "threads",
        sa.Column(
            "config", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False
        ),
    )
    op.add_column(
        "threads", sa.Column("values", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True)
    )
    op.add_column(
        "threads",
        sa.Column(
            "interrupts", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False
        ),
    )
    op.add_column(
        "threads",
        sa.Column("next", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'::text[]"), nullable=False),
    )
    op.add_column(
        "threads", sa.Column("error", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True)
    )
    op.add_column("threads", sa.Column("state_updated_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("threads", sa.Column("ephemeral", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.add_column("threads", sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("threads", sa.Column("ttl_minutes", sa.Float(), nullable=True))
    op.add_column("threads", sa.Column("ttl_strategy", sa.Text(), nullable=True))
    op.add_column("threads", sa.Column("revision", sa.Integer(), server_default="1", nullable=False))
    op.create_index("ix_threads_ephemeral", "threads", ["id"], unique=False, postgresql_where=sa.text("ephemeral"))
    op.create_index(
        "ix_threads_expires_at",
        "threads",
        ["expires_at"],
        unique=False,
        postgresql_where=sa.text("expires_at IS NOT NULL"),
    )
    op.create_index(
        "ix_threads_metadata",
        "threads",
        ["metadata"],
        unique=False,
        postgresql_using="gin",
        postgresql_ops={"metadata": "jsonb_path_ops"},
    )
    op.create_index("ix_threads_project_id_created_at", "threads", ["project_id", "created_at", "id"], unique=False)
    op.execute("ALTER TABLE threads SET (fillfactor = 80)")
    op.add_column(
        "workers",
        sa.Column(
            "brings", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False
        ),
    )
    op.add_column("workers", sa.Column("app_url", sa.Text(), nullable=True))
    op.add_column(
        "workflows",
        sa.Column(
            "state_schema",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
    )
    op.add_column(
        "workflows",
        sa.Column(
            "context_schema",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
    )
    op.add_column(
        "workflows",
        sa.Column(
            "subgraphs", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False
        ),
    )
    op.create_check_constraint(op.f("ck_threads_ttl_strategy"), "threads", "ttl_strategy IN ('delete', 'keep_latest')")
    op.create_check_constraint(
        op.f("ck_approvals_on_expiry"), "approvals", "on_expiry IN ('expire', 'approve', 'reject', 'escalate')"
    )
    op.execute(_transition("paused>succeeded,"))
    for statement in WEBHOOKS:
        op.execute(statement)
    op.execute(STALE_THREAD)
    op.execute(STALE_THREAD_TRIGGER)
    # Last: it covers the tables that there are.
    op.execute(sa.text(wall.UP))


def downgrade() -> None:
    op.execute(sa.text(wall.DOWN))
    op.execute("DROP TRIGGER jobs_stale_thread ON jobs")
    op.execute("DROP FUNCTION mutirao_stale_thread")
    for statement in NO_WEBHOOKS:
        op.execute(statement)
    op.execute(_transition(""))
    op.execute("DROP TRIGGER jobs_rolled_back ON jobs")
    op.execute("DROP FUNCTION mutirao_rolled_back")
    op.drop_column("attempts", "began_seq")
    op.drop_index("ix_jobs_thread_id", table_name="jobs")
    op.create_index("ix_jobs_thread_id", "jobs", ["thread_id"], unique=False)
    op.drop_table("displaced_writes")
    op.drop_index("ix_jobs_rolled_back", table_name="jobs", postgresql_where=sa.text("rolled_back"))
    op.drop_column("jobs", "rolled_back")
    op.drop_constraint(op.f("ck_approvals_on_expiry"), "approvals", type_="check")
    op.drop_constraint(op.f("ck_threads_ttl_strategy"), "threads", type_="check")
    op.drop_column("workflows", "subgraphs")
    op.drop_column("workflows", "context_schema")
    op.drop_column("workflows", "state_schema")
    op.drop_column("workers", "app_url")
    op.drop_column("workers", "brings")
    op.execute("ALTER TABLE threads RESET (fillfactor)")
    op.drop_index("ix_threads_project_id_created_at", table_name="threads")
    op.drop_index(
        "ix_threads_metadata",
        table_name="threads",
        postgresql_using="gin",
        postgresql_ops={"metadata": "jsonb_path_ops"},
    )
    op.drop_index("ix_threads_expires_at", table_name="threads", postgresql_where=sa.text("expires_at IS NOT NULL"))
    op.drop_index("ix_threads_ephemeral", table_name="threads", postgresql_where=sa.text("ephemeral"))
    op.drop_column("threads", "revision")
    op.drop_column("threads", "ttl_strategy")
    op.drop_column("threads", "ttl_minutes")
    op.drop_column("threads", "expires_at")
    op.drop_column("threads", "ephemeral")
    op.drop_column("threads", "state_updated_at")
    op.drop_column("threads", "error")
    op.drop_column("threads", "next")
    op.drop_column("threads", "interrupts")
    op.drop_column("threads", "values")
    op.drop_column("threads", "config")
    op.drop_column("threads", "assistant_id")
    op.drop_column("threads", "workflow")
    op.drop_column("threads", "updated_at")
    op.drop_constraint(op.f("fk_schedules_thread_id"), "schedules", type_="foreignkey")
    op.drop_column("schedules", "revision")
    op.drop_column("schedules", "on_run_completed")
    op.drop_column("schedules", "webhook")
    op.drop_column("schedules", "run")
    op.drop_column("schedules", "assistant_id")
    op.drop_column("schedules", "thread_id")
    op.drop_column("projects", "revision")
    op.drop_column("jobs", "created_by")
    op.drop_column("jobs", "webhook")
    op.drop_column("jobs", "run")
    op.drop_column("jobs", "assistant_id")
    op.drop_index(
        "ix_approvals_remind_at",
        table_name="approvals",
        postgresql_where=sa.text("state = 'pending' AND remind_at IS NOT NULL"),
    )
    op.drop_index(
        "ix_approvals_due",
        table_name="approvals",
        postgresql_where=sa.text("state = 'pending' AND expires_at IS NOT NULL"),
    )
    op.drop_column("approvals", "revision")
    op.drop_column("approvals", "request_sha256")
    op.drop_column("approvals", "remind_seconds")
    op.drop_column("approvals", "expires_seconds")
    op.drop_column("approvals", "reminders")
    op.drop_column("approvals", "remind_at")
    op.drop_column("approvals", "escalate_to")
    op.drop_column("approvals", "on_expiry")
    op.drop_column("approvals", "assignee")
    op.drop_column("api_keys", "created_by")
    op.drop_column("api_keys", "last_used_at")
    op.drop_column("api_keys", "scopes")
    op.drop_index(op.f("ix_webhook_deliveries_webhook_id"), table_name="webhook_deliveries")
    op.drop_index("ix_webhook_deliveries_project_id", table_name="webhook_deliveries")
    op.drop_index(op.f("ix_webhook_deliveries_job_id"), table_name="webhook_deliveries")
    op.drop_index(
        "ix_webhook_deliveries_due", table_name="webhook_deliveries", postgresql_where=sa.text("state = 'pending'")
    )
    op.drop_table("webhook_deliveries")
    op.drop_table("assistant_versions")
    op.drop_index("ix_webhooks_project_id", table_name="webhooks")
    op.drop_table("webhooks")
    op.drop_index(
        "ix_store_items_expires_at", table_name="store_items", postgresql_where=sa.text("expires_at IS NOT NULL")
    )
    op.drop_table("store_items")
    op.drop_index("ix_audit_log_project_id", table_name="audit_log")
    op.drop_table("audit_log")
    op.drop_index("ix_assistants_workflow", table_name="assistants")
    op.drop_index(
        "ix_assistants_metadata",
        table_name="assistants",
        postgresql_using="gin",
        postgresql_ops={"metadata": "jsonb_path_ops"},
    )
    op.drop_table("assistants")
    op.drop_table("queries")
