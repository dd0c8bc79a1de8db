import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  // Examples import the library by its name; here they get its sources.
  resolve: { alias: { deliberate: fileURLToPath(new URL('src/index.ts', import.meta.url)) } },
  test: {
    include: [
      'src/**/*.test.ts',
      'recipes/**/*.test.ts',
      'scripts/**/*.test.ts',
      'integration/**/*.test.ts',
      'bench/**/*.test.ts',
      'faults/**/*.test.ts',
      'examples/**/*.test.ts',
    ],
    // Tests that build a model compile graphs, which takes seconds on a busy machine.
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
