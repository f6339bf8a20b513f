set role ocore_owner;

-- Health of instances as their agents report it, how long each state lasted, and samples of what instances use.

create table instance_health (
    instance_id uuid primary key references instances on delete cascade,
    organization_id uuid not null references organizations on delete cascade,
    state text not null check (state in ('unknown', 'stopped', 'starting', 'healthy', 'unhealthy', 'crash_looping')),
    -- Since when it is in that state.
    since timestamptz not null,
    -- Whether it was told that it is unhealthy, and not yet that it is well again.
    is_told boolean not null default false,
    report jsonb not null,
    reported_at timestamptz not null
);
call tenant_table('instance_health');

-- One row for each stretch of time in one state. Without an open one the state is unknown: the server is away.
create table instance_health_spans (
    instance_id uuid not null references instances on delete cascade,
    organization_id uuid not null references organizations on delete cascade,
    began_at timestamptz not null,
    ended_at timestamptz,
    state text not null,
    primary key (instance_id, began_at)
);
create unique index instance_health_spans_open on instance_health_spans (instance_id) where ended_at is null;
call tenant_table('instance_health_spans');

create table instance_metrics_raw (
    instance_id uuid not null,
    organization_id uuid not null,
    at timestamptz not null,
    -- Null is unknown, never 0.
    cpu_percent real,
    memory_used_bytes bigint,
    memory_rss_bytes bigint,
    memory_limit_bytes bigint,
    network_rx_bytes_per_second bigint,
    network_tx_bytes_per_second bigint,
    block_read_bytes_per_second bigint,
    block_write_bytes_per_second bigint,
    processes integer,
    database_bytes bigint,
    database_connections integer,
    filestore_bytes bigint,
    primary key (instance_id, at)
) partition by range (at);
create table instance_metrics_1m (like instance_metrics_raw including all) partition by range (at);
create table instance_metrics_1h (like instance_metrics_raw including all) partition by range (at);
call tenant_table('instance_metrics_raw');
call tenant_table('instance_metrics_1m');
call tenant_table('instance_metrics_1h');

create or replace function metrics_partitions_ensure(first date, last date) returns void
language plpgsql security definer set search_path = public as $$
declare day date; base text;
begin
    foreach base in array array['metrics_raw', 'metrics_1m', 'metrics_1h',
                                'instance_metrics_raw', 'instance_metrics_1m', 'instance_metrics_1h'] loop
        for day in select generate_series(first, last, interval '1 day')::date loop
            if to_regclass(format('%s_%s', base, to_char(day, 'YYYYMMDD'))) is null then
                execute format('create table %I partition of %I for values from (%L) to (%L)',
                    base || '_' || to_char(day, 'YYYYMMDD'), base,
                    day::timestamp at time zone 'UTC', (day + 1)::timestamp at time zone 'UTC');
            end if;
        end loop;
    end loop;
end $$;
create or replace function metrics_partitions_drop(base text, before date) returns integer
language plpgsql security definer set search_path = public as $$
declare child record; dropped integer := 0;
begin
    if base not in ('metrics_raw', 'metrics_1m', 'metrics_1h',
                    'instance_metrics_raw', 'instance_metrics_1m', 'instance_metrics_1h') then
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

reset role;
