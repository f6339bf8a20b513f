set role ocore_owner;

-- The name that a controller has on its machine, for the proxy that an agent runs there.
create table console_names (
    -- Key of the machine, as in facts of servers.
    machine text primary key,
    host text not null,
    -- Where the controller's socket is.
    directory text not null,
    updated_at timestamptz not null default now()
);
grant select, insert, update, delete on console_names to ocore_system;
grant select on console_names to ocore_app;

reset role;
