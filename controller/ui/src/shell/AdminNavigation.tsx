// The platform's administrator has a section of their own; its pages unfold inside it.
import {
  IconBuilding,
  IconGauge,
  IconHistory,
  IconListDetails,
  IconMail,
  IconPlugConnected,
  IconSettings,
  IconUsers,
} from '@tabler/icons-react';
import { Link, useLocation } from '@tanstack/react-router';
import { useSession } from './session';
import classes from './shell.module.css';

const PAGES = [
  { to: '/admin', label: 'Overview', icon: IconGauge },
  { to: '/admin/users', label: 'People', icon: IconUsers },
  { to: '/admin/organizations', label: 'Organizations', icon: IconBuilding },
  { to: '/admin/jobs', label: 'All jobs', icon: IconListDetails },
  { to: '/admin/mails', label: 'Mail', icon: IconMail },
  { to: '/admin/tunnels', label: 'Tunnels', icon: IconPlugConnected },
  { to: '/admin/audit', label: 'Audit log', icon: IconHistory },
  { to: '/admin/settings', label: 'Settings', icon: IconSettings },
] as const;

export function AdminNavigation({ onGo }: { onGo: () => void }) {
  const { user } = useSession();
  const { pathname } = useLocation();
  if (!user.is_admin) return null;
  const inside = pathname === '/admin' || pathname.startsWith('/admin/');
  return (
    <>
      <div className={classes.navSection}>Platform</div>
      {(inside ? PAGES : PAGES.slice(0, 1)).map(({ to, label, icon: Icon }) => (
        <Link
          key={to}
          to={to}
          className={classes.navLink}
          activeOptions={{ exact: to === '/admin' }}
          onClick={onGo}
          data-testid={`nav-${to.slice(1).replace('/', '-')}`}
        >
          <Icon size={18} stroke={1.7} aria-hidden />
          {inside ? label : 'Administration'}
        </Link>
      ))}
    </>
  );
}
