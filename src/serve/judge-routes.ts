/** The judge over HTTP: one answer, a batch, and OpenRLHF's remote reward. */
import type { FastifyInstance, FastifyReply } from 'fastify';
import { ApiError } from './api-error.js';
import { readBatch, readItem, type Submission } from './judge-request.js';
import type { JudgeService, Verdict } from './judge-service.js';
import { readRewardQuery } from './openrlhf.js';
import type { RouteContext } from './server.js';
import { specHeader, type ServedSpecification } from './served-model.js';

export interface JudgeRouteOptions {
  service: JudgeService;
  /** Of the specification that the judge goes by. */
  specification: ServedSpecification;
  /** What OpenRLHF is given for an unscored answer, for its protocol has no word for it. Left out: an error. */
  unscored?: number;
}

export function addJudgeRoutes(app: FastifyInstance, context: RouteContext, { service, specification, unscored }: JudgeRouteOptions): void {
  const { metrics, signalOf } = context;
  const judge = async (submissions: readonly Submission[], reply: FastifyReply): Promise<Verdict[]> => {
    reply.raw.setHeader(specHeader, specification.digest);
    const verdicts = await service.verdicts(submissions, signalOf(reply));
    verdicts.forEach(({ score, outcome }, i) => {
      const category = submissions[i]?.request.category ?? '';
      metrics.judgements.inc({ category, outcome });
      if (score !== null) metrics.scores.observe({ category }, score);
    });
    return verdicts;
  };

  app.get('/v1/judge', () => ({ spec_digest: specification.digest, categories: service.categories }));
  app.post('/v1/judge', async (request, reply) => {
    const [verdict] = await judge([readItem(request.body)], reply);
    return { ...verdict, spec_digest: specification.digest };
  });
  app.post('/v1/judge/batch', async (request, reply) => ({
    results: await judge(readBatch(request.body), reply),
    spec_digest: specification.digest,
  }));
  app.post('/get_reward', async (request, reply) => {
    const verdicts = await judge(readRewardQuery(request.body), reply);
    const rewards = verdicts.map(({ score, runs }) => {
      const reward = score ?? unscored;
      if (reward !== undefined) return reward;
      const why = runs.find((run) => run.score === null)?.unscored ?? 'the judge gave no verdict';
      throw new ApiError(
        503,
        'server_error',
        `unscored: ${why}. Start the server with --unscored to give such answers a reward.`,
        null,
        'unscored',
      );
    });
    // Nothing in extra_logs: its versions do not agree on the form of a value.
    return { rewards, scores: rewards, extra_logs: {} };
  });
}
