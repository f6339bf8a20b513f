import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { api, unwrap } from '@/api/client';
import { COOKIE_SESSION } from '@/api/session';
import { forgetPerson } from '@/lib/storage';

/** Ends the session; afterwards the sign-in page, which leads on to `next`. */
export function useSignOut(next?: string) {
  const client = useQueryClient();
  const navigate = useNavigate();
  return useMutation({
    mutationFn: () => unwrap(api.POST('/api/auth/logout', { headers: COOKIE_SESSION })),
    onSuccess: () => {
      void navigate({ to: '/login', search: next ? { next } : {} }).then(() => {
        client.clear();
        forgetPerson();
      });
    },
  });
}
