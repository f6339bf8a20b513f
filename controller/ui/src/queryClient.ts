import { notifications } from '@mantine/notifications';
import { MutationCache, QueryClient } from '@tanstack/react-query';
import { asApiError } from '@/api/errors';

declare module '@tanstack/react-query' {
  interface Register {
    mutationMeta: {
      /** The form or dialog shows the error itself. */
      showsError?: boolean;
    };
  }
}

export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      // The live stream says when something changes; focus alone is no reason to ask again.
      staleTime: 15_000,
      refetchOnWindowFocus: false,
      // A controller on this machine answers also while the browser thinks that it is offline.
      networkMode: 'always',
      retry: (failures, error) => {
        const { status } = asApiError(error);
        return failures < 2 && (status === 0 || status >= 500);
      },
    },
    mutations: { networkMode: 'always' },
  },
  mutationCache: new MutationCache({
    onError: (error, _input, _result, mutation) => {
      if (mutation.meta?.showsError) return;
      const problem = asApiError(error);
      notifications.show({ color: 'red', title: 'This did not work', message: problem.message, autoClose: 9000 });
    },
  }),
});
