/** Kinds of job that this version of oCore has, for the filter of the list. */
export const JOB_KINDS = [
  'instance_provision', 'instance_start', 'instance_stop', 'instance_restart', 'instance_kill', 'instance_update',
  'instance_addons', 'instance_upgrade', 'instance_modules', 'instance_admin_password', 'instance_remove',
  'backup_create', 'backup_restore', 'backup_delete',
  'agent_uninstall', 'noop',
];
