set role ocore_owner;

-- Where the live bus of an instance with workers is published for a proxy of its people's own.
alter table instances add column realtime_port integer;

-- What was found when a name was last asked for through such a proxy.
alter table domains add column reach jsonb;

reset role;
