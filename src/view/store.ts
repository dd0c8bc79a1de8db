/**
 * The run's JSONL in DuckDB: read once, then only what was appended. DuckDB reads 100,000 records in half a second, in threads
 * of its own, and comes as plain npm packages without an install script.
 */
import { DuckDBInstance, type DuckDBConnection, type DuckDBValue } from '@duckdb/node-api';
import { mkdtemp, open, rm, stat, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { readRunFile, RunPaths } from '../base/run-folder.js';
import { diskError } from '../base/disk-error.js';
import { dependencyError } from '../base/errors.js';
import type { Spec } from '../align/spec/types.js';
import { responseKind } from '../align/response-kind.js';
import { buildSteps } from './records-sql.js';
import { findSources, tables, type Source } from './sources.js';

export type Row = Record<string, unknown>;

interface Imported {
  table: string;
  inode: number;
  /** Bytes read, up to the last line feed. */
  bytes: number;
}

/** Files are looked at no more often than this, in ms, and no more than a tenth of the time: a run needs the cores more. */
const lookEvery = 1500;
const restShare = 9;
/** Bytes of a file that are read at once. */
const mostAtOnce = 2 ** 28;

export class RunStore {
  private readonly imported = new Map<string, Imported>();
  private refreshing: Promise<void> | null = null;
  private nextLook = 0;
  private closed = false;
  /** Queries that are being answered. */
  private readonly asked = new Set<Promise<unknown>>();
  /** Changes when any record does. */
  version = 0;
  /** Lines that are no records, by file. */
  readonly unreadable = new Map<string, number>();
  private isBuilt: () => void = () => undefined;
  private readonly built = new Promise<void>((resolve) => {
    this.isBuilt = resolve;
  });

  private constructor(
    readonly root: string,
    /** Of the run. */
    readonly name: string,
    readonly spec: Spec,
    private readonly instance: DuckDBInstance,
    /** Reading goes on beside writing: each sees the tables as they were committed. */
    private readonly reader: DuckDBConnection,
    private readonly writer: DuckDBConnection,
    private readonly scratch: string,
  ) {}

  static async open(root: string, spec: Spec): Promise<RunStore> {
    const instance = await DuckDBInstance.create(':memory:', {
      threads: String(Math.min(4, os.availableParallelism())),
      autoinstall_known_extensions: 'false',
      autoload_known_extensions: 'false',
    });
    const stored = await readRunFile(new RunPaths(root)).catch(() => null);
    const store = new RunStore(
      root,
      stored?.config.name ?? path.basename(path.resolve(root)),
      spec,
      instance,
      await instance.connect(),
      await instance.connect(),
      await mkdtemp(path.join(os.tmpdir(), 'deliberate-view-')),
    );
    for (const [table, columns] of Object.entries(tables)) {
      const list = Object.entries(columns).map(([name, type]) => `"${name}" ${type}`);
      await store.writer.run(`create table raw_${table} (source VARCHAR, ${list.join(', ')})`);
    }
    await store.writer.run('create table clauses (code VARCHAR, category VARCHAR, ruling VARCHAR)');
    for (const category of spec.categories)
      for (const { code, ruling } of category.clauses)
        await store.writer.run('insert into clauses values ($1, $2, $3)', [code, category.name, ruling]);
    for (const { code, kind } of [...spec.styles, ...spec.categories.flatMap(({ styles }) => styles)])
      await store.writer.run('insert into clauses values ($1, null, $2)', [code, kind]);
    await store.writer.run('create table kinds (id VARCHAR, kind VARCHAR)');
    // Who asks for records is told what failed; nobody has asked yet.
    store.refresh().catch(() => undefined);
    return store;
  }

  /** Rows of a query, as plain JSON values. @throws dependency error once the store is closed */
  async rows(sql: string, parameters: readonly DuckDBValue[] = []): Promise<Row[]> {
    if (this.closed) throw dependencyError('The viewer has been closed. Start it again.');
    const answer = this.reader.runAndReadAll(sql, [...parameters]);
    this.asked.add(answer);
    try {
      return (await answer).getRowObjectsJson();
    } finally {
      this.asked.delete(answer);
    }
  }

  /**
   * Resolves once the records can be asked for; what kind each answer is may come later.
   * @throws what the first reading throws; the next call tries again
   */
  async whenReady(): Promise<void> {
    if (this.version === 0) await Promise.race([this.built, this.refresh()]);
  }

  /** Reads what the run has written since. Calls that come in meanwhile share one reading. */
  refresh(): Promise<void> {
    const start = Date.now();
    if (this.closed || (start < this.nextLook && this.refreshing === null)) return Promise.resolve();
    this.refreshing ??= this.look().finally(() => {
      const end = Date.now();
      this.nextLook = this.version === 0 ? 0 : end + Math.max(lookEvery, restShare * (end - start));
      this.refreshing = null;
    });
    return this.refreshing;
  }

  /** As `refresh`, but at once: after a write of our own. */
  async refreshNow(): Promise<void> {
    await this.refreshing;
    this.nextLook = 0;
    await this.refresh();
  }

  /** What is still being asked fails: whoever asked is gone. */
  async close(): Promise<void> {
    this.closed = true;
    await this.endQueries();
    this.reader.closeSync();
    this.writer.closeSync();
    this.instance.closeSync();
    await rm(this.scratch, { recursive: true, force: true });
  }

  /** DuckDB locks up, and the process never ends, when a connection is closed that is answering. */
  private async endQueries(): Promise<void> {
    while (this.asked.size > 0 || this.refreshing !== null) {
      // Ends the query that is being answered, not those that wait behind it.
      this.reader.interrupt();
      await Promise.race([Promise.allSettled([...this.asked, this.refreshing]), sleep(20)]);
    }
  }

  private async look(): Promise<void> {
    const sources = await findSources(this.root);
    let changed = this.version === 0;
    for (const [file, { table }] of this.imported) {
      if (sources.some((source) => source.file === file)) continue;
      await this.writer.run(`delete from raw_${table} where source = $1`, [file]);
      this.imported.delete(file);
      this.unreadable.delete(file);
      changed = true;
    }
    for (const source of sources) changed = (await this.import(source)) || changed;
    if (!changed) return;
    await this.build();
    if (await this.classify()) await this.build();
  }

  private async build(): Promise<void> {
    await this.writer.run('begin');
    try {
      for (const step of buildSteps) await this.writer.run(step);
      await this.writer.run('commit');
    } catch (error) {
      await this.writer.run('rollback');
      throw error;
    }
    this.version++;
    this.isBuilt();
  }

  /** @returns whether there was anything new */
  private async import({ table, file }: Source): Promise<boolean> {
    const found = await stat(file).catch((error: NodeJS.ErrnoException) => {
      // Removed since it was listed.
      if (error.code === 'ENOENT') return null;
      throw diskError(file, error);
    });
    if (found === null) return false;
    const { ino, size } = found;
    let before = this.imported.get(file);
    if (before !== undefined && (before.inode !== ino || size < before.bytes)) {
      // Another file took the place of this one.
      await this.writer.run(`delete from raw_${table} where source = $1`, [file]);
      this.unreadable.delete(file);
      before = undefined;
    }
    let bytes = before?.bytes ?? 0;
    let any = before === undefined;
    while (bytes < size) {
      const lines = await wholeLines(file, bytes, Math.min(size, bytes + mostAtOnce));
      if (lines.length === 0) break;
      await this.insert(table, file, lines);
      bytes += lines.length;
      any = true;
    }
    this.imported.set(file, { table, inode: ino, bytes });
    return any;
  }

  private async insert(table: string, file: string, lines: Buffer): Promise<void> {
    const part = path.join(this.scratch, 'part.jsonl');
    await writeFile(part, lines);
    const columns = tables[table]!;
    const list = Object.entries(columns).map(([name, type]) => `"${name}": '${type}'`);
    // A line that is no JSON comes as a row of nulls.
    await this.writer.run(
      `insert into raw_${table} by name select $1 as source, * from read_json(${quoted(part)}, format = 'newline_delimited', ignore_errors = true, maximum_object_size = 67108864, columns = {${list.join(', ')}})`,
      [file],
    );
    const key = Object.keys(columns)[0]!;
    const [lost] = await this.rows(`select count(*)::INTEGER as n from raw_${table} where source = $1 and "${key}" is null`, [file]);
    const count = Number(lost?.['n'] ?? 0);
    if (count > 0) {
      this.unreadable.set(file, (this.unreadable.get(file) ?? 0) + count);
      await this.writer.run(`delete from raw_${table} where source = $1 and "${key}" is null`, [file]);
    }
  }

  /** What kind of answer each completion and rollout is, by the published rules. @returns whether any was new */
  private async classify(): Promise<boolean> {
    let any = false;
    for (;;) {
      const open = await this.rows(
        'select id, answer from (select id, answer from raw_completions union all select id, answer from raw_rollouts) where id not in (select id from kinds) limit 20000',
      );
      if (open.length === 0) return any;
      any = true;
      const lines: string[] = [];
      for (const [i, { id, answer }] of open.entries()) {
        // Others want the event loop as well.
        if (i % 200 === 199) await new Promise((resolve) => setImmediate(resolve));
        if (this.closed) return false;
        lines.push(JSON.stringify({ id, kind: responseKind(String(answer)) }));
      }
      const part = path.join(this.scratch, 'kinds.jsonl');
      await writeFile(part, lines.join('\n'));
      await this.writer.run(
        `insert into kinds select distinct id, kind from read_json(${quoted(part)}, format = 'newline_delimited', columns = {id: 'VARCHAR', kind: 'VARCHAR'})`,
      );
    }
  }
}

const quoted = (text: string): string => `'${text.replaceAll("'", "''")}'`;

/** The lines of a file from `start` to the last line feed; a torn last line is left for the next time. */
async function wholeLines(file: string, start: number, end: number): Promise<Buffer> {
  const handle = await open(file, 'r');
  try {
    const bytes = Buffer.alloc(end - start);
    const { bytesRead } = await handle.read(bytes, 0, bytes.length, start);
    return bytes.subarray(0, bytes.subarray(0, bytesRead).lastIndexOf(0x0a) + 1);
  } finally {
    await handle.close();
  }
}
