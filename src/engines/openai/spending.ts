/** What servers were asked and what it cost, by role and stage. */
import { currentStage } from '../../base/stage-scope.js';
import type { ServerUsage } from '../workbench.js';
import type { Usage } from './reply.js';

export interface Spender {
  role: string;
  model: string;
  /** Of a million tokens. */
  price?: { input: number; output: number } | undefined;
}

export class Spending {
  private readonly byStage = new Map<string, ServerUsage>();

  constructor(private readonly spender: Spender) {}

  /** A request that the server answered; null where it counted no tokens. */
  answered(usage: Usage | null): void {
    const row = this.row();
    row.calls++;
    if (usage === null) {
      row.uncounted++;
      return;
    }
    row.promptTokens += usage.promptTokens;
    row.completionTokens += usage.completionTokens;
    row.reasoningTokens += usage.reasoningTokens;
    const { price } = this.spender;
    if (price !== undefined) row.cost = (row.cost ?? 0) + (usage.promptTokens * price.input + usage.completionTokens * price.output) / 1e6;
  }

  cached(): void {
    this.row().cached++;
  }

  retried(): void {
    this.row().retries++;
  }

  rows(): ServerUsage[] {
    return [...this.byStage.values()].map((row) => ({ ...row }));
  }

  private row(): ServerUsage {
    const stage = currentStage();
    let row = this.byStage.get(stage);
    if (row === undefined) {
      const { role, model, price } = this.spender;
      row = { role, model, stage, calls: 0, cached: 0, retries: 0, uncounted: 0, promptTokens: 0, completionTokens: 0, reasoningTokens: 0 };
      if (price !== undefined) row.cost = 0;
      this.byStage.set(stage, row);
    }
    return row;
  }
}
