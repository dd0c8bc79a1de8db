import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['src/**/*.test.ts', 'recipes/**/*.test.ts', 'scripts/**/*.test.ts', 'bench/**/*.test.ts'],
    // Tests that build a model compile graphs, which takes seconds on a busy machine.
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
