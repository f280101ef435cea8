import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

export default defineConfig({
  // Text of all elements passes src/jsx.
  plugins: [react({ jsxImportSource: '@fleetflame/ui' })],
  resolve: {
    alias: {
      '@fleetflame/ui/jsx-runtime': new URL('src/jsx/jsx-runtime.ts', import.meta.url).pathname,
      '@fleetflame/ui/jsx-dev-runtime': new URL('src/jsx/jsx-dev-runtime.ts', import.meta.url).pathname,
    },
  },
  // `pnpm dev` shows the page with hot reload on the data of a running `./fleetflame up`.
  server: { proxy: { '/fleetflame.': 'http://127.0.0.1:7171' } },
  build: {
    outDir: 'dist/app',
    emptyOutDir: true,
    target: 'es2024',
    // One page, one chunk: a second request costs more than it saves.
    chunkSizeWarningLimit: 1000,
    // CSP without data: fonts and icons stay files.
    assetsInlineLimit: 0,
    rolldownOptions: {
      treeshake: {
        // The page uses the projections and selectors of `profile`, not its block codecs.
        moduleSideEffects: (id) => !/\/packages\/(profile|proto)\//u.test(id),
      },
    },
  },
});
