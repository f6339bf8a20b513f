set role ocore_owner;

alter table users
    -- Built-in notices that the person does not want, by kind.
    add column muted_notices text[] not null default '{}';

-- How far each reader of all events has come.
create table event_readers (
    name text primary key,
    xid xid8 not null,
    id uuid not null,
    updated_at timestamptz not null default now()
);
grant select, insert, update, delete on event_readers to ocore_system;
-- From the first event on.
insert into event_readers (name, xid, id) values
    ('webhooks', '0', '00000000-0000-0000-0000-000000000000'),
    ('notices', '0', '00000000-0000-0000-0000-000000000000');

---------------------------------------------------------------------------------------------------- webhooks

create table webhook_endpoints (
    id uuid primary key,
    organization_id uuid not null references organizations on delete cascade,
    url text not null,
    description text not null default '',
    -- Types of events, `*` for all.
    events text[] not null,
    secret_id uuid not null references secrets,
    previous_secret_id uuid references secrets,
    previous_until timestamptz,
    active boolean not null default true,
    disabled_reason text,
    -- Since when no delivery has come through.
    failing_since timestamptz,
    version bigint not null default 1,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
call tenant_table('webhook_endpoints');
create index webhook_endpoints_organization on webhook_endpoints (organization_id, id desc);

create table webhook_deliveries (
    id uuid primary key,
    -- The order of what happened, whichever replica wrote it down.
    seq bigint not null generated always as identity,
    organization_id uuid not null references organizations on delete cascade,
    endpoint_id uuid not null references webhook_endpoints on delete cascade,
    event_id uuid not null,
    event_type text not null,
    subject_id uuid not null,
    -- The very bytes that are signed and sent, also when it is sent again.
    body text not null,
    status text not null default 'pending' check (status in ('pending', 'delivered', 'failed', 'cancelled')),
    -- Sent although an earlier one of the same subject had not come through, or a later one had.
    out_of_order boolean not null default false,
    replay_of uuid,
    attempts integer not null default 0,
    job_id uuid references jobs on delete set null,
    next_attempt_at timestamptz,
    finished_at timestamptz,
    created_at timestamptz not null default now()
);
create index webhook_deliveries_endpoint on webhook_deliveries (endpoint_id, id desc);
create index webhook_deliveries_subject on webhook_deliveries (endpoint_id, subject_id, seq);
create unique index webhook_deliveries_once on webhook_deliveries (endpoint_id, event_id) where replay_of is null;
create index webhook_deliveries_pending on webhook_deliveries (job_id) where status = 'pending';
create index webhook_deliveries_age on webhook_deliveries (created_at);
call tenant_table('webhook_deliveries');

create table webhook_attempts (
    delivery_id uuid not null references webhook_deliveries on delete cascade,
    organization_id uuid not null references organizations on delete cascade,
    number integer not null,
    started_at timestamptz not null,
    milliseconds integer not null,
    -- Null where there was no answer.
    status integer,
    request_headers jsonb not null,
    response_headers jsonb,
    -- At most 4 KiB of it.
    response_body text,
    problem text,
    primary key (delivery_id, number)
);
call tenant_table('webhook_attempts');

-- What has been told already and still holds, so that it is told once.
create table notices (
    id uuid primary key,
    -- Null for what concerns the platform itself.
    organization_id uuid references organizations on delete cascade,
    kind text not null,
    subject jsonb not null,
    message text not null,
    -- Where the subject is, for whoever may see only a part of the organization.
    project_id uuid,
    environment_id uuid,
    server_id uuid,
    raised_at timestamptz not null,
    cleared_at timestamptz
);
create unique index notices_open on notices
    (coalesce(organization_id, '00000000-0000-0000-0000-000000000000'), kind, (subject ->> 'id')) where cleared_at is null;
create index notices_age on notices (cleared_at) where cleared_at is not null;
call tenant_table('notices');

reset role;
