set role ocore_owner;

-- A page of one organization's list must cost the same however many others there are.
create index instances_page on instances (organization_id, id desc);
create index servers_page on servers (organization_id, id desc);

reset role;
