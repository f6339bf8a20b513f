import '@mantine/core/styles.layer.css';
import '@mantine/notifications/styles.layer.css';
import './styles.css';
import { MantineProvider, localStorageColorSchemeManager } from '@mantine/core';
import { Notifications } from '@mantine/notifications';
import { QueryClientProvider } from '@tanstack/react-query';
import { RouterProvider } from '@tanstack/react-router';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { onSignedOut } from '@/api/session';
import { forgetPerson } from '@/lib/storage';
import { queryClient } from '@/queryClient';
import { router } from '@/router';
import { cssVariables, theme } from '@/theme';

const PUBLIC_PAGES = ['/login', '/bootstrap', '/invite', '/signup', '/verify-email', '/forgot-password', '/reset-password'];

onSignedOut(() => {
  forgetPerson();
  const { pathname, href } = router.state.location;
  if (PUBLIC_PAGES.includes(pathname)) return;
  queryClient.clear();
  void router.navigate({ to: '/login', search: { next: href } });
});

const root = document.getElementById('root');
if (!root) throw new Error('The page has no root element');

createRoot(root).render(
  <StrictMode>
    <MantineProvider
      theme={theme}
      cssVariablesResolver={cssVariables}
      defaultColorScheme="auto"
      colorSchemeManager={localStorageColorSchemeManager({ key: 'ocore.color-scheme' })}
    >
      <QueryClientProvider client={queryClient}>
        <Notifications position="bottom-right" autoClose={5000} limit={4} />
        <RouterProvider router={router} />
      </QueryClientProvider>
    </MantineProvider>
  </StrictMode>,
);
