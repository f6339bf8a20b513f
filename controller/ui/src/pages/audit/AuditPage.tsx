import { useNavigate, useSearch } from '@tanstack/react-router';
import { useSession } from '@/shell/session';
import { AuditLog } from './AuditLog';

export default function AuditPage() {
  const search = useSearch({ from: '/app/audit' });
  const navigate = useNavigate({ from: '/audit' });
  const { organization } = useSession();
  return (
    <AuditLog
      title="Audit log"
      subtitle={`Every change and every sensitive read in ${organization.name}, chained and signed so that none can be altered unseen.`}
      ofPlatform={false}
      search={search}
      onSearch={(change) => void navigate({ search: (s) => ({ ...s, ...change }), replace: true })}
    />
  );
}
