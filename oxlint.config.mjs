/** Lint rules. The rooms of src/ stand one upon the other: a file imports from its own room and from those below, never from above. */

/** From the ground up. */
const rooms = ['base', 'tensor', 'lm', 'engines', 'align', 'evals', 'report', 'export', 'serve', 'view', 'studies', 'cli'];
/** Beside the ladder: imports base only, and is imported from align up. */
const prompts = 'prompts';
/** Everything that is not the library. These may import all of src, and src none of them. */
const outside = ['recipes', 'bench', 'scripts', 'integration', 'faults', 'examples'];

const forbidden = (folders) => ({
  regex: `^(\\.\\./)+(src/)?(${folders.join('|')})(/|$)`,
  message: `Imports go downward only: ${[...rooms].join(' < ')}. Move what is shared to the lower room.`,
});
/** tensor/session.ts is the one place that knows the runtime, so that it can be replaced there. */
const runtime = { regex: '^onnxruntime-node', message: 'Only src/tensor imports onnxruntime-node: use its session module.' };
/** The method knows the interfaces of the engines, so that every engine runs it. */
const oneEngine = {
  regex: '/engines/(embedded|openai|tinker)(/|\\.)',
  message: 'align and evals know src/engines/types.ts only, not one engine.',
};

/** What a file of a room may not import. */
function limits(room) {
  const level = rooms.indexOf(room);
  const above = room === prompts ? rooms.slice(1) : rooms.slice(level + 1);
  if (level >= 0 && level < rooms.indexOf('align')) above.push(prompts);
  return [
    forbidden([...above, ...outside]),
    ...(room === 'tensor' ? [] : [runtime]),
    ...(room === 'align' || room === 'evals' ? [oneEngine] : []),
  ];
}

export default {
  plugins: ['typescript', 'unicorn', 'oxc', 'import', 'promise', 'vitest', 'node'],
  categories: { correctness: 'error', suspicious: 'error' },
  env: { node: true, es2023: true },
  ignorePatterns: ['dist', 'node_modules', 'runs', 'fixtures'],
  rules: {
    eqeqeq: ['error', 'always', { null: 'ignore' }],
    'no-var': 'error',
    'prefer-const': 'error',
    'no-console': 'error',
    'max-lines': ['error', { max: 400 }],
    'typescript/no-explicit-any': 'error',
    'typescript/no-misused-promises': 'error',
    'typescript/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
    'typescript/consistent-type-imports': 'error',
    'import/no-cycle': 'error',
    'no-restricted-imports': ['error', { patterns: [runtime] }],
    // Off, with the reason.
    'typescript/no-unsafe-type-assertion': 'off', // JSON, worker messages and zod's inner shapes are narrowed by assertion beside their check
    'unicorn/no-array-sort': 'off', // toSorted copies; what is sorted in place here was just made
    'unicorn/no-array-reverse': 'off',
    'import/no-named-as-default-member': 'off', // fc.assert is how fast-check is used
    'unicorn/consistent-function-scoping': 'off', // a function stands where it is read
    'oxc/no-async-endpoint-handlers': 'off', // a rule for Express; Fastify awaits its handlers
    'no-shadow': 'off', // false alarms on parameters of function types
    'unicorn/require-post-message-target-origin': 'off', // a rule for browser windows; ours are worker threads
    'typescript/no-misused-spread': 'off', // [...text] splits by code point, as meant
    'unicorn/no-new-array': 'off', // a length and a type argument say what is meant
    'no-control-regex': 'off', // ours strip control characters
    'no-unmodified-loop-condition': 'off', // does not know that an AbortSignal changes
    'typescript/require-array-sort-compare': ['error', { ignoreStringArrays: true }],
    'typescript/no-unnecessary-type-arguments': 'off',
    'typescript/consistent-return': 'off', // tsc knows when a switch is complete
    'typescript/unbound-method': 'off', // false alarms on methods of interfaces that closures implement
    'vitest/no-conditional-expect': 'off',
    'vitest/valid-expect': ['error', { maxArgs: 2 }],
    'vitest/expect-expect': 'off', // properties are asserted by fast-check
  },
  overrides: [
    ...[...rooms, prompts].map((room) => ({
      files: [`src/${room}/**/*.ts`],
      rules: { 'no-restricted-imports': ['error', { patterns: limits(room) }] },
    })),
    // Typed by JSDoc, where a cast is a comment that these rules take for needless; checked by tsc -p src/view/page.
    {
      files: ['src/view/page/**/*.js'],
      rules: { 'typescript/no-unnecessary-type-assertion': 'off', 'typescript/no-base-to-string': 'off' },
    },
    { files: ['**/*.test.ts'], rules: { 'no-loss-of-precision': 'off' } }, // reference numbers in full
    { files: ['src/cli/**/*.ts', '**/*.test.ts', ...outside.map((folder) => `${folder}/**/*.ts`)], rules: { 'no-console': 'off' } },
  ],
};
