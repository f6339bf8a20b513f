import { useSuspenseQuery } from '@tanstack/react-query';
import { userQuery } from '@/api/queries';
import type { Account } from '@/api/types';

/** Who is signed in; also of somebody who belongs to no organization. */
export function useUser(): Account {
  return useSuspenseQuery(userQuery).data;
}
