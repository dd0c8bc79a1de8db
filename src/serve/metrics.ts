/** What a server counts, in the format of Prometheus. */
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';

const seconds = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120];

/** One registry a server, so that two in one process do not mix. Labels take few values: routes, models, categories. */
export class Metrics {
  readonly registry = new Registry();
  private readonly registers = [this.registry];

  readonly requests = new Counter({
    name: 'deliberate_http_requests_total',
    help: 'Requests answered, by route and status; status 499: the client left before the answer',
    labelNames: ['route', 'status'],
    registers: this.registers,
  });
  readonly requestSeconds = new Histogram({
    name: 'deliberate_http_request_seconds',
    help: 'Time from request to the end of its answer',
    labelNames: ['route'],
    buckets: seconds,
    registers: this.registers,
  });
  readonly inFlight = new Gauge({
    name: 'deliberate_requests_in_flight',
    help: 'Requests that are being answered',
    registers: this.registers,
  });
  readonly completions = new Counter({
    name: 'deliberate_completions_total',
    help: 'Choices written, by model and reason of their end',
    labelNames: ['model', 'finish_reason'],
    registers: this.registers,
  });
  readonly promptTokens = new Counter({
    name: 'deliberate_prompt_tokens_total',
    help: 'Tokens read',
    labelNames: ['model'],
    registers: this.registers,
  });
  readonly completionTokens = new Counter({
    name: 'deliberate_completion_tokens_total',
    help: 'Tokens written, chains of thought among them',
    labelNames: ['model'],
    registers: this.registers,
  });
  readonly firstTextSeconds = new Histogram({
    name: 'deliberate_first_text_seconds',
    help: 'Time from a request to the first text that its model writes',
    labelNames: ['model'],
    buckets: seconds,
    registers: this.registers,
  });
  readonly judgements = new Counter({
    name: 'deliberate_judgements_total',
    help: 'Answers given to the judge service, by outcome: judged, malformed or unscored',
    labelNames: ['category', 'outcome'],
    registers: this.registers,
  });
  readonly scores = new Histogram({
    name: 'deliberate_judge_score',
    help: 'Scores given',
    labelNames: ['category'],
    buckets: [0, 0.2, 0.4, 0.6, 0.8, 1],
    registers: this.registers,
  });
  readonly info = new Gauge({
    name: 'deliberate_model_info',
    help: 'Models served, with the digest of the specification they were aligned to; always 1',
    labelNames: ['model', 'specification'],
    registers: this.registers,
  });

  constructor() {
    collectDefaultMetrics({ register: this.registry });
  }
}
