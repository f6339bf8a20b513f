set role ocore_owner;

-- The organization of this connection, as set by the pool; null outside one, so that nothing is visible.
create function ocore_org() returns uuid language sql stable parallel safe
    return nullif(current_setting('ocore.org', true), '')::uuid;

-- Row-level security for one table: the app sees its organization's rows, the system sees all.
create procedure tenant_table(target regclass) language plpgsql as $$
begin
    execute format('alter table %s enable row level security', target);
    execute format('create policy tenant on %s to ocore_app using (organization_id = ocore_org()) with check (organization_id = ocore_org())', target);
    execute format('create policy system on %s to ocore_system using (true) with check (true)', target);
    execute format('grant select, insert, update, delete on %s to ocore_app, ocore_system', target);
end $$;

---------------------------------------------------------------------------------------------------- who

create table organizations (
    id uuid primary key,
    name text not null check (length(name) between 2 and 100),
    slug text not null unique check (slug ~ '^[a-z0-9]([a-z0-9-]*[a-z0-9])?$' and length(slug) between 3 and 50),
    version bigint not null default 1,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
alter table organizations enable row level security;
create policy tenant on organizations to ocore_app using (id = ocore_org()) with check (id = ocore_org());
create policy system on organizations to ocore_system using (true) with check (true);
grant select, update on organizations to ocore_app;
grant select, insert, update, delete on organizations to ocore_system;

-- Every slug that an organization has had: former ones answer until then.
create table organization_slugs (
    slug text primary key,
    organization_id uuid not null references organizations on delete cascade,
    until timestamptz
);
grant select, insert, update, delete on organization_slugs to ocore_system;

create table users (
    id uuid primary key,
    email text not null,
    name text not null,
    password_hash text,
    is_admin boolean not null default false,
    deactivated_at timestamptz,
    last_login_at timestamptz,
    version bigint not null default 1,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
create unique index users_email on users (lower(email));
grant select, insert, update, delete on users to ocore_system;

create table roles (
    id uuid primary key,
    organization_id uuid not null references organizations on delete cascade,
    name text not null,
    description text not null default '',
    is_system boolean not null default false,
    permissions text[] not null,
    version bigint not null default 1,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    unique (organization_id, name)
);
call tenant_table('roles');

create table memberships (
    organization_id uuid not null references organizations on delete cascade,
    user_id uuid not null references users on delete cascade,
    created_at timestamptz not null default now(),
    primary key (organization_id, user_id)
);
create index memberships_user on memberships (user_id);
call tenant_table('memberships');

create table service_accounts (
    id uuid primary key,
    organization_id uuid not null references organizations on delete cascade,
    name text not null,
    version bigint not null default 1,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    unique (organization_id, name)
);
call tenant_table('service_accounts');

create table grants (
    id uuid primary key,
    organization_id uuid not null references organizations on delete cascade,
    principal_type text not null check (principal_type in ('user', 'service_account')),
    principal_id uuid not null,
    role_id uuid not null references roles on delete restrict,
    scope_type text not null check (scope_type in ('organization', 'project', 'environment', 'server')),
    scope_id uuid not null,
    created_at timestamptz not null default now(),
    unique (organization_id, principal_type, principal_id, role_id, scope_type, scope_id)
);
create index grants_principal on grants (principal_id);
call tenant_table('grants');

create table api_keys (
    id uuid primary key,
    organization_id uuid not null references organizations on delete cascade,
    name text not null,
    prefix text not null,
    key_hash bytea not null unique,
    permissions text[] not null,
    scope_type text not null check (scope_type in ('organization', 'project', 'environment', 'server')),
    scope_id uuid not null,
    created_by uuid references users on delete set null,
    service_account_id uuid references service_accounts on delete cascade,
    allowed_addresses inet[] not null default '{}',
    expires_at timestamptz,
    revoked_at timestamptz,
    last_used_at timestamptz,
    version bigint not null default 1,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
create unique index api_keys_name on api_keys (organization_id, name) where revoked_at is null;
call tenant_table('api_keys');

create table sessions (
    id uuid primary key,
    user_id uuid not null references users on delete cascade,
    refresh_hash bytea not null unique,
    -- The token before the last rotation: for 10 s it is a slow client, later it is a thief.
    previous_hash bytea unique,
    rotated_at timestamptz not null default now(),
    user_agent text not null default '',
    address inet,
    created_at timestamptz not null default now(),
    expires_at timestamptz not null,
    revoked_at timestamptz
);
create index sessions_user on sessions (user_id);
grant select, insert, update, delete on sessions to ocore_system;

-- Buckets that must hold across restarts and replicas: sign-in, enrolment.
create table attempt_buckets (
    key text primary key,
    failures integer not null,
    window_started_at timestamptz not null,
    locked_until timestamptz
);
grant select, insert, update, delete on attempt_buckets to ocore_system;

create table websocket_tickets (
    ticket_hash bytea primary key,
    organization_id uuid not null references organizations on delete cascade,
    session_id uuid references sessions on delete cascade,
    api_key_id uuid references api_keys on delete cascade,
    target text not null,
    expires_at timestamptz not null
);
grant select, insert, update, delete on websocket_tickets to ocore_system;

---------------------------------------------------------------------------------------------------- platform

create table settings (
    key text primary key,
    value jsonb not null,
    updated_at timestamptz not null default now()
);
grant select, insert, update, delete on settings to ocore_system;

-- Sealed values. Nothing else stores a secret. organization_id is null for the platform's own.
create table secrets (
    id uuid primary key,
    organization_id uuid references organizations on delete cascade,
    purpose text not null,
    sealed bytea not null,
    created_at timestamptz not null default now()
);
alter table secrets enable row level security;
create policy tenant on secrets to ocore_app using (organization_id = ocore_org()) with check (organization_id = ocore_org());
create policy system on secrets to ocore_system using (true) with check (true);
grant select, insert, update, delete on secrets to ocore_app, ocore_system;

create table pki_authorities (
    id uuid primary key,
    certificate_pem text not null,
    key_secret_id uuid not null references secrets,
    not_after timestamptz not null,
    retired_at timestamptz,
    created_at timestamptz not null default now()
);
grant select, insert, update on pki_authorities to ocore_system;

create table idempotency_keys (
    organization_id uuid not null references organizations on delete cascade,
    principal_id uuid not null,
    key text not null,
    request_hash bytea not null,
    -- New for whoever carries the request out: who was taken for dead, and has been replaced, changes nothing here.
    claim uuid not null unique,
    -- Null while the request is still under way.
    status smallint,
    sealed_response bytea,
    -- The job that it enqueued, written in the same transaction: a retry finds it though no answer was stored.
    job_id uuid,
    created_at timestamptz not null default now(),
    primary key (organization_id, principal_id, key)
);
create index idempotency_keys_age on idempotency_keys (created_at);
call tenant_table('idempotency_keys');

create table replicas (
    id uuid primary key,
    version text not null,
    started_at timestamptz not null default now(),
    seen_at timestamptz not null default now()
);
grant select, insert, update, delete on replicas to ocore_system;

create table events (
    id uuid primary key,
    xid xid8 not null default pg_current_xact_id(),
    organization_id uuid not null references organizations on delete cascade,
    type text not null,
    actor jsonb not null,
    subject jsonb not null,
    data jsonb not null default '{}',
    created_at timestamptz not null default now()
);
create index events_order on events (organization_id, xid, id);
create index events_stream on events (xid, id);
create index events_subject on events (organization_id, (subject ->> 'id'), id);
create index events_age on events (created_at);
call tenant_table('events');

create table audit_log (
    id uuid primary key,
    organization_id uuid references organizations on delete cascade,
    action text not null,
    actor jsonb not null,
    subject jsonb not null,
    before jsonb,
    after jsonb,
    address inet,
    request_id text,
    created_at timestamptz not null default now()
);
create index audit_log_order on audit_log (organization_id, id);
alter table audit_log enable row level security;
create policy tenant on audit_log to ocore_app using (organization_id = ocore_org()) with check (organization_id = ocore_org());
create policy system on audit_log to ocore_system using (true) with check (true);
grant select, insert on audit_log to ocore_app, ocore_system;

---------------------------------------------------------------------------------------------------- fleet

create sequence session_epochs;
grant usage on sequence session_epochs to ocore_system;

create table servers (
    id uuid primary key,
    organization_id uuid not null references organizations on delete cascade,
    -- desired
    name text not null check (length(name) between 3 and 64),
    description text not null default '',
    labels jsonb not null default '{}',
    schedulable boolean not null default true,
    removing_at timestamptz,
    -- observed
    status text not null default 'pending',
    status_reason text,
    install_stages jsonb not null default '[]',
    install_problem text,
    facts jsonb,
    docker jsonb,
    agent_version text,
    features text[] not null default '{}',
    job_kinds text[] not null default '{}',
    session_epoch bigint not null default 0,
    journal_id uuid,
    journal_seq bigint not null default 0,
    last_seen_at timestamptz,
    version bigint not null default 1,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    unique (organization_id, name)
);
call tenant_table('servers');

create table join_tokens (
    id uuid primary key,
    organization_id uuid not null references organizations on delete cascade,
    server_id uuid not null references servers on delete cascade,
    token_hash bytea not null unique,
    expires_at timestamptz not null,
    used_at timestamptz,
    created_at timestamptz not null default now()
);
create index join_tokens_server on join_tokens (server_id);
call tenant_table('join_tokens');

create table server_identities (
    serial text primary key,
    organization_id uuid not null references organizations on delete cascade,
    server_id uuid not null references servers on delete cascade,
    not_after timestamptz not null,
    revoked_at timestamptz,
    -- Two phases: offered, then confirmed by the agent; both are valid meanwhile.
    join_state_confirmed text not null default '',
    join_state_offered text not null default '',
    created_at timestamptz not null default now()
);
create index server_identities_server on server_identities (server_id);
call tenant_table('server_identities');

create table agent_sessions (
    server_id uuid primary key references servers on delete cascade,
    organization_id uuid not null references organizations on delete cascade,
    replica_id uuid not null,
    session_epoch bigint not null,
    address inet,
    connected_at timestamptz not null default now()
);
call tenant_table('agent_sessions');

create table server_containers (
    server_id uuid not null references servers on delete cascade,
    organization_id uuid not null references organizations on delete cascade,
    container_id text not null,
    instance_id uuid,
    role text,
    info jsonb not null,
    updated_at timestamptz not null default now(),
    primary key (server_id, container_id)
);
create index server_containers_instance on server_containers (instance_id) where instance_id is not null;
call tenant_table('server_containers');

create table metrics_raw (
    server_id uuid not null,
    organization_id uuid not null,
    at timestamptz not null,
    cpu_percent real not null,
    load_1m real not null,
    load_5m real not null,
    load_15m real not null,
    memory_total_bytes bigint not null,
    memory_used_bytes bigint not null,
    memory_available_bytes bigint not null,
    swap_used_bytes bigint not null,
    disk_total_bytes bigint not null,
    disk_used_bytes bigint not null,
    disk_read_bytes_per_second bigint not null,
    disk_write_bytes_per_second bigint not null,
    network_rx_bytes_per_second bigint not null,
    network_tx_bytes_per_second bigint not null,
    containers_running integer not null,
    containers_total integer not null,
    processes integer not null,
    uptime_seconds bigint not null,
    agent_memory_bytes bigint not null,
    primary key (server_id, at)
) partition by range (at);
create table metrics_1m (like metrics_raw including all) partition by range (at);
create table metrics_1h (like metrics_raw including all) partition by range (at);
call tenant_table('metrics_raw');
call tenant_table('metrics_1m');
call tenant_table('metrics_1h');

-- Partitions, one a day: made ahead, dropped when old. Owned by the owner, so that the system may ask for them only.
create function metrics_partitions_ensure(first date, last date) returns void
language plpgsql security definer set search_path = public as $$
declare day date; base text;
begin
    foreach base in array array['metrics_raw', 'metrics_1m', 'metrics_1h'] loop
        for day in select generate_series(first, last, interval '1 day')::date loop
            if to_regclass(format('%s_%s', base, to_char(day, 'YYYYMMDD'))) is null then
                execute format('create table %I partition of %I for values from (%L) to (%L)',
                    base || '_' || to_char(day, 'YYYYMMDD'), base,
                    day::timestamp at time zone 'UTC', (day + 1)::timestamp at time zone 'UTC');
            end if;
        end loop;
    end loop;
end $$;
create function metrics_partitions_drop(base text, before date) returns integer
language plpgsql security definer set search_path = public as $$
declare child record; dropped integer := 0;
begin
    if base not in ('metrics_raw', 'metrics_1m', 'metrics_1h') then
        raise exception 'not a metrics table: %', base;
    end if;
    for child in select inhrelid::regclass as name from pg_inherits where inhparent = base::regclass loop
        if to_date(right(child.name::text, 8), 'YYYYMMDD') < before then
            execute format('drop table %s', child.name);
            dropped := dropped + 1;
        end if;
    end loop;
    return dropped;
end $$;
revoke execute on function metrics_partitions_ensure, metrics_partitions_drop from public;
grant execute on function metrics_partitions_ensure, metrics_partitions_drop to ocore_system;

---------------------------------------------------------------------------------------------------- delivery, apps, data

create table projects (
    id uuid primary key,
    organization_id uuid not null references organizations on delete cascade,
    name text not null check (length(name) between 3 and 64),
    slug text not null,
    description text not null default '',
    archived_at timestamptz,
    version bigint not null default 1,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    unique (organization_id, slug)
);
call tenant_table('projects');

create table environments (
    id uuid primary key,
    organization_id uuid not null references organizations on delete cascade,
    project_id uuid not null references projects on delete cascade,
    name text not null check (length(name) between 3 and 64),
    slug text not null,
    type text not null check (type in ('production', 'staging', 'development')),
    version bigint not null default 1,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    unique (project_id, slug)
);
call tenant_table('environments');

create table instances (
    id uuid primary key,
    organization_id uuid not null references organizations on delete cascade,
    project_id uuid not null references projects,
    environment_id uuid not null references environments,
    server_id uuid not null references servers,
    -- desired
    name text not null check (length(name) between 3 and 64),
    slug text not null,
    labels jsonb not null default '{}',
    spec jsonb not null,
    secret_ids jsonb not null default '{}',
    generation bigint not null default 1,
    desired_state text not null default 'running' check (desired_state in ('running', 'stopped', 'removed')),
    -- observed
    status text not null default 'pending',
    status_reason text,
    health text not null default 'unknown',
    observed_generation bigint not null default 0,
    container_id text,
    image_digest text,
    http_port integer,
    last_job_id uuid,
    version bigint not null default 1,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
create unique index instances_name on instances (organization_id, name);
create unique index instances_slug on instances (organization_id, slug);
-- Container names carry the slug, so it is unique on a server, whoever owns the instance.
create unique index instances_server_slug on instances (server_id, slug);
create index instances_environment on instances (environment_id);
call tenant_table('instances');

create table database_clusters (
    id uuid primary key,
    organization_id uuid not null references organizations on delete cascade,
    server_id uuid not null references servers,
    environment_id uuid references environments,
    kind text not null check (kind in ('dedicated', 'shared', 'external')),
    image text not null,
    version bigint not null default 1,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
call tenant_table('database_clusters');

create table databases (
    id uuid primary key,
    organization_id uuid not null references organizations on delete cascade,
    cluster_id uuid not null references database_clusters on delete cascade,
    instance_id uuid references instances on delete cascade,
    name text not null,
    role text not null,
    version bigint not null default 1,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
create index databases_instance on databases (instance_id);
call tenant_table('databases');

---------------------------------------------------------------------------------------------------- work

create table jobs (
    id uuid primary key,
    organization_id uuid not null references organizations on delete cascade,
    kind text not null,
    executor text not null check (executor in ('agent', 'controller')),
    -- A job outlives what it was about.
    server_id uuid references servers on delete set null,
    instance_id uuid references instances on delete set null,
    parent_id uuid references jobs on delete cascade,
    subject jsonb not null,
    input jsonb not null,
    secret_ids jsonb not null default '{}',
    status text not null default 'queued' check (status in ('queued', 'dispatched', 'running', 'succeeded', 'failed', 'cancelled')),
    -- Behind another job of the same instance (?queue=true); the end of that one lets it go.
    waiting boolean not null default false,
    attempts integer not null default 0,
    run_at timestamptz not null default now(),
    claimed_by uuid,
    claimed_until timestamptz,
    timeout_seconds bigint,
    deadline_at timestamptz,
    cancel_requested_at timestamptz,
    result jsonb,
    failure jsonb,
    -- (journal, sequence) of the newest report that was applied: an older one never overwrites it.
    journal_id uuid,
    journal_seq bigint not null default 0,
    log_seq bigint not null default 0,
    -- Newest line that exists on the agent; the log is whole when log_seq has reached it.
    log_end bigint not null default 0,
    created_by jsonb not null,
    version bigint not null default 1,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    started_at timestamptz,
    finished_at timestamptz
);
create index jobs_list on jobs (organization_id, id desc);
create index jobs_due on jobs (run_at) where status in ('queued', 'dispatched');
create index jobs_open on jobs (server_id) where status in ('queued', 'dispatched', 'running');
create index jobs_deadline on jobs (deadline_at) where status in ('queued', 'dispatched');
create index jobs_cancelling on jobs (server_id)
    where cancel_requested_at is not null and status in ('queued', 'dispatched', 'running');
create index jobs_waiting on jobs (instance_id, id) where waiting and status = 'queued';
create unique index jobs_one_per_instance on jobs (instance_id)
    where instance_id is not null and not waiting and status in ('queued', 'dispatched', 'running');
create index jobs_instance on jobs (instance_id, id desc);
call tenant_table('jobs');

create table job_steps (
    job_id uuid not null references jobs on delete cascade,
    organization_id uuid not null,
    position integer not null,
    name text not null,
    title text not null,
    status text not null,
    started_at timestamptz,
    finished_at timestamptz,
    progress jsonb,
    message text,
    primary key (job_id, position)
);
call tenant_table('job_steps');

create table job_logs (
    job_id uuid not null references jobs on delete cascade,
    organization_id uuid not null,
    seq bigint not null,
    at timestamptz not null,
    step text,
    text text not null,
    primary key (job_id, seq)
);
create index job_logs_age on job_logs (at);
call tenant_table('job_logs');

reset role;
