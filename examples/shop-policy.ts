/**
 * A content policy that is not about safety: what a shop's assistant may say of orders and refunds.
 * The policy is three Markdown files; nothing is labelled by hand. Run it: npx tsx examples/shop-policy.ts
 */
import { fileURLToPath } from 'node:url';
import { compileSpec, createProgress, loadPrompts, loadSpec, readJsonl, run, scorecardText, SftRecord, type Workbench } from 'deliberate';

const shop = fileURLToPath(new URL('../templates/shop', import.meta.url));

export interface ShopExample {
  folder: string;
  /** Left out: the small model that runs on this machine. */
  engine?: Workbench;
  /** More settings; `deliberate config` prints all of them. */
  settings?: object;
}

export async function alignToShopPolicy({ folder, engine, settings = {} }: ShopExample) {
  const spec = await loadSpec(`${shop}/policy`);
  // What a model sees before a question about refunds: every rule has a code that the chain of thought cites.
  const { text } = compileSpec(spec, 'refunds', { maxTokens: 800, countTokens: (line) => Math.ceil(line.length / 4) });

  const { scorecard, report } = await run({
    folder,
    spec,
    prompts: await loadPrompts(`${shop}/prompts.jsonl`),
    settings: { name: 'shop', prompts: { train: 40, ordinary: 8, validation: 10 }, ...settings },
    progress: createProgress(),
    ...(engine && { engine }),
  });

  // What the model learns from: the question as the customer put it, without the policy, and reasoning that knows it by heart.
  const learnt = await readJsonl(`${folder}/sft.jsonl`, SftRecord);
  return { policy: text, learnt, scorecard, report };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { policy, learnt, scorecard, report } = await alignToShopPolicy({ folder: 'runs/shop' });
  console.log(`${policy}\n\n${learnt[0]?.cot}\n\n${learnt[0]?.answer}\n`);
  if (scorecard !== null) console.log(scorecardText(scorecard));
  console.log(report);
}
