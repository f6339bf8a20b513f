import { useNavigate, useSearch } from '@tanstack/react-router';
import { AuditLog } from './AuditLog';

export default function PlatformAuditPage() {
  const search = useSearch({ from: '/app/admin/audit' });
  const navigate = useNavigate({ from: '/admin/audit' });
  return (
    <AuditLog
      title="Audit log of the platform"
      subtitle="Across all organizations, with what belongs to none of them, such as signing in."
      ofPlatform
      search={search}
      onSearch={(change) => void navigate({ search: (s) => ({ ...s, ...change }), replace: true })}
    />
  );
}
