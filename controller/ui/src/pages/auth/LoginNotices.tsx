import { IconCircleCheck, IconInfoCircle, IconMailX } from '@tabler/icons-react';
import { useSearch } from '@tanstack/react-router';
import { Notice } from '@/components/Notice';
import { oauthProblem } from './oauthErrors';

/** What somebody should know who was led to the sign-in page. */
export function LoginNotices({ ended }: { ended: string | null }) {
  const { oauth_error, email_change } = useSearch({ from: '/login' });
  if (ended) {
    return (
      <Notice tone="warn" icon={<IconInfoCircle size={18} />} role="status" testId="login-notice">
        {ended}
      </Notice>
    );
  }
  if (oauth_error) {
    return (
      <Notice tone="warn" icon={<IconInfoCircle size={18} />} role="alert" testId="login-notice">
        {oauthProblem(oauth_error)}
      </Notice>
    );
  }
  if (email_change === 'done') {
    return (
      <Notice tone="good" icon={<IconCircleCheck size={18} />} title="Your new address is confirmed" role="status" testId="login-notice">
        Sign in with it from now on. Where you are signed in already, you stay so: <a href="/">go on there</a>.
      </Notice>
    );
  }
  if (email_change) {
    return (
      <Notice tone="warn" icon={<IconMailX size={18} />} title="The link does not work any more" role="alert" testId="login-notice">
        It was used, a newer one was sent, or its day is over. Your address is what it was; ask for the change again in your
        account.
      </Notice>
    );
  }
  return null;
}
