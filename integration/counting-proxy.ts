/** Stands before a server and counts: who was asked what, what was answered, what broke off. Bytes pass as they are. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Passed {
  /** Hash of the body: a repetition of the same request has the same. */
  key: string;
  body: string;
  /** null while under way or when it broke off. */
  status: number | null;
  broken: boolean;
}

export class CountingProxy {
  /** Chat completions, in the order in which they were asked for. */
  readonly passed: Passed[] = [];
  onAnswer: () => void = () => undefined;

  private constructor(
    private readonly server: Server,
    readonly url: string,
  ) {}

  static async start(target: string): Promise<CountingProxy> {
    const { hostname, port } = new URL(target);
    const server = createServer((asked, answer) => {
      const chunks: Buffer[] = [];
      asked.on('data', (chunk: Buffer) => chunks.push(chunk));
      asked.on('end', () => {
        const body = Buffer.concat(chunks);
        const one: Passed = {
          key: createHash('sha256').update(body).digest('hex'),
          body: body.toString('utf8'),
          status: null,
          broken: false,
        };
        if (asked.url?.endsWith('/chat/completions')) proxy.passed.push(one);
        const breakOff = () => {
          one.broken = true;
          answer.destroy();
        };
        const onwards = request(
          { hostname, port, method: asked.method, path: asked.url, headers: asked.headers, agent: false },
          (reply) => {
            answer.writeHead(reply.statusCode ?? 502, reply.headers);
            reply.on('data', (chunk: Buffer) => answer.write(chunk));
            reply.on('error', breakOff);
            reply.on('end', () => {
              if (!reply.complete) return breakOff();
              one.status = reply.statusCode ?? null;
              answer.end();
              proxy.onAnswer();
            });
          },
        );
        onwards.on('error', breakOff);
        onwards.end(body);
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const proxy = new CountingProxy(server, `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    return proxy;
  }

  /** Requests that were neither answered nor broken off yet. */
  underWay(): number {
    return this.passed.filter(({ status, broken }) => status === null && !broken).length;
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, 'close');
  }
}
