import { useSuspenseQuery } from '@tanstack/react-query';
import { userQuery } from '@/api/queries';
import type { User } from '@/api/types';

/** Who is signed in; also of somebody who belongs to no organization. */
export function useUser(): User {
  return useSuspenseQuery(userQuery).data;
}
