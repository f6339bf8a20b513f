import { fileURLToPath } from 'node:url';
import react from '@vitejs/plugin-react';
import { defineConfig } from 'vitest/config';

// Where `npm run dev` sends the API: a real controller, or the mock server of dev/.
const backend = process.env.OCORE_BACKEND ?? 'http://127.0.0.1:8099';

export default defineConfig({
  plugins: [react()],
  resolve: { alias: { '@': fileURLToPath(new URL('./src', import.meta.url)) } },
  build: {
    target: 'es2022',
    // The content security policy allows no data: addresses.
    assetsInlineLimit: 0,
    // One style sheet: a page never appears without its part of it.
    cssCodeSplit: false,
    modulePreload: { polyfill: false },
  },
  server: { proxy: { '^/api/': { target: backend, ws: true }, '/docs': backend } },
  test: { environment: 'node', include: ['src/**/*.test.ts'] },
});
